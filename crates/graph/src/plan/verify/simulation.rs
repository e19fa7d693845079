//! A step run over the memory as it was assigned: which value each byte holds, and whether readers find theirs.

use super::super::draft::{Draft, Region, StorageKind};
use super::super::kernel::Step;
use super::super::memory::Placed;
use super::super::program::Program;
use super::super::schedule::writers;
use super::held::{Held, HeldSpan, Holder, span_of};

/// Memory between two calls.
pub(super) struct Simulation<'a> {
    placed: &'a Placed,
    held: Held,
    /// Calls that still have to write into each storage.
    unwritten: Vec<usize>,
}

impl<'a> Simulation<'a> {
    /// Memory before the step.
    pub fn new(placed: &'a Placed) -> Simulation<'a> {
        let mut unwritten: Vec<usize> = writers(&placed.drafts).iter().map(Vec::len).collect();
        for (storage, calls) in placed.drafts.storages.iter().zip(&mut unwritten) {
            // The old contents of an arena are read before the new ones are written.
            if matches!(storage.kind, StorageKind::Arena(_)) {
                *calls = 0;
            }
        }
        Simulation { placed, held: Held::new(placed), unwritten }
    }

    /// Runs a call; tells what it would read or write wrongly.
    pub fn run(&mut self, call: &Draft, step: &Step) -> Option<String> {
        if let Some(scratch) = &step.scratch {
            self.held.write(span_of(scratch), Holder::Scratch);
        }
        let loaded = |program: &Program| -> Vec<&Region> { program.loaded().map(|o| &call.operands[o]).collect() };
        let stored =
            |program: &Program| -> Vec<&Region> { program.stores.iter().map(|s| &call.operands[s.operand]).collect() };
        let own = call.prologue().into_iter().chain([&call.program]).flat_map(loaded);
        let reads: Vec<&Region> = call.kernel_reads().chain(own).collect();
        let kept: Vec<&Region> = call.loads.iter().flatten().flat_map(|l| stored(&l.program)).collect();
        let finishing = call.columns.as_ref().map(|c| &c.program);
        // Columns are finished when the other results are there.
        let late = finishing.map(loaded).unwrap_or_default();
        let wrong = self.read(&reads).or_else(|| self.write(&[kept, stored(&call.program)].concat()));
        let wrong = wrong.or_else(|| self.read(&late));
        wrong.or_else(|| self.write(&finishing.map(stored).unwrap_or_default()))
    }

    fn read(&self, regions: &[&Region]) -> Option<String> {
        regions.iter().find_map(|region| {
            if self.unwritten[region.storage] > 0 {
                return Some(format!("reads {region:?} before all of it is written"));
            }
            let found = self.held.other_than(self.placed, region)?;
            Some(format!("reads {region:?}, but its memory holds {found:?}"))
        })
    }

    fn write(&mut self, regions: &[&Region]) -> Option<String> {
        let mut storages = vec![];
        for region in regions {
            let holder = match self.placed.drafts.storages[region.storage].kind {
                StorageKind::Arena(_) => Holder::Assigned(region.storage),
                StorageKind::Input(_) | StorageKind::Constant(_) => {
                    return Some(format!("writes {region:?}, which is an input or a constant"));
                }
                StorageKind::Zeroed | StorageKind::Temporary => Holder::Value(region.storage),
            };
            self.held.write(HeldSpan::new(self.placed, region), holder);
            if !storages.contains(&region.storage) {
                storages.push(region.storage);
                self.unwritten[region.storage] = self.unwritten[region.storage].saturating_sub(1);
            }
        }
        None
    }

    /// Outputs and assigned states that do not lie where the plan says after the last call.
    pub fn results(&self) -> Option<String> {
        let drafts = &self.placed.drafts;
        let output = drafts.outputs.iter().find_map(|region| {
            let found = self.held.other_than(self.placed, region)?;
            Some(format!("at the end the memory of output {region:?} holds {found:?}"))
        });
        let state = || {
            drafts.assignments.iter().find_map(|(_, to, from)| {
                let new = |h: Holder| h == Holder::Value(from.storage) || h == Holder::Assigned(to.storage);
                let found = self.held.find(HeldSpan::new(self.placed, to), |h| !h.is_some_and(new))?;
                Some(format!("at the end the state {to:?} holds {found:?}"))
            })
        };
        output.or_else(state)
    }
}
