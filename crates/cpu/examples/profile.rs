//! Where the time of a training step goes on the CPU backend: `cargo run --release -p chiaro-cpu --example profile w3 [STEPS]`.
//! Workloads are w1 to w3 of `benches/peers`: their networks and batches, with random weights and images.

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::models::by_name;
use chiaro_nn::{Adam, Optimizer, Sgd, TrainOptions, TrainStep};
use std::error::Error;
use std::time::{Duration, Instant};

fn workload(name: &str) -> Option<(&'static str, [usize; 3], usize, Optimizer)> {
    let adam = Optimizer::Adam(Adam { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 });
    Some(match name {
        "w1" => ("mnist-cnn", [28, 28, 1], 64, adam),
        "w2" => ("tutorial-cnn", [64, 64, 3], 32, adam),
        "w3" => ("resnet18", [32, 32, 3], 32, Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() })),
        _ => return None,
    })
}

/// A fraction in 0..1 from a number.
fn hash(i: usize) -> f32 {
    let x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1u32 << 24) as f32
}

fn batch(step: &TrainStep, image: [usize; 3], n: usize) -> Result<Vec<Tensor>, Box<dyn Error>> {
    let pixels = (0..n * image.iter().product::<usize>()).map(hash).collect();
    let images = Tensor::f32([&[n][..], &image[..]].concat(), pixels).ok_or("images")?;
    let labels = Tensor::i32([n], (0..n as i32).map(|i| i % 10).collect()).ok_or("labels")?;
    Ok(step.inputs(images, labels, 0, 0, 1e-3))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "w1".into());
    let steps: usize = args.next().map_or(Ok(30), |s| s.parse())?;
    let threads = args.next().map(|s| s.parse()).transpose()?;
    let (model, image, n, optimizer) = workload(&name).ok_or("the workload is w1, w2 or w3")?;
    let step = TrainStep::build(&by_name(model, 10, image)?, TrainOptions::new(n, optimizer))?;
    let inputs = batch(&step, image, n)?;
    let mut cpu = Cpu::new(threads)?;
    let start = Instant::now();
    let plan = cpu.compile(&step.graph)?;
    let compiled = start.elapsed();
    for (arena, values) in step.initial_arenas(0) {
        cpu.write_arena(&arena, &values)?;
    }
    let first = Instant::now();
    cpu.run(plan, &inputs)?;
    println!("compiled in {compiled:.2?}, first step in {:.2?}", first.elapsed());
    cpu.run(plan, &inputs)?;
    cpu.run(plan, &inputs)?;
    let mut best = Duration::MAX;
    let all = Instant::now();
    for _ in 0..steps {
        let start = Instant::now();
        cpu.run(plan, &inputs)?;
        best = best.min(start.elapsed());
    }
    let mean = all.elapsed() / steps as u32;
    let rate = |time: Duration| n as f64 / time.as_secs_f64();
    println!("{name}: best {best:.2?} ({:.0} images/s), mean {mean:.2?} ({:.0} images/s)", rate(best), rate(mean));
    cpu.set_profiling(true);
    for _ in 0..steps {
        cpu.run(plan, &inputs)?;
    }
    let profile = cpu.profile(plan)?;
    let total: u64 = profile.iter().map(|t| t.nanoseconds).sum();
    let (flops, mut order) = (profile.iter().map(|t| t.flops).sum::<u64>(), profile);
    println!("{:.2} GFLOP a step, {:.1} GFLOP/s at best", flops as f64 / 1e9, flops as f64 / best.as_secs_f64() / 1e9);
    order.sort_by_key(|t| std::cmp::Reverse(t.nanoseconds));
    for t in order {
        let each = t.nanoseconds as f64 / t.runs.max(1) as f64;
        println!(
            "{:9.1} us {:5.1} % {:7.1} GFLOP/s {:6.1} GB/s  {:18} {}",
            each / 1e3,
            100.0 * t.nanoseconds as f64 / total as f64,
            t.flops as f64 / each,
            t.bytes as f64 / each,
            t.kernel,
            t.label
        );
    }
    Ok(())
}
