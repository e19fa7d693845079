//! `chiaro bench`: how fast a device is, kernel by kernel and step by step, beside what it could do.

mod calls;
mod measure;
mod model;
mod predict;
mod predicted;
mod report;
mod run;
mod singles;
mod switches;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chiaro::gpu::Peak;
use chiaro::graph::{Backend, BackendError, DType, HalfPrecision};
use chiaro_bench::{Session, Workload, workloads};

use crate::device::DeviceArgs;
use crate::dump::Dump;
use crate::output::line;
use crate::profile;
use crate::usage::Usage;
use switches::SwitchArgs;

/// Measure kernels and whole training steps
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    switches: SwitchArgs,
    /// Only rows whose name contains this, or one of several texts with | between them
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the row whose name is the whole of --filter
    #[arg(long, requires = "filter")]
    exact: bool,
    /// Only rows of this precision: f32 or f16
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<DType>,
    /// Write the figures to this file as JSON, dispatch by dispatch
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the dispatches of all rows to this file as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Print the dispatches of each row too
    #[arg(long)]
    calls: bool,
    /// Runs of a step that are timed dispatch by dispatch; the median counts
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Predict the rows for this card (a part of its name, such as h100) by the model and run nothing; needs no GPU
    #[arg(long, value_name = "CARD", conflicts_with_all = ["list", "profile", "dump_kernels"])]
    model: Option<String>,
    /// Seconds to spend on each row
    #[arg(long, default_value_t = 0.3, value_name = "S")]
    seconds: f64,
    /// Leave rows out that would take longer than this, by the device's roofline and the rows before
    #[arg(long, default_value_t = 8.0, value_name = "S")]
    limit: f64,
    /// Do not measure what the device could do at most before the rows
    #[arg(long)]
    no_roofline: bool,
    /// List the rows with their work and run nothing
    #[arg(long, conflicts_with_all = ["json", "csv", "calls"])]
    list: bool,
    /// Write a trace of one run of the row that --filter (and --exact) names, for Perfetto or chrome://tracing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv", "calls"])]
    profile: Option<PathBuf>,
    /// Write every kernel of the rows as WGSL and SPIR-V into this folder and run nothing; works on any adapter
    #[arg(long, value_name = "DIR", conflicts_with_all = ["list", "profile", "json", "csv", "calls"])]
    dump_kernels: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = Chosen::of(args)?;
    if args.list {
        table::list(&chosen)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = &args.dump_kernels {
        return dumped(args, &chosen.cases, folder);
    }
    if let Some(path) = &args.profile {
        return traced(args, &chosen.cases, path);
    }
    match &args.model {
        Some(name) => predicted::run(args, model::card(name)?, &chosen.cases),
        None => run::run(args, &chosen),
    }
}

fn precision(text: &str) -> Result<DType, &'static str> {
    match text {
        "f32" => Ok(DType::F32),
        "f16" => Ok(DType::F16),
        _ => Err("f32 or f16"),
    }
}

/// `--dump-kernels`: the kernels of the rows as files.
fn dumped(args: &Args, cases: &[Workload], folder: &Path) -> anyhow::Result<ExitCode> {
    let mut dump = Dump::new(folder, &args.device.device, &args.switches.options(&args.device)?, vec![])?;
    for case in cases {
        if case.dtype == DType::F16 && dump.half_precision() == HalfPrecision::Missing {
            line(&table::left_out(case, "the device does not compute in f16"))?;
        } else {
            dump.write(&case.name, case.graph())?;
        }
    }
    dump.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The rows whose name contains the filter's text, or is it.
struct Chosen {
    pub peaks: Vec<Peak>,
    pub cases: Vec<Workload>,
    /// Steps whose start is measured.
    pub starts: Vec<Workload>,
}

impl Chosen {
    fn of(args: &Args) -> anyhow::Result<Chosen> {
        let text = args.filter.as_deref();
        let fits = |name: &str| {
            text.is_none_or(
                |text| if args.exact { name == text } else { text.split('|').any(|text| name.contains(text)) },
            )
        };
        let mut cases = workloads()?;
        // Steps are large graphs: made once more only where a start is wanted.
        let wanted = singles::STARTS.iter().any(|step| fits(&format!("start {step}")));
        let mut starts = if wanted { chiaro_bench::steps()? } else { vec![] };
        starts.retain(|case| singles::start_name(case).is_some_and(|name| fits(&name)));
        cases.retain(|case| fits(&case.name) && args.precision.is_none_or(|precision| case.dtype == precision));
        let peaks: Vec<Peak> = Peak::ALL.into_iter().filter(|peak| fits(peak.name())).collect();
        if cases.is_empty() && peaks.is_empty() && starts.is_empty() {
            let named = if args.exact { "" } else { "like " };
            let text = text.unwrap_or_default();
            return Err(Usage(format!("no row is named {named}'{text}'; --list shows the names")).into());
        }
        Ok(Chosen { peaks, cases, starts })
    }
}

/// `--profile`: one run of one row after a few that warm up.
fn traced(args: &Args, cases: &[Workload], path: &Path) -> anyhow::Result<ExitCode> {
    let [case] = cases else {
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let some = names[..names.len().min(3)].join(", ");
        let message = match names.len() {
            0 => "--profile is of one row of kernels or a step, and --filter leaves none".to_owned(),
            n => format!(
                "--profile is of one row, and --filter leaves {n}: {some}, ...; --exact takes one by its whole name"
            ),
        };
        return Err(Usage(message).into());
    };
    let mut device = args.switches.open(&args.device, &args.switches.options(&args.device)?)?;
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
