//! A good plan, broken in one place: each invariant is named by the pass that is told to have broken it.

use super::super::draft::{Draft, Drafts, Region};
use super::super::kernel::{Access, Kernel};
use super::super::memory::{Placed, place};
use super::super::{PlanOptions, decide, fuse, lower, schedule};
use super::{calls, memory};
use crate::{ConvSpec, DType, Elementwise, Graph, Target};

/// Products with an epilogue, a reduction, a joined value and a state that is updated.
fn graph() -> Graph {
    let mut g = Graph::new();
    let arena = g.arena("states", DType::F32).expect("new");
    let state = g.state(arena, "p", &[8, 8]).expect("new");
    let p = g.state_value(state).expect("of this graph");
    let x = g.input("x", &[8, 8], DType::F32).expect("new");
    let y = g.matmul(x, p, false, false).expect("fits");
    let z = g.matmul(y, x, false, false).expect("fits");
    let z = g.relu(z).expect("a float");
    let joined = g.concat(&[y, z], 1).expect("fits");
    let last = g.matmul(z, y, false, true).expect("fits");
    let new = g.map_scalars(Elementwise::Mul, p, &[0.5]).expect("a float");
    g.assign(Target::State(state), new).expect("fits");
    g.output("joined", joined).expect("new");
    g.output("last", last).expect("new");
    g
}

fn drafts() -> Drafts {
    let (g, options) = (graph(), PlanOptions::default());
    let mut drafts = lower::lower(&g, &options, decide::decide(&g, &options));
    fuse::fuse(&mut drafts, &options, &mut |_| {}).expect("a good plan");
    drafts
}

/// What is said of calls that were changed.
fn said(change: impl FnOnce(&mut Drafts)) -> String {
    let mut drafts = drafts();
    calls(&drafts, "test").expect("a good plan");
    change(&mut drafts);
    calls(&drafts, "test").expect_err("a broken plan").to_string()
}

fn products(drafts: &Drafts) -> Vec<usize> {
    let product = |c: &Draft| !c.inputs.is_empty();
    (0..drafts.calls.len()).filter(|&i| product(&drafts.calls[i])).collect()
}

#[test]
fn a_lost_call_is_an_error() {
    let text = said(|d| {
        let first = products(d)[0];
        d.calls.remove(first);
    });
    assert!(text.contains("after `test`") && text.contains("0 are written"), "{text}");
}

#[test]
fn a_part_that_is_never_written_is_an_error() {
    let text = said(|d| {
        let joined = d.outputs[0].storage;
        let part = d.calls.iter_mut().find(|c| c.writes().any(|w| w.storage == joined)).expect("two parts");
        part.program.stores.retain(|s| part.operands[s.operand].storage != joined);
    });
    assert!(text.contains("of the 128 elements of a value 64 are written"), "{text}");
}

#[test]
fn calls_that_wait_for_each_other_are_an_error() {
    let text = said(|d| {
        let at = products(d);
        let (first, last) = (at[0], at[at.len() - 1]);
        let result: Region = d.calls[last].writes().next().expect("a result").clone();
        d.calls[first].operands.push(result);
        let operand = d.calls[first].operands.len() - 1;
        d.calls[first].inputs[0] = operand;
    });
    assert!(text.contains("in a circle"), "{text}");
}

#[test]
fn a_region_outside_its_storage_is_an_error() {
    let text = said(|d| d.calls[0].operands[0].offset = usize::MAX);
    assert!(text.contains("outside its storage"), "{text}");
}

#[test]
fn an_element_outside_its_operand_is_an_error() {
    let text = said(|d| d.calls[0].program.stores[0].view.offset = 1);
    assert!(text.contains("leaves operand"), "{text}");
}

#[test]
fn an_element_of_another_type_is_an_error() {
    let text = said(|d| d.calls[0].program.stores[0].dtype = DType::F16);
    assert!(text.contains("holds f32, not f16"), "{text}");
}

