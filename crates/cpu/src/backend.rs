//! The CPU backend: plans compiled to actions over aligned buffers, run on a thread pool of its own.

use crate::exec::{Action, Block, Bound, Builder, ExecContext, MemoryRegion, Scratches, StepOperand, prepare};
use crate::kernels::{Level, Workspace};
use crate::{peaks, threads};
use chiaro_graph::clock::Instant;
use chiaro_graph::plan::{Access, BufferKind, Kernel, Plan, PlanOptions, PlanOutput};
use chiaro_graph::{
    ArenaInfo, Backend, BackendError, Call, CallTime, Clock, DType, Data, Graph, HostTime, InputInfo, Later, Peaks,
    PlanId, PlanTable, Profile, Stats, Tensor, at_once, check_inputs,
};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes that one more arena may have: a data set beyond that is better fed batch by batch, since here it would only be a
/// second copy in the same memory.
const ROOM: u64 = 1 << 30;

/// Runs graphs on the processor, in 32-bit floats.
pub struct Cpu {
    pool: rayon::ThreadPool,
    workspace: Workspace,
    scratches: Scratches,
    level: Level,
    plans: PlanTable<CompiledPlan>,
    arenas: HashMap<String, HostArena>,
    stats: Stats,
    fuse: bool,
}

struct HostArena {
    dtype: DType,
    len: usize,
    block: Arc<Block>,
}

struct CompiledPlan {
    inputs: Vec<InputInfo>,
    input_regions: Vec<Option<MemoryRegion>>,
    outputs: Vec<(PlanOutput, MemoryRegion)>,
    steps: Vec<Prepared>,
    /// Arenas that the plan writes.
    written: Vec<Arc<Block>>,
    /// Everything that the regions point into.
    blocks: Vec<Arc<Block>>,
    ran: bool,
}

struct Prepared {
    actions: Vec<Box<dyn Action>>,
    call: Call,
}

/// Where the system gives no memory; what it gave before may be nearly all of it.
fn no_memory(bytes: usize) -> BackendError {
    let detail =
        format!("the system has not another {:.1} MB; a smaller batch or smaller images need less", bytes as f64 / 1e6);
    BackendError::OutOfMemory { device: "the CPU".into(), detail }
}

fn failed(detail: impl Into<String>) -> BackendError {
    BackendError::Device { device: "CPU".into(), detail: detail.into() }
}

impl Cpu {
    /// A backend with this many threads, or with one for each core that the process may use.
    ///
    /// # Errors
    /// If the system refuses threads.
    pub fn new(threads: Option<usize>) -> Result<Cpu, BackendError> {
        let threads = threads::count(threads);
        let pool = threads::pool(threads).map_err(|e| {
            failed(format!("the system does not start {threads} threads: {e}; ask for fewer (--threads 1)"))
        })?;
        Ok(Cpu {
            pool,
            workspace: Workspace::new(),
            scratches: Scratches::new(threads),
            level: Level::detect(),
            plans: PlanTable::default(),
            arenas: HashMap::new(),
            stats: Stats::default(),
            fuse: true,
        })
    }

