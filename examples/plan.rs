//! What the plan of a model's training step costs, counted before anything runs: `cargo run --release --example plan resnet18 128`.

use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::nn::{Optimizer, Sgd, TrainOptions, TrainStep, models};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "resnet18".into());
    let batch: usize = arguments.next().map_or(Ok(128), |n| n.parse())?;
    let model = models::by_name(&name, 10, [32, 32, 3])?;
    let optimizer = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    let step = TrainStep::build(&model, TrainOptions::new(batch, optimizer))?;
    // As a GPU asks for it; second passes of reductions are not calls of the plan.
    let options = PlanOptions { alignment: 64, inline_broadcasts: true, ..PlanOptions::default() };
    let plan = Plan::new(&step.graph, &options)?;
    let optimizer_bytes: u64 = plan.steps.iter().filter(|s| s.label.starts_with("optimizer")).map(|s| s.bytes()).sum();
    let moved = (plan.moved_bytes() - optimizer_bytes) as f64 / batch as f64 / 1e6;
    let shared = plan.intermediate_bytes() as f64 / plan.unshared_bytes as f64;
    println!("{name}, batch {batch}: {} calls, {:.1} GFLOP", plan.steps.len(), plan.flops() as f64 / 1e9);
    println!("moved an image, optimizer apart: {moved:.1} MB");
    println!("intermediates: {:.1} MB, {shared:.2} of their sum", plan.intermediate_bytes() as f64 / 1e6);
    Ok(())
}