/// What is said of a placed plan that was changed.
fn placed(change: impl FnOnce(&mut Placed)) -> String {
    let (g, options) = (graph(), PlanOptions::default());
    let mut drafts = drafts();
    let order = schedule::schedule(&mut drafts).expect("no circle");
    let mut placed = place(&g, drafts, &order, &options);
    memory(&placed, &options).expect("a good plan");
    change(&mut placed);
    memory(&placed, &options).expect_err("a broken plan").to_string()
}

/// Positions of two values that are alive at once, in the order of their calls.
fn living(placed: &Placed) -> (usize, usize) {
    let storages: Vec<usize> = placed.calls.iter().flat_map(|c| c.writes()).map(|r| r.storage).collect();
    let own = |s: &usize| placed.buffer_of[*s] != usize::MAX && !placed.drafts.storages[*s].output;
    let mut slots: Vec<usize> = storages.into_iter().filter(own).collect();
    slots.dedup();
    (slots[0], slots[1])
}

#[test]
fn a_slot_that_two_living_values_share_is_an_error() {
    let text = placed(|p| {
        let (a, b) = living(p);
        let (from, to) = (p.buffer_of[b], p.buffer_of[a]);
        p.buffer_of[b] = to;
        let operands = p.plan.steps.iter_mut().flat_map(|s| &mut s.operands);
        operands.filter(|o| o.buffer == from).for_each(|o| o.buffer = to);
    });
    assert!(text.contains("after `memory`"), "{text}");
}

#[test]
fn a_read_before_the_write_is_an_error() {
    let text = placed(|p| {
        p.calls.swap(0, 1);
        p.plan.steps.swap(0, 1);
    });
    assert!(text.contains("before all of it is written"), "{text}");
}

#[test]
fn an_operand_that_is_not_the_calls_is_an_error() {
    let text = placed(|p| p.plan.steps[0].operands[0].offset = 4);
    assert!(text.contains("outside its buffer") || text.contains("is no operand of the step"), "{text}");
}

#[test]
fn an_operand_that_is_said_to_be_read_while_it_is_written_is_an_error() {
    let text = placed(|p| p.plan.steps[0].operands.iter_mut().for_each(|o| o.access = Access::Read));
    assert!(text.contains("is written, but only read by its access"), "{text}");
}

#[test]
fn a_state_that_is_not_assigned_is_an_error() {
    let text = placed(|p| {
        let (_, _, from) = &mut p.drafts.assignments[0];
        from.storage = p.drafts.outputs[0].storage;
    });
    assert!(text.contains("the state"), "{text}");
}

#[test]
fn an_input_that_is_overwritten_while_it_is_read_is_an_error() {
    let text = placed(|p| {
        let at = (0..p.calls.len()).find(|&i| !p.calls[i].inputs.is_empty()).expect("a product");
        let call = &mut p.calls[at];
        let target = call.program.stores[0].operand;
        call.inputs[0] = target;
    });
    assert!(text.contains("overwritten while it is read"), "{text}");
}

#[test]
fn more_operands_than_the_device_binds_are_an_error() {
    let (g, options) = (graph(), PlanOptions::default());
    let mut drafts = drafts();
    let order = schedule::schedule(&mut drafts).expect("no circle");
    let placed = place(&g, drafts, &order, &options);
    let few = PlanOptions { max_operands: 2, ..options };
    let text = memory(&placed, &few).expect_err("products have three").to_string();
    assert!(text.contains("operands, the device binds 2"), "{text}");
}

