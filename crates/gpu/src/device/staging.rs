//! Rings of host-visible buffers, so that a step's inputs and results travel inside its one submission.

use std::sync::{Arc, Weak};

use crate::device::buffer::{GpuBuffer, Role};
use crate::device::sync::{MAX_IN_FLIGHT, MapAnswer, map};
use crate::device::transfer::{read_mapped, write_mapped};
use crate::{Gpu, GpuError};

/// Buffers in a ring: one for each step in flight, and one that the host fills or reads.
const RING: usize = MAX_IN_FLIGHT + 1;

/// Where each piece of a staging buffer begins: a multiple of this many bytes.
const PIECE_ALIGNMENT: u64 = 16;

/// A ring of mapped buffers that the host writes and steps copy from.
pub(crate) struct UploadRing {
    slots: Vec<UploadSlot>,
    current: usize,
    cursor: u64,
}

struct UploadSlot {
    buffer: GpuBuffer,
    /// The mapping asked for after the last use; `None` while the buffer is mapped.
    mapping: Option<(MapAnswer, Option<wgpu::SubmissionIndex>)>,
}

impl UploadRing {
    /// A ring for steps whose pieces need `bytes` bytes, each piece rounded up to 16.
    pub(crate) fn new(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        let count = if bytes == 0 { 0 } else { RING };
        let slots = (0..count)
            .map(|index| {
                let buffer = gpu.buffer(&format!("upload staging {index}"), bytes, Role::Upload)?;
                Ok(UploadSlot { buffer, mapping: None })
            })
            .collect::<Result<_, GpuError>>()?;
        Ok(Self { slots, current: 0, cursor: 0 })
    }

    /// Makes the current buffer ready to be written, waiting for the step that used it last.
    pub(crate) fn begin(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.cursor = 0;
        if let Some(slot) = self.slots.get_mut(self.current)
            && let Some((answer, submission)) = &slot.mapping
        {
            gpu.wait_mapped("a step's upload", answer, submission.clone())?;
            slot.mapping = None;
        }
        Ok(())
    }

    /// Writes `bytes` and records their copy to `target` at `offset`.
    pub(crate) fn copy(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        target: &GpuBuffer,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        let length = target.copy_length(offset, bytes.len() as u64)?;
        if length == 0 {
            return Ok(());
        }
        let available = self.slots.first().map_or(0, |slot| slot.buffer.bytes());
        if self.cursor + length > available {
            return Err(staging_full(target, self.cursor + length, available));
        }
        let staging = &self.slots[self.current].buffer;
        write_mapped(staging, self.cursor, bytes)?;
        encoder.copy_buffer_to_buffer(staging.raw(), self.cursor, target.raw(), offset, Some(length));
        self.cursor = (self.cursor + length).next_multiple_of(PIECE_ALIGNMENT);
        Ok(())
    }

    /// Hands the current buffer to the device, which a submission that copies from it needs.
    pub(crate) fn unmap(&mut self) {
        if let Some(slot) = self.slots.get(self.current) {
            slot.buffer.raw().unmap();
        }
    }

    /// Asks for the current buffer back after `submission`, and goes on to the next.
    pub(crate) fn advance(&mut self, submission: Option<wgpu::SubmissionIndex>) {
        if let Some(slot) = self.slots.get_mut(self.current) {
            let answer = map(slot.buffer.raw(), wgpu::MapMode::Write);
            slot.mapping = Some((answer, submission));
            self.current = (self.current + 1) % self.slots.len();
        }
    }
}

/// Results that a submitted step will deliver; see [`crate::StepQueue::read`]. Dropping it drops the results.
#[derive(Debug)]
pub struct ReadTicket {
    slot: usize,
    alive: Arc<()>,
}

/// A ring of buffers that steps copy results to and the host reads.
pub(crate) struct ReadbackRing {
    slots: Vec<ReadbackSlot>,
    bytes: u64,
}

struct ReadbackSlot {
    buffer: GpuBuffer,
    pending: Option<Pending>,
}

struct Pending {
    answer: MapAnswer,
    submission: wgpu::SubmissionIndex,
    pieces: Vec<(u64, u64)>,
    reader: Weak<()>,
}

/// The results one step will copy out: a slot of the ring and the pieces in it.
pub(crate) struct Collecting {
    slot: usize,
    pieces: Vec<(u64, u64)>,
    cursor: u64,
}

