//! `chiaro verify`: whether the devices of this machine compute what they should.

use std::path::PathBuf;
use std::process::ExitCode;

use chiaro::cpu::reference::Reference;
use chiaro::gpu::{Adapters, GpuError, Selection};
use chiaro::nn::models;
use chiaro::{Device, DeviceError, DeviceKind};
use chiaro_check::verify::{Options, Report, verify_telling};
use serde_json::{Value, json};

use crate::models::usual_image;
use crate::output::{line, note, save};
use crate::usage::Usage;
use crate::waiting::Waiting;
use crate::{check_model, device, fuzz};

/// Compare every op and a whole model, forward and backward, with a float64 reference
#[derive(clap::Args)]
pub struct Args {
    /// The device to check beside the CPU: auto, cpu, gpu, gpu:N, gpu:NAME or gpu:software
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: String,
    /// The model to check as a whole
    #[arg(long, default_value = "small-cnn", value_name = "NAME")]
    model: String,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run this many random graphs on the CPU, or on the GPU that --device names, instead of the cases
    #[arg(long, value_name = "N", conflicts_with_all = ["model", "filter", "json", "corrupt"], value_parser = clap::value_parser!(u64).range(1..))]
    fuzz: Option<u64>,
    /// The seed of the first random graph; each graph has the next one
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "fuzz")]
    seed: u64,
    /// Corrupt the output of this case before it is compared: the check must fail
    #[arg(long, value_name = "N", hide = true)]
    corrupt: Option<usize>,
}

/// Runs the subcommand. The exit code is 1 if anything differs, or a driver gives wrong results.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(graphs) = args.fuzz {
        return fuzz::run(&args.device, graphs, args.seed);
    }
    // An unknown model should not be found out after minutes of checking.
    let model = models::by_name(&args.model, 10, usual_image(&args.model))?;
    let cases = chiaro_check::cases();
    let options = Options { filter: args.filter.clone(), corrupt: args.corrupt };
    let whole = args.filter.as_ref().is_none_or(|text| format!("whole model/{}", model.name).contains(text));
    let opening = Waiting::new("opening the devices");
    let (devices, broken) = devices_to_check(&args.device)?;
    drop(opening);

    let mut reports = vec![];
    for mut device in devices {
        note(&format!("checking {} ({})", device.name(), device.why()));
        let mut reference = Reference::new();
        let waiting = Waiting::new("the first case");
        let mut told = |case: &str, i, n| waiting.says(format!("case {i} of {n}, {case}"));
        let mut report = verify_telling(device.backend(), &mut reference, &cases, &options, &mut told);
        if whole {
            waiting.says(format!("the whole model {}", model.name));
            report.cases.push(check_model::check(device.backend(), &mut reference, &model)?);
        }
        drop(waiting);
        if report.cases.is_empty() {
            return Err(Usage(format!("no case is named like '{}'", args.filter.as_deref().unwrap_or(""))).into());
        }
        line(&report.to_string())?;
        reports.push(report);
    }
    if let Some(error) = &broken {
        line(&format!("FAIL: {error}"))?;
    }
    let passed = broken.is_none() && reports.iter().all(Report::passed);
    if let Some(path) = &args.json {
        save(path, &serde_json::to_string_pretty(&to_json(&reports, broken.as_ref(), passed)?)?)?;
    }
    line(if passed { "everything agrees" } else { "there are failures" })?;
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

fn to_json(reports: &[Report], broken: Option<&DeviceError>, passed: bool) -> anyhow::Result<Value> {
    let reports = reports.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "passed": passed,
        "broken_driver": broken.map(ToString::to_string),
        "reports": reports,
    }))
}
