//! `chiaro settings`: the page of all settings of a run.

use std::process::ExitCode;

use crate::output::line;

/// Show every setting of a run: options, values, defaults, and which may change when a run goes on
#[derive(clap::Args)]
pub struct Args {}

/// Runs the subcommand.
pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    line(chiaro::train::settings::reference().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
