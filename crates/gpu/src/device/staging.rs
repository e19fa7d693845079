//! Rings of host-visible buffers, so that a step's inputs and results travel inside its one submission.

use std::future::Future;
use std::sync::{Arc, Weak};

use crate::device::buffer::{BufferRole, GpuBuffer};
use crate::device::sync::{Answer, MAX_IN_FLIGHT, map};
use crate::device::transfer::{read_mapped, write_mapped};
use crate::{Gpu, GpuError};

/// Buffers in a ring: one for each step in flight, and one that the host fills or reads.
const RING: usize = MAX_IN_FLIGHT + 1;

/// Where each piece of a staging buffer begins: a multiple of this many bytes.
const PIECE_ALIGNMENT: u64 = 16;

/// A ring of mapped buffers that the host writes and steps copy from. It grows where more steps are in flight than it was made for.
pub(crate) struct UploadRing {
    slots: Vec<UploadSlot>,
    /// Of each buffer; 0 where steps upload nothing.
    bytes: u64,
    current: usize,
    cursor: u64,
}

struct UploadSlot {
    buffer: GpuBuffer,
    /// The mapping asked for after the last use; `None` while the buffer is mapped.
    mapping: Option<Answer>,
}

impl UploadRing {
    /// A ring for steps whose pieces need `bytes` bytes, each piece rounded up to 16.
    pub(crate) fn new(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        let mut ring = Self { slots: vec![], bytes, current: 0, cursor: 0 };
        let count = if bytes == 0 { 0 } else { RING };
        (0..count).try_for_each(|_| ring.grow(gpu))?;
        Ok(ring)
    }

    fn grow(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let buffer = gpu.buffer(&format!("upload staging {}", self.slots.len()), self.bytes, BufferRole::Upload)?;
        self.slots.push(UploadSlot { buffer, mapping: None });
        Ok(())
    }

    /// Finds a buffer that can be written now, or makes one.
    pub(crate) fn begin(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.cursor = 0;
        if self.bytes == 0 {
            return Ok(());
        }
        for slot in &mut self.slots {
            if let Some(answer) = slot.mapping.as_ref().and_then(Answer::now) {
                gpu.good("a step's upload", answer)?;
                slot.mapping = None;
            }
        }
        let free = self.slots.iter().position(|slot| slot.mapping.is_none());
        self.current = free.unwrap_or(self.slots.len());
        if free.is_none() {
            self.grow(gpu)?;
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
        if self.cursor + length > self.bytes {
            return Err(staging_full(target, self.cursor + length, self.bytes));
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

    /// Asks for the current buffer back after the submission that copies from it.
    pub(crate) fn give_back(&mut self) {
        if let Some(slot) = self.slots.get_mut(self.current) {
            slot.mapping = Some(map(slot.buffer.raw(), wgpu::MapMode::Write));
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
    answer: Answer,
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
                let buffer = gpu.buffer(&format!("readback staging {index}"), bytes, BufferRole::Readback)?;
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

    /// Asks for the results after the submission that copies them.
    pub(crate) fn submitted(&mut self, collecting: Collecting) -> ReadTicket {
        let alive = Arc::new(());
        let slot = &mut self.slots[collecting.slot];
        slot.pending = Some(Pending {
            answer: map(slot.buffer.raw(), wgpu::MapMode::Read),
            pieces: collecting.pieces,
            reader: Arc::downgrade(&alive),
        });
        ReadTicket { slot: collecting.slot, alive }
    }

    /// Whether the results of a ticket are there.
    pub(crate) fn ready(&self, gpu: &Gpu, ticket: &ReadTicket) -> Result<bool, GpuError> {
        gpu.poll_once()?;
        match self.pending(ticket)?.answer.now() {
            None => Ok(false),
            Some(answer) => gpu.good("a step's results", answer).map(|()| true),
        }
    }

    /// The results of a ticket: of piece number `piece`, or of all. They stay where they are until nobody awaits them and the
    /// ticket is gone.
    pub(crate) fn read_async(
        &self,
        gpu: &Gpu,
        ticket: &ReadTicket,
        piece: Option<usize>,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, GpuError>> + use<> {
        let (gpu, alive) = (gpu.clone(), Arc::clone(&ticket.alive));
        let pending = self.pending(ticket).map(|pending| {
            let wanted = |(number, _): &(usize, &(u64, u64))| piece.is_none_or(|piece| piece == *number);
            let pieces = pending.pieces.iter().enumerate().filter(wanted).map(|(_, range)| *range);
            (pending.answer.clone(), pieces.collect::<Vec<_>>(), self.slots[ticket.slot].buffer.clone())
        });
        async move {
            let (answer, pieces, buffer) = pending?;
            gpu.answered("a step's results", answer).await?;
            let results = pieces.into_iter().map(|(offset, bytes)| match bytes {
                0 => Ok(Vec::new()),
                _ => read_mapped(&buffer, offset, bytes),
            });
            let results = results.collect();
            drop(alive);
            results
        }
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
