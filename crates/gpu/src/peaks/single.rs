//! What of a device is measured one by one: arithmetic, matrix units, memory, workgroup memory, and what a dispatch costs.

use chiaro_graph::Clock;

use super::{INVOCATIONS, SOURCE, copied, f16_source, kernel::MeasuredKernel, multiplied, saturated};
use crate::{Gpu, GpuError};

const SINGLE: &str = include_str!("single.wgsl");
const INDEPENDENT: &str = include_str!("independent.wgsl");
const MATRIX: &str = include_str!("matrix.wgsl");

/// Rounds of the loops, loads of an invocation in a round, and multiplications of matrices, as the sources have them.
const ROUNDS: u64 = 256;
const LOADS: u64 = 16;
const PRODUCTS: u64 = 8;

/// Subgroups of a workgroup that multiplies matrices, if they are of 32 invocations.
const SUBGROUPS: u64 = 4;

/// Counts of empty dispatches in a pass; the slope between them is the cost of one.
const FEW: u32 = 16;
const MANY: u32 = 512;

/// One thing that a device is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peak {
    /// Multiply-adds of f32 in registers.
    MultiplyAdd,
    /// The same in f16.
    MultiplyAddHalf,
    /// Cooperative matrices of this size, f16 with f32 sums, in registers.
    Matrix(u32),
    /// A copy of a buffer that no cache holds.
    Copy,
    /// Loads of 4 bytes from workgroup memory, neighbours by neighbours.
    WorkgroupLoads4,
    /// The same of 16 bytes.
    WorkgroupLoads16,
    /// Empty dispatches of which each waits for the one before.
    DependentDispatches,
    /// Empty dispatches that need not wait.
    IndependentDispatches,
}

/// A measured figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// In the unit of the peak.
    pub value: f64,
    /// What it was timed with.
    pub clock: Clock,
}

impl Peak {
    /// All of them.
    pub const ALL: [Peak; 9] = [
        Peak::MultiplyAdd,
        Peak::MultiplyAddHalf,
        Peak::Matrix(16),
        Peak::Matrix(8),
        Peak::Copy,
        Peak::WorkgroupLoads4,
        Peak::WorkgroupLoads16,
        Peak::DependentDispatches,
        Peak::IndependentDispatches,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Peak::MultiplyAdd => "peak multiply-adds f32",
            Peak::MultiplyAddHalf => "peak multiply-adds f16",
            Peak::Matrix(8) => "peak cooperative matrices 8x8x8 f16",
            Peak::Matrix(_) => "peak cooperative matrices 16x16x16 f16",
            Peak::Copy => "peak copy",
            Peak::WorkgroupLoads4 => "peak workgroup loads of 4 bytes",
            Peak::WorkgroupLoads16 => "peak workgroup loads of 16 bytes",
            Peak::DependentDispatches => "peak empty dispatches, dependent",
            Peak::IndependentDispatches => "peak empty dispatches, independent",
        }
    }

    /// The unit of its figure.
    pub fn unit(self) -> &'static str {
        match self {
            Peak::MultiplyAdd | Peak::MultiplyAddHalf | Peak::Matrix(_) => "GFLOP/s",
            Peak::Copy | Peak::WorkgroupLoads4 | Peak::WorkgroupLoads16 => "GB/s",
            Peak::DependentDispatches | Peak::IndependentDispatches => "µs a dispatch",
        }
    }
}

impl Gpu {
    /// Measures one peak; `None` where the device has no such thing.
    ///
    /// # Errors
    /// As [`Gpu::pipeline`] and [`Gpu::storage_buffer`]; [`GpuError::DeviceLost`].
    pub fn measure(&self, peak: Peak) -> Result<Option<Figure>, GpuError> {
        let giga = |(value, clock): (f64, Clock)| Some(Figure { value: value / 1e9, clock });
        Ok(match peak {
            Peak::MultiplyAdd => giga(multiplied(self, SOURCE)?),
            Peak::MultiplyAddHalf if self.features().f16 => giga(multiplied(self, &f16_source())?),
            Peak::MultiplyAddHalf => None,
            Peak::Matrix(size) => matrices(self, size)?.and_then(giga),
            Peak::Copy => giga(copied(self)?),
            Peak::WorkgroupLoads4 => giga(loads(self, 4)?),
            Peak::WorkgroupLoads16 => giga(loads(self, 16)?),
            Peak::DependentDispatches => Some(dispatches(self, SINGLE, "dependent")?),
            Peak::IndependentDispatches => Some(dispatches(self, INDEPENDENT, "independent")?),
        })
    }
}

