//! `chiaro embed`: the features that a model makes of pictures, and which pictures are alike by them.

mod alike;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chiaro::data::pictures::Picture;
use chiaro::train::{Embedder, Saved};

use crate::device::{DeviceArgs, limit_threads};
use crate::output::note;
use crate::paths::{Paths, Tally, batch};
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Similar pictures that are shown where no number is given.
const USUAL: u32 = 10;

/// The features that a model makes of pictures, as CSV or safetensors; or which pictures are alike by them
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, weights in one, or an ONNX file
    run: PathBuf,
    #[command(flatten)]
    paths: Paths,
    /// Write to this file, of the kind that its ending says: .csv, or .safetensors for features; CSV on the standard output if absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the K pictures that are most like each, by the angle between their features
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    nearest: Option<u32>,
    /// Show the pictures that are most like this one
    #[arg(long, value_name = "FILE")]
    query: Option<PathBuf>,
    /// The layer that gives the features, as `chiaro summary` names it; if absent they are what the last layer makes classes of
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Pictures that could be read, with their features.
#[derive(Default)]
pub struct Features {
    pub names: Vec<String>,
    pub rows: Vec<Vec<f32>>,
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Safetensors,
    Text,
}

/// Runs the subcommand. Pictures that cannot be read are named, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit_threads(args.device.threads)?;
    let kind = kind(args.out.as_deref(), args.nearest.is_some() || args.query.is_some())?;
    let saved = Saved::load(&args.run)?;
    saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let (mut pictures, mut tally) = args.paths.find(&saved)?;
    let query = args.query.as_ref().map(|path| Picture::file(path.clone()));
    // The picture that others are compared with comes first, and is not among them.
    pictures.retain(|picture| query.is_none() || picture.path() != args.query.as_deref());
    pictures.splice(0..0, query.clone());
    let mut features = Features::default();
    let waiting = Waiting::new("opening the device");
    let device = args.device.open()?;
    waiting.says(format!("preparing {} for {}", saved.info().model, device.name()));
    let mut embedder = Embedder::new(device.share(), &saved, batch(pictures.len()), args.layer.as_deref())?;
    embed(&mut embedder, &pictures, &waiting, &mut tally, &mut features)?;
    drop(waiting);
    let count = args.nearest.unwrap_or(USUAL) as usize;
    match (&query, args.nearest) {
        (Some(query), _) if features.names.first().is_some_and(|name| name == query.name()) => {
            alike::write(&features, [0].into_iter(), count, kind == Kind::Csv, args.out.as_deref())?;
        }
        // Why it cannot be read has been told.
        (Some(_), _) => {}
        (None, Some(_)) => {
            alike::write(&features, 0..features.rows.len(), count, kind == Kind::Csv, args.out.as_deref())?;
        }
        (None, None) => match (&args.out, kind) {
            (Some(path), Kind::Safetensors) => table::safetensors(&features, embedder.features(), path)?,
            (out, Kind::Csv | Kind::Safetensors | Kind::Text) => {
                table::csv(&features, embedder.features(), out.as_deref())?
            }
        },
    }
    Ok(tally.ended(args.out.as_deref()))
}

/// What the ending of a file says.
fn kind(out: Option<&Path>, alike: bool) -> anyhow::Result<Kind> {
    let ending = out.and_then(Path::extension).map(|ending| ending.to_string_lossy().to_lowercase());
    match (ending.as_deref(), alike) {
        (Some("csv"), _) => Ok(Kind::Csv),
        (Some("safetensors"), false) => Ok(Kind::Safetensors),
        (Some("txt") | None, true) => Ok(Kind::Text),
        (None, false) if out.is_none() => Ok(Kind::Csv),
        (Some("safetensors"), true) => Err(Usage(
            "--out: which pictures are alike is written as .csv or .txt; .safetensors is for features".into(),
        )
        .into()),
        (Some(_) | None, _) => Err(Usage(format!(
            "--out: {} ends neither with .csv nor with {}",
            out.unwrap_or(Path::new("")).display(),
            if alike { ".txt" } else { ".safetensors" }
        ))
        .into()),
    }
}

fn embed(
    embedder: &mut Embedder,
    pictures: &[Picture],
    waiting: &Waiting,
    tally: &mut Tally,
    features: &mut Features,
) -> anyhow::Result<()> {
    let started = Instant::now();
    for answer in embedder.over(pictures)? {
        let (number, answer) = answer?;
        match answer {
            Ok(row) => {
                features.names.push(pictures[number].name().to_string());
                features.rows.push(row);
                tally.done();
            }
            Err(error) => tally.failed(&error),
        }
        waiting.says(tally.progress(number + 1, pictures.len(), started.elapsed()));
    }
    Ok(())
}
