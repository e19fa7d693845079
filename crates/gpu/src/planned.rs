//! The kernels of a plan as texts: what a graph would be compiled to on a device, without compiling or running anything.

use chiaro_graph::Call;
use chiaro_graph::plan::{Plan, Step};
use chiaro_shaders::validate;

use crate::kernels::{self, Dispatch};
use crate::reflect::reflect;
use crate::tune::Tuned;
use crate::{GpuError, KernelNeeds, KernelSource, profile};

/// One dispatch of a plan.
#[derive(Debug, Clone)]
pub struct PlannedKernel {
    /// What it does.
    pub call: Call,
    /// The tile of a matrix product or convolution, in words.
    pub tile: Option<String>,
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
        reflect(&KernelSource::new(self.call.label.as_str(), self.wgsl.as_str())).map(|reflected| reflected.needs)
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
        let made = kernels::dispatches(step, &tuned.variants(step))
            .map_err(|error| GpuError::Shader { label: step.label.clone(), message: error.to_string() })?;
        all.extend(made.into_iter().enumerate().map(|(i, d)| (step, profile::call(step, i, &d), d)));
    }
    Ok(all)
}

/// The kernels of a plan.
pub(crate) fn kernels(plan: &Plan, tuned: &Tuned) -> Result<Vec<PlannedKernel>, GpuError> {
    let planned = |(step, call, dispatch): (&Step, Call, Dispatch)| {
        // Later dispatches of a step add up what the first one left in parts.
        let tile = kernels::tile(step, &tuned.variants(step)).filter(|_| call.flops > 0);
        PlannedKernel { call, tile: tile.map(|t| t.to_string()), wgsl: dispatch.wgsl, workgroups: dispatch.workgroups }
    };
    Ok(dispatches(plan, tuned)?.into_iter().map(planned).collect())
}
