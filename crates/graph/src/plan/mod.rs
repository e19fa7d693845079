//! The plan: a whole step as kernel calls over a fixed set of buffers.
//!
//! `decide` says which values get buffers of their own; `trace` turns the others into programs of the kernels that use them;
//! `draft` holds the resulting calls; `dependencies` knows who must run before whom; `fuse` merges calls; `schedule` orders them;
//! `memory` places buffers in reused slots; `verify` checks the calls after every pass, and the finished plan.

mod columns;
mod decide;
mod dependencies;
mod draft;
mod fuse;
mod fusions;
mod hoist;
mod inline;
mod kernel;
mod lower;
mod memory;
mod places;
mod product;
mod program;
mod schedule;
mod strided;
mod trace;
mod traffic;
mod verify;

pub use fusions::Fusions;
pub use kernel::{
    Access, AxisShape, ColumnKind, Columns, ConvShape, CustomCall, Kernel, Load, MatMulShape, Operand, PoolShape, Step,
};
pub use product::{Product, ProductKernel};
pub use program::{Instr, Program, Reg, Store, View};

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::graph::{ArenaId, ConstantId, Graph, InputId};

/// What a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BufferKind {
    /// An input, written before each step.
    Input(InputId),
    /// An arena, shared by name between plans, alive between steps.
    Arena(ArenaId),
    /// Fixed data, written once.
    Constant(ConstantId),
    /// Written once with zeros; its padding stays zero, so it is never shared (the gradient arena).
    Zeroed,
    /// An output, readable until the next step.
    Output,
    /// Room for intermediates, reused within a step.
    Slot,
}

/// A buffer of a plan.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// What it holds.
    pub kind: BufferKind,
    /// Its size.
    pub bytes: usize,
}

/// What a backend asks of its plans.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Operands of one step at the most (storage bindings).
    pub max_operands: usize,
    /// 32-bit elements to which the start of an operand within a buffer is aligned (1 where any start will do).
    pub alignment: usize,
    /// Bytes of one operand at the most.
    pub max_bytes: usize,
    /// Recompute small expressions at every point that they broadcast to, instead of calling a kernel for them.
    pub inline_broadcasts: bool,
    /// f32 elements of scratch that a kernel wants, with its reductions of columns.
    pub scratch: fn(&Kernel, Option<&Columns>) -> usize,
    /// Kernels that run the step's program on their results: at least those marked (E) in [`Kernel`].
    pub has_epilogue: fn(&Kernel) -> bool,
    /// Kernels, among those with an epilogue, that reduce columns of their results on the way ([`Columns`]).
    pub columns: fn(&Kernel) -> bool,
    /// Kernels whose input of this number may be computed as it is read ([`Load`]).
    pub loads: fn(&Kernel, usize) -> bool,
    /// Kernels that can also store such an input, for the calls that read it later.
    pub keeps: fn(&Kernel, usize) -> bool,
    /// What one instruction of the code that computes this input costs the kernel, as elements that could be moved meanwhile: kernels
    /// read an element many times, and compute it each time.
    pub load_price: fn(&Kernel, usize) -> u64,
    /// Gradients of 1x1 convolutions with a stride are made without the zeros between their pixels where they are added to others.
    pub compact_strides: bool,
    /// Elements that could be moved in the time that a call takes whatever it does.
    pub call_price: u64,
    /// An epilogue may write over an operand that it reads: so where the kernel's own result does not reach memory before it.
    pub epilogue_in_place: bool,
    /// Fuse kernels; without it every op is a call of its own (the plain path that tests compare with).
    pub fuse: bool,
    /// Which fusions, where kernels are fused at all.
    pub fusions: Fusions,
    /// Calls that may come between what frees memory and what takes it, at the most: so far a backend can put a call off, to do it with
    /// others at once. It costs room.
    pub slack: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions {
            max_operands: 8,
            alignment: 1,
            max_bytes: usize::MAX,
            inline_broadcasts: false,
            scratch: |_, _| 0,
            columns: |_| false,
            loads: |_, _| false,
            keeps: |_, _| false,
            compact_strides: false,
            call_price: 0,
            load_price: |_, _| 0,
            has_epilogue: Kernel::has_epilogue,
            epilogue_in_place: true,
            fuse: true,
            fusions: Fusions::ALL,
            slack: 0,
        }
    }
}

