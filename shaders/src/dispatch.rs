//! Workgroup counts: a linear number of workgroups spread over the dimensions of a dispatch.

use crate::ShaderError;

/// The most workgroups in one dimension that every device takes.
pub const MAX_WORKGROUPS: u32 = 65_535;

/// Invocations in a workgroup of the kernels that compute one output element in each.
pub const ELEMENT_WORKGROUP: u32 = 64;

/// Spreads `groups` workgroups over x and y. There may be up to y - 1 too many of them: the shaders compute
/// `workgroup_id.x + workgroup_id.y * num_workgroups.x` and return when that is past their last one.
pub fn spread(kernel: &'static str, groups: u64) -> Result<[u32; 3], ShaderError> {
    let max = u64::from(MAX_WORKGROUPS);
    let groups = groups.max(1);
    let y = groups.div_ceil(max);
    let x = groups.div_ceil(y);
    match (u32::try_from(x), u32::try_from(y)) {
        (Ok(x), Ok(y)) if y <= MAX_WORKGROUPS => Ok([x, y, 1]),
        _ => Err(ShaderError::Shape { kernel, reason: format!("{groups} workgroups are more than a dispatch takes") }),
    }
}

/// The dispatch of a kernel that computes one of `elements` output elements in each invocation.
pub fn spread_elements(kernel: &'static str, elements: u64) -> Result<[u32; 3], ShaderError> {
    spread(kernel, elements.div_ceil(u64::from(ELEMENT_WORKGROUP)))
}

/// The product of the dimensions as an element count; an error if it does not fit the 32-bit indices of WGSL.
pub(crate) fn elements(kernel: &'static str, dims: &[u32]) -> Result<u32, ShaderError> {
    let product = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::from(d))).filter(|&n| n <= i32::MAX as u64);
    match product {
        Some(n) => Ok(n as u32),
        None => Err(ShaderError::Shape {
            kernel,
            reason: format!("a tensor of {dims:?} has more elements than 32-bit indices reach"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workgroup_is_covered_within_the_portable_limit() {
        for groups in [0, 1, 65_535, 65_536, 1 << 20, 3_000_000_019] {
            let [x, y, z] = spread("test", groups).expect("fits");
            assert!(x <= MAX_WORKGROUPS && y <= MAX_WORKGROUPS && z == 1);
            let total = u64::from(x) * u64::from(y);
            assert!(total >= groups && total < groups.max(1) + u64::from(y));
        }
        assert!(spread("test", u64::from(u32::MAX) * 2).is_err());
    }
}
