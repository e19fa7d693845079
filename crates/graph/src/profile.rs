//! What a backend tells about the kernel calls of a plan: their work, the time of one run of them, and how fast the device is.

use crate::plan::{Kernel, Step};
use crate::shape::by;

/// One kernel call of a compiled plan, with its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Layer path and op.
    pub label: String,
    /// The kernel.
    pub kernel: String,
    /// The extents it works on.
    pub shape: String,
    /// Floating-point operations of a matrix product or convolution, a multiply-add counting two; 0 for other kernels.
    pub flops: u64,
    /// Bytes read and written, each operand counted once.
    pub bytes: u64,
    /// How the call is spread over the device; `None` where there are no workgroups.
    pub launch: Option<Launch>,
}

/// How a call is spread over a device that runs workgroups: what its time is predicted from, beside its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// The tile of a matrix product or convolution, in words.
    pub tile: Option<String>,
    /// Workgroups.
    pub workgroups: u64,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Bytes of its memory.
    pub workgroup_bytes: u32,
    /// Operations of a product's tiles, what lies outside of the result included; 0 for other kernels.
    pub tile_flops: u64,
    /// Bytes that the invocations of all workgroups read and write in workgroup memory; of a product whose tile has none, what
    /// they load through the nearest cache.
    pub near_bytes: u64,
    /// Bytes that the workgroups load from buffers, counted as often as they are loaded.
    pub loaded_bytes: u64,
    /// Loads that a workgroup waits for one after the other.
    pub rounds: u64,
    /// Whether matrix units multiply (cooperative matrices).
    pub matrix_units: bool,
}

impl Call {
    /// The call that a step of a plan makes where it is one kernel.
    pub fn of(step: &Step) -> Call {
        Call {
            label: step.label.clone(),
            kernel: step.kernel.name(),
            shape: shape(step),
            flops: step.kernel.flops(),
            bytes: step.bytes(),
            launch: None,
        }
    }
}

/// What times were taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Timestamps that the device wrote itself.
    Device,
    /// The host's clock.
    Host,
}

impl Clock {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Device => "GPU timestamps",
            Clock::Host => "the host clock",
        }
    }
}

/// A call and when it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct CallTime {
    /// The call.
    pub call: Call,
    /// Seconds from the start of the step to the start of the call.
    pub start: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Something the host did for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTime {
    /// What it did.
    pub name: &'static str,
    /// Seconds from the start of the step.
    pub start: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// One run of a plan, call by call.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What the calls were timed with.
    pub clock: Clock,
    /// The calls in the order in which they ran, none beginning before the one before it has ended.
    pub calls: Vec<CallTime>,
    /// What the host did, in order.
    pub host: Vec<HostTime>,
}

impl Profile {
    /// Seconds of all calls together.
    pub fn call_seconds(&self) -> f64 {
        self.calls.iter().map(|c| c.seconds).sum()
    }

    /// Seconds from the start of the first call to the end of the last.
    pub fn span_seconds(&self) -> f64 {
        match (self.calls.first(), self.calls.last()) {
            (Some(first), Some(last)) => last.start + last.seconds - first.start,
            _ => 0.0,
        }
    }
}

/// The measured roofline of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// f32 operations a second of a long loop of multiply-adds, each counting two.
    pub flops: f64,
    /// The same in f16, where the device computes in it.
    pub flops_f16: Option<f64>,
    /// Bytes a second that a copy reads and writes.
    pub bytes: f64,
    /// What they were timed with.
    pub clock: Clock,
}

impl Peaks {
    /// The least seconds in which the device could do these calls one after the other: of each the longer of its operations at
    /// the rate of f32 multiply-adds (all kernels add up in f32) and its bytes at that of the copy.
    pub fn bound<'a>(&self, calls: impl IntoIterator<Item = &'a Call>) -> f64 {
        calls.into_iter().map(|c| (c.flops as f64 / self.flops).max(c.bytes as f64 / self.bytes)).sum()
    }
}

/// The extents of a step in words, most of which stand with their families.
fn shape(step: &Step) -> String {
    match &step.kernel {
        Kernel::Pointwise => by(&step.program.domain),
        Kernel::Reduce { prologue, kept, .. } => {
            let (kept, reduced) = prologue.domain.split_at((*kept).min(prologue.domain.len()));
            format!("{} over {}", if kept.is_empty() { "1".to_string() } else { by(kept) }, by(reduced))
        }
        Kernel::MatMul(shape) => shape.words(),
        Kernel::Conv2d(shape) | Kernel::Conv2dInputGrad(shape) | Kernel::Conv2dWeightGrad(shape) => shape.words(),
        Kernel::MaxPool2d(shape) | Kernel::MaxPool2dIndex(shape) | Kernel::MaxPool2dGrad(shape) => shape.words(),
        Kernel::AvgPool2d(shape, _) | Kernel::AvgPool2dGrad(shape, _) => shape.words(),
        Kernel::Softmax { rows, n: columns, .. }
        | Kernel::CrossEntropy { rows, classes: columns, .. }
        | Kernel::CrossEntropyGrad { rows, classes: columns, .. }
        | Kernel::Moments { rows, columns, .. } => by(&[*rows, *columns]),
        Kernel::Custom(call) => by(&call.result.shape),
        Kernel::ArgReduce(_, shape)
        | Kernel::Gather(shape)
        | Kernel::ScatterAdd(shape)
        | Kernel::IndexSelect(shape)
        | Kernel::IndexAdd(shape) => shape.words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_takes_the_longer_of_work_and_traffic_of_each_call() {
        let peaks = Peaks { flops: 100.0, flops_f16: None, bytes: 10.0, clock: Clock::Host };
        let call = |flops, bytes| Call { flops, bytes, ..Call::default() };
        assert_eq!(peaks.bound(&[call(200, 10), call(0, 30)]), 2.0 + 3.0);
        assert_eq!(peaks.bound(&[]), 0.0);
    }
}
