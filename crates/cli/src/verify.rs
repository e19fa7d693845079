//! `chiaro verify`: whether the devices of this machine compute what they should.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chiaro::cpu::reference::Reference;
use chiaro::gpu::{Adapters, GpuError, Selection};
use chiaro::nn::{Model, models};
use chiaro::train::{Saved, named_model};
use chiaro::{Device, DeviceError, DeviceKind};
use chiaro_check::Case;
use chiaro_check::ulp::{Accuracies, measure};
use chiaro_check::verify::{VerifyOptions, VerifyReport, selected, verify_telling};
use serde_json::{Value, json};

use crate::output::{line, note, save};
use crate::usage::Usage;
use crate::verify_extras::Extras;
use crate::waiting::Waiting;
use crate::{device, fuzz};

/// Seconds of a card, if nothing else is asked for.
const ON_A_CARD: f64 = 60.0;

/// Compare every op and a whole model, forward and backward, with a float64 reference
#[derive(clap::Args)]
pub struct Args {
    /// The device to check beside the CPU: auto, cpu, gpu, gpu:N, gpu:NAME or gpu:software
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: String,
    /// The model to check as a whole: one of `chiaro models`, a TOML file that describes one, a run folder, or an ONNX file
    #[arg(long, default_value = "small-cnn", value_name = "NAME")]
    model: String,
    /// Images of the steps that a GPU is checked with as it trains
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Begin nothing more on a device after so many seconds, and tell what was left out; 60 on a card, no limit elsewhere
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Gradients of every subset of the inputs of a case, not only of all together: several times as long
    #[arg(long)]
    subsets: bool,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run this many random graphs on the CPU, or on the GPU that --device names, instead of the cases
    #[arg(long, value_name = "N", conflicts_with_all = ["model", "filter", "json", "corrupt", "seconds", "subsets", "batch"], value_parser = clap::value_parser!(u64).range(1..))]
    fuzz: Option<u64>,
    /// The seed of the first random graph; each graph has the next one
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "fuzz")]
    seed: u64,
    /// Measure how exact the functions of the devices are, in units of the last place, instead of running the cases
    #[arg(long, conflicts_with_all = ["model", "filter", "fuzz", "seconds", "subsets", "batch"])]
    ulp: bool,
    /// Corrupt the output of this case before it is compared, or of the check behind the cases: the check must fail
    #[arg(long, value_name = "N", hide = true)]
    corrupt: Option<usize>,
}

/// Runs the subcommand. The exit code is 1 if anything differs, a driver gives wrong results, or nothing was checked on a device.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(graphs) = args.fuzz {
        return fuzz::run(&args.device, graphs, args.seed);
    }
    if args.ulp {
        return ulp(args);
    }
    // An unknown model should not be found out after minutes of checking.
    let model = whole_model(&args.model)?;
    let cases = chiaro_check::cases();
    // At once: drivers may take seconds to answer.
    note(&format!("verifying: up to {} cases a device, and {} as a whole", cases.len(), model.name));
    let opening = Waiting::new("opening the devices");
    let (devices, broken) = devices_to_check(&args.device)?;
    drop(opening);

    let mut reports = vec![];
    for mut device in devices {
        note(&format!("checking {} ({})", device.name(), device.why()));
        let report = check(args, &mut device, &cases, &model)?;
        device.notes().take().iter().for_each(|text| note(&format!("note: {text}")));
        // Some checks are of GPUs alone.
        if report.cases.is_empty() && report.left_out.is_empty() {
            continue;
        }
        line(&report.to_string())?;
        reports.push(report);
    }
    if reports.is_empty() && broken.is_none() {
        return Err(Usage(format!("no case is named like '{}'", args.filter.as_deref().unwrap_or(""))).into());
    }
    if let Some(error) = &broken {
        line(&format!("FAIL: {error}"))?;
    }
    let unchecked: Vec<&VerifyReport> = reports.iter().filter(|report| report.cases.is_empty()).collect();
    let failed = broken.is_some() || reports.iter().any(|report| report.failures().next().is_some());
    let passed = !failed && unchecked.is_empty();
    if let Some(path) = &args.json {
        save(path, &serde_json::to_string_pretty(&to_json(&reports, broken.as_ref(), passed)?)?)?;
    }
    for report in unchecked {
        line(&format!("nothing was checked on {}", report.backend))?;
    }
    line(match (passed, failed) {
        (true, _) => "everything agrees",
        (false, true) => "there are failures",
        (false, false) => "what was checked agrees",
    })?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The model that is checked as a whole.
