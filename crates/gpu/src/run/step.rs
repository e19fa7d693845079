//! Steps: uploads, dispatches and readbacks in one encoder and one submission; whoever takes turns has at most two of them in flight.

use std::future::Future;

use chiaro_graph::clock::Instant;

use crate::device::buffer::GpuBuffer;
use crate::device::encode::ComputePass;
use crate::device::staging::{Collecting, ReadTicket, ReadbackRing, UploadRing};
use crate::device::sync::InFlight;
use crate::device::timestamps::Timestamps;
use crate::run::profile::HostTimes;
use crate::{Gpu, GpuError};

/// Bytes that one step stages, each piece rounded up to 16 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepSizes {
    /// Host to device.
    pub upload: u64,
    /// Device to host.
    pub readback: u64,
}

/// Runs step after step without allocating: all of its memory is made with it.
pub struct StepQueue {
    gpu: Gpu,
    uploads: UploadRing,
    readbacks: ReadbackRing,
    in_flight: InFlight,
    times: Option<HostTimes>,
}

/// A step being recorded. Dropped without [`Recording::submit`], it leaves nothing behind.
pub struct Recording<'a> {
    queue: &'a mut StepQueue,
    encoder: wgpu::CommandEncoder,
    collecting: Option<Collecting>,
    began: Instant,
    /// When the first pass began.
    recording: Option<Instant>,
}

impl StepQueue {
    /// Makes the staging memory: three buffers for each direction that is used.
    ///
    /// # Errors
    /// As [`Gpu::storage_buffer`].
    pub fn new(gpu: &Gpu, sizes: StepSizes) -> Result<Self, GpuError> {
        Ok(Self {
            gpu: gpu.clone(),
            uploads: UploadRing::new(gpu, sizes.upload)?,
            readbacks: ReadbackRing::new(gpu, sizes.readback)?,
            in_flight: InFlight::default(),
            times: None,
        })
    }

    /// Waits until fewer than two steps are in flight.
    ///
    /// # Errors
    /// Those of [`Gpu::wait`].
    pub fn turn(&mut self) -> Result<(), GpuError> {
        match self.in_flight.before_the_next() {
            Some((submission, _)) => self.gpu.wait("a step", Some(submission)),
            None => Ok(()),
        }
    }

    /// When fewer than two steps are in flight.
    ///
    /// # Errors
    /// Those of [`Gpu::wait`].
    pub fn turn_async(&mut self) -> impl Future<Output = Result<(), GpuError>> + use<> {
        let (gpu, before) = (self.gpu.clone(), self.in_flight.before_the_next());
        async move {
            match before {
                Some((_, done)) => gpu.answered("a step", done).await,
                None => Ok(()),
            }
        }
    }

    /// Begins a step, whatever is in flight: out of turn, it needs memory of its own for what it uploads.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`], the first error of the steps before, or those of [`Gpu::storage_buffer`].
    pub fn begin(&mut self) -> Result<Recording<'_>, GpuError> {
        self.gpu.poll_once()?;
        self.uploads.begin(&self.gpu)?;
        let encoder = self.gpu.encoder("step")?;
        Ok(Recording { queue: self, encoder, collecting: None, began: Instant::now(), recording: None })
    }

    /// When the host did what for the last step.
    pub(crate) fn times(&self) -> Option<&HostTimes> {
        self.times.as_ref()
    }

    /// Whether [`StepQueue::read`] would answer at once.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`]; [`GpuError::Validation`] for a ticket of another queue.
    pub fn ready(&self, ticket: &ReadTicket) -> Result<bool, GpuError> {
        self.readbacks.ready(&self.gpu, ticket)
    }

    /// Waits for the results of a step: one entry for each [`Recording::readback`], in their order.
    ///
    /// # Errors
    /// [`GpuError::Timeout`], [`GpuError::DeviceLost`]; [`GpuError::Validation`] for a ticket of another queue.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used once")]
    pub fn read(&self, ticket: ReadTicket) -> Result<Vec<Vec<u8>>, GpuError> {
        self.gpu.block_on("a step's results", self.readbacks.read_async(&self.gpu, &ticket, None))?
    }

    /// One of the results of a step, without a wait; the ticket is good for the others.
    ///
    /// # Errors
    /// Those of [`StepQueue::read`].
    pub(crate) fn piece_async(
        &self,
        ticket: &ReadTicket,
        piece: usize,
    ) -> impl Future<Output = Result<Vec<u8>, GpuError>> + use<> {
        let all = self.readbacks.read_async(&self.gpu, ticket, Some(piece));
        async move { Ok(all.await?.into_iter().flatten().collect()) }
    }
}

