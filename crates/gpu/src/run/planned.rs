//! The kernels of a plan as texts: what a graph would be compiled to on a device, without compiling or running anything.

use std::collections::HashMap;

use chiaro_graph::plan::{Plan, Step};
use chiaro_graph::{BackendError, Call, Graph};
use chiaro_shaders::validate;

use crate::device::reflect::reflect;
use crate::kernels::{self, Dispatch};
use crate::run::profile;
use crate::tune::Tuned;
use crate::tune::cooperative;
use crate::{AdapterSummary, BackendOptions, GpuError, KernelNeeds, KernelSource};

/// One dispatch of a plan.
#[derive(Debug, Clone)]
pub struct PlannedKernel {
    /// What it does.
    pub call: Call,
    /// The whole WGSL.
    pub wgsl: String,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
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
        let words = validate::check(&self.wgsl, &[]).and_then(|checked| checked.spirv());
        words.map_err(|error| GpuError::Shader { label: self.call.label.clone(), message: error.to_string() })
    }
}

/// Every dispatch of a plan in the variants that are known to be best, in order, with what it does.
pub(crate) fn dispatches<'p>(plan: &'p Plan, tuned: &Tuned) -> Result<Vec<(&'p Step, Call, Dispatch)>, GpuError> {
    let mut all = vec![];
    for step in &plan.steps {
        let variants = tuned.variants(step);
        let made = kernels::dispatches(step, &variants)
            .map_err(|error| GpuError::Shader { label: step.label.clone(), message: error.to_string() })?;
        all.extend(made.into_iter().enumerate().map(|(i, d)| (step, profile::call(step, i, &d, &variants), d)));
    }
    Ok(all)
}

/// The kernels of a plan.
pub(crate) fn kernels(plan: &Plan, tuned: &Tuned) -> Result<Vec<PlannedKernel>, GpuError> {
    let mut known: HashMap<String, KernelNeeds> = HashMap::new();
    let mut planned = vec![];
    for (_, mut call, dispatch) in dispatches(plan, tuned)? {
        if !known.contains_key(&dispatch.wgsl) {
            let needs = reflect(&KernelSource::own(&call.label, dispatch.wgsl.as_str()))?.needs;
            known.insert(dispatch.wgsl.clone(), needs);
        }
        if let Some(needs) = known.get(&dispatch.wgsl) {
            sized(&mut call, needs);
        }
        planned.push(PlannedKernel { call, wgsl: dispatch.wgsl, workgroups: dispatch.workgroups });
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
    let trusted = cooperative::possible(adapter, &cooperative::wanted(options.forced.cooperative(), false));
    let tuned = Tuned::absent(variants, adapter.limits, trusted).with_forced(options.forced);
    kernels(&plan, &tuned)
        .map_err(|error| BackendError::Device { device: adapter.name.clone(), detail: error.to_string() })
}

/// Fills in what the kernel itself tells of its workgroups.
pub(crate) fn sized(call: &mut Call, needs: &KernelNeeds) {
    if let Some(launch) = &mut call.launch {
        launch.invocations = needs.workgroup_size.iter().product();
        launch.workgroup_bytes = needs.workgroup_bytes;
    }
}
