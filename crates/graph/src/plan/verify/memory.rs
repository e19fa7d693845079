//! Invariants of the finished plan: run over the memory as it was assigned, every read finds the value that it was recorded
//! for, and nothing is read and written at once but point by point.

use super::super::PlanOptions;
use super::super::draft::{Draft, Region, StorageKind};
use super::super::fuse::fits;
use super::super::kernel::{Access, Kernel, Operand, Step};
use super::super::memory::Placed;
use super::super::program::{Instr, Program, Store};
use super::super::schedule::{outermost, writers};
use super::broken;
use crate::error::Result;
use std::collections::HashMap;

const PASS: &str = "memory";

/// Bytes of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    buffer: usize,
    start: usize,
    end: usize,
}

impl Span {
    fn meets(&self, other: &Span) -> bool {
        self.buffer == other.buffer && self.start < other.end && other.start < self.end
    }
}

/// What a run of bytes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// A value, by its storage.
    Value(usize),
    /// The new contents of an arena, by its storage.
    Assigned(usize),
    Scratch,
}

/// Checks a finished plan.
///
/// # Errors
/// [`GraphError::Plan`](crate::GraphError::Plan) with the invariant that does not hold.
pub(in super::super) fn memory(placed: &Placed, options: &PlanOptions) -> Result<()> {
    let mut held = Held::new(placed);
    let mut unwritten: Vec<usize> = writers_in_order(placed);
    for (call, step) in placed.calls.iter().zip(&placed.plan.steps) {
        let fail = |what: String| Err(broken(PASS, format!("{}: {what}", call.label)));
        let bound = operands(placed, call, step, options).or_else(|| at_once(placed, call, step));
        if let Some(what) = bound {
            return fail(what);
        }
        for region in call.reads() {
            if unwritten[region.storage] > 0 {
                return fail(format!("reads {region:?} before all of it is written"));
            }
            if let Some(found) = held.other_than(placed, region) {
                return fail(format!("reads {region:?}, but its memory holds {found:?}"));
            }
        }
        if let Some(scratch) = &step.scratch {
            held.write(span_of(scratch), Holder::Scratch);
        }
        for region in call.writes() {
            let holder = match placed.drafts.storages[region.storage].kind {
                StorageKind::Arena(_) => Holder::Assigned(region.storage),
                StorageKind::Input(_) | StorageKind::Constant(_) => {
                    return fail(format!("writes {region:?}, which is an input or a constant"));
                }
                StorageKind::Zeroed | StorageKind::Temporary => Holder::Value(region.storage),
            };
            held.write(placed.span(region), holder);
        }
        let mut storages: Vec<usize> = call.writes().map(|r| r.storage).collect();
        storages.sort_unstable();
        storages.dedup();
        storages.into_iter().for_each(|s| unwritten[s] = unwritten[s].saturating_sub(1));
    }
    results(placed, &held)
}

/// Calls that still have to write into each storage.
fn writers_in_order(placed: &Placed) -> Vec<usize> {
    let mut left: Vec<usize> = writers(&placed.drafts).iter().map(Vec::len).collect();
    for (storage, calls) in placed.drafts.storages.iter().zip(&mut left) {
        // The old contents of an arena may be read before the new ones are written.
        if matches!(storage.kind, StorageKind::Arena(_)) {
            *calls = 0;
        }
    }
    left
}

/// Outputs and assigned states lie where the plan says after the last call.
fn results(placed: &Placed, held: &Held) -> Result<()> {
    for region in &placed.drafts.outputs {
        if let Some(found) = held.other_than(placed, region) {
            return Err(broken(PASS, format!("at the end the memory of output {region:?} holds {found:?}")));
        }
    }
    for (_, to, from) in &placed.drafts.assignments {
        let span = placed.span(to);
        let new = |h: Holder| h == Holder::Value(from.storage) || h == Holder::Assigned(to.storage);
        if let Some(found) = held.find(span, |h| !h.is_some_and(new)) {
            return Err(broken(PASS, format!("at the end the state {to:?} holds {found:?}")));
        }
    }
    Ok(())
}

impl Placed {
    fn span(&self, region: &Region) -> Span {
        let place = outermost(&self.drafts, region);
        let size = self.drafts.storages[region.storage].dtype.size();
        let start = place.offset * size;
        Span { buffer: self.buffer_of[place.storage], start, end: start + place.len * size }
    }
}

fn span_of(o: &Operand) -> Span {
    let size = o.dtype.size();
    Span { buffer: o.buffer, start: o.offset * size, end: (o.offset + o.len) * size }
}