/// Bytes a second that all invocations load from workgroup memory.
fn loads(gpu: &Gpu, bytes: u64) -> Result<(f64, Clock), GpuError> {
    let (input, output) = buffers(gpu)?;
    let kernel = MeasuredKernel::new(gpu, SINGLE, &format!("loads_of_{bytes}"), [&input, &output], 1)?;
    let (workgroups, seconds, clock) = saturated(gpu, &kernel)?;
    Ok(((workgroups * INVOCATIONS * ROUNDS * LOADS * bytes) as f64 / seconds, clock))
}

/// The cost of one empty dispatch among many, which its own begin and end are no part of.
fn dispatches(gpu: &Gpu, source: &str, entry: &str) -> Result<Figure, GpuError> {
    let (input, output) = buffers(gpu)?;
    let of = |count| -> Result<(f64, Clock), GpuError> {
        let kernel = MeasuredKernel::new(gpu, source, entry, [&input, &output], count)?;
        kernel.seconds(gpu, 1)?;
        let (each, clock) = kernel.fastest(gpu, 1)?;
        Ok((each * f64::from(count), clock))
    };
    let ((few, few_clock), (many, clock)) = (of(FEW)?, of(MANY)?);
    // Times of two clocks have no slope.
    let each = if few_clock == clock { (many - few) / f64::from(MANY - FEW) } else { many / f64::from(MANY) };
    Ok(Figure { value: 1e6 * each, clock })
}

/// Operations a second of matrices that stay in registers; `None` where the device has none of this size.
fn matrices(gpu: &Gpu, size: u32) -> Result<Option<(f64, Clock)>, GpuError> {
    let features = gpu.features();
    let has = features.cooperative_matrix.contains(&format!("{size}x{size}x{size} F16->F32"));
    if !has || !features.f16 || features.subgroups.is_none() {
        return Ok(None);
    }
    let (input, output) = buffers(gpu)?;
    let kernel = MeasuredKernel::new(gpu, &matrix_source(size), "matrices", [&input, &output], 1)?;
    let (workgroups, seconds, clock) = saturated(gpu, &kernel)?;
    // The workgroup counts on subgroups of 32; smaller ones are more of them.
    let (smallest, largest) = features.subgroups.unwrap_or((32, 32));
    let subgroups = SUBGROUPS * 32 / u64::from(if smallest == largest { largest } else { 32 });
    let flops = 2 * u64::from(size).pow(3) * PRODUCTS * ROUNDS * subgroups.max(1);
    Ok(Some(((workgroups * flops) as f64 / seconds, clock)))
}

fn matrix_source(size: u32) -> String {
    MATRIX.replace("16x16", &format!("{size}x{size}")).replace("SIZE: u32 = 16u", &format!("SIZE: u32 = {size}u"))
}

fn buffers(gpu: &Gpu) -> Result<(crate::GpuBuffer, crate::GpuBuffer), GpuError> {
    let bytes = 16 * INVOCATIONS;
    Ok((gpu.storage_buffer("peak input", bytes)?, gpu.storage_buffer("peak output", bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_loop_and_load_as_often_as_is_counted() {
        for (entry, words) in [("loads_of_4", " words["), ("loads_of_16", " wide_words[")] {
            let (_, code) = SINGLE.split_once(&format!("fn {entry}")).expect("the entry");
            let code = code.split("@compute").next().expect("its body");
            assert_eq!(code.matches(words).count() - 1, LOADS as usize, "{entry}: one store, then loads");
        }
        assert!(SINGLE.contains(&format!("const ROUNDS: u32 = {ROUNDS}u;")));
        assert!(MATRIX.contains(&format!("const ROUNDS: u32 = {ROUNDS}u;")));
        assert_eq!(MATRIX.matches("coopMultiplyAdd(").count(), PRODUCTS as usize);
        assert!(MATRIX.contains(&format!("@workgroup_size({})", 32 * SUBGROUPS)));
    }

    #[test]
    fn the_kernel_of_matrices_is_valid_in_both_sizes() {
        for size in [8, 16] {
            let source = matrix_source(size);
            let checked = chiaro_shaders::validate::check(&source, &[]).unwrap_or_else(|e| panic!("{size}: {e}"));
            assert!(!checked.spirv().expect("SPIR-V").is_empty());
            assert!(source.contains(&format!("coop_mat{size}x{size}<f16, A>")), "{source}");
        }
    }
}
