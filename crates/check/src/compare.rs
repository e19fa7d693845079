//! The measures of agreement: normwise relative error in 64 bits, and an elementwise bound where sizes differ much.

use chiaro_graph::Tensor;

/// `||a - b|| / ||b||`; 0 if both are zero, infinite if only b is or if anything is not a number.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    // Equal infinities agree, and so do equal NaNs.
    let same = |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan());
    let difference = norm(&mut a.iter().zip(b).map(|(&x, &y)| if same(x, y) { 0.0 } else { x - y }));
    let size = norm(&mut b.iter().copied().filter(|v| v.is_finite()));
    match (difference, size) {
        (0.0, _) => 0.0,
        (d, s) if d.is_nan() || s == 0.0 => f64::INFINITY,
        (d, s) => d / s,
    }
}

/// Relative error of a tensor against the expected one.
///
/// # Errors
/// In words, if shapes or types differ, or if integers or truth values are not identical.
pub fn compare(got: &Tensor, want: &Tensor) -> Result<f64, String> {
    if got.shape() != want.shape() || got.dtype() != want.dtype() {
        let (gs, gd, ws, wd) = (got.shape(), got.dtype(), want.shape(), want.dtype());
        return Err(format!("is {gd} {gs:?}, expected {wd} {ws:?}"));
    }
    let (a, b) = (got.to_f64(), want.to_f64());
    if got.dtype().is_float() {
        return Ok(relative_error(&a, &b));
    }
    let differing = a.iter().zip(&b).filter(|(x, y)| x != y).count();
    if differing > 0 {
        return Err(format!("{differing} of {} values of type {} differ", b.len(), want.dtype()));
    }
    Ok(0.0)
}

/// The first element with `|a - b| > atol + rtol |b|`, as position, a and b. Sizes below 1e-37 may be flushed to zero.
pub fn elementwise_violation(a: &[f64], b: &[f64], atol: f64, rtol: f64) -> Option<(usize, f64, f64)> {
    let within = |x: f64, y: f64| (x - y).abs() <= atol + rtol * y.abs();
    a.iter().zip(b).enumerate().find(|(_, (x, y))| !within(**x, **y)).map(|(i, (x, y))| (i, *x, *y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_relative_to_the_expected_norm() {
        assert!((relative_error(&[3.0, 4.5], &[3.0, 4.0]) - 0.1).abs() < 1e-15);
        assert_eq!(relative_error(&[0.0], &[0.0]), 0.0);
        assert_eq!(relative_error(&[1.0], &[0.0]), f64::INFINITY);
    }

    #[test]
    fn a_nan_or_a_missing_element_never_agrees() {
        assert_eq!(relative_error(&[f64::NAN, 1.0], &[1.0, 1.0]), f64::INFINITY);
        assert_eq!(relative_error(&[f64::INFINITY, 1.0], &[1.0, 1.0]), f64::INFINITY);
        assert_eq!(relative_error(&[1.0], &[1.0, 1.0]), f64::INFINITY);
        assert!(elementwise_violation(&[f64::NAN], &[1.0], 1.0, 1.0).is_some());
    }

    #[test]
    fn integers_must_be_identical() {
        let a = Tensor::i32(vec![2], vec![1, 2]).expect("two elements");
        let b = Tensor::i32(vec![2], vec![1, 3]).expect("two elements");
        assert_eq!(compare(&a, &a), Ok(0.0));
        assert!(compare(&a, &b).is_err());
    }
}
