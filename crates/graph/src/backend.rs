//! The contract of a backend: compile a graph once, run it step after step, keep its states between steps.

use crate::dtype::DType;
use crate::error::GraphError;
use crate::graph::Graph;
use crate::later::{Later, at_once};
use crate::plan::{Plan, PlanOptions};
use crate::plan_table::PlanId;
use crate::profile::{Call, Peaks, Profile};
use crate::tensor::Tensor;

/// What to do about an arena that belongs to another model.
fn taken(by: Option<PlanId>) -> String {
    match by {
        Some(plan) => format!("another model is in use there ({plan:?}); open a device of its own for this one"),
        None => "a model that is in use no more left it there; release it (`Backend::release_arena`), or open a device of its own for \
                 this one"
            .into(),
    }
}

/// What a backend can fail with.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The graph cannot be planned for this device.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A given tensor does not fit what the graph declares.
    #[error("{name:?} must be {want_dtype} {want:?}, but is {dtype} {shape:?}")]
    Mismatch {
        /// The input, output or arena.
        name: String,
        /// Declared extents.
        want: Vec<usize>,
        /// Declared type.
        want_dtype: DType,
        /// Given extents.
        shape: Vec<usize>,
        /// Given type.
        dtype: DType,
    },
    /// An input that selects by index, labels for example, has an element that selects nothing.
    #[error("input {name:?}: {detail}")]
    Index {
        /// The input.
        name: String,
        /// The value, its place, and what it may be.
        detail: String,
    },
    /// A name or handle that this backend does not know.
    #[error("unknown {0}")]
    Unknown(String),
    /// What was to be released is needed by something that was not.
    #[error("the arena {arena:?} is part of {plan:?}; release that first")]
    InUse {
        /// The arena.
        arena: String,
        /// A plan that has it.
        plan: PlanId,
    },
    /// A graph declares an arena that another one left on the device with other elements.
    #[error(
        "the arena {arena:?} on this device has {} {} elements, and this graph declares {} {}: {}",
        there.0, there.1, wanted.0, wanted.1, taken(*by)
    )]
    Taken {
        /// The arena.
        arena: String,
        /// Its elements and their type.
        there: (usize, DType),
        /// Those that are declared.
        wanted: (usize, DType),
        /// A plan that has it; none if all that had it are released.
        by: Option<PlanId>,
    },
    /// An arena holds the weights of another network, by chance as many.
    #[error(
        "the arena {arena:?} on this device is another network's: it has {there} where this one has {wanted}. Close what \
         trains the other one, or open a device for each"
    )]
    OtherStates {
        /// The arena.
        arena: String,
        /// The first state of the other network that this one lacks.
        there: String,
        /// The first state of this one that the other lacks.
        wanted: String,
    },
    /// The device has not enough memory.
    #[error("out of memory on {device}: {detail}")]
    OutOfMemory {
        /// The device.
        device: String,
        /// What was asked for and what would fit.
        detail: String,
    },
    /// The device is gone (driver reset, unplugged, or its time limit exceeded); states on it are lost.
    #[error("the device {device} was lost: {detail}")]
    DeviceLost {
        /// The device.
        device: String,
        /// The driver's reason.
        detail: String,
    },
    /// Any other failure of the device or its driver.
    #[error("{device}: {detail}")]
    Device {
        /// The device.
        device: String,
        /// What happened.
        detail: String,
    },
}

/// What a backend does with values stored in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfPrecision {
    /// Graphs with such values do not compile.
    Missing,
    /// They are converted at each use: no faster than 32 bits, perhaps slower.
    Slow,
    /// Half the memory and half the traffic.
    Fast,
}

/// Counters since the backend was made; tests compare them between steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Device buffers allocated.
    pub allocations: u64,
    /// Bytes of device buffers alive now.
    pub bytes: u64,
    /// Submissions to the device's queue.
    pub submissions: u64,
    /// Kernel calls.
    pub dispatches: u64,
    /// Bytes handed over by the host: inputs of steps, arenas, constants.
    pub uploaded: u64,
    /// Nanoseconds that the host spent recording and submitting the kernels of steps, waiting and copying left out.
    pub encode_nanoseconds: u64,
}

/// Runs graphs. Arenas are known by name and shared between the graphs that declare them.
///
/// What may wait for the device has two forms. The plain one waits, and is what programs with threads call. The one named
/// `..._async` never does: it answers [`Later`]. Where nothing can wait, in a browser, a step is
/// `backend.turn_async(plan).await?; backend.submit(plan, &inputs)?;`. The defaults here suit a backend that computes where it is
/// called, and so never waits.
pub trait Backend {
    /// The device's name for messages.
    fn name(&self) -> String;

    /// What becomes of values stored in 16 bits.
    fn half_precision(&self) -> HalfPrecision {
        HalfPrecision::Slow
    }

    /// Prepares a graph: plans it, allocates its buffers and compiles its kernels. Arenas that are new start as zeros.
    ///
    /// # Errors
    /// If the graph exceeds the device's limits, or an arena exists with another length or type ([`BackendError::Taken`]).
    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError>;

    /// Bytes that a graph would take here once it is compiled, its arenas included; nothing is allocated. Kernels may keep some more of
    /// their own, such as weights in another order.
    ///
    /// # Errors
    /// Those of planning.
    fn planned_bytes(&self, graph: &Graph) -> Result<u64, BackendError> {
        Ok(Plan::new(graph, &PlanOptions::default())?.peak_bytes() as u64)
    }

