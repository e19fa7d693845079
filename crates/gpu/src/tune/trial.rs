//! One step of a plan on buffers of its own: run with any variant, compared and timed.

use std::sync::Arc;

use chiaro_graph::DType;
use chiaro_graph::plan::{Access, Operand, Step};

use super::clock::Clock;
use super::compare::Tolerance;
use crate::kernels::{self, Dispatch, Part, Variants};
use crate::{BindGroup, Binding, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline};

/// A dispatch ready to be recorded.
pub(super) struct Ready {
    pub pipeline: Arc<Pipeline>,
    pub bound: BindGroup,
    pub workgroups: [u32; 3],
}

/// A step with made-up operands.
pub(super) struct Trial<'a> {
    gpu: &'a Gpu,
    step: &'a Step,
    clock: &'a Clock,
    operands: Vec<GpuBuffer>,
    contents: Vec<Vec<u8>>,
    scratch: Option<GpuBuffer>,
}

/// A device does at least so much work for one measurement, in seconds.
const LONG_ENOUGH: f64 = 2e-3;

impl<'a> Trial<'a> {
    /// Buffers for a step, and scratch for the variant that needs the most: `scratch` f32 elements, or what was planned.
    pub fn new(gpu: &'a Gpu, step: &'a Step, clock: &'a Clock, scratch: usize) -> Result<Trial<'a>, GpuError> {
        let contents: Vec<Vec<u8>> = step.operands.iter().zip(1..).map(|(o, seed)| made_up(o, seed)).collect();
        let buffer = |bytes: &Vec<u8>| gpu.storage_buffer("tuning", bytes.len() as u64);
        let operands: Vec<GpuBuffer> = contents.iter().map(buffer).collect::<Result<_, _>>()?;
        for (buffer, bytes) in operands.iter().zip(&contents) {
            gpu.upload(buffer, 0, bytes)?;
        }
        let scratch = step.scratch.as_ref().map(|o| 4 * o.len.max(scratch) as u64);
        let scratch = scratch.map(|bytes| gpu.storage_buffer("tuning", bytes)).transpose()?;
        Ok(Trial { gpu, step, clock, operands, contents, scratch })
    }

    /// Compiles the step's kernels in this variant.
    pub fn compile(&self, variants: &Variants) -> Result<Vec<Ready>, GpuError> {
        let label = &self.step.label;
        let made = kernels::dispatches(self.step, variants)
            .map_err(|error| GpuError::Shader { label: label.clone(), message: error.to_string() })?;
        self.ready(made)
    }

    /// Compiles kernels and binds the trial's buffers to them.
    pub fn ready(&self, made: Vec<Dispatch>) -> Result<Vec<Ready>, GpuError> {
        let label = &self.step.label;
        let sources: Vec<KernelSource> =
            made.iter().map(|d| KernelSource::new(label.as_str(), d.wgsl.as_str())).collect();
        let pipelines = self.gpu.pipelines(&sources)?;
        let ready = |(dispatch, pipeline): (Dispatch, Arc<Pipeline>)| {
            let buffers = dispatch.parts.iter().filter_map(|part| match part {
                Part::Operand(i) => Some(&self.operands[*i]),
                Part::Scratch => self.scratch.as_ref(),
            });
            let parts: Vec<Binding> = buffers.map(Binding::from).collect();
            let bound = self.gpu.bind(&pipeline, &parts)?;
            Ok(Ready { pipeline, bound, workgroups: dispatch.workgroups })
        };
        made.into_iter().zip(pipelines).map(ready).collect()
    }

    /// The results of one run, in the order of the operands that are written.
    pub fn results(&self, dispatches: &[Ready]) -> Result<Vec<Vec<u8>>, GpuError> {
        for i in self.written() {
            self.gpu.upload(&self.operands[i], 0, &self.contents[i])?;
        }
        self.clock.seconds(self.gpu, dispatches, 1)?;
        let bytes = |i: usize| (self.step.operands[i].len * self.step.operands[i].dtype.size()) as u64;
        self.written().map(|i| self.gpu.download(&self.operands[i], 0, bytes(i))).collect()
    }

    /// Whether results equal those of the portable variant.
    pub fn agree(&self, got: &[Vec<u8>], wanted: &[Vec<u8>], tolerance: Tolerance) -> bool {
        let types = self.written().map(|i| self.step.operands[i].dtype);
        types.zip(got.iter().zip(wanted)).all(|(dtype, (got, wanted))| tolerance.check(dtype, got, wanted).is_ok())
    }

    /// Seconds of the fastest of a few runs; of one run only where that is beyond hope of beating `best`.
    pub fn seconds(&self, dispatches: &[Ready], best: f64) -> Result<f64, GpuError> {
        let first = self.clock.seconds(self.gpu, dispatches, 1)?;
        if first > 3.0 * best {
            return Ok(first);
        }
        let times = (LONG_ENOUGH / first.max(1e-7)).clamp(1.0, 50.0) as u32;
        let mut fastest = first;
        for _ in 0..3 {
            fastest = fastest.min(self.clock.seconds(self.gpu, dispatches, times)?);
        }
        Ok(fastest)
    }

    fn written(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.operands.len()).filter(|&i| self.step.operands[i].access != Access::Read)
    }
}

/// Bytes of an operand, up to whole words.
fn words(operand: &Operand) -> usize {
    (operand.len * operand.dtype.size()).next_multiple_of(4).max(4)
}

/// Values between -1 and 1, or zeros and ones, that follow no pattern a kernel could hide an error in.
fn made_up(operand: &Operand, seed: u32) -> Vec<u8> {
    let hash = |i: usize| {
        let start = (i as u32).wrapping_mul(0x9e37_79b9) ^ seed.wrapping_mul(0x85eb_ca6b);
        let mixed = (start ^ (start >> 15)).wrapping_mul(0x2c1b_3c6d);
        (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39) >> 8
    };
    let unit = |i: usize| hash(i) as f32 / (1u32 << 23) as f32 - 1.0;
    let mut bytes: Vec<u8> = match operand.dtype {
        DType::F32 => (0..operand.len).flat_map(|i| unit(i).to_le_bytes()).collect(),
        DType::F16 => (0..operand.len).flat_map(|i| half::f16::from_f32(unit(i)).to_le_bytes()).collect(),
        other => (0..operand.len * other.size() / 4).flat_map(|i| (hash(i) & 1).to_le_bytes()).collect(),
    };
    bytes.resize(words(operand), 0);
    bytes
}
