//! `chiaro explain`: which places of pictures speak for a class.

mod drawing;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chiaro::data::Resize;
use chiaro::data::pictures::Picture;
use chiaro::train::{Explainer, Saved};

use crate::device::{DeviceArgs, limit_threads};
use crate::output::{line, note};
use crate::paths::{Paths, batch};
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Draw which places of pictures speak for their class (Grad-CAM, arXiv:1610.02391)
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, weights in one, or an ONNX file
    run: PathBuf,
    #[command(flatten)]
    paths: Paths,
    /// Folder for a PNG file of each picture: it, and the heat map over it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The class to explain; of each picture the one that is predicted if absent
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// The layer whose map is shown, as `chiaro summary` names it; if absent the last that has 4x4
    /// places at least (of small images an earlier one than the last), or the last of all where none has
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the subcommand. Pictures that cannot be read are named, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit_threads(args.device.threads)?;
    let saved = Saved::load(&args.run)?;
    saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let class = args.class.as_deref().map(|name| numbered(name, &saved.info().classes)).transpose()?;
    let (pictures, mut tally) = args.paths.find(&saved)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    if !pictures.is_empty() {
        let waiting = Waiting::new("opening the device");
        let device = args.device.open()?;
        waiting.says(format!("preparing {} for {}", saved.info().model, device.name()));
        let mut explainer = Explainer::new(device.share(), &saved, batch(pictures.len()), args.layer.as_deref())?;
        drop(waiting);
        let (layer, [height, width]) = explainer.map();
        note(&format!("the map of {layer} has {height}x{width} places (--layer chooses another)"));
        let (shape, resize, mut files) = (saved.info().image, saved.resize()?, Files::beside(&pictures, &args.out));
        for answer in explainer.over(&pictures, class)? {
            let (number, answer) = answer?;
            let picture = &pictures[number];
            match answer.and_then(|explanation| Ok((shown(picture, shape, resize)?, explanation))) {
                Ok((pixels, explanation)) => {
                    let file = files.of(picture, &args.out);
                    let explained = &saved.info().classes[explanation.class];
                    drawing::draw(&pixels, &explanation, explained, &file)?;
                    if explanation.map.iter().all(|value| *value == 0.0) {
                        note(&format!("note: nothing in {} speaks for {explained}", picture.name()));
                    }
                    let best = explanation.guesses.first().map(ToString::to_string).unwrap_or_default();
                    line(&format!("{}: {best}, {explained} explained in {}", picture.name(), file.display()))?;
                    tally.done();
                }
                Err(error) => tally.failed(&error),
            }
        }
    }
    Ok(tally.ended(None))
}

/// The number of a class.
fn numbered(name: &str, classes: &[String]) -> Result<usize, Usage> {
    classes.iter().position(|class| class == name).ok_or_else(|| {
        let some: Vec<&str> = classes.iter().take(10).map(String::as_str).collect();
        let more = if classes.len() > some.len() { ", ..." } else { "" };
        Usage(format!("the model has no class {name:?}; it has {}{more}", some.join(", ")))
    })
}

/// A picture as the model sees it, but larger: RGB with its height and width.
fn shown(picture: &Picture, [h, w, _]: [usize; 3], resize: Resize) -> Result<drawing::Shown, chiaro::data::DataError> {
    let factor = drawing::SIDE as f64 / h.max(w) as f64;
    let [height, width] = [h, w].map(|side| ((side as f64 * factor).round() as usize).max(1));
    let mut pixels = vec![0; height * width * 3];
    picture.write([height, width, 3], resize, &mut pixels)?;
    Ok(drawing::Shown { pixels, height, width })
}

/// Names of files that were given out, and of each picture's how many have it.
#[derive(Default)]
struct Files {
    given: HashSet<String>,
    counts: HashMap<String, usize>,
}

impl Files {
    /// For a folder in which pictures may lie too: none of these is written over.
    fn beside(pictures: &[Picture], folder: &Path) -> Files {
        let folder = folder.canonicalize().ok();
        let paths = pictures.iter().filter_map(|picture| picture.path()?.canonicalize().ok());
        let own = paths.filter(|path| path.parent() == folder.as_deref() && path.extension().is_some_and(is_png));
        let names = own.filter_map(|path| Some(path.file_stem()?.to_string_lossy().to_lowercase()));
        Files { given: names.collect(), counts: HashMap::new() }
    }

    /// The file for a picture: of its name, with a number behind where another has the same.
    fn of(&mut self, picture: &Picture, folder: &Path) -> PathBuf {
        let stem = picture.path().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        let stem =
            stem.unwrap_or_else(|| picture.name().rsplit(['/', '\\']).next().unwrap_or("picture").replace('#', "-"));
        folder.join(format!("{}.png", self.unused(stem)))
    }

    fn unused(&mut self, stem: String) -> String {
        let count = self.counts.entry(stem.clone()).or_insert(0);
        loop {
            *count += 1;
            let name = if *count == 1 { stem.clone() } else { format!("{stem}-{count}") };
            // In small letters: on some file systems A.png and a.png are one.
            if self.given.insert(name.to_lowercase()) {
                return name;
            }
        }
    }
}

fn is_png(ending: &OsStr) -> bool {
    ending.eq_ignore_ascii_case("png")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pictures_have_the_same_file() {
        let mut files = Files::default();
        let names = ["p", "p", "p-2", "P", "p-2"].map(|stem| files.unused(stem.to_string()));
        assert_eq!(names, ["p", "p-2", "p-2-2", "P-3", "p-2-3"].map(String::from));
    }
}
