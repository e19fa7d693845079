//! Invariants of calls before they have an order and memory: nothing is lost, nothing waits for itself, and every element
//! that a program names lies within its operand.

use super::super::dependencies::{Dependencies, fills};
use super::super::draft::{Draft, Drafts, Region, StorageKind};
use super::super::program::{Instr, Program, View};
use super::super::schedule::{topological, writers};
use super::broken;
use crate::dtype::DType;
use crate::error::Result;
use crate::shape::count;

/// Checks the calls after a pass.
///
/// # Errors
/// [`GraphError::Plan`](crate::GraphError::Plan) with the invariant that does not hold.
pub(in super::super) fn calls(drafts: &Drafts, pass: &'static str) -> Result<()> {
    let fail = |call: &Draft, what: String| Err(broken(pass, format!("{}: {what}", call.label)));
    for call in &drafts.calls {
        if let Some(what) = regions(drafts, call).or_else(|| elements(drafts, call)) {
            return fail(call, what);
        }
    }
    written(drafts, pass)?;
    topological(drafts, &Dependencies::new(drafts), pass).map(|_| ())
}

/// Operands that leave their storage.
fn regions(drafts: &Drafts, call: &Draft) -> Option<String> {
    let outside = |r: &&Region| match drafts.storages.get(r.storage) {
        Some(storage) => r.offset.checked_add(r.len).is_none_or(|end| end > storage.len),
        None => true,
    };
    call.operands.iter().find(outside).map(|r| format!("operand {r:?} lies outside its storage"))
}

/// Loads and stores that leave their operand, or take its elements for another type.
fn elements(drafts: &Drafts, call: &Draft) -> Option<String> {
    let place = |program: &Program, operand: usize, view: &View, dtype: DType| {
        let Some(region) = call.operands.get(operand) else {
            return Some(format!("there is no operand {operand}"));
        };
        let held = drafts.storages[region.storage].dtype;
        if held != dtype {
            return Some(format!("operand {operand} holds {held}, not {dtype}"));
        }
        let inside = extent(view, &program.domain).is_none_or(|(low, high)| low >= 0 && high < region.len as i128);
        (!inside)
            .then(|| format!("{view:?} over {:?} leaves operand {operand} of {} elements", program.domain, region.len))
    };
    call.programs().find_map(|program| {
        let loads = program.instrs.iter().find_map(|i| match i {
            Instr::Load { operand, view, dtype } => place(program, *operand, view, *dtype),
            Instr::Value(_)
            | Instr::Scalar(_)
            | Instr::Index(_)
            | Instr::Random { .. }
            | Instr::Map(..)
            | Instr::Cast(..) => None,
        });
        loads.or_else(|| program.stores.iter().find_map(|s| place(program, s.operand, &s.view, s.dtype)))
    })
}

/// The first and the last element that a view reaches; `None` over a domain without points.
fn extent(view: &View, domain: &[usize]) -> Option<(i128, i128)> {
    let (mut low, mut high) = (view.offset as i128, view.offset as i128);
    for (&n, &stride) in domain.iter().zip(&view.strides) {
        let reach = (n as i128).checked_sub(1).filter(|&r| r >= 0)? * stride as i128;
        if reach < 0 { low += reach } else { high += reach }
    }
    Some((low, high))
}

/// Every storage that is read, given out or assigned has calls that write all of it, and at most one of them fills it.
fn written(drafts: &Drafts, pass: &'static str) -> Result<()> {
    let reads = drafts.calls.iter().flat_map(Draft::reads);
    let assigned = drafts.assignments.iter().map(|(_, _, from)| from);
    let mut needed: Vec<usize> = reads.chain(assigned).chain(&drafts.outputs).map(|r| r.storage).collect();
    needed.sort_unstable();
    needed.dedup();
    let writers = writers(drafts);
    for storage in needed.into_iter().filter(|&s| drafts.storages[s].kind == StorageKind::Temporary) {
        let (calls, len) = (&writers[storage], drafts.storages[storage].len);
        let labels: Vec<&str> = calls.iter().map(|&c| &drafts.calls[c].label[..]).collect();
        let filling = calls.iter().filter(|&&c| fills(drafts, &drafts.calls[c], storage)).count();
        let points: usize = calls.iter().map(|&c| stored(&drafts.calls[c], storage)).sum();
        if filling > 1 || filling == 0 && points != len {
            let detail = format!("of the {len} elements of a value {points} are written, by {labels:?}");
            return Err(broken(pass, detail));
        }
    }
    Ok(())
}

/// Elements of a storage that a call stores.
fn stored(call: &Draft, storage: usize) -> usize {
    let of = |p: &Program| {
        count(&p.domain) * p.stores.iter().filter(|s| call.operands[s.operand].storage == storage).count()
    };
    call.programs().map(of).sum()
}
