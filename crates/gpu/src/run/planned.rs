//! The kernels of a plan as texts: what a graph would be compiled to on a device, without compiling or running anything.

use std::collections::HashMap;

use chiaro_graph::plan::{Access, Operand, Plan, Step};
use chiaro_graph::{BackendError, Call, Graph};
use chiaro_shaders::{BufferAccess, ShaderError, validate};

use crate::device::matrices::{self, MatrixShape};
use crate::device::reflect::reflect;
use crate::kernels::{self, Part};
use crate::run::beside::{Arrangement, Candidate, Load, Neighbours};
use crate::run::profile;
use crate::tune::Tuned;
use crate::tune::cooperative;
use crate::{AdapterFeatures, AdapterSummary, BackendOptions, GpuError, KernelNeeds, KernelSource};

/// One dispatch of a plan.
#[derive(Debug, Clone)]
pub struct PlannedKernel {
    /// What it does.
    pub call: Call,
    /// The whole WGSL.
    pub wgsl: String,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// The kernels that stand side by side in it; none where it is one kernel alone.
    pub members: Vec<PlannedKernel>,
    /// What matrices of 16x16x16 are on the adapter, where it is known.
    matrices: Option<MatrixShape>,
}

impl PlannedKernel {
    /// Its bindings, workgroup size and memory.
    ///
    /// # Errors
    /// [`GpuError::Shader`] if the WGSL is not valid.
    pub fn needs(&self) -> Result<KernelNeeds, GpuError> {
        reflect(&KernelSource::own(self.call.label.as_str(), self.wgsl.as_str())).map(|reflected| reflected.needs)
    }

    /// The kernel as SPIR-V words, without runtime checks, as a Vulkan driver gets it.
    ///
    /// # Errors
    /// [`GpuError::Shader`] if the WGSL is not valid.
    pub fn spirv(&self) -> Result<Vec<u32>, GpuError> {
        let fail = |message: String| GpuError::Shader { label: self.call.label.clone(), message };
        match self.matrices.filter(|_| self.wgsl.contains("coop_mat")) {
            Some(shape) => matrices::spirv(&self.wgsl, shape).map_err(fail),
            None => validate::check(&self.wgsl, &[])
                .and_then(|checked| checked.spirv())
                .map_err(|error| fail(error.to_string())),
        }
    }
}

/// A dispatch of a plan: one of a step, or short ones of several.
pub(crate) struct PlannedDispatch {
    /// What it does.
    pub call: Call,
    /// The kernel.
    pub source: KernelSource,
    /// What is bound, in the order of binding numbers.
    pub bound: Vec<Bound>,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// The kernels that stand side by side in it; none where it is one kernel alone.
    pub members: Vec<PlannedKernel>,
}

impl PlannedDispatch {
    /// What it is without the memory of its plan.
    pub fn kernel(self) -> PlannedKernel {
        let PlannedDispatch { call, source, workgroups, members, .. } = self;
        PlannedKernel { call, wgsl: source.wgsl.to_string(), workgroups, members, matrices: None }
    }
}

/// A part of a buffer of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The buffer's number.
    pub buffer: usize,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
}

impl Bound {
    /// The region of an operand, filled up to whole words.
    fn new(step: &Step, part: Part) -> Option<Bound> {
        let scratch = step.scratch.as_ref();
        let operand = match part {
            Part::Operand(i) => step.operands[i].clone(),
            Part::Scratch => scratch?.clone(),
            Part::Within { first, len } => {
                let all = scratch?;
                Operand { offset: all.offset + first, len, ..all.clone() }
            }
        };
        let size = operand.dtype.size();
        let bytes = (operand.len * size).next_multiple_of(4).max(4) as u64;
        Some(Bound { buffer: operand.buffer, offset: (operand.offset * size) as u64, bytes })
    }

    /// Whether two parts share memory.
    pub fn meets(&self, other: &Bound) -> bool {
        let within = self.offset < other.offset + other.bytes && other.offset < self.offset + self.bytes;
        self.buffer == other.buffer && within
    }
}

