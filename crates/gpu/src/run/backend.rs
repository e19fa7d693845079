//! The backend: graphs compiled to plans on one device, with arenas shared between them by name.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

use chiaro_graph::plan::{Fusions, Plan, PlanOptions};
use chiaro_graph::{
    ArenaInfo, Backend, BackendError, Call, DType, Graph, HalfPrecision, Later, Peaks, PlanId, PlanTable, Profile,
    Stats, Tensor, check_inputs,
};

use crate::device::bytes::{tensor_bytes, tensor_from_bytes};
use crate::kernels::{self, DeviceClass, Transformed, Variants};
use crate::run::executor::PlanExecutor;
use crate::run::half;
use crate::run::planned::{self, PlannedKernel};
use crate::tune::{Asked, ChoiceSources, KnownTable, KnownTables, SearchOutcome, Tuned, Tuning};
use crate::{AdapterLimits, AdapterSummary, AllocationCounter, Forced, Gpu, GpuBuffer, GpuError, peaks};

/// Those of the adapters with the fewest among the usual ones (wgpu's Metal).
const USUAL_BINDINGS: u32 = 29;

/// Choices of a [`GpuBackend`].
#[derive(Debug, Clone)]
pub struct BackendOptions {
    /// Fuse kernels. Without it every op is a kernel of its own: the plain path, for comparison.
    pub fuse: bool,
    /// Which fusions, where kernels are fused at all.
    pub fusions: Fusions,
    /// Tile and split in place of those that suit.
    pub forced: Forced,
    /// Whose kernels and fusions; those of the device's kind by default.
    pub kernels: KernelChoice,
    /// Whether convolutions of 3x3 filters are transformed.
    pub winograd: WinogradUse,
    /// Where variants of kernels come from.
    pub tuning: Tuning,
    /// What is known of devices that were measured elsewhere; nothing with [`Tuning::Off`].
    pub known: KnownTables,
}

/// Whether f32 convolutions of 3x3 filters and stride 1 are done by Winograd's F(4x4, 3x3), with a quarter of the multiplications. Only where
/// kernels are fused at all, and in graphs without 16-bit values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WinogradUse {
    /// They are products as they stand.
    Never,
    /// Where it pays on this kind of device.
    Suited,
    /// Wherever it can be done: for tests.
    Always,
}

impl Default for BackendOptions {
    fn default() -> Self {
        BackendOptions {
            fuse: true,
            fusions: Fusions::ALL,
            forced: Forced::default(),
            kernels: KernelChoice::Suited,
            winograd: WinogradUse::Suited,
            tuning: Tuning::Auto,
            known: KnownTables::Shipped,
        }
    }
}

impl BackendOptions {
    /// What shapes alone suggest on an adapter.
    pub(crate) fn variants(&self, adapter: &AdapterSummary) -> Variants {
        let variants = match (self.kernels, DeviceClass::of(adapter)) {
            (KernelChoice::Gpu, DeviceClass::Software) => Variants::GPU,
            (KernelChoice::Gpu | KernelChoice::Suited, class) => Variants::of(class),
        };
        variants.with_transforms(match (self.fuse, self.winograd) {
            (false, _) | (true, WinogradUse::Never) => Transformed::No,
            (true, WinogradUse::Suited) => Transformed::of(adapter.limits.binding_bytes),
            (true, WinogradUse::Always) => Transformed::Always,
        })
    }

    /// What an adapter of these limits asks of its plans.
    pub(crate) fn plan_options(&self, adapter: &AdapterSummary, variants: &Variants, graph: &Graph) -> PlanOptions {
        let untransformed = variants.with_transforms(Transformed::No);
        let variants = if half::is_used(graph) { &untransformed } else { variants };
        let plan = kernels::plan_options(variants);
        PlanOptions {
            max_operands: plan.max_operands.min(adapter.limits.storage_buffers.max(4) as usize),
            max_bytes: usize::try_from(adapter.limits.binding_bytes).unwrap_or(usize::MAX),
            fuse: self.fuse,
            fusions: self.fusions,
            ..plan
        }
    }
}

/// Which kind of device kernels and fusions are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelChoice {
    /// The kind that the adapter is of.
    Suited,
    /// A GPU, whatever the adapter is: a software device then runs what GPUs run, slowly.
    Gpu,
}

/// What a GPU asks of its plans, with the bindings that usual adapters have: to count a plan's cost where there is no GPU.
/// Convolutions are not transformed: what that takes is decided by the adapter.
pub fn portable_plan_options() -> PlanOptions {
    kernels::plan_options(&Variants::GPU)
}

