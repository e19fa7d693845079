//! `chiaro watch`: a run as its folder tells it, from another terminal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chiaro::train::{EpochRecord, RunFolder};

use crate::compare::Told;
use crate::output::{duration, line};
use crate::runs::newest;

/// How often the folder is read.
const EVERY: Duration = Duration::from_secs(1);

/// Show the epochs of a run that another process trains, until it ends
#[derive(clap::Args)]
pub struct Args {
    /// The run folder; the newest in runs if absent
    run: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = args.run.clone().map_or_else(|| newest(Path::new("runs")), Ok)?;
    let folder = RunFolder::open(&path)?;
    let told = Told::read(&path)?;
    let settings = &told.config.settings;
    line(&format!("{}: {} on {}, {}", path.display(), settings.model, settings.data.display(), told.config.device))?;
    let mut shown = 0;
    loop {
        // Asked before the table is read: what is written behind it is seen the next time.
        let is_trained = folder.is_in_use();
        let told = Told::read(&path)?;
        for record in told.records.iter().skip(shown) {
            line(&words(&told, record))?;
        }
        shown = told.records.len();
        if !is_trained {
            let ended = match folder.results()? {
                Some(_) => "the run has ended".to_string(),
                None => format!("nobody trains it now; go on with: chiaro train --resume {}", path.display()),
            };
            line(&format!("{ended}; best {} of {shown} epochs", told.best_shown()))?;
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(EVERY);
    }
}

/// An epoch in a line, with the time that is left by the pace so far.
fn words(told: &Told, record: &EpochRecord) -> String {
    let epochs = told.config.settings.epochs;
    let left = record.seconds / record.epoch.max(1) as f64 * epochs.saturating_sub(record.epoch) as f64;
    let left = match epochs > record.epoch {
        true => format!(", about {} left", duration(Duration::from_secs_f64(left.max(0.0)))),
        false => String::new(),
    };
    let judged = told.measure.shown(told.judged(record));
    let (train, eval, speed) = (record.train.loss, record.eval.loss, record.images_per_second);
    let split = &told.config.data.eval_split;
    format!(
        "epoch {}/{epochs}: loss {train:.4}, {split} loss {eval:.4}, {split} {judged}, {speed:.0} images/s{left}",
        record.epoch
    )
}
