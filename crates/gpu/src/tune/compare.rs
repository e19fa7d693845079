//! Whether two variants gave the same results, up to rounding.

use chiaro_graph::DType;
use chiaro_graph::plan::Step;

use crate::GpuError;

/// How far results may be apart, normwise: ||a - b|| / ||b||.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputTolerance(f64);

/// What a comparison found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Apart {
    /// Squares of the differences.
    pub difference: f64,
    /// Squares of what is wanted.
    pub norm: f64,
    /// Elements that are finite on one side only, or too large for squares and not near.
    pub wrong: f64,
    /// Words whose bits differ.
    pub differing: f64,
}

impl OutputTolerance {
    /// For sums of `terms` products. Products of f16 values are exact in f32; what is stored in f16 is rounded to 1 in 2048.
    pub fn new(half: bool, terms: usize) -> OutputTolerance {
        let growth = (terms as f64 / 1024.0).sqrt().max(1.0);
        OutputTolerance(if half { 1e-3 } else { 1e-5 * growth })
    }

    /// For the results of a step.
    pub fn of(step: &Step) -> OutputTolerance {
        let half = step.operands.iter().any(|operand| operand.dtype == DType::F16);
        OutputTolerance::new(half, step.kernel.terms())
    }

    /// Whether results are equal up to rounding; integers must be equal. The answer is the distance where they are not.
    pub fn judge(&self, dtype: DType, found: Apart) -> Result<(), f64> {
        if found.differing == 0.0 {
            return Ok(());
        }
        if !dtype.is_float() || found.wrong > 0.0 || found.norm == 0.0 {
            return Err(f64::INFINITY);
        }
        let error = (found.difference / found.norm).sqrt();
        if error <= self.0 { Ok(()) } else { Err(error) }
    }
}

/// Whether nothing more can be done on the device, so that an error is more than the failure of one variant.
pub(crate) fn ends_the_search(error: &GpuError) -> bool {
    matches!(error, GpuError::DeviceLost { .. } | GpuError::Timeout { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_right_up_to_the_rounding_of_their_sums_and_integers_to_the_bit() {
        let apart = |difference: f64| Apart { difference, norm: 1.0, wrong: 0.0, differing: 9.0 };
        let short = OutputTolerance::new(false, 100);
        assert_eq!(short.judge(DType::F32, apart(0.9e-10)), Ok(()));
        assert!(short.judge(DType::F32, apart(1.1e-10)).is_err());
        assert_eq!(OutputTolerance::new(false, 4096).judge(DType::F32, apart(3.9e-10)), Ok(()));
        assert_eq!(OutputTolerance::new(true, 1).judge(DType::F16, apart(0.9e-6)), Ok(()));
        assert!(short.judge(DType::I32, apart(0.0)).is_err());
        assert!(short.judge(DType::F32, Apart { wrong: 1.0, ..apart(0.0) }).is_err());
        assert!(short.judge(DType::F32, Apart { norm: 0.0, ..apart(0.0) }).is_err(), "zeros are wanted");
        assert!(short.judge(DType::F32, apart(f64::NAN)).is_err());
        assert_eq!(short.judge(DType::Bool, Apart::default()), Ok(()));
    }
}
