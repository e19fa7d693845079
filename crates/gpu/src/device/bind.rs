//! Binding buffers to a kernel, and how many workgroups to dispatch.

use crate::device::adapter::MAX_WORKGROUPS_PER_DIMENSION;
use crate::device::buffer::GpuBuffer;
use crate::device::pipeline::Pipeline;
use crate::device::reflect::BindingAccess;
use crate::{Gpu, GpuError};

/// A part of a buffer, to be bound to a kernel.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The buffer.
    pub buffer: GpuBuffer,
    /// Where the part begins, in bytes: a multiple of [`crate::AdapterLimits::binding_alignment`].
    pub offset: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
}

impl From<&GpuBuffer> for Binding {
    /// All of a buffer, with the padding that lets a kernel read a last whole `vec4`.
    fn from(buffer: &GpuBuffer) -> Self {
        Self { buffer: buffer.clone(), offset: 0, bytes: buffer.raw().size() }
    }
}

/// Buffers bound to a kernel. Made once, when a plan is compiled.
#[derive(Debug, Clone)]
pub struct BindGroup {
    pub(crate) raw: wgpu::BindGroup,
    // Keeps the memory counted as alive: wgpu's bind group holds the raw buffers only.
    _buffers: Vec<GpuBuffer>,
}

impl Gpu {
    /// Binds `bindings` to the buffers of a kernel, in the ascending order of its binding numbers.
    ///
    /// # Errors
    /// [`GpuError::Validation`] when the number differs, an offset is not aligned, a part is empty or outside its
    /// buffer, or one buffer is bound both to read and to write; [`GpuError::Limit`] when a part is larger than
    /// the adapter can bind; [`GpuError::DeviceLost`].
    pub fn bind(&self, pipeline: &Pipeline, bindings: &[Binding]) -> Result<BindGroup, GpuError> {
        self.poll_once()?;
        let declared = &pipeline.needs().bindings;
        let what = format!("the buffers of kernel '{}'", pipeline.label());
        let refuse = |message: String| GpuError::Validation { what: what.clone(), message };
        if declared.len() != bindings.len() {
            return Err(refuse(format!("it has {} bindings, {} were given", declared.len(), bindings.len())));
        }
        let with_access = || declared.iter().map(|(_, access)| *access).zip(bindings);
        for (access, binding) in with_access() {
            self.check_part(binding, &what)?;
            let conflict = with_access().find(|(other_access, other)| {
                access == BindingAccess::ReadWrite
                    && *other_access != BindingAccess::ReadWrite
                    && binding.buffer.is(&other.buffer)
            });
            if conflict.is_some() {
                return Err(refuse(format!("'{}' is bound both to read and to write", binding.buffer.label())));
            }
        }
        let entries: Vec<_> = declared
            .iter()
            .zip(bindings)
            .map(|((number, _), part)| wgpu::BindGroupEntry {
                binding: *number,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: part.buffer.raw(),
                    offset: part.offset,
                    size: std::num::NonZeroU64::new(part.bytes),
                }),
            })
            .collect();
        let raw = self.scoped(&what, |device| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(pipeline.label()),
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        self.counting().add_bind_group();
        Ok(BindGroup { raw, _buffers: bindings.iter().map(|part| part.buffer.clone()).collect() })
    }

    fn check_part(&self, part: &Binding, what: &str) -> Result<(), GpuError> {
        let label = part.buffer.label();
        let alignment = u64::from(self.limits().binding_alignment.max(1));
        let size = part.buffer.raw().size();
        let inside = part.offset.checked_add(part.bytes).is_some_and(|end| end <= size);
        if part.bytes == 0 || !inside || !part.offset.is_multiple_of(alignment) {
            return Err(GpuError::Validation {
                what: what.to_owned(),
                message: format!(
                    "{} bytes at {} of '{label}' ({size} bytes, offsets in multiples of {alignment})",
                    part.bytes, part.offset
                ),
            });
        }
        if part.bytes > self.limits().binding_bytes {
            return Err(GpuError::Limit {
                what: format!("{what}: '{label}' (bytes)"),
                needed: part.bytes,
                available: self.limits().binding_bytes,
                hint: "bind it in parts, or use a smaller batch".to_owned(),
            });
        }
        Ok(())
    }
}

/// Spreads `workgroups` over two dimensions, each at most 65535. A kernel numbers its workgroup
/// `id.y * count.x + id.x` and leaves when that is past the end, which at most `y - 1` workgroups do.
///
/// Returns `None` above 65535 squared.
pub fn spread(workgroups: u64) -> Option<[u32; 3]> {
    let most = u64::from(MAX_WORKGROUPS_PER_DIMENSION);
    let rows = workgroups.div_ceil(most).max(1);
    let columns = workgroups.div_ceil(rows);
    if rows > most {
        return None;
    }
    Some([u32::try_from(columns).ok()?, u32::try_from(rows).ok()?, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workgroups_spread_over_two_dimensions_with_less_than_a_column_to_spare() {
        for count in [0, 1, 65_535, 65_536, 65_537, 1_000_003, 65_535 * 65_535] {
            let [x, y, z] = spread(count).expect("it fits");
            assert!(x <= 65_535 && y <= 65_535 && z == 1);
            let made = u64::from(x) * u64::from(y);
            assert!(made >= count && made - count < u64::from(y), "{count}");
        }
        assert_eq!(spread(65_535 * 65_535 + 1), None);
    }
}
