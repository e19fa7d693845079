//! Cooperative matrices of 16x16x16 as several of a size that the device has: WGSL has names for square ones only, a chip may multiply
//! others (8x16x16 on Intel's Xe2).
//!
//! The parsed module is changed, not its text: every matrix becomes the parts that it is made of.

mod expressions;
mod parts;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use wgpu::naga::back::spv;
use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{
    CooperativeRole, CooperativeSize, GlobalVariable, Handle, Module, Type, TypeInner, UniqueArena, VectorSize,
};

use super::barriers;
use parts::Parts;

/// Rows, columns and terms of the matrices that a device multiplies.
pub type MatrixShape = [u32; 3];

/// Writes a module's matrices of 16x16x16 as those of a shape; without any the module stays as it is.
///
/// # Errors
/// What this does not know to take apart; the module is of no use then.
pub(crate) fn fit(module: &mut Module, shape: MatrixShape) -> Result<(), String> {
    let whole = |ty: &Type| match ty.inner {
        TypeInner::CooperativeMatrix {
            columns: CooperativeSize::Sixteen,
            rows: CooperativeSize::Sixteen,
            scalar,
            role,
        } => Some((scalar, role)),
        _ => None,
    };
    let types: Vec<_> = module.types.iter().filter_map(|(handle, ty)| Some((handle, whole(ty)?))).collect();
    let mut roles = HashMap::new();
    for (handle, (scalar, role)) in types {
        let [rows, columns] = extents(shape, role)?;
        let inner = TypeInner::CooperativeMatrix { columns, rows, scalar, role };
        if (rows, columns) != (CooperativeSize::Sixteen, CooperativeSize::Sixteen) {
            module.types.replace(handle, Type { name: None, inner });
        }
        roles.insert(handle, role);
    }
    let lanes = module.global_variables.iter().map(|(handle, variable)| (handle, lanes(&module.types, variable)));
    let lanes = lanes.filter_map(|(handle, lanes)| Some((handle, lanes?))).collect();
    let entries = module.entry_points.iter_mut().map(|entry| &mut entry.function);
    for function in module.functions.iter_mut().map(|(_, function)| function).chain(entries) {
        Parts::new(shape, &roles, &lanes).take_apart(function)?;
    }
    Ok(())
}

/// Rows and columns of a part of an operand.
fn extents([m, n, k]: MatrixShape, role: CooperativeRole) -> Result<[CooperativeSize; 2], String> {
    let size = |extent| match extent {
        8 => Ok(CooperativeSize::Eight),
        16 => Ok(CooperativeSize::Sixteen),
        _ => Err(format!("matrices of {m}x{n}x{k} make none of 16x16x16")),
    };
    let [rows, columns] = match role {
        CooperativeRole::A => [m, k],
        CooperativeRole::B => [k, n],
        CooperativeRole::C => [m, n],
    };
    Ok([size(rows)?, size(columns)?])
}

/// Numbers in an element of an array in memory; none where it is no array of numbers or vectors of two or four.
fn lanes(types: &UniqueArena<Type>, variable: &GlobalVariable) -> Option<u32> {
    let TypeInner::Array { base, .. } = types[variable.ty].inner else { return None };
    match types[base].inner {
        TypeInner::Scalar(_) => Some(1),
        TypeInner::Vector { size: VectorSize::Bi, .. } => Some(2),
        TypeInner::Vector { size: VectorSize::Quad, .. } => Some(4),
        _ => None,
    }
}

/// Numbers in an element of each array that matrices may be loaded from.
type Lanes = HashMap<Handle<GlobalVariable>, u32>;
/// What the matrices of each type are for.
type Roles = HashMap<Handle<Type>, CooperativeRole>;

/// The SPIR-V words of a kernel of matrices for a device of these, as [`chiaro_shaders::validate::Checked::spirv`] has those of others.
///
/// # Errors
/// Why there are none.
pub(crate) fn spirv(wgsl: &str, shape: MatrixShape) -> Result<Vec<u32>, String> {
    let mut module = wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
    fit(&mut module, shape)?;
    barriers::order_memory(&mut module);
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| error.emit_to_string(wgsl))?;
    let options = spv::Options {
        lang_version: (1, 3),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..spv::Options::default()
    };
    spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())
}
