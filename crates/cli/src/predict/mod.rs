//! `chiaro predict`: the classes of pictures.

mod sheet;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use chiaro::data::pictures::Picture;
use chiaro::train::{Classifier, ClassifierOptions, Guess, Saved};

use crate::device::DeviceArgs;
use crate::output::note;
use crate::paths::{Paths, Tally, png};
use crate::rows::{Format, Rows};
use crate::tta::Tta;
use crate::unknown::{self, UnknownBelow};
use crate::waiting::Waiting;
use sheet::Sheet;

/// The most probable classes of pictures: files, folders, patterns, lists
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, weights in one, or an ONNX file
    run: PathBuf,
    #[command(flatten)]
    paths: Paths,
    /// How many classes to show
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    top: u64,
    /// Say "unknown" of a picture whose most probable class is less probable than this, a share as 0.5; auto: than 95 of 100
    /// validation images that were right
    #[arg(long, value_name = "P", value_parser = unknown::parse)]
    unknown_below: Option<UnknownBelow>,
    /// What to write; if absent what the ending of --out says, else text
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write to this file instead of the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the pictures with their classes into this PNG file
    #[arg(long, value_name = "FILE", value_parser = png)]
    sheet: Option<PathBuf>,
    #[command(flatten)]
    tta: Tta,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the subcommand. Pictures that cannot be read are named, the others classified, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    crate::device::limit_threads(args.device.threads)?;
    let saved = Saved::load(&args.run)?;
    saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let (pictures, mut tally) = args.paths.find(&saved)?;
    let below = args.unknown_below.map(|below| below.of(&saved)).transpose()?;
    let top = (args.top as usize).min(saved.info().classes.len());
    let format = Format::chosen(args.format, args.out.as_deref())?;
    let mut rows = Rows::open(format, args.out.as_deref(), top)?;
    let mut sheet = args.sheet.as_ref().map(|path| Sheet::new(path)).transpose()?;
    if !pictures.is_empty() {
        let waiting = Waiting::new("opening the device");
        let device = args.device.open()?;
        waiting.says(format!("preparing {} for {}", saved.info().model, device.name()));
        let options = ClassifierOptions { views: args.tta.views(), batch: crate::paths::batch(pictures.len()) };
        let mut classifier = Classifier::with(device.share(), &saved, options)?;
        // On one terminal a line that changes and lines that stay would be mixed.
        let waiting = (args.out.is_some() || !std::io::stdout().is_terminal()).then_some(waiting);
        classified(&mut classifier, &pictures, waiting.as_ref(), &mut tally, |picture, guesses| {
            let known = below.is_none_or(|below| !Guess::are_unknown(guesses, below));
            rows.row(picture.name(), guesses, known)?;
            sheet.iter_mut().for_each(|sheet| sheet.add(picture, guesses, known));
            Ok(())
        })?;
    }
    rows.finish()?;
    if let Some(sheet) = sheet {
        sheet.draw()?.iter().for_each(|text| note(text));
    }
    Ok(tally.ended(args.out.as_deref()))
}

/// Gives what is said of each picture to `told`, and the others to the tally.
fn classified(
    classifier: &mut Classifier,
    pictures: &[Picture],
    waiting: Option<&Waiting>,
    tally: &mut Tally,
    mut told: impl FnMut(&Picture, &[Guess]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    for answer in classifier.over(pictures)? {
        let (number, answer) = answer?;
        match answer {
            Ok(guesses) => {
                told(&pictures[number], &guesses)?;
                tally.done();
            }
            Err(error) => tally.failed(&error),
        }
        waiting.iter().for_each(|waiting| waiting.says(tally.progress(number + 1, pictures.len(), started.elapsed())));
    }
    Ok(())
}
