//! What the plan of a model's training step costs, counted before anything runs:
//! `cargo run --release --example plan resnet18 128 f16`; with `recompute` behind it, of a step that keeps less of its forward pass.

use std::time::Instant;

use chiaro::gpu::{planned_dispatches, portable_plan_options};
use chiaro::graph::plan::{Plan, Step};
use chiaro::nn::{Precision, Sgd, TrainOptions, TrainStep, models};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "resnet18".into());
    let batch: usize = arguments.next().map_or(Ok(128), |n| n.parse())?;
    let precision = match arguments.next().as_deref() {
        None | Some("f32") => Precision::F32,
        Some("f16") => Precision::f16(),
        Some(other) => return Err(format!("the precision is f32 or f16, not {other}").into()),
    };
    let recompute = match arguments.next().as_deref() {
        None => false,
        Some("recompute") => true,
        Some(other) => return Err(format!("recompute or nothing, not {other}").into()),
    };
    let model = models::by_name(&name, 10, [32, 32, 3])?;
    let optimizer = Sgd { momentum: 0.9, ..Sgd::default() };
    let step = TrainStep::build(&model, TrainOptions { precision, recompute, ..TrainOptions::new(batch, optimizer) })?;
    // As a GPU asks for it.
    let mut started = Instant::now();
    let plan = Plan::observed(&step.graph, &portable_plan_options(), &mut |pass| {
        let (seconds, bytes) = (started.elapsed().as_secs_f64(), pass.bytes as f64 / batch as f64 / 1e6);
        println!("{:<10} {:>5} calls {bytes:>7.1} MB an image {:>6.1} ms", pass.name, pass.calls, seconds * 1e3);
        started = Instant::now();
    })?;
    let an_image = |bytes: u64| bytes as f64 / batch as f64 / 1e6;
    let optimizer_bytes: u64 = plan.steps.iter().filter(|s| s.label.starts_with("optimizer")).map(Step::bytes).sum();
    let moved = plan.activation_traffic();
    let activations: u64 = moved.iter().map(|(_, bytes)| bytes).sum();
    let shared = plan.intermediate_bytes() as f64 / plan.unshared_bytes as f64;
    let (calls, dispatches) = (plan.steps.len(), planned_dispatches(&plan)?);
    println!("{name}, batch {batch}: {calls} calls, {dispatches} dispatches, {:.1} GFLOP", plan.flops() as f64 / 1e9);
    println!("moved an image, optimizer apart: {:.1} MB", an_image(plan.moved_bytes() - optimizer_bytes));
    println!("moved an image, weights and optimizer apart: {:.1} MB", an_image(activations));
    for (dtype, bytes) in moved {
        println!("  {dtype}: {:.2} MB", an_image(bytes));
    }
    println!("intermediates: {:.1} MB, {shared:.2} of their sum", plan.intermediate_bytes() as f64 / 1e6);
    Ok(())
}
