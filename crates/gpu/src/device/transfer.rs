//! One-off copies between host and device, of any size: weights, data sets, checkpoints. Steps use `staging` instead.

use std::sync::{Mutex, PoisonError};

use crate::device::buffer::{BufferRole, GpuBuffer};
use crate::device::sync::{Answer, map};
use crate::{Gpu, GpuError};

/// The host-visible memory used at a time: larger copies go in parts.
const PART: u64 = 16 << 20;

/// The buffer of the last download, unmapped, for the next one: reading a result every so often allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Downloads {
    last: Mutex<Option<GpuBuffer>>,
}

impl Downloads {
    fn take(&self, bytes: u64) -> Option<GpuBuffer> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take_if(|buffer| buffer.bytes() >= bytes)
    }

    fn keep(&self, buffer: GpuBuffer) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
    }
}

impl Gpu {
    /// Copies `bytes` to `buffer` at `offset`. It is there before any work submitted later.
    ///
    /// # Errors
    /// [`GpuError::Validation`] when the range leaves the buffer, or when offset or length is not a multiple of 4
    /// (the length may be any at the buffer's end); [`GpuError::OutOfMemory`], [`GpuError::DeviceLost`].
    pub fn upload(&self, buffer: &GpuBuffer, offset: u64, bytes: &[u8]) -> Result<(), GpuError> {
        let total = bytes.len() as u64;
        buffer.copy_length(offset, total)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let what = format!("the upload of '{}'", buffer.label());
        let mut done = 0;
        for part in bytes.chunks(PART as usize) {
            // A new one for each part, mapped from the first: to have the last one back would be a wait.
            let staging = self.buffer(&what, part.len() as u64, BufferRole::Upload)?;
            write_mapped(&staging, 0, part)?;
            staging.raw().unmap();
            let mut encoder = self.encoder(&what)?;
            let length = buffer.copy_length(offset + done, part.len() as u64)?;
            encoder.copy_buffer_to_buffer(staging.raw(), 0, buffer.raw(), offset + done, Some(length));
            self.submit(&what, encoder)?;
            self.counting().add_upload(part.len() as u64);
            done += part.len() as u64;
        }
        Ok(())
    }

    /// Copies `bytes` bytes of `buffer` at `offset` to the host, after everything submitted so far.
    ///
    /// # Errors
    /// As [`Gpu::upload`], and [`GpuError::Timeout`] when the work before it does not end.
    pub fn download(&self, buffer: &GpuBuffer, offset: u64, bytes: u64) -> Result<Vec<u8>, GpuError> {
        let what = format!("the download of '{}'", buffer.label());
        self.block_on(&what, self.download_async(buffer, offset, bytes))?
    }

    /// The same without a wait: the bytes as they are after everything submitted so far, whatever is submitted before they are
    /// awaited.
    ///
    /// # Errors
    /// Those of [`Gpu::download`].
    pub fn download_async(
        &self,
        buffer: &GpuBuffer,
        offset: u64,
        bytes: u64,
    ) -> impl Future<Output = Result<Vec<u8>, GpuError>> + use<> {
        let (gpu, what) = (self.clone(), format!("the download of '{}'", buffer.label()));
        let parts = self.copied_out(&what, buffer, offset, bytes);
        async move {
            let mut result = Vec::new();
            for (staging, length, mapped) in parts? {
                gpu.answered(&what, mapped).await?;
                result.extend_from_slice(&read_mapped(&staging, 0, length)?);
                staging.raw().unmap();
                gpu.downloads().keep(staging);
            }
            gpu.counting().add_download(bytes);
            Ok(result)
        }
    }

    /// Submits the copy of a range to memory that the host reads, and asks for that memory: buffers, bytes of each, answers.
    fn copied_out(
        &self,
        what: &str,
        buffer: &GpuBuffer,
        offset: u64,
        bytes: u64,
    ) -> Result<Vec<(GpuBuffer, u64, Answer)>, GpuError> {
        buffer.copy_length(offset, bytes)?;
        if bytes == 0 {
            return Ok(vec![]);
        }
        let mut encoder = self.encoder(what)?;
        let mut parts = vec![];
        for done in (0..bytes).step_by(PART as usize) {
            let part = (bytes - done).min(PART);
            let staging = match self.downloads().take(part) {
                Some(staging) => staging,
                None => self.buffer("download staging", part, BufferRole::Readback)?,
            };
            let length = buffer.copy_length(offset + done, part)?;
            encoder.copy_buffer_to_buffer(buffer.raw(), offset + done, staging.raw(), 0, Some(length));
            parts.push((staging, part));
        }
        self.submit(what, encoder)?;
        let mapped = |(staging, part): (GpuBuffer, u64)| {
            let answer = map(staging.raw(), wgpu::MapMode::Read);
            (staging, part, answer)
        };
        Ok(parts.into_iter().map(mapped).collect())
    }
}

/// Writes to a mapped buffer, with zeros up to the next multiple of 4.
pub(crate) fn write_mapped(buffer: &GpuBuffer, offset: u64, bytes: &[u8]) -> Result<(), GpuError> {
    let end = offset + (bytes.len() as u64).next_multiple_of(4);
    let mut view = buffer.raw().slice(offset..end).get_mapped_range_mut().map_err(|error| unmapped(buffer, &error))?;
    view.slice(..bytes.len()).copy_from_slice(bytes);
    let tail = view.len() - bytes.len();
    view.slice(bytes.len()..).copy_from_slice(&[0; 3][..tail]);
    Ok(())
}

/// Reads from a mapped buffer.
pub(crate) fn read_mapped(buffer: &GpuBuffer, offset: u64, bytes: u64) -> Result<Vec<u8>, GpuError> {
    let end = offset + bytes.next_multiple_of(4);
    let view = buffer.raw().slice(offset..end).get_mapped_range().map_err(|error| unmapped(buffer, &error))?;
    Ok(view[..bytes as usize].to_vec())
}

fn unmapped(buffer: &GpuBuffer, error: &dyn std::fmt::Display) -> GpuError {
    GpuError::Validation { what: format!("the mapping of '{}'", buffer.label()), message: error.to_string() }
}
