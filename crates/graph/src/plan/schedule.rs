//! The order of calls: operands before their uses, reads of a state before its assignment.

use super::draft::{Draft, Drafts, Region};
use super::fuse::loads_in_order;
use super::kernel::Kernel;
use super::program::{Instr, Program, Store, View};
use crate::error::{GraphError, Result};
use crate::shape::count;

/// Which call must run before which.
pub(super) struct Dependencies {
    after: Vec<Vec<usize>>,
    users: Vec<Users>,
}

/// Calls that touch a storage, with the regions they touch.
#[derive(Clone, Default)]
struct Users {
    readers: Vec<(usize, Region)>,
    writers: Vec<(usize, Region)>,
}

impl Dependencies {
    pub fn new(drafts: &Drafts) -> Dependencies {
        let mut users = vec![Users::default(); drafts.storages.len()];
        for (i, call) in drafts.calls.iter().enumerate() {
            for region in call.reads().map(|r| outermost(drafts, r)) {
                users[region.storage].readers.push((i, region));
            }
            for region in call.writes().map(|r| outermost(drafts, r)) {
                users[region.storage].writers.push((i, region));
            }
        }
        let mut after = vec![vec![]; drafts.calls.len()];
        for Users { readers, writers } in &users {
            for (a, written) in writers {
                let flows = readers.iter().filter(|(b, r)| b != a && written.overlaps(r));
                after[*a].extend(flows.map(|(b, _)| *b));
            }
        }
        for (storage, calls) in writers(drafts).iter().enumerate().filter(|(_, calls)| calls.len() > 1) {
            for &a in calls.iter().filter(|&&a| fills(drafts, a, storage)) {
                after[a].extend(calls.iter().filter(|&&b| b != a));
            }
        }
        Dependencies { after, users }
    }

    /// Calls that write a storage that `b` reads.
    pub fn producers(&self, drafts: &Drafts, b: usize) -> Vec<usize> {
        self.neighbours(drafts, b, |u| &u.writers)
    }

    /// Calls that read a storage that `b` reads too.
    pub fn sharers(&self, drafts: &Drafts, b: usize) -> Vec<usize> {
        self.neighbours(drafts, b, |u| &u.readers)
    }

    /// Calls that write a storage that `b` writes too.
    pub fn companions(&self, drafts: &Drafts, b: usize) -> Vec<usize> {
        let storages: Vec<usize> = drafts.calls[b].writes().map(|r| outermost(drafts, r).storage).collect();
        let writers = storages.iter().flat_map(|&s| self.users[s].writers.iter().map(|(a, _)| *a));
        let mut found: Vec<usize> = writers.filter(|&a| a != b).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn neighbours(&self, drafts: &Drafts, b: usize, of: fn(&Users) -> &Vec<(usize, Region)>) -> Vec<usize> {
        let storages = drafts.calls[b].reads().map(|r| outermost(drafts, r).storage);
        let mut found: Vec<usize> = storages.flat_map(|s| of(&self.users[s]).iter().map(|(a, _)| *a)).collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|&a| a != b);
        found
    }

    /// Is there a path from `a` to `b`?
    pub fn reaches(&self, a: usize, b: usize) -> bool {
        self.search(self.after[a].clone(), b)
    }

    /// Is there a path from `a` to `b` through another call?
    pub fn reaches_indirectly(&self, a: usize, b: usize) -> bool {
        self.search(self.after[a].iter().copied().filter(|&x| x != b).collect(), b)
    }

    fn search(&self, mut stack: Vec<usize>, target: usize) -> bool {
        let mut seen = vec![false; self.after.len()];
        while let Some(x) = stack.pop() {
            if x == target {
                return true;
            }
            if !std::mem::replace(&mut seen[x], true) {
                stack.extend_from_slice(&self.after[x]);
            }
        }
        false
    }
}

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

/// Does a call write a storage from end to end? A storage has one writer, or several that write disjoint parts of it; parts
/// may lie upon a filling, which then comes before them. Nothing else orders writers: the order follows from what they write,
/// not from when they were made, so that merging two calls never adds one.
pub(super) fn fills(drafts: &Drafts, call: usize, storage: usize) -> bool {
    let call = &drafts.calls[call];
    let (len, points) = (drafts.storages[storage].len, count(&call.program.domain));
    call.program.stores.iter().any(|s| {
        let region = &call.operands[s.operand];
        let whole = region.storage == storage && region.offset == 0 && region.len == len;
        whole && points == len && s.view.is_identity(&call.program.domain)
    })
}

/// The region within the storage that holds it in the end.
pub(super) fn outermost(drafts: &Drafts, region: &Region) -> Region {
    let mut region = region.clone();
    while let Some((outer, offset)) = drafts.storages[region.storage].inside {
        region.storage = outer;
        region.offset += offset;
    }
    region
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
            dependencies.after.push(vec![]);
            let last = drafts.calls.len() - 1;
            writers.iter().for_each(|&w| dependencies.after[w].push(last));
            last
        };
        for reader in readers(drafts, writer) {
            dependencies.after[reader].push(writer);
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
    let rank = drafts.calls.len();
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
    for next in &deps.after {
        next.iter().for_each(|&b| waiting[b] += 1);
    }
    let mut ready: std::collections::BTreeSet<(usize, usize)> =
        (0..n).filter(|&i| waiting[i] == 0).map(|i| (drafts.calls[i].rank, i)).collect();
    let mut order = vec![];
    while let Some((_, i)) = ready.pop_first() {
        order.push(i);
        for &b in &deps.after[i] {
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
