//! One row: a graph run until the time is up, and the figures of its fastest run.

use std::time::{Duration, Instant};

use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::graph::{Backend, Graph, PlanId, Tensor};
use serde::Serialize;

use crate::output::{bytes, duration};

/// The arena that counts the runs of a graph without outputs.
pub const RUNS: &str = "runs";

/// What a row measures.
pub struct Case {
    /// Its name.
    pub name: String,
    /// The graph.
    pub graph: Graph,
    /// Values of the graph's inputs.
    pub inputs: Vec<Tensor>,
    /// Values of arenas; others are zeros.
    pub arenas: Vec<(String, Tensor)>,
    /// Images that one run trains on, where it is a training step.
    pub images: Option<usize>,
}

/// The figures of a row.
#[derive(Serialize)]
pub struct Figures {
    name: String,
    runs: usize,
    /// Seconds of the fastest run, and of the one in the middle.
    seconds: f64,
    median_seconds: f64,
    /// Work of all matrix products and convolutions.
    flop: u64,
    gflop_per_second: f64,
    /// Bytes that the plan's kernels read and write.
    moved_bytes: u64,
    gb_per_second: f64,
    dispatches: u64,
    /// Bytes of all buffers on the device.
    peak_bytes: u64,
    images_per_second: Option<f64>,
}

/// Runs a case for about `time`, three times at the least.
pub fn measure(backend: &mut dyn Backend, case: Case, time: Duration) -> anyhow::Result<Figures> {
    let plan = backend.compile(&case.graph)?;
    for (name, values) in &case.arenas {
        backend.write_arena(name, values)?;
    }
    // The first run may still compile, allocate, or warm caches up.
    timed(backend, plan, &case, 1)?;
    let before = backend.stats();
    let one = timed(backend, plan, &case, 1)?;
    let dispatches = backend.stats().dispatches - before.dispatches;
    // Reading waits for the device: short runs are measured many at a time.
    let together = (1e-3 / one.max(1e-9)).ceil().clamp(1.0, 100.0) as usize;
    let (started, mut times) = (Instant::now(), vec![]);
    while times.len() < 3 || started.elapsed() < time {
        times.push(timed(backend, plan, &case, together)?);
    }
    times.sort_by(f64::total_cmp);
    let seconds = times[0];
    let planned = Plan::new(&case.graph, &PlanOptions::default())?;
    Ok(Figures {
        name: case.name,
        runs: times.len() * together,
        seconds,
        median_seconds: times[times.len() / 2],
        flop: planned.flops(),
        gflop_per_second: planned.flops() as f64 / seconds / 1e9,
        moved_bytes: planned.moved_bytes(),
        gb_per_second: planned.moved_bytes() as f64 / seconds / 1e9,
        dispatches,
        peak_bytes: backend.stats().bytes,
        images_per_second: case.images.map(|images| images as f64 / seconds),
    })
}

/// Seconds of one run out of several that are waited for together.
fn timed(backend: &mut dyn Backend, plan: PlanId, case: &Case, runs: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    for _ in 0..runs {
        backend.run(plan, &case.inputs)?;
    }
    if case.graph.outputs().is_empty() {
        backend.read_arena(RUNS)?;
    } else {
        backend.read(plan, 0)?;
    }
    Ok(started.elapsed().as_secs_f64() / runs as f64)
}

/// The table's first line.
pub fn header() -> String {
    format!(
        "{:<38} {:>10} {:>9} {:>8} {:>6} {:>10} {:>10} {:>10}",
        "case", "time", "GFLOP/s", "GB/s", "calls", "moved", "memory", "images/s"
    )
}

/// A line of the table.
pub fn row(f: &Figures) -> String {
    let rate = if f.flop == 0 { "-".to_string() } else { format!("{:.1}", f.gflop_per_second) };
    let images = f.images_per_second.map_or(String::new(), |images| format!("{images:.0}"));
    let line = format!(
        "{:<38} {:>10} {:>9} {:>8.1} {:>6} {:>10} {:>10} {:>10}",
        f.name,
        duration(Duration::from_secs_f64(f.seconds)),
        rate,
        f.gb_per_second,
        f.dispatches,
        bytes(f.moved_bytes as f64),
        bytes(f.peak_bytes as f64),
        images
    );
    line.trim_end().to_string()
}
