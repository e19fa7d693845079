//! One step with a timestamp before and after each kernel: a pass a dispatch, for this run alone.

use chiaro_graph::clock::Instant;
use chiaro_graph::plan::{Access, Operand, Step as PlanStep};
use chiaro_graph::{Call, CallTime, Clock, HostTime, Profile, Tensor};

use crate::device::timestamps::Timestamps;
use crate::kernels::{Dispatch, Part, Variants};
use crate::run::executor::PlanExecutor;
use crate::run::launch;
use crate::{Gpu, GpuError};

/// When the host did what for a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostTimes {
    /// The inputs are copied to staging memory from here on.
    pub began: Instant,
    /// Commands are recorded from here on.
    pub recording: Instant,
    /// All commands are recorded and translated for the driver.
    pub recorded: Instant,
    /// They are handed over from here on: a software device waits for the step before first.
    pub submitting: Instant,
    /// They are handed over.
    pub submitted: Instant,
}

impl HostTimes {
    /// Nanoseconds of recording and submitting.
    pub fn encode_nanoseconds(&self) -> u64 {
        let time = (self.recorded - self.recording) + (self.submitted - self.submitting);
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }

    fn spans(&self, done: Instant) -> Vec<HostTime> {
        let span = |name, start: Instant, end: Instant| HostTime {
            name,
            start: (start - self.began).as_secs_f64(),
            seconds: (end - start).as_secs_f64(),
        };
        vec![
            span("copy inputs", self.began, self.recording),
            span("encode", self.recording, self.recorded),
            span("submit", self.submitting, self.submitted),
            span("wait", self.submitted, done),
        ]
    }
}

/// What dispatch number `number` of a plan's step does. The operations are the product's, as many as it has where the convolution
/// is transformed: others add up parts, or transform.
pub(crate) fn call(step: &PlanStep, number: usize, dispatch: &Dispatch, variants: &Variants) -> Call {
    let bytes = |part: &Part| {
        let operand: &Operand = match part {
            Part::Operand(i) => &step.operands[*i],
            Part::Scratch => return step.scratch.as_ref().map_or(0, |s| s.len * s.dtype.size()),
            Part::Within { len, .. } => return len * size_of::<f32>(),
        };
        operand.len * operand.dtype.size() * if operand.access == Access::ReadWrite { 2 } else { 1 }
    };
    let whole = Call::of(step);
    let (kernel, flops) = match (dispatch.stage, number) {
        (Some(stage), _) => {
            (format!("{} {stage}", whole.kernel), dispatch.product.map_or(0, |(product, _)| product.flops()))
        }
        (None, 0) => (whole.kernel, whole.flops),
        (None, _) => (format!("{} pass {}", whole.kernel, number + 1), 0),
    };
    Call {
        kernel,
        flops,
        bytes: dispatch.parts.iter().map(|part| bytes(part) as u64).sum(),
        launch: Some(launch::of(step, number, dispatch, variants)),
        ..whole
    }
}

impl PlanExecutor {
    /// Runs one step with timestamps and waits for it.
    pub fn profile(&mut self, gpu: &Gpu, inputs: &[Tensor]) -> Result<Profile, GpuError> {
        let calls: Vec<Call> = self.calls().cloned().collect();
        let Some(stamps) = Timestamps::new(gpu, calls.len())? else {
            return Err(no_timestamps(gpu));
        };
        self.step(inputs, |step, commands| {
            for (i, command) in commands.iter().enumerate() {
                step.timed_pass(&command.call.label, Some(stamps.of(i)), |pass| command.record(pass))?;
            }
            step.resolve(&stamps);
            Ok(())
        })?;
        gpu.wait("a profiled step", None)?;
        let done = Instant::now();
        let times = stamps.read(gpu)?;
        let host = self.host_times().map_or(vec![], |times| times.spans(done));
        let start = device_start(&host, times.last().map_or(0.0, |(_, end)| *end));
        let calls = calls.into_iter().zip(times);
        let calls = calls.map(|(call, (begin, end))| CallTime { call, start: start + begin, seconds: end - begin });
        Ok(Profile { clock: Clock::Device, calls: calls.collect(), host })
    }
}

/// Where the device's clock, whose origin nobody tells, is put on the host's: its work ends as the wait for it does, and never
/// begins before it was submitted.
fn device_start(host: &[HostTime], seconds: f64) -> f64 {
    let [.., submit, wait] = host else { return 0.0 };
    (wait.start + wait.seconds - seconds).max(submit.start)
}

fn no_timestamps(gpu: &Gpu) -> GpuError {
    GpuError::Limit {
        what: "a profile of a step (timestamp queries)".to_owned(),
        needed: 1,
        available: 0,
        hint: format!("{} writes no timestamps: profile on another device", gpu.summary().name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_works_between_its_submission_and_the_end_of_the_wait() {
        let span = |start, seconds| HostTime { name: "", start, seconds };
        let host = [span(0.0, 1.0), span(1.0, 1.0), span(2.0, 0.5), span(2.5, 3.5)];
        assert_eq!(device_start(&host, 3.0), 3.0);
        assert_eq!(device_start(&host, 5.0), 2.0, "not before it was submitted");
        assert_eq!(device_start(&[], 1.0), 0.0);
    }
}
