//! Random graphs on the GPU backend, by the kernels of software devices. `chiaro verify --fuzz N --device gpu` runs more of them.

mod support;

use chiaro_check::fuzz::{Executor, FuzzOptions, fuzz};
use chiaro_gpu::{BackendOptions, Gpu, GpuBackend, OpenOptions, Tuning};

/// Graphs of the test command. Each has kernels of its own to be compiled, 0.6 s of a core.
const GRAPHS: u64 = 12;

fn executor<'a>(gpu: &Gpu, fuse: bool) -> Executor<'a> {
    let gpu = gpu.clone();
    let open = move |_| {
        let options = BackendOptions { fuse, tuning: Tuning::Off, ..BackendOptions::default() };
        Ok(Box::new(GpuBackend::new(gpu.clone(), options)) as Box<dyn chiaro_graph::Backend>)
    };
    Executor { name: format!("GPU {}", if fuse { "fused" } else { "plain" }), open: Box::new(open) }
}

#[test]
fn random_graphs_agree_with_the_reference() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let executors = [executor(&gpu, true), executor(&gpu, false)];
    let report = fuzz(&executors, 0..GRAPHS, FuzzOptions { failures: 1, tries: 100 }, &mut |_| {});
    println!("{report}");
    assert!(report.failures.is_empty(), "{} graphs fail, see above", report.failures.len());
    assert_eq!(report.graphs, GRAPHS);
}