fn whole_model(name: &str) -> anyhow::Result<Model> {
    match named_model(name, None) {
        Err(_) if Path::new(name).exists() && !name.ends_with(models::DESCRIBED) => {
            let saved = Saved::load(Path::new(name))?;
            saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
            Ok(saved.model()?)
        }
        named => Ok(named?.usual(10)?),
    }
}

/// One device: whole models first, which matter most where the time is short, then the cases. In the report cases come first.
fn check(args: &Args, device: &mut Device, cases: &[Case], model: &Model) -> anyhow::Result<VerifyReport> {
    let limit = args.seconds.or((device.kind() == DeviceKind::Gpu && !device.is_software()).then_some(ON_A_CARD));
    let deadline = limit.map(seconds).transpose()?.and_then(|limit| Instant::now().checked_add(limit));
    let mut options =
        VerifyOptions { filter: args.filter.clone(), corrupt: args.corrupt, together: !args.subsets, deadline };
    let first = selected(device.backend(), cases, &options).len();
    let waiting = Waiting::new("the whole model");
    let extras = Extras {
        model,
        batch: args.batch as usize,
        filter: args.filter.as_deref(),
        corrupt: args.corrupt.and_then(|n| n.checked_sub(first)),
        deadline,
        waiting: &waiting,
    };
    let found = extras.run(device)?;
    // A corruption of what is not a case must not reach one.
    options.corrupt = args.corrupt.filter(|n| *n < first);
    let mut told = |case: &str, i, n| waiting.says(format!("case {i} of {n}, {case}"));
    let mut report = verify_telling(device.backend(), &mut Reference::new(), cases, &options, &mut told);
    report.cases.extend(found.rows);
    report.left_out.extend(found.left_out);
    Ok(report)
}

fn seconds(given: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| Usage(format!("--seconds must be a number of at least 0, not {given}")).into())
}

/// The table of errors of each device. The exit code is 1 if one breaks WGSL's bounds.
fn ulp(args: &Args) -> anyhow::Result<ExitCode> {
    let waiting = Waiting::new("opening the devices");
    let (devices, broken) = devices_to_check(&args.device)?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    let mut all = vec![];
    for mut device in devices {
        let found =
            measure(device.backend(), args.corrupt, &mut |function| waiting.says(format!("errors of {function}")))?;
        line(&found.to_string())?;
        all.push(found);
    }
    drop(waiting);
    if let Some(path) = &args.json {
        save(path, &serde_json::to_string_pretty(&all)?)?;
    }
    line("JAX's figures are its own: https://docs.jax.dev/en/latest/accuracy.html")?;
    let passed = all.iter().all(Accuracies::passed);
    line(if passed { "every function is as exact as WGSL wants" } else { "there are failures" })?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The CPU, then the device asked for; and what is wrong with a GPU that cannot be used though it is there.
fn devices_to_check(name: &str) -> anyhow::Result<(Vec<Device>, Option<DeviceError>)> {
    let mut devices = vec![device::open("cpu", None, false)?];
    let wanted = match name {
        "auto" => Adapters::enumerate()?.choose(&Selection::Auto).is_ok().then_some("gpu"),
        "cpu" => None,
        other => Some(other),
    };
    let Some(wanted) = wanted else { return Ok((devices, None)) };
    match Device::by_name(wanted, &chiaro::DeviceOptions::default()) {
        Ok(device) if device.kind() == DeviceKind::Cpu => {}
        Ok(device) => devices.push(device),
        Err(error @ DeviceError::Gpu(GpuError::DriverStopsLoops { .. } | GpuError::Open { .. })) => {
            return Ok((devices, Some(error)));
        }
        Err(error) => return Err(error.into()),
    }
    Ok((devices, None))
}

fn to_json(reports: &[VerifyReport], broken: Option<&DeviceError>, passed: bool) -> anyhow::Result<Value> {
    let reports = reports.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "passed": passed,
        "broken_driver": broken.map(ToString::to_string),
        "reports": reports,
    }))
}