#[test]
fn what_is_known_of_dependencies_is_kept_by_every_pass() {
    let mut g = Graph::new();
    let mut x = g.input("x", &[2, 4, 4, 8], DType::F32).expect("new");
    let (w, scale) = (g.input("w", &[8, 3, 3, 8], DType::F32), g.input("scale", &[8], DType::F32));
    let (w, scale) = (w.expect("new"), scale.expect("new"));
    for _ in 0..3 {
        let y = g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() }).expect("fits");
        let (y, _) = g.batch_norm(y, scale, scale, 1e-3).expect("fits");
        x = g.relu(y).expect("a float");
    }
    let last = g.concat(&[x, x], 3).expect("fits");
    let sum = g.sum(last, &[0, 1, 2, 3], false).expect("fits");
    let gradients = g.grad(sum, None, &[w, scale]).expect("gradients");
    for (name, v) in ["dw", "dscale"].into_iter().zip(gradients) {
        g.output(name, v).expect("new");
    }
    let options = PlanOptions {
        inline_broadcasts: true,
        columns: |kernel| matches!(kernel, Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_)),
        loads: |kernel, _| matches!(kernel, Kernel::Conv2d(_) | Kernel::Conv2dWeightGrad(_)),
        ..PlanOptions::default()
    };
    let mut drafts = lower::lower(&g, &options, decide::decide(&g, &options));
    let mut calls = vec![drafts.calls.len()];
    // Each pass compares what it kept with what the calls say in the end.
    fuse::fuse(&mut drafts, &options, &mut |pass| calls.push(pass.calls)).expect("a good plan");
    assert!(calls.windows(2).filter(|pair| pair[1] < pair[0]).count() >= 4, "passes have nothing to do: {calls:?}");
}

/// Two convolutions of a sum, which the first computes and keeps.
fn kept() -> (Graph, PlanOptions) {
    let mut g = Graph::new();
    let [x, z] = ["x", "z"].map(|name| g.input(name, &[1, 4, 4, 8], DType::F32).expect("new"));
    let sum = g.add(x, z).expect("one shape");
    for name in ["a", "b"] {
        let w = g.input(&format!("w{name}"), &[8, 3, 3, 8], DType::F32).expect("new");
        let y = g.conv2d(sum, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() }).expect("fits");
        g.output(name, y).expect("new");
    }
    let image = |kernel: &Kernel, input| matches!(kernel, Kernel::Conv2d(_)) && input == 0;
    (g, PlanOptions { loads: image, keeps: image, load_price: |_, _| 1, ..PlanOptions::default() })
}

#[test]
fn a_kept_input_that_is_written_over_what_it_is_made_of_is_an_error() {
    let (g, options) = kept();
    let mut drafts = lower::lower(&g, &options, decide::decide(&g, &options));
    fuse::fuse(&mut drafts, &options, &mut |_| {}).expect("a good plan");
    let order = schedule::schedule(&mut drafts).expect("no circle");
    let mut placed = place(&g, drafts, &order, &options);
    memory(&placed, &options).expect("a good plan");
    let stores = |c: &Draft| c.loads.iter().flatten().any(|load| !load.program.stores.is_empty());
    let keeping = placed.calls.iter().position(stores).expect("a call that keeps its input");
    let call = &placed.calls[keeping];
    let load = call.loads[0].as_ref().expect("of its image");
    let target = call.operands[load.program.stores[0].operand].storage;
    let source = call.operands[call.inputs[0]].storage;
    let (from, to) = (placed.buffer_of[target], placed.buffer_of[source]);
    placed.buffer_of[target] = to;
    let operands = placed.plan.steps.iter_mut().flat_map(|s| &mut s.operands);
    operands.filter(|o| o.buffer == from || o.buffer == to).for_each(|o| {
        (o.buffer, o.access) = (to, Access::ReadWrite);
    });
    let text = memory(&placed, &options).expect_err("a broken plan").to_string();
    assert!(text.contains("by a kept input while it is read"), "{text}");
}

#[test]
fn a_kept_input_that_is_not_stored_is_an_error() {
    let (g, options) = kept();
    let mut drafts = lower::lower(&g, &options, decide::decide(&g, &options));
    fuse::fuse(&mut drafts, &options, &mut |_| {}).expect("a good plan");
    let loads = drafts.calls.iter_mut().flat_map(|c| &mut c.loads).flatten();
    loads.for_each(|load| load.program.stores.clear());
    let text = calls(&drafts, "test").expect_err("a broken plan").to_string();
    assert!(text.contains("of the 128 elements of a value 0 are written"), "{text}");
}
