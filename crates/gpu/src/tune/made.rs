//! Operands made on the device, and results compared there: a search moves a few bytes, whatever its tensors hold.

use std::sync::Arc;

use chiaro_graph::DType;

use super::compare::Apart;
use crate::{BindGroup, Binding, ComputePass, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline};

const FILL: &str = concat!(include_str!("task.wgsl"), include_str!("fill.wgsl"));
const COMPARE: &str = concat!(include_str!("task.wgsl"), include_str!("compare.wgsl"));
/// Invocations of a workgroup, as the sources have them.
const INVOCATIONS: u32 = 64;
/// Workgroups that fill at most; each goes through its share in turns.
const FILLING: u32 = 1024;
/// Workgroups that compare at most: each leaves sums for the host to add up.
const COMPARING: u32 = 128;
/// Bytes that a workgroup of a comparison leaves.
const SUM_BYTES: u64 = 16;

/// What a dispatch does with the elements of one operand.
pub(crate) struct TuningTask {
    pipeline: Arc<Pipeline>,
    bound: BindGroup,
    workgroups: u32,
    /// Where a comparison leaves its sums.
    sums: Option<GpuBuffer>,
}

impl TuningTask {
    /// Fills `buffer` with `len` values between -1 and 1, or zeros and ones, the same for the same seed.
    pub fn fill(
        gpu: &Gpu,
        buffer: &GpuBuffer,
        (dtype, len): (DType, usize),
        seed: u32,
    ) -> Result<TuningTask, GpuError> {
        Self::new(gpu, ("fill", FILL, FILLING), (dtype, len), seed, |uniform, _| {
            Ok((vec![uniform, buffer.into()], None))
        })
    }

    /// Compares `len` elements of two buffers.
    pub fn compare(
        gpu: &Gpu,
        got: &GpuBuffer,
        wanted: &GpuBuffer,
        (dtype, len): (DType, usize),
    ) -> Result<TuningTask, GpuError> {
        Self::new(gpu, ("compare", COMPARE, COMPARING), (dtype, len), 0, |uniform, workgroups| {
            let sums = gpu.storage_buffer("sums of a comparison", u64::from(workgroups) * SUM_BYTES)?;
            Ok((vec![uniform, got.into(), wanted.into(), Binding::from(&sums)], Some(sums)))
        })
    }

    fn new(
        gpu: &Gpu,
        (entry, wgsl, most): (&str, &'static str, u32),
        (dtype, len): (DType, usize),
        seed: u32,
        bindings: impl FnOnce(Binding, u32) -> Result<(Vec<Binding>, Option<GpuBuffer>), GpuError>,
    ) -> Result<TuningTask, GpuError> {
        let kind = match dtype {
            DType::F32 => 0,
            DType::F16 => 1,
            DType::I32 | DType::U32 | DType::Bool => 2,
        };
        let mut source = KernelSource::own(format!("{entry} {dtype}"), wgsl).constant("KIND", f64::from(kind));
        source.entry = entry.to_owned();
        let pipeline = gpu.pipeline(&source)?;
        let length = u32::try_from(len).map_err(|_| GpuError::Limit {
            what: "an operand of a search (elements)".to_owned(),
            needed: len as u64,
            available: u64::from(u32::MAX),
            hint: "search with a smaller batch".to_owned(),
        })?;
        let words = length.div_ceil(if kind == 1 { 2 } else { 1 });
        let workgroups = words.div_ceil(INVOCATIONS).clamp(1, most);
        let uniform = gpu.uniform_buffer("a task of a search", 16)?;
        let task = [length, seed, workgroups * INVOCATIONS, 0];
        gpu.upload(&uniform, 0, bytemuck::cast_slice(&task))?;
        let (bindings, sums) = bindings(Binding::from(&uniform), workgroups)?;
        Ok(TuningTask { bound: gpu.bind(&pipeline, &bindings)?, pipeline, workgroups, sums })
    }

    /// Records it.
    pub fn record(&self, pass: &mut ComputePass<'_>) -> Result<(), GpuError> {
        pass.dispatch(&self.pipeline, &self.bound, [self.workgroups, 1, 1], &[])
    }

    /// What a comparison found, once it is submitted.
    pub fn apart(&self, gpu: &Gpu) -> Result<Apart, GpuError> {
        let Some(sums) = &self.sums else { return Ok(Apart::default()) };
        let sums: Vec<[f32; 4]> = bytemuck::pod_collect_to_vec(&gpu.download(sums, 0, sums.bytes())?);
        let total = |i: usize| sums.iter().map(|sum| f64::from(sum[i])).sum::<f64>();
        Ok(Apart { difference: total(0), norm: total(1), wrong: total(2), differing: total(3) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::OutputTolerance;
    use super::super::software::software;
    use super::*;

    fn submit(gpu: &Gpu, tasks: &[&TuningTask]) {
        let mut encoder = gpu.encoder("test").expect("an encoder");
        gpu.pass(&mut encoder, "test", |pass| tasks.iter().try_for_each(|task| task.record(pass))).expect("records");
        gpu.submit("test", encoder).expect("submits");
    }

    #[test]
    fn one_wrong_element_among_many_is_found_on_the_device_whatever_its_type_and_place() {
        let Some(gpu) = software() else { return };
        for (dtype, len) in [(DType::F32, 100_003), (DType::F16, 70_001), (DType::I32, 1000), (DType::F16, 1)] {
            let bytes = (len * dtype.size()).next_multiple_of(4) as u64;
            let [a, b] = [(); 2].map(|()| gpu.storage_buffer("test", bytes).expect("a buffer"));
            let [fill_a, fill_b] = [&a, &b].map(|b| TuningTask::fill(&gpu, b, (dtype, len), 7).expect("a task"));
            let compare = TuningTask::compare(&gpu, &a, &b, (dtype, len)).expect("a task");
            let tolerance = OutputTolerance::new(dtype == DType::F16, 100);
            submit(&gpu, &[&fill_a, &fill_b, &compare]);
            assert_eq!(tolerance.judge(dtype, compare.apart(&gpu).expect("sums")), Ok(()), "{dtype}");
            let made = gpu.download(&a, 0, bytes).expect("reads");
            assert!(made.chunks(4).collect::<std::collections::HashSet<_>>().len() > len.min(4) / 3, "it varies");
            for word in [0, bytes / 8 * 4, bytes - 4] {
                let old = gpu.download(&a, word, 4).expect("reads");
                let wrong =
                    if dtype == DType::I32 { [7, 0, 0, 0] } else { [old[0], old[1] ^ 0x44, old[2], old[3] ^ 4] };
                gpu.upload(&a, word, &wrong).expect("writes");
                submit(&gpu, &[&compare]);
                assert!(tolerance.judge(dtype, compare.apart(&gpu).expect("sums")).is_err(), "{dtype} word {word}");
                for special in [f32::NAN.to_bits(), 0x7c00_7c00] {
                    if dtype.is_float() && (special == 0x7c00_7c00) == (dtype == DType::F16) {
                        gpu.upload(&a, word, &special.to_le_bytes()).expect("writes");
                        submit(&gpu, &[&compare]);
                        assert!(tolerance.judge(dtype, compare.apart(&gpu).expect("sums")).is_err(), "{dtype}");
                    }
                }
                gpu.upload(&a, word, &old).expect("writes");
            }
        }
    }
}
