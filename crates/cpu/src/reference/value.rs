//! Operands of the reference executor, sums of their types, and walks over the positions of a tensor.

use chiaro_graph::DType;
use chiaro_graph::shape::strides;

/// An operand: every element type is held as 64-bit floats (truth values 0 and 1).
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub shape: &'a [usize],
    pub dtype: DType,
    pub data: &'a [f64],
}

/// A whole number as a 32-bit integer type holds it, wrapped around; `None` for other types.
pub(super) fn wrap(v: i64, dtype: DType) -> Option<f64> {
    match dtype {
        DType::I32 => Some(f64::from(v as i32)),
        DType::U32 => Some(f64::from(v as u32)),
        DType::F32 | DType::F16 | DType::Bool => None,
    }
}

/// a + b; integers wrap around.
pub(super) fn sum(dtype: DType, a: f64, b: f64) -> f64 {
    wrap((a as i64).wrapping_add(b as i64), dtype).unwrap_or(a + b)
}

/// Calls `f` with the flat position and the index along each axis, in row-major order.
pub(super) fn each_index(shape: &[usize], mut f: impl FnMut(usize, &[usize])) {
    let count: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    for flat in 0..count {
        f(flat, &index);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Fills a tensor of `shape` from a function of the index.
pub(super) fn build(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.iter().product());
    each_index(shape, |_, index| out.push(f(index)));
    out
}

impl Value<'_> {
    /// The element at an index.
    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[ravel(self.shape, index)]
    }
}

/// Row-major position of an index.
pub(super) fn ravel(shape: &[usize], index: &[usize]) -> usize {
    strides(shape).iter().zip(index).map(|(s, i)| s * i).sum()
}
