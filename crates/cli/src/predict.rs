//! `chiaro predict`: the classes of image files.

use std::path::PathBuf;
use std::process::ExitCode;

use chiaro::train::{Classifier, Saved};

use crate::device::DeviceArgs;
use crate::output::{line, note};
use crate::tta::Tta;
use crate::waiting::Waiting;

/// The most probable classes of image files
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, or weights in one
    run: PathBuf,
    /// Image files of any size
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How many classes to show
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    top: u64,
    #[command(flatten)]
    tta: Tta,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the subcommand. Files that cannot be read are named, the others classified, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let saved = Saved::load(&args.run)?;
    saved.note().iter().for_each(|text| note(&format!("note: {text}")));
    let waiting = Waiting::new("opening the device");
    let device = args.device.open()?;
    waiting.says(format!("preparing {} for {}", saved.info().model, device.name()));
    let mut classifier = Classifier::with_views(device.share(), &saved, args.tta.views())?;
    drop(waiting);
    let mut failed = 0;
    for file in &args.files {
        match classifier.classify(file) {
            Ok(guesses) => {
                let shown = guesses.iter().take(args.top as usize);
                let shown: Vec<String> = shown.map(ToString::to_string).collect();
                line(&format!("{}: {}", file.display(), shown.join(", ")))?;
            }
            Err(error @ chiaro::train::TrainError::Data(_)) => {
                note(&format!("error: {error}"));
                failed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
