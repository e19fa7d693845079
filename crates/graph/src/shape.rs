//! Shapes: element counts, row-major strides, broadcasting, and the bounds that keep arithmetic on them from wrapping.

/// Extents of a tensor, outermost first. An empty shape is a single number.
pub type Shape = Vec<usize>;

/// Most elements of a tensor: as 64-bit numbers, which are the reference's, they have an address each.
pub const MAX_ELEMENTS: usize = isize::MAX as usize / 8;

/// Largest extent, stride, dilation and padding of an image under a window: kernels add up to four of them in 32-bit integers.
pub const MAX_WINDOW: usize = 1 << 28;

/// Number of elements of a shape, if offsets and sizes of such a tensor cannot wrap: extents of 0 counted as 1, it has at most
/// [`MAX_ELEMENTS`]. Every shape of a graph has passed this.
pub fn checked_count(shape: &[usize]) -> Option<usize> {
    let spanned = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent.max(1)))?;
    (spanned <= MAX_ELEMENTS).then(|| count(shape))
}

/// Number of elements of a shape; `usize::MAX` if it does not fit.
pub fn count(shape: &[usize]) -> usize {
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |n, &extent| n.saturating_mul(extent)) }
}

/// Row-major strides, in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        out[i - 1] = shape[i].saturating_mul(out[i]);
    }
    out
}

/// The shape that two operands broadcast to (NumPy's rule: align the last axes, extents must match or be 1).
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Shape> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// `shape` with ones put in front until it has `rank` axes.
pub fn with_rank(shape: &[usize], rank: usize) -> Shape {
    let mut out = vec![1; rank.saturating_sub(shape.len())];
    out.extend_from_slice(shape);
    out
}

/// Extents in reports.
pub(crate) fn by(extents: &[usize]) -> String {
    extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// The extents of four axes; those that are missing are 1.
pub(crate) fn four(shape: &[usize]) -> [usize; 4] {
    let mut out = [1; 4];
    shape.iter().zip(&mut out).for_each(|(s, o)| *o = *s);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[5, 1, 4], &[6, 1]), Some(vec![5, 6, 4]));
        assert_eq!(broadcast(&[], &[3]), Some(vec![3]));
        assert_eq!(broadcast(&[2, 3], &[3, 2]), None);
    }

    #[test]
    fn counts_that_do_not_fit_are_told() {
        assert_eq!(checked_count(&[2, 3, 4]), Some(24));
        assert_eq!(checked_count(&[]), Some(1));
        assert_eq!(checked_count(&[5, 0]), Some(0));
        assert_eq!(checked_count(&[MAX_ELEMENTS]), Some(MAX_ELEMENTS));
        assert_eq!(checked_count(&[MAX_ELEMENTS + 1]), None);
        assert_eq!(checked_count(&[1 << 32, 1 << 32]), None);
        assert_eq!(checked_count(&[1 << 40, 1 << 40, 0]), None, "its strides would wrap");
        assert_eq!(count(&[1 << 32, 1 << 32]), usize::MAX);
        assert_eq!(count(&[1 << 40, 1 << 40, 0]), 0);
    }

    #[test]
    fn strides_are_row_major() {
        assert_eq!(strides(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(strides(&[]), [] as [usize; 0]);
    }
}