/// What a pass of the planner left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Its name, as [`GraphError::Plan`] tells it.
    pub name: &'static str,
    /// Calls.
    pub calls: usize,
    /// Bytes that they read and write.
    pub bytes: u64,
}

/// A compiled step: kernel calls in order, over buffers whose sizes are known.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The buffers.
    pub buffers: Vec<Buffer>,
    /// The calls, in an order in which they can run one after the other.
    pub steps: Vec<Step>,
    /// Calls between what frees scratch or a small value and what takes its memory: by so many a step can be put off without waiting for
    /// memory alone.
    pub slack: usize,
    /// Buffer of each input, in order of declaration; `None` where nothing reads it.
    pub inputs: Vec<Option<usize>>,
    /// Buffer of each arena.
    pub arenas: Vec<Option<usize>>,
    /// Where each output lies, its shape and type.
    pub outputs: Vec<PlanOutput>,
    /// Sum of the sizes of all intermediates, had each a buffer of its own.
    pub unshared_bytes: usize,
}

/// Where an output lies.
#[derive(Clone, Debug)]
pub struct PlanOutput {
    /// Its name.
    pub name: String,
    /// Buffer.
    pub buffer: usize,
    /// First element.
    pub offset: usize,
    /// Extents.
    pub shape: Vec<usize>,
    /// Type.
    pub dtype: DType,
}

impl Plan {
    /// Plans a graph's outputs and assignments.
    ///
    /// # Errors
    /// [`GraphError::TooLarge`] if an operand exceeds `max_bytes`; it names the tensor and a batch size that would fit.
    /// [`GraphError::Plan`] if a pass broke an invariant; every pass is verified in every build.
    pub fn new(graph: &Graph, options: &PlanOptions) -> Result<Plan> {
        Plan::observed(graph, options, &mut |_| {})
    }

    /// The same, telling what each pass made of the calls as soon as it is done.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn observed(graph: &Graph, options: &PlanOptions, see: &mut dyn FnMut(Pass)) -> Result<Plan> {
        let decisions = decide::decide(graph, options);
        let mut drafts = lower::lower(graph, options, decisions);
        verify::calls(&drafts, "lower")?;
        see(drafts.after("lower"));
        if options.fuse {
            fuse::fuse(&mut drafts, options, see)?;
        }
        let order = schedule::schedule(&mut drafts)?;
        see(drafts.after("schedule"));
        let placed = memory::place(graph, drafts, &order, options);
        placed.plan.check_sizes(graph, options)?;
        verify::memory(&placed, options)?;
        see(Pass { name: "memory", calls: placed.plan.steps.len(), bytes: placed.plan.moved_bytes() });
        Ok(placed.plan)
    }

    fn check_sizes(&self, graph: &Graph, options: &PlanOptions) -> Result<()> {
        for step in &self.steps {
            let Some(o) =
                step.operands.iter().chain(&step.scratch).find(|o| o.len * o.dtype.size() > options.max_bytes)
            else {
                continue;
            };
            let needed = o.len * o.dtype.size();
            let batch = graph.inputs().iter().filter_map(|i| i.shape.first()).max().copied().unwrap_or(1);
            let fits = (batch as f64 * options.max_bytes as f64 / needed as f64) as usize;
            let hint = if fits > 0 && batch > 1 {
                format!("a batch of at most {fits} (now {batch}) should fit")
            } else {
                "choose a smaller model or image, or a device with a higher limit".to_string()
            };
            return Err(GraphError::TooLarge {
                what: format!("a tensor of {} elements in {}", o.len, step.label),
                needed,
                available: options.max_bytes,
                hint,
            });
        }
        Ok(())
    }

    /// Bytes of every buffer: what the device must hold, known before anything is allocated.
    pub fn peak_bytes(&self) -> usize {
        self.buffers.iter().map(|b| b.bytes).sum()
    }

    /// Bytes of the buffers of one kind of use: everything but arenas, inputs, constants and the gradient arena.
    pub fn intermediate_bytes(&self) -> usize {
        let shared = |b: &&Buffer| matches!(b.kind, BufferKind::Slot | BufferKind::Output);
        self.buffers.iter().filter(shared).map(|b| b.bytes).sum()
    }

    /// Bytes read and written by all steps.
    pub fn moved_bytes(&self) -> u64 {
        self.steps.iter().map(Step::bytes).sum()
    }

    /// Floating-point operations of all matrix products and convolutions.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.kernel.flops()).sum()
    }
}
