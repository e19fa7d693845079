//! One step of a plan on buffers of its own: run with any variant, compared and timed.

use std::sync::Arc;

use chiaro_graph::DType;
use chiaro_graph::plan::{Access, Operand, Step};

use super::clock::Stopwatch;
use super::compare::OutputTolerance;
use super::made::TuningTask;
use crate::kernels::{Dispatch, Part};
use crate::{BindGroup, Binding, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline};

/// A dispatch ready to be recorded.
pub(super) struct Ready {
    pub pipeline: Arc<Pipeline>,
    pub bound: BindGroup,
    pub workgroups: [u32; 3],
}

/// An operand that the step writes, and what the portable variant wrote there.
struct Written {
    operand: usize,
    wanted: GpuBuffer,
    fill: TuningTask,
    compare: TuningTask,
}

/// A step with made-up operands.
pub(super) struct Trial<'a> {
    gpu: &'a Gpu,
    step: &'a Step,
    clock: &'a Stopwatch,
    tolerance: OutputTolerance,
    operands: Vec<GpuBuffer>,
    written: Vec<Written>,
    scratch: Option<GpuBuffer>,
}

/// A device does at least so much work for one measurement, in seconds.
const LONG_ENOUGH: f64 = 2e-3;
/// A run of this length is measured well the first time.
const LONG: f64 = 1e-2;
/// What has taken this much longer than the best is not worth another measurement.
const HOPELESS: f64 = 1.15;