impl Recording<'_> {
    /// Copies `bytes` to `target` at `offset` before the passes recorded later.
    ///
    /// # Errors
    /// [`GpuError::Limit`] above [`StepSizes::upload`]; [`GpuError::Validation`] for a range that [`Gpu::upload`]
    /// would refuse.
    pub fn upload(&mut self, target: &GpuBuffer, offset: u64, bytes: &[u8]) -> Result<(), GpuError> {
        self.queue.uploads.copy(&mut self.encoder, target, offset, bytes)?;
        self.queue.gpu.counting().add_upload(bytes.len() as u64);
        Ok(())
    }

    /// Records one compute pass: its dispatches run in order, each seeing what those before it wrote.
    ///
    /// # Errors
    /// Those of `record`.
    pub fn pass<T>(
        &mut self,
        label: &str,
        record: impl FnOnce(&mut ComputePass<'_>) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        self.timed_pass(label, None, record)
    }

    /// The same, its begin and end written down where `timestamps` says.
    pub(crate) fn timed_pass<T>(
        &mut self,
        label: &str,
        timestamps: Option<wgpu::ComputePassTimestampWrites<'_>>,
        record: impl FnOnce(&mut ComputePass<'_>) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        self.recording.get_or_insert_with(Instant::now);
        self.queue.gpu.timed_pass(&mut self.encoder, label, timestamps, record)
    }

    /// Makes the timestamps of the passes recorded so far readable.
    pub(crate) fn resolve(&mut self, timestamps: &Timestamps) {
        timestamps.resolve(&mut self.encoder);
    }

    /// Copies `bytes` bytes of `source` at `offset` to the host, as they are after the passes recorded so far.
    ///
    /// # Errors
    /// [`GpuError::Limit`] above [`StepSizes::readback`] or when the results of three steps are unread;
    /// [`GpuError::Validation`] for a range that [`Gpu::download`] would refuse.
    pub fn readback(&mut self, source: &GpuBuffer, offset: u64, bytes: u64) -> Result<(), GpuError> {
        let mut collecting = match self.collecting.take() {
            Some(collecting) => collecting,
            None => self.queue.readbacks.collect()?,
        };
        let copied = self.queue.readbacks.copy(&mut self.encoder, &mut collecting, source, offset, bytes);
        self.collecting = Some(collecting);
        copied
    }

    /// Submits the step, all of it in one submission, and does not wait for it. Returns a ticket where it reads something back.
    ///
    /// # Errors
    /// [`GpuError::Validation`] when a command was wrong, [`GpuError::OutOfMemory`], [`GpuError::DeviceLost`].
    pub fn submit(self) -> Result<Option<ReadTicket>, GpuError> {
        let Self { queue, encoder, collecting, began, recording } = self;
        let recording = recording.unwrap_or_else(Instant::now);
        queue.uploads.unmap();
        let submitted = submit(&queue.gpu, encoder);
        queue.uploads.give_back();
        let (submission, [recorded, submitting, submitted]) = submitted?;
        let times = HostTimes { began, recording, recorded, submitting, submitted };
        queue.gpu.counting().add_encode_nanoseconds(times.encode_nanoseconds());
        queue.times = Some(times);
        queue.in_flight.push(submission, queue.gpu.done());
        Ok(collecting.map(|collecting| queue.readbacks.submitted(collecting)))
    }
}

/// Submits a step; with when its commands were recorded, when it could be submitted, and when it was.
fn submit(gpu: &Gpu, encoder: wgpu::CommandEncoder) -> Result<(wgpu::SubmissionIndex, [Instant; 3]), GpuError> {
    const WHAT: &str = "a step";
    let commands = gpu.finish(WHAT, encoder)?;
    let recorded = Instant::now();
    gpu.before_submission(WHAT)?;
    let submitting = Instant::now();
    let submission = gpu.submit_commands(WHAT, commands)?;
    Ok((submission, [recorded, submitting, Instant::now()]))
}
