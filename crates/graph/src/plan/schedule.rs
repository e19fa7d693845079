//! The order of calls: operands before their uses, reads of a state before its assignment.

use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Rank, Region};
use super::fuse::loads_in_order;
use super::kernel::Kernel;
use super::program::{Instr, Program, Store, View};
use crate::error::{GraphError, Result};

/// Calls that write into each storage by its own name.
pub(super) fn writers(drafts: &Drafts) -> Vec<Vec<usize>> {
    let mut writers = vec![vec![]; drafts.storages.len()];
    for (i, call) in drafts.calls.iter().enumerate() {
        for region in call.writes() {
            let calls: &mut Vec<usize> = &mut writers[region.storage];
            if calls.last() != Some(&i) {
                calls.push(i);
            }
        }
    }
    writers
}

/// Decides how assignments are done and gives the calls' order.
///
/// # Errors
/// [`GraphError::Plan`] if calls wait for each other in a circle.
pub(super) fn schedule(drafts: &mut Drafts) -> Result<Vec<usize>> {
    let mut dependencies = Dependencies::new(drafts);
    for (_, to, from) in drafts.assignments.clone() {
        let readers = |drafts: &Drafts, but: usize| -> Vec<usize> {
            (0..drafts.calls.len()).filter(|&i| i != but && drafts.calls[i].reads().any(|r| r.overlaps(&to))).collect()
        };
        let writers: Vec<usize> =
            (0..drafts.calls.len()).filter(|&i| drafts.calls[i].writes().any(|w| w.storage == from.storage)).collect();
        let in_place =
            writers.len() == 1 && may_write(drafts, &dependencies, writers[0], &to, &readers(drafts, writers[0]));
        let writer = if in_place {
            drafts.storages[from.storage].inside = Some((to.storage, to.offset));
            writers[0]
        } else {
            let call = copy(drafts, &from, &to);
            drafts.calls.push(call);
            dependencies.push();
            let last = drafts.calls.len() - 1;
            writers.iter().for_each(|&w| dependencies.order(w, last));
            last
        };
        for reader in readers(drafts, writer) {
            dependencies.order(reader, writer);
        }
    }
    topological(drafts, &dependencies, "schedule")
}

/// May a call write its result over a state that others, and perhaps itself, read?
fn may_write(drafts: &Drafts, deps: &Dependencies, writer: usize, to: &Region, readers: &[usize]) -> bool {
    let call = &drafts.calls[writer];
    let prologue_reads =
        call.prologue().is_some_and(|prologue| prologue.loaded().any(|o| call.operands[o].overlaps(to)));
    let input_reads = call.kernel_reads().any(|r| r.overlaps(to));
    // Its columns are finished after its other results are written.
    let late_reads = call.columns.is_some() && call.reads().any(|r| r.overlaps(to));
    !prologue_reads
        && !input_reads
        && !late_reads
        && loads_in_order(call, to)
        && readers.iter().all(|&r| !deps.reaches(writer, r))
}

fn copy(drafts: &Drafts, from: &Region, to: &Region) -> Draft {
    let (domain, dtype) = ([from.len], drafts.storages[from.storage].dtype);
    let mut program = Program::new(&domain);
    let reg = program.push(Instr::Load { operand: 0, view: View::identity(&domain), dtype }, dtype);
    program.stores.push(Store { operand: 1, view: View::identity(&domain), dtype, reg });
    let rank = Rank { late: false, number: drafts.calls.len() };
    let operands = vec![from.clone(), to.clone()];
    Draft {
        kernel: Kernel::Pointwise,
        program,
        operands,
        inputs: vec![],
        loads: vec![],
        columns: None,
        label: "assign".into(),
        rank,
    }
}

/// Kahn's algorithm, the lowest rank first.
///
/// # Errors
/// [`GraphError::Plan`] if calls wait for each other in a circle.
pub(super) fn topological(drafts: &Drafts, deps: &Dependencies, pass: &'static str) -> Result<Vec<usize>> {
    let n = drafts.calls.len();
    let mut waiting = vec![0; n];
    for a in 0..n {
        deps.after(a).for_each(|b| waiting[b] += 1);
    }
    let mut ready: std::collections::BTreeSet<(Rank, usize)> =
        (0..n).filter(|&i| waiting[i] == 0).map(|i| (drafts.calls[i].rank, i)).collect();
    let mut order = vec![];
    while let Some((_, i)) = ready.pop_first() {
        order.push(i);
        for b in deps.after(i) {
            waiting[b] -= 1;
            if waiting[b] == 0 {
                ready.insert((drafts.calls[b].rank, b));
            }
        }
    }
    if order.len() < n {
        let circle: Vec<&str> = (0..n).filter(|&i| waiting[i] > 0).map(|i| &drafts.calls[i].label[..]).collect();
        return Err(GraphError::Plan { pass, detail: format!("the calls {circle:?} wait for each other in a circle") });
    }
    Ok(order)
}
