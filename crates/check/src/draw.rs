//! Seeded test data, the same on every machine.

use chiaro_graph::{ArenaInfo, DType, Tensor, normal_pair, random_words, uniform};

/// How the elements of a test input are drawn.
#[derive(Clone, Debug)]
pub enum Draw {
    /// Standard normal numbers.
    Normal,
    /// Normal numbers of this mean and spread.
    NormalAround(f64, f64),
    /// Uniform numbers of an interval.
    Uniform(f64, f64),
    /// Normal numbers rounded to multiples of a step: many exact ties.
    Ties(f64),
    /// Whole numbers `low..high`.
    Integers(i64, i64),
    /// Truth values.
    Bools,
    /// These values, repeated.
    Values(Vec<f64>),
    /// Rows (last axis) of positive numbers that sum to one.
    Probabilities,
}

/// A seed from a name (FNV-1a).
pub fn seed(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Values for an arena before a case runs, padding included.
pub(crate) fn arena_values(arena: &ArenaInfo) -> Tensor {
    let draw = if arena.dtype.is_float() { Draw::Normal } else { Draw::Integers(0, 100) };
    draw.tensor(seed(&arena.name), 0, &[arena.len], arena.dtype)
}

impl Draw {
    /// A tensor of this distribution, rounded to its type; `stream` distinguishes tensors of one seed.
    pub fn tensor(&self, seed: u64, stream: u32, shape: &[usize], dtype: DType) -> Tensor {
        let count = shape.iter().product();
        let mut values: Vec<f64> = (0..count).map(|i| self.element(seed, stream, i)).collect();
        if let Draw::Probabilities = self {
            for row in values.chunks_mut(shape.last().copied().unwrap_or(1).max(1)) {
                let total: f64 = row.iter().sum();
                row.iter_mut().for_each(|v| *v /= total);
            }
        }
        let zeros = || Tensor::zeros(shape, dtype);
        Tensor::from_f64(shape, dtype, &values).unwrap_or_else(zeros)
    }

    fn element(&self, seed: u64, stream: u32, i: usize) -> f64 {
        let words = random_words([seed as u32, (seed >> 32) as u32, stream], 0, i as u32);
        let (u, normal) = (f64::from(uniform(words[0])), normal_pair([words[0], words[1]])[0]);
        let whole = |low: i64, high: i64| low + (u * (high - low) as f64) as i64;
        match self {
            Draw::Normal => normal,
            Draw::NormalAround(mean, spread) => mean + spread * normal,
            Draw::Uniform(low, high) => low + u * (high - low),
            Draw::Ties(step) => (normal / step).round() * step,
            Draw::Integers(low, high) => whole(*low, *high) as f64,
            Draw::Bools => whole(0, 2) as f64,
            Draw::Values(v) => v[i % v.len()],
            Draw::Probabilities => u + 0.05,
        }
    }
}
