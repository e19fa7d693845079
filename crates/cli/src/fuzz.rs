//! `chiaro verify --fuzz`: random graphs on the CPU or on a GPU against the float64 reference.

use std::process::ExitCode;

use chiaro::Backend;
use chiaro::gpu::{BackendOptions, Gpu, GpuBackend, OpenOptions, Selection, Tuning};
use chiaro_check::fuzz::{Executor, FuzzOptions, fuzz};

use crate::output::{line, note};
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Failures after which it ends.
const MOST: usize = 5;
/// Graphs tried to make a failing one smaller.
const TRIES: usize = 1000;

/// Runs the graphs of `graphs` seeds from `seed` on; `auto` is the CPU. The exit code is 1 if one of them fails.
pub fn run(device: &str, graphs: u64, seed: u64) -> anyhow::Result<ExitCode> {
    let end = seed.checked_add(graphs).ok_or_else(|| Usage(format!("no {graphs} seeds follow {seed}")))?;
    let executors = match device {
        "auto" | "cpu" => vec![Executor::cpu(true), Executor::cpu(false)],
        name => {
            let gpu = Gpu::open(&name.parse::<Selection>()?, OpenOptions::default())?;
            vec![on_gpu(&gpu, true), on_gpu(&gpu, false)]
        }
    };
    note(&format!("{graphs} random graphs from seed {seed}, on {}", names(&executors)));
    let waiting = Waiting::new("the first graph");
    let mut told = 0;
    let report = fuzz(&executors, seed..end, FuzzOptions { failures: MOST, tries: TRIES }, &mut |report| {
        // At once: a long run may be ended before its report.
        for found in &report.failures[told..] {
            note(&format!("seed {} fails on {}", found.seed, found.executor));
        }
        told = report.failures.len();
        waiting.says(format!("graph {} of {graphs}, {} failures", report.graphs, report.failures.len()));
    });
    drop(waiting);
    line(&report.to_string())?;
    for found in &report.failures {
        line(&format!("again: chiaro verify --fuzz 1 --seed {} --device {device}", found.seed))?;
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn names(executors: &[Executor<'_>]) -> String {
    executors.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(" and ")
}

fn on_gpu<'a>(gpu: &Gpu, fuse: bool) -> Executor<'a> {
    let gpu = gpu.clone();
    let open = move |_| {
        let options = BackendOptions { fuse, tuning: Tuning::Off, ..BackendOptions::default() };
        Ok(Box::new(GpuBackend::new(gpu.clone(), options)) as Box<dyn Backend>)
    };
    Executor { name: format!("GPU {}", if fuse { "fused" } else { "plain" }), open: Box::new(open) }
}
