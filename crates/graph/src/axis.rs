//! Axes as users give them.

/// An axis: 0 is the outermost, -1 the innermost.
pub trait Axis: Copy + std::fmt::Debug {
    /// Its position among `rank` axes; `None` if there is no such axis.
    fn position(self, rank: usize) -> Option<usize>;
}

macro_rules! axis {
    ($($Int:ty),+) => {$(
        impl Axis for $Int {
            fn position(self, rank: usize) -> Option<usize> {
                let axis = i64::try_from(self).ok()?;
                let from_front = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
                usize::try_from(from_front).ok().filter(|&a| a < rank)
            }
        }
    )+};
}

axis!(i32, i64, isize, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_axes_count_from_the_end() {
        assert_eq!([0, 2, -1, -3].map(|a: i32| a.position(3)), [Some(0), Some(2), Some(2), Some(0)]);
        assert_eq!([3, -4, i64::MIN, i64::MAX].map(|a| a.position(3)), [None; 4]);
        assert_eq!(usize::MAX.position(3), None);
        assert_eq!(0usize.position(0), None);
    }
}
