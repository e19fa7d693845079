//! Invariants of the finished plan: operands lie where the call and the device want them, nothing is read and written at once
//! but point by point, and every read finds the value that it was recorded for.

use super::super::PlanOptions;
use super::super::draft::{Draft, Region};
use super::super::fuse::fits;
use super::super::kernel::{Access, Operand, Step};
use super::super::memory::Placed;
use super::super::program::{Instr, Program, Store};
use super::broken;
use super::held::{HeldSpan, span_of};
use super::simulation::Simulation;
use crate::error::Result;

const PASS: &str = "memory";

/// Checks a finished plan.
///
/// # Errors
/// [`GraphError::Plan`](crate::GraphError::Plan) with the invariant that does not hold.
pub(in super::super) fn memory(placed: &Placed, options: &PlanOptions) -> Result<()> {
    let mut simulation = Simulation::new(placed);
    for (call, step) in placed.calls.iter().zip(&placed.plan.steps) {
        let wrong = operands(placed, call, step, options).or_else(|| at_once(placed, call, step));
        if let Some(what) = wrong.or_else(|| simulation.run(call, step)) {
            return Err(broken(PASS, format!("{}: {what}", call.label)));
        }
    }
    simulation.results().map_or(Ok(()), |what| Err(broken(PASS, what)))
}

/// Operands within their buffers, aligned, few enough, those of the call, and with an access that says what is done to them.
fn operands(placed: &Placed, call: &Draft, step: &Step, options: &PlanOptions) -> Option<String> {
    for o in step.operands.iter().chain(&step.scratch) {
        let span = span_of(o);
        if placed.plan.buffers.get(o.buffer).is_none_or(|b| span.end > b.bytes) {
            return Some(format!("operand {o:?} lies outside its buffer"));
        }
        if options.alignment > 1 && !span.start.is_multiple_of(4 * options.alignment) {
            return Some(format!("operand {o:?} starts between the bounds that the device asks for"));
        }
        let written = |p: &&Operand| p.buffer == o.buffer && p.access != Access::Read;
        if o.access == Access::Read && step.operands.iter().chain(&step.scratch).any(|p| written(&p)) {
            return Some(format!("operand {o:?} is only read, but its buffer is written"));
        }
    }
    let reads =
        |r: &&Region| step.operands.iter().any(|o| span_of(o) == HeldSpan::new(placed, r) && o.access == Access::Read);
    if let Some(region) = call.writes().find(reads) {
        return Some(format!("{region:?} is written, but only read by its access"));
    }
    if !fits(call, options) {
        let n = call.operands.len();
        return Some(format!("{n} operands, the device binds {} with its scratch", options.max_operands));
    }
    let missing = call
        .reads()
        .chain(call.writes())
        .find(|r| !step.operands.iter().any(|o| span_of(o) == HeldSpan::new(placed, r)));
    missing.map(|r| format!("{r:?} is no operand of the step"))
}

/// What a call reads while it writes over it, other than the element of the very point that is being computed.
fn at_once(placed: &Placed, call: &Draft, step: &Step) -> Option<String> {
    let spans = |program: &Program| -> Vec<HeldSpan> {
        program.stores.iter().map(|s| HeldSpan::new(placed, &call.operands[s.operand])).collect()
    };
    let own = spans(&call.program);
    let kept: Vec<HeldSpan> = call.loads.iter().flatten().flat_map(|l| spans(&l.program)).collect();
    let late: Vec<HeldSpan> = call.columns.iter().flat_map(|c| spans(&c.program)).collect();
    let scratch: Vec<HeldSpan> = step.scratch.iter().map(span_of).collect();
    let meets = |region: &Region, spans: &[HeldSpan]| spans.iter().any(|s| s.meets(&HeldSpan::new(placed, region)));
    let loaded = |program: &Program| -> Vec<&Region> { program.loaded().map(|o| &call.operands[o]).collect() };
    let mut elsewhere = call.kernel_reads().chain(call.prologue().map(loaded).into_iter().flatten());
    if let Some(r) = elsewhere.find(|r| meets(r, &own)) {
        return Some(format!("{r:?} is overwritten while it is read"));
    }
    if let Some(r) = call.reads().find(|r| meets(r, &kept)) {
        return Some(format!("{r:?} is overwritten by a kept input while it is read"));
    }
    if let Some(r) = call.reads().find(|r| meets(r, &late) || meets(r, &scratch)) {
        return Some(format!("{r:?} is overwritten by sums or scratch while it is read"));
    }
    let (program, domain) = (&call.program, &call.program.domain);
    let in_order = |store: &Store| {
        let target = HeldSpan::new(placed, &call.operands[store.operand]);
        program.instrs.iter().all(|i| match i {
            Instr::Load { operand, view, .. } => {
                let source = HeldSpan::new(placed, &call.operands[*operand]);
                let same = source == target && view.is_identity(domain) && store.view.is_identity(domain);
                same || !source.meets(&target)
            }
            Instr::Value(_)
            | Instr::Scalar(_)
            | Instr::Index(_)
            | Instr::Random { .. }
            | Instr::Map(..)
            | Instr::Cast(..) => true,
        })
    };
    program.stores.iter().find(|s| !in_order(s)).map(|s| format!("{s:?} overwrites what other points read"))
}