impl ReadbackRing {
    /// A ring for steps whose results need `bytes` bytes, each piece rounded up to 16.
    pub(crate) fn new(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        let count = if bytes == 0 { 0 } else { RING };
        let slots = (0..count)
            .map(|index| {
                let buffer = gpu.buffer(&format!("readback staging {index}"), bytes, Role::Readback)?;
                Ok(ReadbackSlot { buffer, pending: None })
            })
            .collect::<Result<_, GpuError>>()?;
        Ok(Self { slots, bytes })
    }

    /// Finds a slot that nobody waits for.
    pub(crate) fn collect(&mut self) -> Result<Collecting, GpuError> {
        let unread = |pending: &Pending| pending.reader.strong_count() > 0;
        let free = self.slots.iter().position(|slot| !slot.pending.as_ref().is_some_and(unread));
        let slot = free.ok_or_else(|| GpuError::Limit {
            what: "results of steps kept unread".to_owned(),
            needed: self.slots.len() as u64 + 1,
            available: self.slots.len() as u64,
            hint: "read or drop the oldest ticket first".to_owned(),
        })?;
        if self.slots[slot].pending.take().is_some() {
            // Its reader is gone: end the mapping, done or not.
            self.slots[slot].buffer.raw().unmap();
        }
        Ok(Collecting { slot, pieces: Vec::new(), cursor: 0 })
    }

    /// Records the copy of a piece of `source` into the slot.
    pub(crate) fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        collecting: &mut Collecting,
        source: &GpuBuffer,
        offset: u64,
        bytes: u64,
    ) -> Result<(), GpuError> {
        let length = source.copy_length(offset, bytes)?;
        if collecting.cursor + length > self.bytes {
            return Err(staging_full(source, collecting.cursor + length, self.bytes));
        }
        let target = self.slots[collecting.slot].buffer.raw();
        if length > 0 {
            encoder.copy_buffer_to_buffer(source.raw(), offset, target, collecting.cursor, Some(length));
        }
        collecting.pieces.push((collecting.cursor, bytes));
        collecting.cursor = (collecting.cursor + length).next_multiple_of(PIECE_ALIGNMENT);
        Ok(())
    }

    /// Asks for the results after `submission`.
    pub(crate) fn submitted(&mut self, collecting: Collecting, submission: wgpu::SubmissionIndex) -> ReadTicket {
        let alive = Arc::new(());
        let slot = &mut self.slots[collecting.slot];
        slot.pending = Some(Pending {
            answer: map(slot.buffer.raw(), wgpu::MapMode::Read),
            submission,
            pieces: collecting.pieces,
            reader: Arc::downgrade(&alive),
        });
        ReadTicket { slot: collecting.slot, alive }
    }

    /// Whether the results of a ticket are there.
    pub(crate) fn ready(&self, gpu: &Gpu, ticket: &ReadTicket) -> Result<bool, GpuError> {
        gpu.try_mapped("a step's results", &self.pending(ticket)?.answer)
    }

    /// The results of a ticket, waiting for them.
    pub(crate) fn read(&mut self, gpu: &Gpu, ticket: &ReadTicket) -> Result<Vec<Vec<u8>>, GpuError> {
        let pending = self.pending(ticket)?;
        let submission = Some(pending.submission.clone());
        gpu.wait_mapped("a step's results", &pending.answer, submission)?;
        let buffer = &self.slots[ticket.slot].buffer;
        let results = pending
            .pieces
            .iter()
            .map(|(offset, bytes)| match bytes {
                0 => Ok(Vec::new()),
                _ => read_mapped(buffer, *offset, *bytes),
            })
            .collect();
        buffer.raw().unmap();
        self.slots[ticket.slot].pending = None;
        results
    }

    fn pending(&self, ticket: &ReadTicket) -> Result<&Pending, GpuError> {
        self.slots
            .get(ticket.slot)
            .and_then(|slot| slot.pending.as_ref())
            .filter(|pending| pending.reader.as_ptr() == Arc::as_ptr(&ticket.alive))
            .ok_or_else(|| GpuError::Validation {
                what: "a step's results".to_owned(),
                message: "the ticket is of another queue".to_owned(),
            })
    }
}

fn staging_full(buffer: &GpuBuffer, needed: u64, available: u64) -> GpuError {
    GpuError::Limit {
        what: format!("the staging memory of a step at '{}' (bytes)", buffer.label()),
        needed,
        available,
        hint: "make the step queue with more".to_owned(),
    }
}
