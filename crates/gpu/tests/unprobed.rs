//! A device that is not tried before it is used: nothing runs on it until somebody wants it to.

mod support;

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{Backend, DType, Graph};

#[test]
fn a_device_that_is_not_probed_plans_kernels_and_runs_nothing() {
    let Some(probed) = support::open(OpenOptions::default()) else { return };
    assert!(probed.counters().submissions > 0, "the probe ran");
    let gpu = support::open(OpenOptions { without_probe: true, cooperative_matrix: true, ..OpenOptions::default() });
    let mut backend = GpuBackend::new(gpu.expect("opens again"), BackendOptions::default());
    let mut g = Graph::new();
    let x = g.input("x", &[40, 36], DType::F32).expect("an input");
    let y = g.matmul(x, x, false, true).and_then(|y| g.relu(y)).and_then(|y| g.sum_all(y)).expect("a graph");
    g.output("y", y).expect("new");
    let planned = backend.planned(&g).expect("plans");
    let counters = backend.gpu().counters();
    assert_eq!((counters.submissions, counters.count, counters.pipelines), (0, 0, 0), "nothing was run or allocated");
    assert!(planned.iter().all(|kernel| kernel.spirv().is_ok()));
    let plan = backend.compile(&g).expect("compiles");
    assert_eq!(planned.len(), backend.dispatches(plan));
    assert_eq!(planned.iter().map(|k| k.call.clone()).collect::<Vec<_>>(), backend.calls(plan).expect("known"));
}
