//! `chiaro bench`: how fast a device is, kernel by kernel and step by step.

mod kernels;
mod measure;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;

use crate::device::DeviceArgs;
use crate::output::{line, save};
use crate::usage::Usage;
use measure::{Figures, header, row};

/// Measure kernels and whole training steps
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Seconds to spend on each row
    #[arg(long, default_value_t = 0.5, value_name = "S")]
    seconds: f64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seconds = Duration::try_from_secs_f64(args.seconds)
        .map_err(|_| Usage(format!("--seconds must be a number of at least 0, not {}", args.seconds)))?;
    let mut cases = kernels::all()?;
    cases.extend(steps::all()?);
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|text| name.contains(text));
    cases.retain(|case| wanted(&case.name));
    if cases.is_empty() {
        return Err(Usage(format!("no row is named like '{}'", args.filter.as_deref().unwrap_or(""))).into());
    }
    let first = args.device.open()?;
    line(&format!("device: {} ({})", first.name(), first.why()))?;
    drop(first);
    line(&header())?;
    let mut figures: Vec<Figures> = vec![];
    for case in cases {
        let name = case.name.clone();
        // A device of its own for each row: buffers of earlier rows would count into its memory.
        let measured = args.device.open().and_then(|mut device| measure::measure(device.backend(), case, seconds));
        let measured = measured.map_err(|error| anyhow!("{name}: {error:#}"));
        match measured {
            Ok(measured) => {
                line(&row(&measured))?;
                figures.push(measured);
            }
            Err(error) => line(&format!("{error:#}"))?,
        }
    }
    if let Some(path) = &args.json {
        save(path, &serde_json::to_string_pretty(&figures)?)?;
    }
    Ok(if figures.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
