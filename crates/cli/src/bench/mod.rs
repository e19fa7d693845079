//! `chiaro bench`: how fast a device is, kernel by kernel and step by step, beside what it could do.

mod measure;
mod predict;
mod report;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chiaro::graph::{Backend, BackendError, DType, HalfPrecision, Peaks};
use chiaro_bench::{Group, Session, Workload, workloads};

use crate::device::DeviceArgs;
use crate::dump::Dump;
use crate::output::{line, save};
use crate::profile;
use crate::usage::Usage;
use crate::waiting::Waiting;
use measure::{Limits, measure};
use predict::Predictor;
use report::{Missing, Report};

/// Measure kernels and whole training steps
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the row whose name is the whole of --filter
    #[arg(long, requires = "filter")]
    exact: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Seconds to spend on each row
    #[arg(long, default_value_t = 0.3, value_name = "S")]
    seconds: f64,
    /// Leave rows out that would take longer than this, by the device's roofline and the rows before
    #[arg(long, default_value_t = 8.0, value_name = "S")]
    limit: f64,
    /// List the rows with their work and run nothing
    #[arg(long)]
    list: bool,
    /// Write a trace of one run of the row that --filter (and --exact) names, for Perfetto or chrome://tracing
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Write every kernel of the rows as WGSL and SPIR-V into this folder and run nothing; works on any adapter
    #[arg(long, value_name = "DIR", conflicts_with_all = ["list", "profile", "json"])]
    dump_kernels: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let limits = Limits { wanted: seconds("--seconds", args.seconds)?, most: seconds("--limit", args.limit)? };
    let cases = chosen(args)?;
    if args.list {
        table::list(&cases)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = &args.dump_kernels {
        let mut dump = Dump::new(folder, &args.device.device, args.device.no_tune, &[])?;
        for case in &cases {
            if case.dtype == DType::F16 && dump.half_precision() == HalfPrecision::Missing {
                line(&table::left_out(case, "the device does not compute in f16"))?;
            } else {
                dump.write(&case.name, case.graph())?;
            }
        }
        dump.finish()?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.profile {
        return traced(args, &cases, path);
    }
    let opening = Waiting::new("opening the device");
    let mut first = args.device.open()?;
    drop(opening);
    line(&format!("device: {} ({})", first.name(), first.why()))?;
    let measuring = Waiting::new("measuring the roofline");
    // A device that cannot measure its own peaks still runs rows.
    let peaks = first.backend().peaks().ok();
    let mut report = Report::new(first.name(), peaks);
    drop(first);
    drop(measuring);
    table::peaks(peaks.as_ref())?;
    let mut predictor = Predictor::new(peaks, limits.most, args.device.device.contains("software"));
    let mut section = None;
    for case in &cases {
        table::section(&mut section, case.group == Group::Step)?;
        one(args, case, &limits, &mut predictor, &mut report)?;
    }
    table::notes(&report)?;
    if let Some(path) = &args.json {
        save(path, &serde_json::to_string_pretty(&report)?)?;
    }
    Ok(if report.rows.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn seconds(option: &str, value: f64) -> anyhow::Result<Duration> {
    let message = || format!("{option} must be a number of at least 0, not {value}");
    Ok(Duration::try_from_secs_f64(value).map_err(|_| Usage(message()))?)
}

/// The rows whose name contains the filter's text, or is it.
fn chosen(args: &Args) -> anyhow::Result<Vec<Workload>> {
    let mut cases = workloads()?;
    let fits = |name: &str, text: &str| if args.exact { name == text } else { name.contains(text) };
    cases.retain(|case| args.filter.as_ref().is_none_or(|text| fits(&case.name, text)));
    if cases.is_empty() {
        let (named, text) = (if args.exact { "" } else { "like " }, args.filter.as_deref().unwrap_or_default());
        return Err(Usage(format!("no row is named {named}'{text}'; --list shows the names")).into());
    }
    Ok(cases)
}

/// One row: measured, left out with a reason, or failed with one.
fn one(
    args: &Args,
    case: &Workload,
    limits: &Limits,
    predictor: &mut Predictor,
    report: &mut Report,
) -> anyhow::Result<()> {
    let reason = match report.peaks {
        Some(Peaks { flops_f16: None, .. }) if case.dtype == DType::F16 => {
            Some("the device does not compute in f16".to_string())
        }
        _ => predictor.too_long(case)?,
    };
    if let Some(reason) = reason {
        line(&table::left_out(case, &reason))?;
        report.left_out.push(Missing::new(case, reason));
        return Ok(());
    }
    let waiting = Waiting::new(format!("measuring {}", case.name));
    // A device of its own for each row: buffers of earlier rows would count into its memory.
    let measured = args.device.open().and_then(|mut device| {
        let peaks = report.peaks;
        Ok(measure(device.backend(), case, limits, peaks.as_ref())?)
    });
    drop(waiting);
    match measured {
        Ok(row) => {
            predictor.learn(case.group, &row);
            line(&table::row(&row))?;
            report.rows.push(row);
        }
        Err(error) => {
            line(&format!("{}: {error:#}", case.name))?;
            report.failed.push(Missing::new(case, format!("{error:#}")));
        }
    }
    Ok(())
}

/// `--profile`: one run of one row after a few that warm up.
fn traced(args: &Args, cases: &[Workload], path: &Path) -> anyhow::Result<ExitCode> {
    let [case] = cases else {
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let some = names[..names.len().min(3)].join(", ");
        let message = format!(
            "--profile is of one row, and --filter leaves {}: {some}, ...; --exact takes one by its whole name",
            names.len()
        );
        return Err(Usage(message).into());
    };
    let mut device = args.device.open()?;
    line(&format!("device: {} ({})", device.name(), device.why()))?;
    let name = device.name();
    let backend = device.backend();
    let peaks = backend.peaks().ok();
    table::peaks(peaks.as_ref())?;
    let session = Session::new(backend, case)?;
    session.run(backend, 3)?;
    let profiled: Result<_, BackendError> = session.profile(backend);
    profile::save(path, &profiled?, &profile::Subject { name: &case.name, device: &name, peaks: peaks.as_ref() })?;
    Ok(ExitCode::SUCCESS)
}
