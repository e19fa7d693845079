//! The command line of Chiaro: trains image classifiers, uses them, and checks the devices they run on.

mod bars;
mod bench;
mod check_model;
mod compare;
mod data;
mod device;
mod devices;
#[cfg(test)]
mod documents;
mod dump;
mod embed;
mod eval;
mod events;
mod explain;
mod export;
mod find_data;
mod fuzz;
#[cfg(unix)]
mod ignored;
mod import;
mod interrupt;
mod live;
mod lr_find;
mod mlflow;
mod models;
mod named_file;
mod notes;
mod observers;
mod output;
mod overrides;
mod paths;
mod predict;
mod predictions;
mod profile;
mod rows;
mod runs;
mod settings;
mod shells;
mod spellings;
mod summary;
mod train;
mod train_log;
mod tta;
mod tune;
mod unknown;
mod usage;
mod verify;
mod verify_extras;
mod waiting;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser, Subcommand};

/// Trains CNN image classifiers on any GPU, or on the CPU.
#[derive(Parser)]
#[command(name = "chiaro", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Eval(eval::Args),
    Predict(predict::Args),
    Embed(embed::Args),
    Explain(explain::Args),
    Compare(compare::Args),
    Runs(runs::Args),
    #[command(name = "lr-find")]
    LrFind(Box<lr_find::Args>),
    Import(import::Args),
    Export(export::Args),
    Data(data::Args),
    Devices(devices::Args),
    Verify(verify::Args),
    Bench(bench::Args),
    Tune(tune::Args),
    Summary(summary::Args),
    Models(models::Args),
    Settings(settings::Args),
    Watch(watch::Args),
    Completions(shells::CompletionsArgs),
    Man(shells::ManArgs),
}

/// Where memory ends, Rust says so and aborts; so may a driver. Callers then get the exit code of an error, and no core dump.
fn end_orderly_when_aborted() {
    #[cfg(unix)]
    {
        let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        // Without it an abort stays one.
        let _ = signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGABRT, 1, always);
    }
}

fn main() -> ExitCode {
    let started = Instant::now();
    end_orderly_when_aborted();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => match spellings::instead(&error) {
            Some(told) => {
                output::note(&format!("error: {told}"));
                return ExitCode::from(2);
            }
            None => error.exit(),
        },
    };
    let result = match command {
        Command::Train(args) => train::run(&args, started),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::LrFind(args) => lr_find::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Summary(args) => summary::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Settings(args) => settings::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Completions(args) => shells::completions(&args, Cli::command()),
        Command::Man(args) => shells::man(&args, Cli::command()),
    };
    match result {
        Ok(code) => code,
        // Whoever reads the output has seen enough (`chiaro models | head -1`).
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {}", output::message(&error)));
            ExitCode::from(if usage::is_usage(&error) { 2 } else { 1 })
        }
    }
}
