//! Whether two variants gave the same results, up to rounding.

use chiaro_graph::DType;

use crate::GpuError;

/// How far results may be apart, normwise: ||a - b|| / ||b||.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance(f64);

impl Tolerance {
    /// For sums of `terms` products. Products of f16 values are exact in f32; what is stored in f16 is rounded to 1 in 2048.
    pub fn new(half: bool, terms: usize) -> Tolerance {
        let growth = (terms as f64 / 1024.0).sqrt().max(1.0);
        Tolerance(if half { 1e-3 } else { 1e-5 * growth })
    }

    /// Whether `got` is `wanted` up to rounding; integers must be equal. The answer is the distance where it is not.
    pub fn check(&self, dtype: DType, got: &[u8], wanted: &[u8]) -> Result<(), f64> {
        let (Some(got), Some(wanted)) = (values(dtype, got), values(dtype, wanted)) else {
            return if got == wanted { Ok(()) } else { Err(f64::INFINITY) };
        };
        let (mut apart, mut norm) = (0.0, 0.0);
        for (g, w) in got.iter().zip(&wanted) {
            match (g.is_finite(), w.is_finite()) {
                (true, true) => {
                    apart += (g - w) * (g - w);
                    norm += w * w;
                }
                // An epilogue may take the logarithm of a negative number that was made up for the search.
                (false, false) => {}
                _ => return Err(f64::INFINITY),
            }
        }
        let error = if apart == 0.0 { 0.0 } else { (apart / norm).sqrt() };
        if got.len() == wanted.len() && error <= self.0 { Ok(()) } else { Err(error) }
    }
}

/// Floats of either size; `None` for other types.
fn values(dtype: DType, bytes: &[u8]) -> Option<Vec<f64>> {
    match dtype {
        DType::F32 => Some(bytemuck::pod_collect_to_vec::<u8, f32>(bytes).iter().map(|&v| f64::from(v)).collect()),
        DType::F16 => Some(bytemuck::pod_collect_to_vec::<u8, half::f16>(bytes).iter().map(|v| v.to_f64()).collect()),
        _ => None,
    }
}

/// Whether nothing more can be done on the device, so that an error is more than the failure of one variant.
pub(crate) fn ends_the_search(error: &GpuError) -> bool {
    matches!(error, GpuError::DeviceLost { .. } | GpuError::Timeout { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: &[f32], wanted: &[f32]) -> bool {
        let tolerance = Tolerance::new(false, 100);
        tolerance.check(DType::F32, bytemuck::cast_slice(got), bytemuck::cast_slice(wanted)).is_ok()
    }

    #[test]
    fn one_wrong_element_of_many_is_found_and_rounding_is_not() {
        let right: Vec<f32> = (0..1000).map(|i| (i as f32).sin()).collect();
        assert!(check(&right, &right));
        let rounded: Vec<f32> = right.iter().map(|v| v * (1.0 + 2e-7)).collect();
        assert!(check(&rounded, &right));
        let mut wrong = right.clone();
        wrong[500] += 0.01;
        assert!(!check(&wrong, &right));
        wrong[500] = f32::NAN;
        assert!(!check(&wrong, &right));
        assert!(!check(&vec![0.0; 1000], &right));
        assert!(!check(&right, &vec![0.0; 1000]));
        assert!(!check(&right[..999], &right));
    }

    #[test]
    fn integers_must_be_equal() {
        let tolerance = Tolerance::new(true, 1);
        assert!(tolerance.check(DType::I32, &[1, 0, 0, 0], &[1, 0, 0, 0]).is_ok());
        assert!(tolerance.check(DType::I32, &[1, 0, 0, 0], &[2, 0, 0, 0]).is_err());
    }
}
