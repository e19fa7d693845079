//! Selection by index and its adjoints, which add into zeros.

use super::value::{Value, build, each_index, ravel, sum};

/// An index moved inside the axis (outside is the caller's error).
fn inside(index: f64, extent: usize) -> usize {
    (index.max(0.0) as usize).min(extent - 1)
}

pub(super) fn gather(x: Value<'_>, index: Value<'_>, axis: usize, shape: &[usize]) -> Vec<f64> {
    build(shape, |at| {
        let mut source = at.to_vec();
        source[axis] = inside(index.at(at), x.shape[axis]);
        x.at(&source)
    })
}

pub(super) fn scatter_add(source: Value<'_>, index: Value<'_>, axis: usize, shape: &[usize]) -> Vec<f64> {
    let mut out = vec![0.0; shape.iter().product()];
    each_index(source.shape, |flat, at| {
        let mut target = at.to_vec();
        target[axis] = inside(index.data[flat], shape[axis]);
        let slot = &mut out[ravel(shape, &target)];
        *slot = sum(source.dtype, *slot, source.data[flat]);
    });
    out
}

pub(super) fn index_select(x: Value<'_>, index: Value<'_>, axis: usize, shape: &[usize]) -> Vec<f64> {
    build(shape, |at| {
        let mut source = at.to_vec();
        source[axis] = inside(index.data[at[axis]], x.shape[axis]);
        x.at(&source)
    })
}

pub(super) fn index_add(source: Value<'_>, index: Value<'_>, axis: usize, shape: &[usize]) -> Vec<f64> {
    let mut out = vec![0.0; shape.iter().product()];
    each_index(source.shape, |flat, at| {
        let mut target = at.to_vec();
        target[axis] = inside(index.data[at[axis]], shape[axis]);
        let slot = &mut out[ravel(shape, &target)];
        *slot = sum(source.dtype, *slot, source.data[flat]);
    });
    out
}