    /// The same with every op as a kernel of its own, to compare with.
    ///
    /// # Errors
    /// Those of [`Cpu::new`].
    pub fn unfused(threads: Option<usize>) -> Result<Cpu, BackendError> {
        Ok(Cpu { fuse: false, ..Cpu::new(threads)? })
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn options(&self) -> PlanOptions {
        PlanOptions {
            max_operands: 64,
            alignment: 16,
            // Kernels count elements in 32 bits; a 16-bit operand is widened for them.
            max_bytes: (u32::MAX as usize - 1).saturating_mul(2),
            inline_broadcasts: false,
            has_epilogue: |kernel| kernel.has_epilogue() || matches!(kernel, Kernel::MaxPool2dGrad(_)),
            // Kernels write their tiles to the output, where the epilogue finds them.
            epilogue_in_place: false,
            fuse: self.fuse,
            ..PlanOptions::default()
        }
    }

    /// The block of an arena, made if it is new.
    fn arena(&mut self, info: &ArenaInfo) -> Result<Arc<Block>, BackendError> {
        if let Some(old) = self.arenas.get(&info.name) {
            if (old.len, old.dtype) != (info.len, info.dtype) {
                return Err(self.plans.taken(&info.name, (old.len, old.dtype), (info.len, info.dtype)));
            }
            return Ok(old.block.clone());
        }
        let block = self.allocate(info.len * info.dtype.size())?;
        let arena = HostArena { dtype: info.dtype, len: info.len, block: block.clone() };
        self.arenas.insert(info.name.clone(), arena);
        Ok(block)
    }

    fn allocate(&mut self, bytes: usize) -> Result<Arc<Block>, BackendError> {
        let block = self.pool.install(|| Block::try_new(bytes)).ok_or_else(|| no_memory(bytes))?;
        self.stats.allocations += 1;
        Ok(Arc::new(block))
    }

    /// Bytes of the blocks that plans and arenas have, each counted once.
    fn bytes(&self) -> u64 {
        let of_plans = self.plans.iter().flat_map(|compiled| &compiled.blocks);
        let all = of_plans.chain(self.arenas.values().map(|arena| &arena.block));
        let each: HashMap<*const Block, u64> = all.map(|block| (Arc::as_ptr(block), block.bytes() as u64)).collect();
        each.values().sum()
    }

    fn copy_inputs(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        let compiled = self.plans.get(plan)?;
        check_inputs(&compiled.inputs, inputs)?;
        let given = compiled.input_regions.iter().zip(inputs);
        given.for_each(|(region, tensor)| region.iter().for_each(|r| write(&self.pool, *r, tensor)));
        self.stats.uploaded += inputs.iter().map(|t| t.bytes() as u64).sum::<u64>();
        Ok(())
    }

    /// Runs the steps of a plan, each followed by `after`.
    fn run_steps(&mut self, plan: PlanId, mut after: impl FnMut() + Send) -> Result<(), BackendError> {
        let compiled = self.plans.get_mut(plan)?;
        let (workspace, scratches, level) = (&mut self.workspace, &self.scratches, self.level);
        let stats = &mut self.stats;
        self.pool.install(|| {
            let mut context = ExecContext { workspace, scratches, level, run: stats.dispatches };
            for step in &mut compiled.steps {
                for action in &mut step.actions {
                    context.run += 1;
                    action.run(&mut context);
                }
                after();
            }
            stats.dispatches = context.run;
        });
        stats.submissions += 1;
        compiled.written.iter().for_each(|b| b.touch());
        compiled.ran = true;
        Ok(())
    }

    fn blocks(&mut self, graph: &Graph, plan: &Plan) -> Result<Vec<Arc<Block>>, BackendError> {
        let mut blocks = vec![];
        for buffer in &plan.buffers {
            blocks.push(match buffer.kind {
                BufferKind::Arena(id) => self.arena(&graph.arenas()[id.index()])?,
                BufferKind::Constant(id) => {
                    let block = self.allocate(buffer.bytes)?;
                    write(&self.pool, block.region(0, buffer.bytes), &graph.constants()[id.index()]);
                    block
                }
                BufferKind::Input(_) | BufferKind::Zeroed | BufferKind::Output | BufferKind::Slot => {
                    self.allocate(buffer.bytes)?
                }
            });
        }
        Ok(blocks)
    }
}

fn mismatch(name: &str, arena: &HostArena, shape: &[usize], dtype: DType) -> BackendError {
    BackendError::Mismatch {
        name: name.into(),
        want: vec![arena.len],
        want_dtype: arena.dtype,
        shape: shape.to_vec(),
        dtype,
    }
}

/// Copies a tensor into memory of its size.
fn write(pool: &rayon::ThreadPool, region: MemoryRegion, tensor: &Tensor) {
    match tensor.data() {
        Data::F32(v) => copy(pool, v, region.floats_mut(0, v.len())),
        Data::F16(v) => copy(pool, v, region.halves_mut(0, v.len())),
        Data::I32(v) => copy(pool, bytemuck::cast_slice(v), region.lanes_mut(0, v.len())),
        Data::U32(v) | Data::Bool(v) => copy(pool, v, region.lanes_mut(0, v.len())),
    }
}

/// Elements that a task copies, or looks at.
const PIECE: usize = 1 << 16;

fn copy<T: Copy + Send + Sync>(pool: &rayon::ThreadPool, from: &[T], to: &mut [T]) {
    // To wake a thread takes longer than a small copy.
    if from.len() <= 2 * PIECE {
        return to.copy_from_slice(from);
    }
    let pieces = to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE));
    pool.install(|| pieces.for_each(|(to, from)| to.copy_from_slice(from)));
}

