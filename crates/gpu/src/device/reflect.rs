//! What a kernel needs, read from its own source: bindings, workgroup size, workgroup memory, immediate data.
//!
//! wgpu does not check sizes set through `override` constants (too large a workgroup gave wrong results), so they are
//! checked here, before a pipeline is made.

use std::collections::HashMap;

use wgpu::naga::{
    AddressSpace, GlobalVariable, Module, ShaderStage, StorageAccess,
    back::pipeline_constants::process_overrides,
    front::wgsl,
    proc::Layouter,
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};

use crate::GpuError;
use crate::device::adapter::AdapterLimits;
use crate::device::pipeline::KernelSource;

/// How a kernel uses one of its buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingAccess {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
    /// `var<uniform>`
    Uniform,
}

/// What a kernel needs of an adapter and of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNeeds {
    /// The buffers of `@group(0)` by binding number, in ascending order: every one declared, used or not.
    pub bindings: Vec<(u32, BindingAccess)>,
    /// Invocations of a workgroup along x, y and z, constants applied.
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory, constants applied.
    pub workgroup_bytes: u32,
    /// Bytes of immediate data (0: none).
    pub immediate_bytes: u32,
}

/// A kernel with its constants applied, ready for wgpu, and what it needs.
pub(crate) struct Reflected {
    pub module: Module,
    pub needs: KernelNeeds,
    /// Bytes that each of the bindings must have at least, in their order.
    pub least: Vec<u64>,
}

/// Parses, validates and specialises a kernel.
pub(crate) fn reflect(source: &KernelSource) -> Result<Reflected, GpuError> {
    let fail = |message: String| GpuError::Shader { label: source.label.clone(), message };
    let text = &*source.wgsl;
    let module = wgsl::parse_str(text).map_err(|error| fail(error.emit_to_string_with_path(text, &source.label)))?;
    // Any capability here: wgpu checks those that the device lacks, with the device at hand.
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| fail(error.emit_to_string_with_path(text, &source.label)))?;
    let bindings = bindings(&module).map_err(&fail)?;
    let constants: HashMap<String, f64> = source.constants.iter().cloned().collect();
    let (module, info) = process_overrides(
        &module,
        &info,
        Some((ShaderStage::Compute, &source.entry)),
        &constants.into_iter().collect(),
    )
    .map_err(|error| fail(error.to_string()))?;
    let needs = needs(&module, &info, source, bindings).map_err(&fail)?;
    let least = least(&module, &needs);
    Ok(Reflected { module: module.into_owned(), needs, least })
}

fn bindings(module: &Module) -> Result<Vec<(u32, BindingAccess)>, String> {
    let mut bindings = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let Some(place) = &variable.binding else {
            continue;
        };
        if place.group != 0 {
            return Err("kernels use @group(0) only".to_owned());
        }
        let access = match variable.space {
            AddressSpace::Uniform => BindingAccess::Uniform,
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => BindingAccess::ReadWrite,
            AddressSpace::Storage { .. } => BindingAccess::Read,
            _ => return Err("kernels bind buffers only".to_owned()),
        };
        bindings.push((place.binding, access));
    }
    bindings.sort_by_key(|(binding, _)| *binding);
    match bindings.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(format!("@binding({}) is declared twice", pair[0].0)),
        None => Ok(bindings),
    }
}

/// Bytes of each binding's type, one element of an array without a length.
fn least(module: &Module, needs: &KernelNeeds) -> Vec<u64> {
    let size = |number: u32| {
        let bound = |variable: &&GlobalVariable| variable.binding.is_some_and(|place| place.binding == number);
        let variable = module.global_variables.iter().map(|(_, variable)| variable).find(bound);
        variable.map_or(0, |variable| u64::from(module.types[variable.ty].inner.size(module.to_ctx())))
    };
    needs.bindings.iter().map(|(number, _)| size(*number)).collect()
}

fn needs(
    module: &Module,
    info: &ModuleInfo,
    source: &KernelSource,
    bindings: Vec<(u32, BindingAccess)>,
) -> Result<KernelNeeds, String> {
    let entry = module
        .entry_points
        .iter()
        .position(|entry| entry.stage == ShaderStage::Compute && entry.name == source.entry)
        .ok_or_else(|| format!("there is no @compute fn {}", source.entry))?;
    let used = info.get_entry_point(entry);
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|error| error.to_string())?;
    let (mut workgroup_bytes, mut immediate_bytes) = (0u32, 0u32);
    for (handle, variable) in module.global_variables.iter() {
        let size = layouter[variable.ty].size;
        match variable.space {
            AddressSpace::WorkGroup if !used[handle].is_empty() => {
                // Drivers place each variable at a multiple of 16 bytes.
                workgroup_bytes = workgroup_bytes
                    .checked_add(size)
                    .and_then(|bytes| bytes.checked_next_multiple_of(16))
                    .ok_or("workgroup memory beyond 4 GiB")?;
            }
            AddressSpace::Immediate => immediate_bytes = size.next_multiple_of(4),
            _ => {}
        }
    }
    Ok(KernelNeeds {
        bindings,
        workgroup_size: module.entry_points[entry].workgroup_size,
        workgroup_bytes,
        immediate_bytes,
    })
}

impl KernelNeeds {
    /// Storage buffers bound.
    pub fn storage_buffers(&self) -> usize {
        self.bindings.iter().filter(|(_, access)| *access != BindingAccess::Uniform).count()
    }

    /// Checks these needs against an adapter's limits.
    ///
    /// # Errors
    /// [`GpuError::Limit`] with the kernel's name and the first limit it exceeds.
    pub fn check(&self, label: &str, limits: &AdapterLimits) -> Result<(), GpuError> {
        let invocations: u64 = self.workgroup_size.iter().map(|n| u64::from(*n)).product();
        let [x, y, z] = self.workgroup_size.map(u64::from);
        let [most_x, most_y, most_z] = limits.workgroup_size.map(u64::from);
        let smaller = "use a variant with a smaller workgroup";
        let rows = [
            ("invocations in a workgroup", invocations, u64::from(limits.workgroup_invocations), smaller),
            ("workgroup size along x", x, most_x, smaller),
            ("workgroup size along y", y, most_y, smaller),
            ("workgroup size along z", z, most_z, smaller),
            (
                "bytes of workgroup memory",
                u64::from(self.workgroup_bytes),
                u64::from(limits.workgroup_bytes),
                "use a variant with smaller tiles",
            ),
            (
                "storage buffers",
                self.storage_buffers() as u64,
                u64::from(limits.storage_buffers),
                "fuse fewer operations into one kernel",
            ),
            (
                "bytes of immediate data",
                u64::from(self.immediate_bytes),
                u64::from(limits.immediate_bytes),
                "use a variant whose parameters are constants",
            ),
        ];
        match rows.iter().find(|row| row.1 > row.2) {
            Some((what, needed, available, hint)) => Err(GpuError::Limit {
                what: format!("kernel '{label}' ({what})"),
                needed: *needed,
                available: *available,
                hint: (*hint).to_owned(),
            }),
            None => Ok(()),
        }
    }
}
