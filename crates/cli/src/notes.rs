//! What is told about data before it is used: what was left out of it, and how many images each class has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chiaro::data::{Dataset, FolderNotes, Split};
use chiaro::train::{Data, Task};

use crate::output::note;

/// The most files, or classes, that are named one by one.
const SHOWN: usize = 10;
/// Endings of formats of images that are not read.
const OTHER_IMAGES: [&str; 6] = ["heic", "heif", "avif", "jxl", "jp2", "svg"];

/// Tells what is left out of the data of a run, and which classes have no image.
pub fn report(task: &dyn Task, data: &Data) {
    left_out(&data.notes);
    without_images(task, &*data.train, Split::Train.word());
    without_images(task, &*data.eval, data.split.word());
}

/// Tells which files were left out and why, the first of many by their names.
pub fn left_out(notes: &FolderNotes) {
    let FolderNotes { skipped, on_white, ignored, stray, ungrouped, layout } = notes;
    layout.iter().for_each(|text| note(&format!("note: {text}")));
    if *on_white > 0 {
        let images = count(*on_white, "image");
        note(&format!("note: {images} with transparent parts, which are shown on white (--channels 4 keeps them)"));
    }
    if !ungrouped.is_empty() {
        let images = count(ungrouped.len(), "training image");
        note(&format!(
            "warning: the names of {images} lack the part of --group-by, so that each is a group by itself:"
        ));
        list(ungrouped);
    }
    if !skipped.is_empty() {
        let files = count(skipped.len(), "unreadable image");
        let causes: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        note(&format!("warning: skipped {files} (--strict refuses them):"));
        list(&causes);
    }
    if !stray.is_empty() {
        let files = count(stray.len(), "image");
        note(&format!(
            "warning: left out {files} beside the class folders; an image's class is the folder it lies in:"
        ));
        list(&paths(stray));
    }
    if !ignored.is_empty() {
        let files = count(ignored.len(), "file");
        let advice = if ignored.iter().any(|path| is_other_image(path)) {
            "; convert images to PNG or JPEG to use them"
        } else {
            ""
        };
        note(&format!("note: left out {files} not named as images ({}){advice}:", endings(ignored)));
        list(&paths(ignored));
    }
}

/// Warns of classes without an image.
pub fn without_images(task: &dyn Task, set: &dyn Dataset, word: &str) {
    let counts = task.class_counts(set);
    let empty: Vec<&str> =
        set.classes().iter().zip(counts).filter(|(_, images)| *images == 0).map(|(name, _)| name.as_str()).collect();
    if empty.is_empty() {
        return;
    }
    let more = if empty.len() > SHOWN { format!(" and {} more", empty.len() - SHOWN) } else { String::new() };
    let names = empty[..empty.len().min(SHOWN)].join(", ");
    note(&format!("warning: there is no {word} image of {}: {names}{more}", count(empty.len(), "class")));
}

/// A line on how many images each class has.
pub fn classes(task: &dyn Task, set: &dyn Dataset) -> String {
    let counts = task.class_counts(set);
    let named: Vec<(&str, usize)> = set.classes().iter().map(String::as_str).zip(counts).collect();
    if named.len() <= SHOWN {
        let each: Vec<String> = named.iter().map(|(name, images)| format!("{name} {images}")).collect();
        return format!("training images a class: {}", each.join(", "));
    }
    let least = named.iter().min_by_key(|(_, images)| images);
    let most = named.iter().rev().max_by_key(|(_, images)| images);
    let of = |class: Option<&(&str, usize)>| class.map_or(String::new(), |(name, images)| format!("{images} ({name})"));
    format!("training images a class: {} to {}, {} classes", of(least), of(most), named.len())
}

fn list(lines: &[String]) {
    lines.iter().take(SHOWN).for_each(|text| note(&format!("  {text}")));
    if lines.len() > SHOWN {
        note(&format!("  and {} more", lines.len() - SHOWN));
    }
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn count(n: usize, what: &str) -> String {
    let ending = match what {
        _ if n == 1 => "",
        "class" => "es",
        _ => "s",
    };
    format!("{n} {what}{ending}")
}

fn is_other_image(path: &Path) -> bool {
    path.extension().is_some_and(|e| OTHER_IMAGES.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// How many files have which ending, the most frequent first: `3 .webp, 1 without an ending`.
fn endings(paths: &[PathBuf]) -> String {
    let mut counts = BTreeMap::new();
    for path in paths {
        let ending = match path.extension() {
            Some(extension) => format!(".{}", extension.to_string_lossy().to_lowercase()),
            None => "without an ending".to_string(),
        };
        *counts.entry(ending).or_insert(0) += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(ending, count)| format!("{count} {ending}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_counted_whatever_their_case() {
        let paths = ["a/b.webp", "c.TXT", "d.WebP", "e"].map(PathBuf::from);
        assert_eq!(endings(&paths), "2 .webp, 1 .txt, 1 without an ending");
    }
}