    /// [`Backend::compile`] without a wait; the plan may be used when it is there.
    fn compile_async(&mut self, graph: &Graph) -> Later<PlanId> {
        at_once(self.compile(graph))
    }

    /// Runs one step with inputs in the graph's order of declaration. May return before the device has finished; waits for the
    /// plan's turn, so that no more than a few steps are ever ahead of the device.
    ///
    /// # Errors
    /// If an input's shape or type differs, or the device fails.
    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError>;

    /// The same at once, whatever is still to be done: whoever does not await [`Backend::turn_async`] between steps fills the memory
    /// with the inputs of those that are ahead.
    ///
    /// # Errors
    /// Those of [`Backend::run`].
    fn submit(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.run(plan, inputs)
    }

    /// When one more step of a plan is to be submitted: few enough of those before are still to be done. An error of a plan that is
    /// unknown, or was released.
    fn turn_async(&mut self, _plan: PlanId) -> Later<()> {
        at_once(Ok(()))
    }

    /// Waits for the steps so far and reads an output of the last one, by its position in [`Graph::outputs`].
    ///
    /// # Errors
    /// If the output does not exist or the device fails.
    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError>;

    /// The same without a wait: the output as it is after the steps submitted so far.
    fn read_async(&mut self, plan: PlanId, output: usize) -> Later<Tensor> {
        at_once(self.read(plan, output))
    }

    /// Overwrites an arena: a flat vector of its length, padding included. Never waits.
    ///
    /// # Errors
    /// If no compiled graph declares the arena, or length or type differ.
    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError>;

    /// Overwrites the elements of an arena from `first` on. Never waits.
    ///
    /// # Errors
    /// If no compiled graph declares the arena, the type differs, or it has fewer elements.
    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError>;

    /// Bytes that one more arena can have: as much as the device can bind at once and has left.
    fn room(&self) -> u64;

    /// Waits for the steps so far and reads an arena as a flat vector.
    ///
    /// # Errors
    /// If no compiled graph declares the arena, or the device fails.
    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError>;

    /// The same without a wait: the arena as it is after the steps submitted so far.
    fn read_arena_async(&mut self, name: &str) -> Later<Tensor> {
        at_once(self.read_arena(name))
    }

    /// Gives a plan's memory back, arenas left out, once its last step has ended. Its number is unknown from here on, and never
    /// given again.
    ///
    /// # Errors
    /// If there is no such plan.
    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError>;

    /// Gives an arena's memory back, and what it held: a graph that declares one of this name begins with zeros.
    ///
    /// # Errors
    /// [`BackendError::InUse`] while a plan has it, [`BackendError::Unknown`] if there is none.
    fn release_arena(&mut self, name: &str) -> Result<(), BackendError>;

    /// The counters.
    fn stats(&self) -> Stats;

    /// Waits for the steps so far.
    ///
    /// # Errors
    /// If the device fails.
    fn wait(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    /// The same without a wait: when the steps submitted so far have ended.
    fn wait_async(&mut self) -> Later<()> {
        at_once(Ok(()))
    }

    /// The kernel calls of a step, in order.
    ///
    /// # Errors
    /// If the plan is unknown, or the backend has no kernels.
    fn calls(&self, _plan: PlanId) -> Result<Vec<Call>, BackendError> {
        Err(unmeasured(self.name()))
    }

    /// Runs one step as [`Backend::run`] does, waits for it, and tells when each call ran.
    ///
    /// # Errors
    /// Those of [`Backend::run`], or if the device cannot time its kernels.
    fn profile(&mut self, _plan: PlanId, _inputs: &[Tensor]) -> Result<Profile, BackendError> {
        Err(unmeasured(self.name()))
    }

    /// Measures how fast the device multiplies and copies; takes about a second.
    ///
    /// # Errors
    /// If the device fails, or the backend cannot measure it.
    fn peaks(&mut self) -> Result<Peaks, BackendError> {
        Err(unmeasured(self.name()))
    }
}

fn unmeasured(device: String) -> BackendError {
    BackendError::Device { device, detail: "this device does not measure its kernels".to_string() }
}

/// Compiles a graph, runs it once and reads every output.
///
/// # Errors
/// Those of the backend.
pub fn evaluate(backend: &mut dyn Backend, graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Tensor>, BackendError> {
    let plan = backend.compile(graph)?;
    backend.run(plan, inputs)?;
    (0..graph.outputs().len()).map(|i| backend.read(plan, i)).collect()
}

/// Checks the inputs of a step against their declarations. Every backend does so before it runs anything.
///
/// # Errors
/// [`BackendError::Mismatch`] for the first that differs, [`BackendError::Index`] for the first with an index that selects
/// nothing, [`BackendError::Unknown`] if their number differs.
pub fn check_inputs(graph: &[crate::graph::InputInfo], inputs: &[Tensor]) -> Result<(), BackendError> {
    if graph.len() != inputs.len() {
        return Err(BackendError::Unknown(format!(
            "inputs: the graph has {}, {} were given",
            graph.len(),
            inputs.len()
        )));
    }
    for (want, got) in graph.iter().zip(inputs) {
        if want.shape != got.shape() || want.dtype != got.dtype() {
            return Err(BackendError::Mismatch {
                name: want.name.clone(),
                want: want.shape.clone(),
                want_dtype: want.dtype,
                shape: got.shape().to_vec(),
                dtype: got.dtype(),
            });
        }
        if let Some(detail) = want.indices.iter().find_map(|bound| bound.violation(got)) {
            return Err(BackendError::Index { name: want.name.clone(), detail });
        }
    }
    Ok(())
}
