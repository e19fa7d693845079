//! Random graphs on the GPU backend: fused and plain plans, kernels of software devices and of GPUs.

mod support;

use chiaro_check::fuzz::{Executor, Options, fuzz};
use chiaro_gpu::{BackendOptions, Gpu, GpuBackend, KernelChoice, OpenOptions, Tuning};

fn executor<'a>(gpu: &Gpu, kernels: KernelChoice, fuse: bool) -> Executor<'a> {
    let gpu = gpu.clone();
    let open = move |_| {
        let options = BackendOptions { fuse, kernels, tuning: Tuning::Off };
        Ok(Box::new(GpuBackend::new(gpu.clone(), options)) as Box<dyn chiaro_graph::Backend>)
    };
    Executor { name: format!("GPU {kernels:?} {}", if fuse { "fused" } else { "plain" }), open: Box::new(open) }
}

#[test]
#[ignore]
fn look() {
    std::panic::set_hook(Box::new(|_| {}));
    let gpu = support::open(OpenOptions::default()).expect("gpu");
    let env = |k: &str, d: u64| std::env::var(k).ok().and_then(|s| s.parse().ok()).unwrap_or(d);
    let s = env("S", 0);
    let options = Options { failures: env("F", 5) as usize, tries: env("T", 1000) as usize };
    let all = [
        (KernelChoice::Suited, true),
        (KernelChoice::Suited, false),
        (KernelChoice::Gpu, true),
        (KernelChoice::Gpu, false),
    ];
    let which = env("E", 0) as usize;
    let mut shown = 0;
    let t0 = std::time::Instant::now();
    let report = fuzz(&[executor(&gpu, all[which].0, all[which].1)], s..s + env("N", 20), options, &mut |r| {
        r.failures[shown..].iter().for_each(|f| println!("{f}"));
        shown = r.failures.len();
    });
    println!(
        "{} graphs {:?} {} failures, {:.1} s",
        report.graphs,
        report.tallies,
        report.failures.len(),
        t0.elapsed().as_secs_f64()
    );
    println!("{}", report.coverage);
}
