//! Device buffers: checked against the limits and the byte budget before they are made, counted while they live.

use std::sync::Arc;

use crate::device::counters::Reservation;
use crate::{Gpu, GpuError};

/// Sizes are rounded up to this many bytes, so that a kernel may read a last, partly filled `vec4<f32>`.
pub(crate) const SIZE_ALIGNMENT: u64 = 16;

/// A buffer on a device, zero when it is new. Clones are handles of the same buffer; the memory is given back with the
/// last one, after the work that uses it.
#[derive(Clone, Debug)]
pub struct GpuBuffer {
    inner: Arc<BufferInner>,
}

#[derive(Debug)]
struct BufferInner {
    raw: wgpu::Buffer,
    label: String,
    bytes: u64,
    _reservation: Reservation,
}

/// What a buffer is for; this decides its usage flags and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufferRole {
    /// Bound to kernels, copied from and to.
    Storage,
    /// Small constants bound to kernels.
    Uniform,
    /// Written by the host while mapped, then copied from. Mapped when new.
    Upload,
    /// Copied to, then read by the host while mapped.
    Readback,
    /// Written by the device with the results of queries, then copied from.
    Queries,
}

impl BufferRole {
    fn usage(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as Usage;
        match self {
            Self::Storage => Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            Self::Uniform => Usage::UNIFORM | Usage::COPY_DST,
            Self::Upload => Usage::MAP_WRITE | Usage::COPY_SRC,
            Self::Readback => Usage::MAP_READ | Usage::COPY_DST,
            Self::Queries => Usage::QUERY_RESOLVE | Usage::COPY_SRC,
        }
    }
}

impl GpuBuffer {
    /// The bytes asked for; the device has up to 15 more behind them.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes
    }

    /// The name given at creation.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        &self.inner.raw
    }

    /// Whether both handles are of one buffer.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The length to copy for `bytes` at `offset`, which wgpu wants in multiples of 4: a tail is filled up only where
    /// the buffer ends, since elsewhere it would overwrite a neighbour.
    ///
    /// # Errors
    /// [`GpuError::Validation`] where the range leaves the buffer or is not aligned.
    pub(crate) fn copy_length(&self, offset: u64, bytes: u64) -> Result<u64, GpuError> {
        let end = offset.checked_add(bytes).filter(|end| *end <= self.bytes());
        let aligned = offset.is_multiple_of(4) && (bytes.is_multiple_of(4) || end == Some(self.bytes()));
        if end.is_some() && aligned {
            return Ok(bytes.next_multiple_of(4));
        }
        Err(GpuError::Validation {
            what: format!("a copy with '{}'", self.label()),
            message: format!(
                "{bytes} bytes at {offset} of {} (multiples of 4 inside the buffer are allowed)",
                self.bytes()
            ),
        })
    }
}

impl Gpu {
    /// Creates a storage buffer of `bytes` bytes, filled with zeros.
    ///
    /// # Errors
    /// [`GpuError::Limit`] above the adapter's limits or the byte budget, [`GpuError::OutOfMemory`] from the driver,
    /// [`GpuError::DeviceLost`].
    pub fn storage_buffer(&self, label: &str, bytes: u64) -> Result<GpuBuffer, GpuError> {
        self.buffer(label, bytes, BufferRole::Storage)
    }

    /// Writes the zeros of new buffers now. wgpu would do so at their first use; but of what was bound before, it asks at every dispatch
    /// whether that was done.
    pub(crate) fn clear<'a>(&self, buffers: impl IntoIterator<Item = &'a GpuBuffer>) -> Result<(), GpuError> {
        let mut buffers = buffers.into_iter().peekable();
        if buffers.peek().is_none() {
            return Ok(());
        }
        let mut encoder = self.encoder("zeros")?;
        buffers.for_each(|buffer| encoder.clear_buffer(buffer.raw(), 0, None));
        self.submit("zeros", encoder).map(|_| ())
    }

    /// Creates a uniform buffer of `bytes` bytes, filled with zeros. Errors as [`Gpu::storage_buffer`].
    pub fn uniform_buffer(&self, label: &str, bytes: u64) -> Result<GpuBuffer, GpuError> {
        self.buffer(label, bytes, BufferRole::Uniform)
    }

    pub(crate) fn buffer(&self, label: &str, bytes: u64, role: BufferRole) -> Result<GpuBuffer, GpuError> {
        self.poll_once()?;
        let largest = match role {
            BufferRole::Storage => self.limits().binding_bytes,
            BufferRole::Uniform | BufferRole::Upload | BufferRole::Readback | BufferRole::Queries => {
                self.limits().buffer_bytes
            }
        };
        let limit = |available: u64, hint: &str| GpuError::Limit {
            what: format!("buffer '{label}' (bytes)"),
            needed: bytes,
            available,
            hint: hint.to_owned(),
        };
        let too_large = "this adapter has no larger buffers: use a smaller batch or model";
        let size = bytes
            .max(1)
            .checked_next_multiple_of(SIZE_ALIGNMENT)
            .filter(|size| *size <= largest)
            .ok_or_else(|| limit(largest, too_large))?;
        let reservation = self
            .counting()
            .reserve(size, self.budget_bytes())
            .map_err(|left| limit(left, "the byte budget is used up: use a smaller batch"))?;
        let raw = self.scoped(&format!("buffer '{label}' of {bytes} bytes"), |device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: role.usage(),
                mapped_at_creation: role == BufferRole::Upload,
            })
        })?;
        Ok(GpuBuffer {
            inner: Arc::new(BufferInner { raw, label: label.to_owned(), bytes, _reservation: reservation }),
        })
    }
}
