//! Random graphs on the CPU backend, fused and plain. `chiaro verify --fuzz N` runs more of them.

use chiaro_check::fuzz::{Executor, FuzzOptions, fuzz};

/// Graphs of the test command.
const GRAPHS: u64 = 500;

#[test]
fn random_graphs_agree_with_the_reference() {
    let options = FuzzOptions { failures: 3, tries: 1000 };
    let report = fuzz(&[Executor::cpu(true), Executor::cpu(false)], 0..GRAPHS, options, &mut |_| {});
    println!("{report}");
    assert!(report.failures.is_empty(), "{} graphs fail, see above", report.failures.len());
    assert_eq!(report.graphs, GRAPHS);
    // A generator of graphs whose results rounding decides would find nothing.
    let total = report.total();
    assert!(total.left_out * 200 < total.elements, "{} of {} elements left out", total.left_out, total.elements);
    let most = report.largest_share_left_out;
    assert!(most < 0.5, "of one graph {:.0} % are left out", 100.0 * most);
    // What runs beside pointwise code, all of it fused into others at times and alone at others.
    for (executor, kernels) in &report.coverage.kernels {
        assert_eq!(kernels.len(), KERNELS, "{executor}: {kernels:?}");
    }
    assert!(report.coverage.sizes.iter().all(|&n| n > 5), "{:?}", report.coverage.sizes);
}

/// Kinds of kernels of a plan.
const KERNELS: usize = 22;
