//! Finding data: a folder, a published set by its name, or the MNIST of the repository where none was named; and where decoded
//! images are kept.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use chiaro::data::Layout;

use crate::output::note;
use crate::waiting::Waiting;

/// The place of a data set that was named: what lies there, else a published set of that name, downloaded if it is not here yet.
pub fn named_or_folder(place: &Path, offline: bool) -> anyhow::Result<PathBuf> {
    let Some(set) = place.to_str().filter(|_| !place.exists()).and_then(chiaro_fetch::named) else {
        // One word alone may have been meant as the name of a set.
        if !place.exists() && place.components().count() == 1 && place.is_relative() {
            let known = chiaro_fetch::NAMED.iter().map(|set| set.name).collect::<Vec<_>>().join(", ");
            let place = place.display();
            return Err(anyhow!(
                "{place}: no such file or folder, and no published set is named so; those that are known: {known}"
            ));
        }
        return Ok(place.to_path_buf());
    };
    let waiting = Waiting::new(format!("looking for {}", set.name));
    let mut tell = |file: &str, done: u64, of: u64| {
        let [done, of] = [done, of].map(|bytes| bytes as f64 / 1e6);
        waiting.says(format!("downloading {}: {file}, {done:.1} of {of:.1} MB", set.name));
    };
    Ok(set.fetch(chiaro::gpu::user_cache_folder().as_deref(), offline, &mut tell)?)
}

/// The folder that decoded images are kept in: the one that was named, unless it is `off`, else one in the user's cache folder. Of one
/// that was named and cannot be used this is told.
pub fn packs(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(named) if named == Path::new("off") => None,
        Some(named) => {
            if let Err(cause) = std::fs::create_dir_all(named) {
                let place = named.display();
                note(&format!(
                    "note: --data-cache {place} cannot be used ({cause}): images are decoded in each run anew"
                ));
            }
            Some(named.to_path_buf())
        }
        None => chiaro::gpu::user_cache_folder().map(|caches| caches.join("images")),
    }
}

/// `data/mnist` in the working directory or above it, else above the program itself (its repository's `target` folder).
pub fn mnist() -> anyhow::Result<PathBuf> {
    let starts = [std::env::current_dir(), std::env::current_exe()];
    above_any(starts.iter().flatten().map(PathBuf::as_path))
}

fn above_any<'a>(mut starts: impl Iterator<Item = &'a Path>) -> anyhow::Result<PathBuf> {
    starts.find_map(above).ok_or_else(|| {
        anyhow!(
            "no data: name a folder, as in `chiaro train photos` ({}), or a published set, as in `chiaro train mnist`; without one, data/mnist is looked for in the working directory and \
             above, and above the program, but is not there",
            Layout::looked_for()
        )
    })
}

fn above(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join("data/mnist")).find(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_found_from_a_folder_below() {
        let root = tempfile::tempdir().expect("a folder");
        let mnist = root.path().join("data/mnist");
        std::fs::create_dir_all(&mnist).expect("made");
        std::fs::create_dir_all(root.path().join("a/b")).expect("made");
        assert_eq!(above(&root.path().join("a/b")), Some(mnist));
        assert_eq!(above(Path::new("a/relative/path/with/no/data")), None);
        let starts = [Path::new("nowhere"), &root.path().join("a")];
        assert_eq!(
            above_any(starts.into_iter()).expect("the second start is below it"),
            root.path().join("data/mnist")
        );
    }

    /// Not seen by way of the program: it finds this repository above itself, and a copy of it elsewhere cannot be started
    /// for sure while other threads of a test start processes (they hold the copy open for writing).
    #[test]
    fn without_any_data_the_message_says_where_it_was_looked_for() {
        let error = above_any([Path::new("nowhere")].into_iter()).expect_err("there is none").to_string();
        assert!(
            error.starts_with("no data: ") && error.contains("chiaro train photos") && error.contains("data/mnist"),
            "{error}"
        );
    }
}
