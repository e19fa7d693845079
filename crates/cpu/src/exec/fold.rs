//! How lanes are summed up: in 32 bits within a few tiles, in 64 bits across them.

use crate::kernels::Vectorize;
use chiaro_graph::{DType, ReduceKind};

/// An operation of a reduction and the type of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    SumFloat,
    MaxFloat,
    MinFloat,
    SumInt,
    MaxInt,
    MinInt,
    MaxWord,
    MinWord,
}

impl Fold {
    pub fn new(kind: ReduceKind, dtype: DType) -> Fold {
        match (kind, dtype) {
            (ReduceKind::Sum, DType::F32 | DType::F16) => Fold::SumFloat,
            (ReduceKind::Max, DType::F32 | DType::F16) => Fold::MaxFloat,
            (ReduceKind::Min, DType::F32 | DType::F16) => Fold::MinFloat,
            (ReduceKind::Sum, _) => Fold::SumInt,
            (ReduceKind::Max, DType::I32) => Fold::MaxInt,
            (ReduceKind::Min, DType::I32) => Fold::MinInt,
            (ReduceKind::Max, _) => Fold::MaxWord,
            (ReduceKind::Min, _) => Fold::MinWord,
        }
    }

    /// The lane that changes nothing.
    pub fn identity(self) -> u32 {
        match self {
            Fold::SumFloat | Fold::SumInt | Fold::MaxWord => 0,
            Fold::MaxFloat => f32::NEG_INFINITY.to_bits(),
            Fold::MinFloat => f32::INFINITY.to_bits(),
            Fold::MaxInt => i32::MIN as u32,
            Fold::MinInt => i32::MAX as u32,
            Fold::MinWord => u32::MAX,
        }
    }

    /// A lane as a 64-bit partial result.
    pub fn widen(self, lane: u32) -> f64 {
        match self {
            Fold::SumFloat | Fold::MaxFloat | Fold::MinFloat => f64::from(f32::from_bits(lane)),
            Fold::MaxInt | Fold::MinInt => f64::from(lane as i32),
            Fold::SumInt | Fold::MaxWord | Fold::MinWord => f64::from(lane),
        }
    }

    /// A partial result as a lane.
    pub fn narrow(self, partial: f64) -> u32 {
        match self {
            Fold::SumFloat | Fold::MaxFloat | Fold::MinFloat => (partial as f32).to_bits(),
            Fold::MaxInt | Fold::MinInt => partial as i32 as u32,
            Fold::SumInt | Fold::MaxWord | Fold::MinWord => partial as u32,
        }
    }

    /// Two partial results together; NaN counts as the extreme, and sums of integers wrap around.
    pub fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Fold::SumFloat => a + b,
            Fold::SumInt => f64::from((a as u32).wrapping_add(b as u32)),
            Fold::MaxFloat | Fold::MaxInt | Fold::MaxWord => {
                if b > a || b.is_nan() {
                    b
                } else {
                    a
                }
            }
            Fold::MinFloat | Fold::MinInt | Fold::MinWord => {
                if b < a || b.is_nan() {
                    b
                } else {
                    a
                }
            }
        }
    }

    /// `total[i] = total[i] op lanes[i]`, for `lanes` in rows of `total`'s length.
    #[inline(always)]
    fn rows(self, total: &mut [u32], lanes: &[u32]) {
        #[inline(always)]
        fn each(total: &mut [u32], lanes: &[u32], f: impl Fn(u32, u32) -> u32) {
            for row in lanes.chunks(total.len()) {
                total.iter_mut().zip(row).for_each(|(t, &v)| *t = f(*t, v));
            }
        }
        let float = f32::from_bits;
        match self {
            Fold::SumFloat => each(total, lanes, |t, v| (float(t) + float(v)).to_bits()),
            Fold::MaxFloat => each(total, lanes, |t, v| if float(v) > float(t) || float(v).is_nan() { v } else { t }),
            Fold::MinFloat => each(total, lanes, |t, v| if float(v) < float(t) || float(v).is_nan() { v } else { t }),
            Fold::SumInt => each(total, lanes, u32::wrapping_add),
            Fold::MaxInt => each(total, lanes, |t, v| (t as i32).max(v as i32) as u32),
            Fold::MinInt => each(total, lanes, |t, v| (t as i32).min(v as i32) as u32),
            Fold::MaxWord => each(total, lanes, u32::max),
            Fold::MinWord => each(total, lanes, u32::min),
        }
    }
}

/// Adds rows of lanes to a row of totals.
pub(crate) struct AddRows<'a> {
    pub fold: Fold,
    pub total: &'a mut [u32],
    pub lanes: &'a [u32],
}

impl Vectorize for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.fold.rows(self.total, self.lanes);
    }
}

/// Folds each row of `cols` lanes into a partial result: `totals[(row + i) / per]`.
pub(crate) struct AddAcross<'a> {
    pub fold: Fold,
    pub lanes: &'a [u32],
    pub cols: usize,
    /// Number of the first row, and rows that go to one total.
    pub row: usize,
    pub per: usize,
    pub totals: &'a mut [f64],
}

impl Vectorize for AddAcross<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        const WIDE: usize = 32;
        let fold = self.fold;
        for (r, row) in self.lanes.chunks_exact(self.cols).enumerate() {
            let (long, rest) = row.split_at(row.len() / WIDE * WIDE);
            let total = &mut self.totals[(self.row + r) / self.per];
            if !long.is_empty() {
                let mut lanes = [fold.identity(); WIDE];
                fold.rows(&mut lanes, long);
                *total = lanes.iter().fold(*total, |t, &v| fold.join(t, fold.widen(v)));
            }
            *total = rest.iter().fold(*total, |t, &v| fold.join(t, fold.widen(v)));
        }
    }
}