/// Dispatches of a step planned with [`portable_plan_options`].
///
/// # Errors
/// [`GpuError::Shader`] for a shape that a kernel cannot take.
pub fn planned_dispatches(plan: &Plan) -> Result<usize, GpuError> {
    let limits = AdapterLimits { storage_buffers: USUAL_BINDINGS, ..AdapterLimits::default() };
    Ok(planned::dispatches(plan, &Tuned::absent(Variants::GPU, limits, vec![]))?.len())
}

/// Runs graphs on a GPU.
pub struct GpuBackend {
    gpu: Gpu,
    options: BackendOptions,
    tuned: Tuned,
    arenas: HashMap<String, (ArenaInfo, GpuBuffer)>,
    plans: PlanTable<PlanExecutor>,
    start: AllocationCounter,
}

impl GpuBackend {
    /// A backend without graphs on an open device. Whether kernels are checked was decided as the device was opened.
    pub fn new(gpu: Gpu, options: BackendOptions) -> GpuBackend {
        let variants = options.variants(gpu.summary());
        let start = gpu.counters();
        let tuned = Tuned::new(&gpu, variants, options.tuning, &options.known).with_forced(options.forced);
        GpuBackend { gpu, options, tuned, arenas: HashMap::new(), plans: PlanTable::default(), start }
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Options with which a graph is planned for this device.
    pub fn plan_options(&self, graph: &Graph) -> PlanOptions {
        self.options.plan_options(self.gpu.summary(), self.tuned.base(), graph)
    }

    /// Dispatches of one step of a compiled graph; 0 if there is no such graph.
    pub fn dispatches(&self, plan: PlanId) -> usize {
        self.plans.get(plan).map_or(0, PlanExecutor::dispatches)
    }

    /// The kernels that a graph would be compiled to here, in order; nothing is compiled and nothing allocated, but for the
    /// proofs of cooperative matrices.
    ///
    /// # Errors
    /// Those of planning, and the loss of the device.
    pub fn planned(&mut self, graph: &Graph) -> Result<Vec<PlannedKernel>, BackendError> {
        half::check(graph, self.gpu.summary())?;
        let plan = Plan::new(graph, &self.plan_options(graph))?;
        let checked = self.tuned.check_trust(&self.gpu, &plan.steps, false);
        let proved = checked.and_then(|()| self.tuned.prove(&self.gpu, &plan.steps));
        proved.and_then(|()| planned::kernels(&plan, &self.tuned, self.gpu.features())).map_err(|e| self.error(e))
    }

    /// Searches for the best variants of a graph's kernels, for `limit` at most. What is found for a kernel is kept in the cache
    /// folder at once, and told; kernels that an earlier search settled, or one that was killed, are left out, but not those that only a
    /// table knows.
    ///
    /// # Errors
    /// Those of planning, and the loss of the device.
    pub fn tune(
        &mut self,
        graph: &Graph,
        limit: Duration,
        told: &mut dyn FnMut(&SearchOutcome),
    ) -> Result<(), BackendError> {
        half::check(graph, self.gpu.summary())?;
        let plan = Plan::new(graph, &self.plan_options(graph))?;
        self.tuned.search(&self.gpu, &plan.steps, (Asked::ByName, limit), told).map_err(|e| self.error(e))
    }

    /// Where the variants of a graph's kernels would come from here, were it compiled without another search.
    ///
    /// # Errors
    /// Those of planning, and the loss of the device.
    pub fn choice_sources(&mut self, graph: &Graph) -> Result<ChoiceSources, BackendError> {
        half::check(graph, self.gpu.summary())?;
        let plan = Plan::new(graph, &self.plan_options(graph))?;
        self.tuned.check_trust(&self.gpu, &plan.steps, false).map_err(|e| self.error(e))?;
        Ok(self.tuned.sources(&plan.steps))
    }

    /// All that searches found on this device so far, as a table that can ship with the program for devices of its kind.
    pub fn known_table(&self) -> KnownTable {
        self.tuned.table(&self.gpu)
    }

    /// The cooperative matrix tiles that gave right results and are used for f16 operands; `None` until a graph was
    /// compiled that has a use for them.
    pub fn cooperative_tiles(&self) -> Option<Vec<String>> {
        self.tuned.cooperative().map(|tiles| tiles.iter().map(ToString::to_string).collect())
    }

    fn error(&self, error: GpuError) -> BackendError {
        failed(&self.gpu, error)
    }

    /// What this device answers later, its errors as the contract has them.
    fn later<T: 'static>(
        &self,
        answer: Result<impl Future<Output = Result<T, GpuError>> + 'static, BackendError>,
    ) -> Later<T> {
        let gpu = self.gpu.clone();
        Box::pin(async move { answer?.await.map_err(|error| failed(&gpu, error)) })
    }