/// Whether all bits of a tensor are zeros.
fn is_zero(tensor: &Tensor) -> bool {
    let zero = |bytes: &[u8]| bytes.par_chunks(PIECE).all(|piece| piece.iter().fold(0, |any, b| any | b) == 0);
    match tensor.data() {
        Data::F32(v) => zero(bytemuck::cast_slice(v)),
        Data::F16(v) => zero(bytemuck::cast_slice(v)),
        Data::I32(v) => zero(bytemuck::cast_slice(v)),
        Data::U32(v) | Data::Bool(v) => zero(bytemuck::cast_slice(v)),
    }
}

/// A tensor from memory of its size.
fn read(region: MemoryRegion, shape: &[usize], dtype: DType) -> Result<Tensor, BackendError> {
    let n = shape.iter().product();
    let data = match dtype {
        DType::F32 => Data::F32(copied(region.floats(0, n))?),
        DType::F16 => Data::F16(copied(region.halves(0, n))?),
        DType::I32 => Data::I32(copied(bytemuck::cast_slice(region.lanes(0, n)))?),
        DType::U32 => Data::U32(copied(region.lanes(0, n))?),
        DType::Bool => Data::Bool(copied(region.lanes(0, n))?),
    };
    Tensor::new(shape, data).ok_or_else(|| failed("a tensor whose memory is not of its size"))
}

fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>, BackendError> {
    let mut copy = vec![];
    copy.try_reserve_exact(values.len()).map_err(|_| no_memory(size_of_val(values)))?;
    copy.extend_from_slice(values);
    Ok(copy)
}

impl Backend for Cpu {
    fn turn_async(&mut self, plan: PlanId) -> Later<()> {
        at_once(self.plans.get(plan).map(|_| ()))
    }

    fn name(&self) -> String {
        let threads = self.threads();
        format!("CPU ({threads} thread{}, {:?})", if threads == 1 { "" } else { "s" }, self.level)
    }

