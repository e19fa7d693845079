//! How long the host takes to record and submit a training step, through each chip's own driver with no chip there: nothing runs, so that
//! nothing else is in the time.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chiaro_gpu::{BackendOptions, Gpu, GpuBackend, OpenOptions, Selection, Tuning};
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::{Sgd, TrainOptions, TrainStep, models};

use crate::chips::Chip;

/// Images of a step.
const BATCH: usize = 128;
/// Steps that are timed together, and how often: the least counts, since other work on the machine only adds.
const STEPS: u32 = 100;
const TIMES: usize = 30;
/// Steps before them.
const WARM_UP: usize = 5;

/// Prints a row of the table: what [`measured`] says in a process that sees `chip` alone. It is written to `out`, since some drivers print.
///
/// # Errors
/// Where the process cannot be started.
pub fn tell(chip: &Chip, mesa: &Path, out: &Path) -> Result<()> {
    let own = std::env::current_exe().context("where is this program?")?;
    let output = chip.command(mesa, &own)?.arg("host-worker").arg(out).output().context("cannot start the driver")?;
    if output.status.success() {
        let row = std::fs::read_to_string(out).with_context(|| format!("cannot read {}", out.display()))?;
        println!("| {} {row}", chip.name);
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("| {} | {} | | |", chip.name, said.lines().last().unwrap_or("it says nothing"));
    }
    Ok(())
}

/// Dispatches of a step of ResNet-18, and milliseconds of the host for it: what `encode_nanoseconds` counts, and what this thread ran.
///
/// # Errors
/// Where there is no device, or it does not take the step.
pub fn measured() -> Result<String> {
    let model = models::by_name("resnet18", 10, [32, 32, 3])?;
    let step = TrainStep::build(&model, TrainOptions::new(BATCH, Sgd { momentum: 0.9, ..Sgd::default() }))?;
    // What runs nothing would fail every trial.
    let gpu = Gpu::open(&Selection::Auto, OpenOptions { without_probe: true, ..OpenOptions::default() })?;
    let mut backend = GpuBackend::new(gpu, BackendOptions { tuning: Tuning::Off, ..BackendOptions::default() });
    let plan = backend.compile(&step.graph)?;
    let inputs: Vec<Tensor> =
        step.graph.inputs().iter().map(|input| Tensor::zeros(input.shape.clone(), input.dtype)).collect();
    for _ in 0..WARM_UP {
        backend.run(plan, &inputs)?;
    }
    let (mut encode, mut thread) = (u64::MAX, u64::MAX);
    for _ in 0..TIMES {
        let (before, began) = (backend.stats().encode_nanoseconds, ran());
        for _ in 0..STEPS {
            backend.run(plan, &inputs)?;
        }
        encode = encode.min(backend.stats().encode_nanoseconds - before);
        thread = thread.min(ran().saturating_sub(began));
    }
    if backend.dispatches(plan) == 0 {
        bail!("the step has no dispatches");
    }
    let ms = |nanoseconds: u64| nanoseconds as f64 / f64::from(STEPS) * 1e-6;
    Ok(format!("| {} | {:.3} | {:.3} |", backend.dispatches(plan), ms(encode), ms(thread)))
}

/// Nanoseconds that this thread has run; 0 where Linux does not tell.
fn ran() -> u64 {
    // A thread's time is brought up to date where it gives its processor away.
    std::thread::yield_now();
    crate::worker::computed()
}