/// Operands within their buffers, aligned, few enough, those of the call, and with an access that says what is done to them.
fn operands(placed: &Placed, call: &Draft, step: &Step, options: &PlanOptions) -> Option<String> {
    for o in step.operands.iter().chain(&step.scratch) {
        let span = span_of(o);
        if placed.plan.buffers.get(o.buffer).is_none_or(|b| span.end > b.bytes) {
            return Some(format!("operand {o:?} lies outside its buffer"));
        }
        if span.start % (4 * options.alignment) != 0 && options.alignment > 1 {
            return Some(format!("operand {o:?} starts between the bounds that the device asks for"));
        }
        let written = |p: &&Operand| p.buffer == o.buffer && p.access != Access::Read;
        if o.access == Access::Read && step.operands.iter().chain(&step.scratch).any(|p| written(&p)) {
            return Some(format!("operand {o:?} is only read, but its buffer is written"));
        }
    }
    let reads = |r: &&Region| step.operands.iter().any(|o| span_of(o) == placed.span(r) && o.access == Access::Read);
    if let Some(region) = call.writes().find(reads) {
        return Some(format!("{region:?} is written, but only read by its access"));
    }
    if !fits(call, options) {
        let n = call.operands.len();
        return Some(format!("{n} operands, the device binds {} with its scratch", options.max_operands));
    }
    let missing =
        call.reads().chain(call.writes()).find(|r| !step.operands.iter().any(|o| span_of(o) == placed.span(r)));
    missing.map(|r| format!("{r:?} is no operand of the step"))
}

/// What a call reads while it writes over it, other than the element of the very point that is being computed.
fn at_once(placed: &Placed, call: &Draft, step: &Step) -> Option<String> {
    let spans = |program: &Program| -> Vec<Span> {
        program.stores.iter().map(|s| placed.span(&call.operands[s.operand])).collect()
    };
    let own = spans(&call.program);
    let late: Vec<Span> = call.columns.iter().flat_map(|c| spans(&c.program)).collect();
    let scratch: Vec<Span> = step.scratch.iter().map(span_of).collect();
    let meets = |region: &Region, spans: &[Span]| spans.iter().any(|s| s.meets(&placed.span(region)));
    let prologue = match &call.kernel {
        Kernel::Reduce { prologue, .. } => Some(prologue),
        _ => None,
    };
    let elsewhere = call.kernel_reads().chain(prologue.into_iter().flat_map(|p| p.loaded()).map(|o| &call.operands[o]));
    let finishing = call.columns.iter().flat_map(|c| c.program.loaded()).map(|o| &call.operands[o]);
    let never = elsewhere.chain(finishing);
    if let Some(r) = never.into_iter().find(|r| meets(r, &own) || meets(r, &late) || meets(r, &scratch)) {
        return Some(format!("{r:?} is overwritten while it is read"));
    }
    let unfit = call.program.loaded().map(|o| &call.operands[o]).find(|r| meets(r, &late) || meets(r, &scratch));
    if let Some(r) = unfit {
        return Some(format!("{r:?} is overwritten by sums or scratch while it is read"));
    }
    let (program, domain) = (&call.program, &call.program.domain);
    let in_order = |store: &Store| {
        let target = placed.span(&call.operands[store.operand]);
        program.instrs.iter().all(|i| match i {
            Instr::Load { operand, view, .. } => {
                let source = placed.span(&call.operands[*operand]);
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

/// What each run of bytes holds.
struct Held {
    runs: HashMap<usize, Vec<(Span, Holder)>>,
}

impl Held {
    /// Memory before the step: inputs, arenas, constants and zeroed buffers hold their own.
    fn new(placed: &Placed) -> Held {
        let mut held = Held { runs: HashMap::new() };
        for (s, storage) in placed.drafts.storages.iter().enumerate() {
            let filled = !matches!(storage.kind, StorageKind::Temporary) && storage.inside.is_none();
            if filled && placed.buffer_of[s] != usize::MAX {
                let span = placed.span(&Region { storage: s, offset: 0, len: storage.len });
                held.write(span, Holder::Value(s));
            }
        }
        held
    }

    fn write(&mut self, span: Span, holder: Holder) {
        if span.start == span.end {
            return;
        }
        let runs = self.runs.entry(span.buffer).or_default();
        let mut after: Vec<(Span, Holder)> = vec![];
        for (old, what) in runs.drain(..) {
            if !old.meets(&span) {
                after.push((old, what));
                continue;
            }
            if old.start < span.start {
                after.push((Span { end: span.start, ..old }, what));
            }
            if span.end < old.end {
                after.push((Span { start: span.end, ..old }, what));
            }
        }
        after.push((span, holder));
        *runs = after;
    }

    /// Something in a region's memory that is not the region's value.
    fn other_than(&self, placed: &Placed, region: &Region) -> Option<Option<Holder>> {
        let storages = &placed.drafts.storages;
        let own = |s: usize| {
            // The parts of a packed buffer are computed in their places.
            let part = storages[region.storage].kind == StorageKind::Zeroed
                && storages[s].inside.is_some_and(|(outer, _)| outer == region.storage);
            s == region.storage || part
        };
        self.find(placed.span(region), |h| !matches!(h, Some(Holder::Value(s)) if own(s)))
    }

    /// The first run within a span for which `wanted` holds; `None` stands for memory that nothing was written to.
    fn find(&self, span: Span, wanted: impl Fn(Option<Holder>) -> bool) -> Option<Option<Holder>> {
        let within = |(run, holder): &(Span, Holder)| {
            run.meets(&span).then(|| (run.end.min(span.end) - run.start.max(span.start), *holder))
        };
        let found: Vec<(usize, Holder)> =
            self.runs.get(&span.buffer).into_iter().flatten().filter_map(within).collect();
        if let Some((_, holder)) = found.iter().find(|(_, h)| wanted(Some(*h))) {
            return Some(Some(*holder));
        }
        let covered: usize = found.iter().map(|(bytes, _)| bytes).sum();
        (covered < span.end - span.start && wanted(None)).then_some(None)
    }
}