/// Every dispatch of a plan in the variants that are known to be best, in order.
pub(crate) fn dispatches(plan: &Plan, tuned: &Tuned) -> Result<Vec<PlannedDispatch>, GpuError> {
    let (mut arrangement, mut neighbours) = (Arrangement::new(plan.slack, tuned.bindings()), Neighbours::default());
    for (number, step) in plan.steps.iter().enumerate() {
        let refuse = |error: ShaderError| GpuError::Shader { label: step.label.clone(), message: error.to_string() };
        let variants = tuned.variants(step);
        let mut made = vec![];
        for (i, dispatch) in kernels::dispatches(step, &variants).map_err(refuse)?.into_iter().enumerate() {
            let bound = dispatch.parts.iter().filter_map(|part| Some((Bound::new(step, *part)?, access(step, *part))));
            let (bound, access) = bound.unzip();
            let planned = PlannedDispatch {
                call: profile::call(step, i, &dispatch, &variants),
                source: kernels::source(step, &dispatch, format!("{} {}", step.kernel.name(), step.label)),
                bound,
                workgroups: dispatch.workgroups,
                members: vec![],
            };
            let neighbour = if plan.slack == 0 { None } else { neighbours.of(step, i, &dispatch) };
            let workgroups: u64 = dispatch.workgroups.iter().map(|&n| u64::from(n)).product();
            let invocations = workgroups * neighbour.as_ref().map_or(0, |n| u64::from(n.threads()));
            // Of few registers a second pass has most.
            let second = i > 0 && step.kernel.as_product().is_some() && tuned.base().registers_are_few();
            let load = Load::of(&dispatch, second, invocations, tuned.base().at_once());
            made.push(Candidate { planned, access, step: number, neighbour, load });
        }
        arrangement.add(made)?;
    }
    arrangement.finished()
}

/// What a step may do to a part.
fn access(step: &Step, part: Part) -> BufferAccess {
    match part {
        Part::Operand(i) if step.operands[i].access == Access::Read => BufferAccess::Read,
        Part::Operand(_) | Part::Scratch | Part::Within { .. } => BufferAccess::ReadWrite,
    }
}

/// The kernels of a plan on a device of these features.
pub(crate) fn kernels(plan: &Plan, tuned: &Tuned, features: &AdapterFeatures) -> Result<Vec<PlannedKernel>, GpuError> {
    let mut known: HashMap<String, KernelNeeds> = HashMap::new();
    let mut planned = vec![];
    for dispatch in dispatches(plan, tuned)? {
        if !known.contains_key(&*dispatch.source.wgsl) {
            known.insert(dispatch.source.wgsl.to_string(), reflect(&dispatch.source)?.needs);
        }
        let mut kernel = PlannedKernel { matrices: features.sixteen(), ..dispatch.kernel() };
        if let Some(needs) = known.get(&kernel.wgsl) {
            sized(&mut kernel.call, needs);
        }
        planned.push(kernel);
    }
    Ok(planned)
}

/// The kernels that a graph would be compiled to on an adapter that need not be here: chosen from shapes alone, cooperative
/// matrices of the adapter trusted.
///
/// # Errors
/// Those of planning, and [`GpuError`]s as [`BackendError::Device`].
pub fn planned_for(
    adapter: &AdapterSummary,
    options: &BackendOptions,
    graph: &Graph,
) -> Result<Vec<PlannedKernel>, BackendError> {
    let variants = options.variants(adapter);
    let plan = Plan::new(graph, &options.plan_options(adapter, &variants, graph))?;
    let forced = options.forced.cooperative();
    let trusted = cooperative::possible(adapter, &cooperative::wanted(forced, false), forced.is_some());
    let tuned = Tuned::absent(variants, adapter.limits, trusted).with_forced(options.forced);
    kernels(&plan, &tuned, &adapter.features)
        .map_err(|error| BackendError::Device { device: adapter.name.clone(), detail: error.to_string() })
}

/// Fills in what the kernel itself tells of its workgroups.
pub(crate) fn sized(call: &mut Call, needs: &KernelNeeds) {
    if let Some(launch) = &mut call.launch {
        launch.invocations = needs.workgroup_size.iter().product();
        launch.workgroup_bytes = needs.workgroup_bytes;
    }
}