    /// Waits for what is answered later.
    fn waited<T>(&self, what: &str, later: Later<T>) -> Result<T, BackendError> {
        self.gpu.block_on(what, later).map_err(|error| self.error(error))?
    }

    /// A graph's plan; where memory does not suffice, with nothing kept longer than it must be, and then without the scratch that
    /// transformed convolutions take. The last of them if none fits.
    fn most_that_fits(&self, graph: &Graph) -> Result<Plan, BackendError> {
        let usual = self.plan_options(graph);
        for options in [usual, PlanOptions { slack: 0, ..usual }] {
            let plan = Plan::new(graph, &options)?;
            if self.check_memory(&plan).is_ok() {
                return Ok(plan);
            }
        }
        let plain = self.tuned.base().with_transforms(Transformed::No);
        let least = PlanOptions { slack: 0, ..self.options.plan_options(self.gpu.summary(), &plain, graph) };
        Ok(Plan::new(graph, &least)?)
    }

    fn check_memory(&self, plan: &Plan) -> Result<(), BackendError> {
        let (budget, held) = (self.gpu.budget_bytes(), self.gpu.counters().bytes);
        let needed = plan.peak_bytes() as u64;
        if held.saturating_add(needed) <= budget {
            return Ok(());
        }
        let free = budget.saturating_sub(held);
        let detail = format!("the step needs {needed} bytes, {free} are free; a smaller batch needs less");
        Err(BackendError::OutOfMemory { device: self.gpu.summary().name.clone(), detail })
    }

    /// Makes the arenas of a graph that are new.
    fn declare(&mut self, graph: &Graph) -> Result<(), BackendError> {
        let mut new = vec![];
        for info in graph.arenas() {
            match self.arenas.get(&info.name) {
                Some((old, _)) if old.len == info.len && old.dtype == info.dtype => {}
                Some((old, _)) => {
                    return Err(self.plans.taken(&info.name, (old.len, old.dtype), (info.len, info.dtype)));
                }
                None => {
                    let bytes = (info.len * info.dtype.size()) as u64;
                    let made = self.gpu.storage_buffer(&format!("arena {}", info.name), bytes);
                    let buffer = made.map_err(|e| self.error(e))?;
                    new.push(buffer.clone());
                    self.arenas.insert(info.name.clone(), (info.clone(), buffer));
                }
            }
        }
        self.gpu.clear(&new).map_err(|e| self.error(e))
    }

    fn arena(&self, name: &str) -> Result<&(ArenaInfo, GpuBuffer), BackendError> {
        self.arenas.get(name).ok_or_else(|| BackendError::Unknown(format!("arena {name:?}")))
    }
}

fn failed(gpu: &Gpu, error: GpuError) -> BackendError {
    let device = gpu.summary().name.clone();
    let detail = error.to_string();
    match error {
        GpuError::OutOfMemory { .. } => BackendError::OutOfMemory { device, detail },
        GpuError::DeviceLost { .. } | GpuError::Timeout { .. } => BackendError::DeviceLost { device, detail },
        GpuError::NoAdapter { .. }
        | GpuError::UnknownAdapter { .. }
        | GpuError::UnknownBackend { .. }
        | GpuError::Open { .. }
        | GpuError::Validation { .. }
        | GpuError::CannotWait { .. }
        | GpuError::Limit { .. }
        | GpuError::Shader { .. }
        | GpuError::DriverStopsLoops { .. } => BackendError::Device { device, detail },
    }
}

impl Backend for GpuBackend {
    fn name(&self) -> String {
        self.gpu.summary().to_string()
    }

    fn half_precision(&self) -> HalfPrecision {
        half::support(self.gpu.summary())
    }