    fn planned_bytes(&self, graph: &Graph) -> Result<u64, BackendError> {
        Ok(Plan::new(graph, &self.options())?.peak_bytes() as u64)
    }

    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        let plan = Plan::new(graph, &self.options())?;
        // Arenas that the plan does not touch can be written and read all the same.
        graph.arenas().iter().try_for_each(|info| self.arena(info).map(|_| ()))?;
        let mut blocks = self.blocks(graph, &plan)?;
        let mut builder = Builder::default();
        let mut steps = vec![];
        for step in &plan.steps {
            let sources: Vec<StepOperand> = step
                .operands
                .iter()
                .map(|o| {
                    let (block, size) = (blocks[o.buffer].clone(), o.dtype.size());
                    let region = block.region(o.offset * size, o.len * size);
                    let shared = o.access == Access::ReadWrite;
                    let kind = plan.buffers[o.buffer].kind;
                    let lasting = matches!(kind, BufferKind::Arena(_) | BufferKind::Constant(_));
                    StepOperand { bound: Bound { region, dtype: o.dtype, shared }, len: o.len, block, lasting }
                })
                .collect();
            let actions = self.pool.install(|| prepare(step, &sources, &mut builder));
            steps.push(Prepared { actions, call: Call::of(step) });
        }
        let own = builder.finish();
        self.stats.allocations += own.len() as u64;
        blocks.extend(own);
        let written = written_arenas(&plan, &blocks);
        let whole = |buffer: usize| blocks[buffer].region(0, plan.buffers[buffer].bytes);
        let outputs = plan.outputs.iter().map(|o| {
            let size = o.dtype.size();
            let bytes = o.shape.iter().product::<usize>() * size;
            (o.clone(), blocks[o.buffer].region(o.offset * size, bytes))
        });
        let compiled = CompiledPlan {
            inputs: graph.inputs().to_vec(),
            input_regions: plan.inputs.iter().map(|b| b.map(whole)).collect(),
            outputs: outputs.collect(),
            steps,
            written,
            blocks,
            ran: false,
        };
        Ok(self.plans.add(graph, compiled))
    }

    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.copy_inputs(plan, inputs)?;
        self.run_steps(plan, || {})
    }

    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        let of = self.plans.get(plan)?;
        let found = of.outputs.get(output).ok_or_else(|| BackendError::Unknown(format!("output {output}")))?;
        if !of.ran {
            return Err(BackendError::Unknown(format!("output {output}: {plan:?} has not run")));
        }
        read(found.1, &found.0.shape, found.0.dtype)
    }

    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        let arena = self.arenas.get(name).ok_or_else(|| BackendError::Unknown(format!("arena {name:?}")))?;
        if arena.dtype != values.dtype() || values.shape() != [arena.len] {
            return Err(mismatch(name, arena, values.shape(), values.dtype()));
        }
        let region = arena.block.region(0, arena.len * arena.dtype.size());
        // What nobody has touched is zeros: its pages may come when a step needs them.
        let is_there = arena.block.version() == Block::NEW && self.pool.install(|| is_zero(values));
        if !is_there {
            write(&self.pool, region, values);
            arena.block.touch();
        }
        self.stats.uploaded += values.bytes() as u64;
        Ok(())
    }

    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        let arena = self.arenas.get(name).ok_or_else(|| BackendError::Unknown(format!("arena {name:?}")))?;
        let fits = first.checked_add(values.data().len()).is_some_and(|end| end <= arena.len);
        if arena.dtype != values.dtype() || values.shape().len() != 1 || !fits {
            return Err(mismatch(name, arena, values.shape(), values.dtype()));
        }
        write(&self.pool, arena.block.region(first * arena.dtype.size(), values.bytes()), values);
        arena.block.touch();
        self.stats.uploaded += values.bytes() as u64;
        Ok(())
    }

    fn room(&self) -> u64 {
        ROOM
    }

    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let arena = self.arenas.get(name).ok_or_else(|| BackendError::Unknown(format!("arena {name:?}")))?;
        let region = arena.block.region(0, arena.len * arena.dtype.size());
        read(region, &[arena.len], arena.dtype)
    }

    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.plans.take(plan).map(|_| ())
    }

    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.plans.check_free(name)?;
        let unknown = || BackendError::Unknown(format!("arena {name:?}"));
        self.arenas.remove(name).map(|_| ()).ok_or_else(unknown)
    }

    fn stats(&self) -> Stats {
        Stats { bytes: self.bytes(), ..self.stats }
    }

    fn calls(&self, plan: PlanId) -> Result<Vec<Call>, BackendError> {
        let compiled = self.plans.get(plan)?;
        Ok(compiled.steps.iter().map(|s| s.call.clone()).collect())
    }

    fn profile(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<Profile, BackendError> {
        let mut calls = self.calls(plan)?.into_iter();
        let began = Instant::now();
        self.copy_inputs(plan, inputs)?;
        let copied = began.elapsed().as_secs_f64();
        let mut times = Vec::with_capacity(calls.len());
        // Where one call ends the next begins: nothing lies between them.
        let mut start = copied;
        self.run_steps(plan, || {
            let end = began.elapsed().as_secs_f64();
            times.extend(calls.next().map(|call| CallTime { call, start, seconds: end - start }));
            start = end;
        })?;
        let run = began.elapsed().as_secs_f64() - copied;
        let host = vec![
            HostTime { name: "copy inputs", start: 0.0, seconds: copied },
            HostTime { name: "run", start: copied, seconds: run },
        ];
        Ok(Profile { clock: Clock::Host, calls: times, host })
    }

    fn peaks(&mut self) -> Result<Peaks, BackendError> {
        Ok(self.pool.install(|| peaks::measure(self.level)))
    }
}

/// Blocks of the arenas that some step of a plan writes.
fn written_arenas(plan: &Plan, blocks: &[Arc<Block>]) -> Vec<Arc<Block>> {
    let writes = |buffer: usize| {
        plan.steps.iter().any(|s| s.program.stores.iter().any(|store| s.operands[store.operand].buffer == buffer))
    };
    let arenas = plan.buffers.iter().enumerate().filter(|(_, b)| matches!(b.kind, BufferKind::Arena(_)));
    arenas.filter(|&(i, _)| writes(i)).map(|(i, _)| blocks[i].clone()).collect()
}
