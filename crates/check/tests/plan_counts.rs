//! What each pass of the planner leaves of two networks: a pass that overlooks something gives right results, only more slowly.

use chiaro_check::plans::{densenet, lstm};
use chiaro_graph::plan::{Kernel, Plan, PlanOptions};
use chiaro_graph::{DType, Graph};

/// As GPUs ask for plans: convolutions reduce columns and compute their inputs.
fn options() -> PlanOptions {
    PlanOptions {
        inline_broadcasts: true,
        columns: |kernel| matches!(kernel, Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_)),
        loads: |kernel, input| match kernel {
            Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_) => input == 0,
            other => matches!(other, Kernel::Conv2dWeightGrad(_)),
        },
        ..PlanOptions::default()
    }
}

/// Calls after each pass, bytes moved in the end, and bytes of the slots.
fn left(graph: &Graph) -> (Vec<usize>, u64, usize) {
    let mut calls = vec![];
    let plan = Plan::observed(graph, &options(), &mut |pass| calls.push(pass.calls)).expect("a plan");
    (calls, plan.moved_bytes(), plan.intermediate_bytes())
}

#[test]
fn passes_leave_what_they_left_before() {
    let dense = densenet(2, 8, &[3, 3], 8).expect("it fits");
    assert_eq!(left(&dense), (vec![158, 144, 121, 114, 114, 114, 108, 108, 108, 108], 2_522_440, 218_240));
    let recurrent = lstm(4, 6, 8, 16).expect("it fits");
    assert_eq!(left(&recurrent), (vec![129, 129, 99, 99, 99, 99, 99, 99, 99, 99], 335_536, 39_940));
}

#[test]
fn a_residual_stream_takes_one_place() {
    let mut g = Graph::new();
    let z = g.input("z", &[8, 8], DType::F32).expect("new");
    let mut stream = g.matmul(z, z, false, false).expect("it fits");
    for _ in 0..5 {
        let hidden = g.matmul(stream, z, false, false).expect("it fits");
        let change = g.matmul(hidden, z, false, true).expect("it fits");
        stream = g.add(stream, change).expect("it fits");
    }
    let last = g.matmul(stream, z, true, false).expect("it fits");
    g.output("last", last).expect("new");
    let plan = Plan::new(&g, &PlanOptions::default()).expect("a plan");
    assert_eq!(plan.steps.len(), 12);
    assert_eq!(plan.intermediate_bytes(), 3 * 256, "the stream, what is hidden, and the output");
}
