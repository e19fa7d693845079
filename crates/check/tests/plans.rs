//! The graphs that make the planner's decisions matter can be planned for every kind of backend: the planner verifies itself.

use chiaro_check::plans::plans;
use chiaro_graph::plan::{Fusions, Kernel, Plan, PlanOptions};

/// What real backends ask for, and less.
fn options() -> Vec<(&'static str, PlanOptions)> {
    let plain = PlanOptions { fuse: false, ..PlanOptions::default() };
    let small = PlanOptions { alignment: 64, inline_broadcasts: true, ..PlanOptions::default() };
    let reducing = PlanOptions {
        columns: |kernel| matches!(kernel, Kernel::MatMul(_) | Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_)),
        loads: |kernel, input| match kernel {
            Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_) => input == 0,
            other => matches!(other, Kernel::Conv2dWeightGrad(_)),
        },
        keeps: |kernel, input| match kernel {
            Kernel::Conv2d(_) => input == 0,
            other => matches!(other, Kernel::Conv2dWeightGrad(_)) && input == 1,
        },
        compact_strides: true,
        slack: 3,
        ..small
    };
    vec![
        ("plain", plain),
        ("fused", PlanOptions::default()),
        ("aligned", small),
        ("reducing", reducing),
        ("apart", PlanOptions { epilogue_in_place: false, ..PlanOptions::default() }),
        ("no inline", PlanOptions { fusions: Fusions { inline: false, ..Fusions::ALL }, ..reducing }),
        ("six operands", PlanOptions { max_operands: 6, ..reducing }),
        ("twelve operands", PlanOptions { max_operands: 12, ..reducing }),
        ("no keep", PlanOptions { fusions: Fusions { keep: false, ..Fusions::ALL }, ..reducing }),
        ("no columns", PlanOptions { fusions: Fusions { columns: false, ..Fusions::ALL }, ..reducing }),
        ("no hoist", PlanOptions { fusions: Fusions { hoist: false, ..Fusions::ALL }, ..reducing }),
        ("no pointwise", PlanOptions { fusions: Fusions { pointwise: false, ..Fusions::ALL }, ..reducing }),
        ("no slack", PlanOptions { fusions: Fusions { beside: false, ..Fusions::ALL }, ..reducing }),
        ("no fusions", PlanOptions { fusions: Fusions::NONE, ..reducing }),
    ]
}

#[test]
fn every_graph_has_a_sound_plan_under_all_options() {
    for case in plans() {
        let graph = case.graph().unwrap_or_else(|e| panic!("{}: {e}", case.name));
        for (name, options) in options() {
            let plan = Plan::new(&graph, &options).unwrap_or_else(|e| panic!("{}, {name}: {e}", case.name));
            assert!(!plan.steps.is_empty(), "{}, {name}", case.name);
        }
    }
}
