//! Kernel calls under construction: operands name storages, which get buffers at the end.

use super::kernel::{Columns, Kernel};
use super::program::{Instr, Program};
use crate::dtype::DType;
use crate::graph::{ArenaId, ConstantId, InputId, Target};

/// Memory of one value, before buffers are assigned.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub kind: StorageKind,
    /// Elements.
    pub len: usize,
    pub dtype: DType,
    /// Lies inside another storage, from this element on.
    pub inside: Option<(usize, usize)>,
    /// Must outlive the step.
    pub output: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageKind {
    Input(InputId),
    Arena(ArenaId),
    Constant(ConstantId),
    Zeroed,
    Temporary,
}

/// A region of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub storage: usize,
    pub offset: usize,
    pub len: usize,
}

impl Region {
    pub fn overlaps(&self, other: &Region) -> bool {
        self.storage == other.storage && self.offset < other.offset + other.len && other.offset < self.offset + self.len
    }
}

/// A kernel call under construction. Operand positions in its programs index `operands`.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub kernel: Kernel,
    pub program: Program,
    pub operands: Vec<Region>,
    /// Positions of the kernel's own inputs.
    pub inputs: Vec<usize>,
    pub columns: Option<Columns>,
    pub label: String,
    /// Order in which calls were made, for ties.
    pub rank: usize,
}

impl Draft {
    /// Adds an operand, or finds the equal one.
    pub fn operand(&mut self, region: Region) -> usize {
        if let Some(i) = self.operands.iter().position(|r| *r == region) {
            return i;
        }
        self.operands.push(region);
        self.operands.len() - 1
    }

    /// Regions that the call reads.
    pub fn reads(&self) -> impl Iterator<Item = &Region> {
        let prologue = match &self.kernel {
            Kernel::Reduce { prologue, .. } => prologue.instrs.as_slice(),
            _ => &[],
        };
        let columns = self.columns.iter().flat_map(|c| &c.program.instrs);
        let loaded = prologue.iter().chain(&self.program.instrs).chain(columns).filter_map(|i| match i {
            Instr::Load { operand, .. } => Some(*operand),
            _ => None,
        });
        self.inputs.iter().copied().chain(loaded).map(|i| &self.operands[i])
    }

    /// Regions that the call writes.
    pub fn writes(&self) -> impl Iterator<Item = &Region> {
        let columns = self.columns.iter().flat_map(|c| &c.program.stores);
        self.program.stores.iter().chain(columns).map(|s| &self.operands[s.operand])
    }

    /// Its programs: what a kernel runs before, at and after its results.
    pub fn programs_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        let prologue = match &mut self.kernel {
            Kernel::Reduce { prologue, .. } => Some(prologue),
            _ => None,
        };
        prologue.into_iter().chain([&mut self.program]).chain(self.columns.as_mut().map(|c| &mut c.program))
    }
}

/// All calls of a plan, the storages they name, and what must be written where at the end.
pub(super) struct Drafts {
    pub storages: Vec<Storage>,
    pub calls: Vec<Draft>,
    /// Region of each output.
    pub outputs: Vec<Region>,
    /// Assignments whose value lies in a storage of its own: target region and value region.
    pub assignments: Vec<(Target, Region, Region)>,
}