impl<'a> Trial<'a> {
    /// Buffers for a step, and scratch for the variant that needs the most: `scratch` f32 elements, or what was planned.
    pub fn new(gpu: &'a Gpu, step: &'a Step, clock: &'a Stopwatch, scratch: usize) -> Result<Trial<'a>, GpuError> {
        let buffer = |operand: &Operand| gpu.storage_buffer("tuning", bytes(operand));
        let operands: Vec<GpuBuffer> = step.operands.iter().map(buffer).collect::<Result<_, _>>()?;
        let fill = |i: usize| TuningTask::fill(gpu, &operands[i], kind(&step.operands[i]), i as u32 + 1);
        let all: Vec<TuningTask> = (0..operands.len()).map(fill).collect::<Result<_, _>>()?;
        submit(gpu, &all.iter().collect::<Vec<_>>())?;
        let is_written = |(i, _): &(usize, TuningTask)| step.operands[*i].access != Access::Read;
        let written = all.into_iter().enumerate().filter(is_written).map(|(operand, fill)| {
            let wanted = buffer(&step.operands[operand])?;
            let compare = TuningTask::compare(gpu, &operands[operand], &wanted, kind(&step.operands[operand]))?;
            Ok(Written { operand, wanted, fill, compare })
        });
        let written = written.collect::<Result<_, _>>()?;
        let scratch = step.scratch.as_ref().map(|o| 4 * o.len.max(scratch) as u64);
        let scratch = scratch.map(|bytes| gpu.storage_buffer("tuning", bytes)).transpose()?;
        Ok(Trial { gpu, step, clock, tolerance: OutputTolerance::of(step), operands, written, scratch })
    }

    /// Compiles variants, all kernels at once, and binds the trial's buffers to them.
    pub fn ready(&self, variants: &[Vec<Dispatch>]) -> Vec<Result<Vec<Ready>, GpuError>> {
        let label = self.step.label.as_str();
        let source = |d: &Dispatch| KernelSource::own(label, d.wgsl.as_str());
        let sources: Vec<KernelSource> = variants.iter().flatten().map(source).collect();
        let mut pipelines = self.gpu.each_pipeline(&sources).into_iter();
        let variant = |dispatches: &Vec<Dispatch>| {
            let own: Vec<_> = pipelines.by_ref().take(dispatches.len()).collect();
            dispatches.iter().zip(own).map(|(dispatch, pipeline)| self.bind(dispatch, pipeline?)).collect()
        };
        variants.iter().map(variant).collect()
    }

    fn bind(&self, dispatch: &Dispatch, pipeline: Arc<Pipeline>) -> Result<Ready, GpuError> {
        let parts = dispatch.parts.iter().filter_map(|part| match part {
            Part::Operand(i) => Some(Binding::from(&self.operands[*i])),
            Part::Scratch => self.scratch.as_ref().map(Binding::from),
            Part::Within { first, len } => {
                let buffer = self.scratch.as_ref()?.clone();
                Some(Binding { buffer, offset: 4 * *first as u64, bytes: 4 * *len as u64 })
            }
        });
        let parts: Vec<Binding> = parts.collect();
        let bound = self.gpu.bind(&pipeline, &parts)?;
        Ok(Ready { pipeline, bound, workgroups: dispatch.workgroups })
    }

    /// Runs one workgroup: software devices compile at the first dispatch, others fetch their code then.
    pub fn warm_up(&self, dispatches: &[Ready]) -> Result<(), GpuError> {
        let mut encoder = self.gpu.encoder("tuning")?;
        self.gpu.pass(&mut encoder, "tuning", |pass| {
            dispatches.iter().try_for_each(|d| pass.dispatch(&d.pipeline, &d.bound, [1, 1, 1], &[]))
        })?;
        self.gpu.submit("tuning", encoder).map(|_| ())
    }

    /// Seconds of a first run, after which the results are there to be compared.
    pub fn run(&self, dispatches: &[Ready]) -> Result<f64, GpuError> {
        submit(self.gpu, &self.written.iter().map(|w| &w.fill).collect::<Vec<_>>())?;
        self.clock.seconds(self.gpu, dispatches, 1)
    }

    /// Keeps the results of the last run as those that are wanted.
    pub fn keep(&self) -> Result<(), GpuError> {
        let mut encoder = self.gpu.encoder("tuning")?;
        for Written { operand, wanted, .. } in &self.written {
            let bytes = bytes(&self.step.operands[*operand]);
            encoder.copy_buffer_to_buffer(self.operands[*operand].raw(), 0, wanted.raw(), 0, Some(bytes));
        }
        self.gpu.submit("tuning", encoder).map(|_| ())
    }

    /// Whether the results of the last run are those that are wanted; how far apart they are where not.
    pub fn judge(&self) -> Result<Result<(), f64>, GpuError> {
        submit(self.gpu, &self.written.iter().map(|w| &w.compare).collect::<Vec<_>>())?;
        for written in &self.written {
            let apart = written.compare.apart(self.gpu)?;
            if let Err(error) = self.tolerance.judge(self.step.operands[written.operand].dtype, apart) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Seconds of the fastest of a few runs, given those of the first; less of them where there is no hope of beating `best`.
    pub fn seconds(&self, dispatches: &[Ready], first: f64, best: f64) -> Result<f64, GpuError> {
        let times = (LONG_ENOUGH / first.max(1e-7)).clamp(1.0, 50.0) as u32;
        let rounds = if first > LONG { 1 } else { 3 };
        let mut fastest = first;
        for _ in 0..rounds {
            if times == 1 && fastest > HOPELESS * best {
                break;
            }
            fastest = fastest.min(self.clock.seconds(self.gpu, dispatches, times)?);
        }
        Ok(fastest)
    }
}

fn submit(gpu: &Gpu, tasks: &[&TuningTask]) -> Result<(), GpuError> {
    let mut encoder = gpu.encoder("tuning")?;
    gpu.pass(&mut encoder, "tuning", |pass| tasks.iter().try_for_each(|task| task.record(pass)))?;
    gpu.submit("tuning", encoder).map(|_| ())
}

fn kind(operand: &Operand) -> (DType, usize) {
    (operand.dtype, operand.len)
}

/// Bytes of an operand, up to whole words.
fn bytes(operand: &Operand) -> u64 {
    (operand.len * operand.dtype.size()).next_multiple_of(4).max(4) as u64
}