    fn planned_bytes(&self, graph: &Graph) -> Result<u64, BackendError> {
        Ok(self.most_that_fits(graph)?.peak_bytes() as u64)
    }

    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        half::check(graph, self.gpu.summary())?;
        let plan = self.most_that_fits(graph)?;
        self.check_memory(&plan)?;
        // Before the plan's memory is taken: a search needs some for itself.
        let prepared = self.tuned.prepare(&self.gpu, &plan.steps);
        prepared.map_err(|e| self.error(e))?;
        let held: HashSet<String> = self.arenas.keys().cloned().collect();
        let made = self.declare(graph).and_then(|()| {
            let made = PlanExecutor::new(&self.gpu, graph, &plan, &self.arenas, &self.tuned);
            made.map_err(|e| self.error(e))
        });
        if made.is_err() {
            // Whoever tries again with less must find the memory.
            self.arenas.retain(|name, _| held.contains(name));
        }
        let plan = self.plans.add(graph, made?);
        self.gpu.keep_pipelines();
        Ok(plan)
    }

    fn compile_async(&mut self, graph: &Graph) -> Later<PlanId> {
        let (made, gpu) = (self.compile(graph), self.gpu.clone());
        self.later(made.map(|plan| async move { gpu.settled().await.map(|()| plan) }))
    }

    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        // What does not fit is said before the wait.
        let executor = self.plans.get_mut(plan)?;
        check_inputs(&executor.inputs, inputs)?;
        let ran = executor.turn().and_then(|()| executor.submit(inputs));
        ran.map_err(|e| self.error(e))
    }

    fn submit(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        let executor = self.plans.get_mut(plan)?;
        check_inputs(&executor.inputs, inputs)?;
        let ran = executor.submit(inputs);
        ran.map_err(|e| self.error(e))
    }

    fn turn_async(&mut self, plan: PlanId) -> Later<()> {
        let turn = self.plans.get_mut(plan).map(PlanExecutor::turn_async);
        self.later(turn)
    }

    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        let later = self.read_async(plan, output);
        self.waited("a result", later)
    }

    fn read_async(&mut self, plan: PlanId, output: usize) -> Later<Tensor> {
        let unknown = || BackendError::Unknown(format!("output {output} of {plan:?}, or no step was run"));
        let read = self.plans.get(plan).and_then(|executor| executor.read_async(output).ok_or_else(unknown));
        self.later(read)
    }

    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        let (info, buffer) = self.arena(name)?;
        if values.shape() != [info.len] || values.dtype() != info.dtype {
            return Err(mismatch(info, values.shape(), values.dtype()));
        }
        self.gpu.upload(buffer, 0, tensor_bytes(values)).map_err(|e| self.error(e))
    }

    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        let (info, buffer) = self.arena(name)?;
        let fits = first.checked_add(values.data().len()).is_some_and(|end| end <= info.len);
        if values.shape().len() != 1 || !fits || values.dtype() != info.dtype {
            return Err(mismatch(info, values.shape(), values.dtype()));
        }
        let offset = (first * info.dtype.size()) as u64;
        self.gpu.upload(buffer, offset, tensor_bytes(values)).map_err(|e| self.error(e))
    }

    fn room(&self) -> u64 {
        let free = self.gpu.budget_bytes().saturating_sub(self.gpu.counters().bytes);
        self.gpu.limits().binding_bytes.min(free)
    }

    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let later = self.read_arena_async(name);
        self.waited("an arena", later)
    }

    fn read_arena_async(&mut self, name: &str) -> Later<Tensor> {
        let read = self.arena(name).map(|(info, buffer)| {
            let (len, dtype, name) = (info.len, info.dtype, name.to_owned());
            let bytes = self.gpu.download_async(buffer, 0, buffer.bytes());
            async move {
                let bytes = bytes.await?;
                tensor_from_bytes(&[len], dtype, &bytes).ok_or_else(|| GpuError::Validation {
                    what: format!("the arena {name:?}"),
                    message: format!("{} bytes are not {len} elements of {dtype}", bytes.len()),
                })
            }
        });
        self.later(read)
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
        let now = self.gpu.counters();
        Stats {
            allocations: now.count - self.start.count,
            bytes: now.bytes,
            submissions: now.submissions - self.start.submissions,
            dispatches: now.dispatches - self.start.dispatches,
            uploaded: now.uploaded - self.start.uploaded,
            encode_nanoseconds: now.encode_nanoseconds - self.start.encode_nanoseconds,
        }
    }

    fn wait(&mut self) -> Result<(), BackendError> {
        self.gpu.wait_idle().map_err(|e| self.error(e))
    }

    fn wait_async(&mut self) -> Later<()> {
        self.later(Ok(self.gpu.idle_async()))
    }

    fn calls(&self, plan: PlanId) -> Result<Vec<Call>, BackendError> {
        let executor = self.plans.get(plan)?;
        Ok(executor.calls().cloned().collect())
    }

    fn profile(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<Profile, BackendError> {
        let gpu = self.gpu.clone();
        let executor = self.plans.get_mut(plan)?;
        check_inputs(&executor.inputs, inputs)?;
        let profiled = executor.turn().and_then(|()| executor.profile(&gpu, inputs));
        profiled.map_err(|e| self.error(e))
    }

    fn peaks(&mut self) -> Result<Peaks, BackendError> {
        peaks::measure(&self.gpu).map_err(|e| self.error(e))
    }
}

fn mismatch(arena: &ArenaInfo, shape: &[usize], dtype: DType) -> BackendError {
    BackendError::Mismatch {
        name: arena.name.clone(),
        want: vec![arena.len],
        want_dtype: arena.dtype,
        shape: shape.to_vec(),
        dtype,
    }
}
