//! Kernel calls under construction: operands name storages, which get buffers at the end.

use super::Pass;
use super::kernel::{Columns, Kernel, Load};
use super::program::Program;
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
    /// Code of inputs that are computed as they are read; as many as `inputs`, or none at all.
    pub loads: Vec<Option<Load>>,
    pub columns: Option<Columns>,
    pub label: String,
    /// Which of the calls that can run goes first.
    pub rank: Rank,
}

/// Order of calls of which none waits for another: the lowest goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// It computes anew what was not kept in memory: not before everything else waits for it.
    pub late: bool,
    /// Order in which calls were made.
    pub number: usize,
}

impl Draft {
    /// What is left of a call that has moved into another: it touches nothing.
    pub fn nothing() -> Draft {
        Draft {
            kernel: Kernel::Pointwise,
            program: Program::new(&[]),
            operands: vec![],
            inputs: vec![],
            loads: vec![],
            columns: None,
            label: String::new(),
            rank: Rank::default(),
        }
    }

    /// Adds an operand, or finds the equal one.
    pub fn operand(&mut self, region: Region) -> usize {
        if let Some(i) = self.operands.iter().position(|r| *r == region) {
            return i;
        }
        self.operands.push(region);
        self.operands.len() - 1
    }

    /// What a reduction computes at each point.
    pub fn prologue(&self) -> Option<&Program> {
        if let Kernel::Reduce { prologue, .. } = &self.kernel { Some(prologue) } else { None }
    }

    /// Regions that the call reads.
    pub fn reads(&self) -> impl Iterator<Item = &Region> {
        let programs =
            self.prologue().into_iter().chain([&self.program]).chain(self.columns.iter().map(|c| &c.program));
        self.kernel_reads().chain(programs.flat_map(Program::loaded).map(|i| &self.operands[i]))
    }

    /// Regions that the kernel itself reads, at points other than those it computes.
    pub fn kernel_reads(&self) -> impl Iterator<Item = &Region> {
        let loaded = self.loads.iter().flatten().flat_map(|l| l.program.loaded());
        self.inputs.iter().copied().chain(loaded).map(|i| &self.operands[i])
    }

    /// Regions that the call writes.
    pub fn writes(&self) -> impl Iterator<Item = &Region> {
        let columns = self.columns.iter().flat_map(|c| &c.program.stores);
        let kept = self.loads.iter().flatten().flat_map(|l| &l.program.stores);
        self.program.stores.iter().chain(columns).chain(kept).map(|s| &self.operands[s.operand])
    }

    /// Its programs, to be read.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let loads = self.loads.iter().flatten().map(|l| &l.program);
        let columns = self.columns.as_ref().map(|c| &c.program);
        loads.chain(self.prologue()).chain([&self.program]).chain(columns)
    }

    /// Its programs: what a kernel runs at its inputs, before, at and after its results.
    pub fn programs_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        let prologue = if let Kernel::Reduce { prologue, .. } = &mut self.kernel { Some(prologue) } else { None };
        let loads = self.loads.iter_mut().flatten().map(|l| &mut l.program);
        let columns = self.columns.as_mut().map(|c| &mut c.program);
        loads.chain(prologue).chain([&mut self.program]).chain(columns)
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

impl Drafts {
    /// What a pass has left.
    pub fn after(&self, name: &'static str) -> Pass {
        let operands = self.calls.iter().flat_map(|c| &c.operands);
        let bytes = operands.map(|r| (r.len * self.storages[r.storage].dtype.size()) as u64).sum();
        Pass { name, calls: self.calls.len(), bytes }
    }
}
