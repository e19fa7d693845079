//! The fast executor: each step of a plan becomes an action that was prepared once and neither allocates nor plans.

mod affine;
mod arg_reduce;
mod avg_pool;
mod code;
mod conv;
mod convert;
mod cross_entropy;
mod custom;
mod epilogue;
mod fold;
mod gather;
mod grid;
mod machine;
mod math;
mod matmul;
mod max_pool;
mod moments;
mod operands;
mod pointwise;
mod prepare;
mod random;
mod reduce;
mod scatter;
mod scratch;
mod softmax;
mod transfer;
mod window;

pub(crate) use crate::raw::memory::{Block, MemoryRegion};
pub(crate) use code::Bound;
pub(crate) use operands::StepOperand;
pub(crate) use prepare::prepare;
pub(crate) use scratch::Scratches;

use crate::kernels::{Level, Workspace};
use std::sync::Arc;

/// What actions run with.
pub(crate) struct ExecContext<'a> {
    pub workspace: &'a mut Workspace,
    pub scratches: &'a Scratches,
    pub level: Level,
    /// Distinguishes the actions of all steps.
    pub run: u64,
}

/// One prepared kernel call.
pub(crate) trait Action: Send {
    /// Runs it on the current pool.
    fn run(&mut self, context: &mut ExecContext<'_>);
}

/// Memory that actions ask for while a plan is compiled. Steps run one after another and keep nothing in it, so that they share.
#[derive(Default)]
pub(crate) struct Builder {
    blocks: Vec<Shared>,
}

struct Shared {
    block: Arc<Block>,
    bytes: usize,
    /// The present step has it.
    taken: bool,
}

impl Builder {
    /// The next step is about to be prepared.
    fn begin(&mut self) {
        self.blocks.iter_mut().for_each(|b| b.taken = false);
    }

    /// Memory for the present step, its content undefined.
    pub fn allocate(&mut self, bytes: usize) -> MemoryRegion {
        let fitting = self.blocks.iter_mut().filter(|b| !b.taken && b.bytes >= bytes).min_by_key(|b| b.bytes);
        if let Some(shared) = fitting {
            shared.taken = true;
            return shared.block.region(0, bytes);
        }
        let block = Arc::new(Block::new(bytes));
        let region = block.region(0, bytes);
        self.blocks.push(Shared { block, bytes, taken: true });
        region
    }

    /// All of it, to be kept as long as the plan.
    pub fn finish(self) -> Vec<Arc<Block>> {
        self.blocks.into_iter().map(|b| b.block).collect()
    }
}

/// Runs `task` for each of `n` parts of about `work` operations each: here if that is little, else on the pool.
fn for_each(n: usize, work: usize, task: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    const SERIAL: usize = 1 << 14;
    if n < 2 || n.saturating_mul(work) < SERIAL {
        return (0..n).for_each(task);
    }
    let least = (SERIAL / work.max(1)).clamp(1, n);
    (0..n).into_par_iter().with_min_len(least).for_each(task);
}
