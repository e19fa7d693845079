//! Recording and submitting commands, with every dispatch checked and counted.

use crate::device::adapter::AdapterKind;
use crate::device::bind::BindGroup;
use crate::device::pipeline::Pipeline;
use crate::{Gpu, GpuError};

/// A compute pass being recorded.
pub struct ComputePass<'a> {
    raw: wgpu::ComputePass<'a>,
    gpu: &'a Gpu,
}

impl ComputePass<'_> {
    /// Records one dispatch of `workgroups` along x, y and z (nothing at all when one of them is 0), with
    /// `immediates` as the kernel's immediate data.
    ///
    /// # Errors
    /// [`GpuError::Limit`] when a dimension is above 65535 (see [`crate::spread`]); [`GpuError::Validation`] when
    /// the immediate data is not as long as the kernel declares.
    pub fn dispatch(
        &mut self,
        pipeline: &Pipeline,
        bound: &BindGroup,
        workgroups: [u32; 3],
        immediates: &[u8],
    ) -> Result<(), GpuError> {
        let most = self.gpu.limits().workgroups_per_dimension;
        let largest = workgroups.into_iter().max().unwrap_or(0);
        if largest > most {
            return Err(GpuError::Limit {
                what: format!("kernel '{}' (workgroups in one dimension)", pipeline.label()),
                needed: u64::from(largest),
                available: u64::from(most),
                hint: "spread the workgroups over two dimensions".to_owned(),
            });
        }
        let declared = pipeline.needs().immediate_bytes as usize;
        if immediates.len() != declared {
            return Err(GpuError::Validation {
                what: format!("kernel '{}'", pipeline.label()),
                message: format!("it declares {declared} bytes of immediate data, {} were given", immediates.len()),
            });
        }
        if workgroups.contains(&0) {
            return Ok(());
        }
        self.raw.set_pipeline(&pipeline.raw);
        self.raw.set_bind_group(0, &bound.raw, &[]);
        if !immediates.is_empty() {
            self.raw.set_immediates(0, immediates);
        }
        let [x, y, z] = workgroups;
        self.raw.dispatch_workgroups(x, y, z);
        self.gpu.counting().add_dispatch();
        Ok(())
    }
}

impl Gpu {
    /// A new command encoder.
    pub(crate) fn encoder(&self, label: &str) -> Result<wgpu::CommandEncoder, GpuError> {
        self.scoped(label, |device| {
            device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) })
        })
    }

    /// Records one compute pass. Errors of the commands themselves appear when the encoder is submitted.
    pub(crate) fn pass<T>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
        record: impl FnOnce(&mut ComputePass<'_>) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        self.timed_pass(encoder, label, None, record)
    }

    /// The same, its begin and end written down where `timestamps` says.
    pub(crate) fn timed_pass<T>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
        timestamps: Option<wgpu::ComputePassTimestampWrites<'_>>,
        record: impl FnOnce(&mut ComputePass<'_>) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        let descriptor = wgpu::ComputePassDescriptor { label: Some(label), timestamp_writes: timestamps };
        let raw = encoder.begin_compute_pass(&descriptor);
        record(&mut ComputePass { raw, gpu: self })
    }

    /// Ends an encoder and submits it.
    pub(crate) fn submit(&self, what: &str, encoder: wgpu::CommandEncoder) -> Result<wgpu::SubmissionIndex, GpuError> {
        let commands = self.finish(what, encoder)?;
        self.before_submission(what)?;
        self.submit_commands(what, commands)
    }

    /// Ends an encoder: its commands are checked and translated for the driver.
    pub(crate) fn finish(&self, what: &str, encoder: wgpu::CommandEncoder) -> Result<wgpu::CommandBuffer, GpuError> {
        self.scoped(what, |_| encoder.finish())
    }

    /// What must have ended before a submission: llvmpipe blocks in one until the one before has ended, so that on software
    /// devices the wait is here, with a time limit. No other device waits.
    pub(crate) fn before_submission(&self, what: &str) -> Result<(), GpuError> {
        let blocks = self.summary().kind == AdapterKind::Software && !cfg!(target_family = "wasm");
        let idle = |polled| matches!(polled, Ok(wgpu::PollStatus::QueueEmpty));
        if blocks && !idle(self.poll(wgpu::PollType::Poll)) {
            return self.wait(what, None);
        }
        Ok(())
    }

    /// Submits finished commands.
    pub(crate) fn submit_commands(
        &self,
        what: &str,
        commands: wgpu::CommandBuffer,
    ) -> Result<wgpu::SubmissionIndex, GpuError> {
        let submission = self.scoped(what, |_| self.queue().submit([commands]))?;
        self.counting().add_submission();
        Ok(submission)
    }
}
