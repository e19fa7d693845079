//! The measured roofline of the processor: multiply-adds of all threads, and a copy that no cache holds.

use std::hint::black_box;
use std::time::Instant;

use chiaro_graph::{Clock, Peaks};
use rayon::prelude::*;

use crate::kernels::{Level, Vectorize, madd};

/// Repetitions, of which the fastest counts.
const REPETITIONS: usize = 5;

/// Floats of a vector register at most, and sums that are added up side by side: two units with a latency of 4 want 8.
const WIDTH: usize = 16;
const SUMS: usize = 12;

/// Rounds of the loop: a few milliseconds.
const ROUNDS: usize = 1 << 20;

/// Bytes that are copied, shared by all threads.
const COPIED: usize = 128 << 20;

/// Measures with every thread of the current pool.
pub(crate) fn measure(level: Level) -> Peaks {
    Peaks { flops: multiplied(level), flops_f16: None, bytes: copied(), clock: Clock::Host }
}

/// Operations a second.
fn multiplied(level: Level) -> f64 {
    let threads = rayon::current_num_threads();
    let work = (threads * ROUNDS * SUMS * WIDTH * 2) as f64;
    let run = || {
        rayon::broadcast(|_| black_box(level.vectorize(Loop { start: black_box(0.1), rounds: black_box(ROUNDS) })));
    };
    work / fastest(run)
}

/// Bytes a second, read and written.
fn copied() -> f64 {
    let from = vec![1u8; COPIED];
    let mut to = vec![0u8; COPIED];
    let part = COPIED.div_ceil(rayon::current_num_threads()).next_multiple_of(4096);
    let seconds = fastest(|| {
        let parts = to.par_chunks_mut(part).zip(from.par_chunks(part));
        parts.for_each(|(to, from)| to.copy_from_slice(from));
        black_box(to.first());
    });
    (2 * COPIED) as f64 / seconds
}

/// Seconds of the fastest run, after one that warms up.
fn fastest(mut run: impl FnMut()) -> f64 {
    run();
    let timed = |_| {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    };
    (0..REPETITIONS).map(timed).fold(f64::INFINITY, f64::min)
}

/// Sums that each tend to 2: no overflow, no denormal.
struct Loop {
    start: f32,
    rounds: usize,
}

impl Vectorize for Loop {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        let mut sums = [[self.start; WIDTH]; SUMS];
        let (scale, shift) = (0.5 + self.start * 0.001, 1.0 - self.start * 0.001);
        for _ in 0..self.rounds {
            for sum in &mut sums {
                for lane in sum {
                    *lane = madd::<FMA>(*lane, scale, shift);
                }
            }
        }
        sums.iter().flatten().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_computes_the_same_loop() {
        for level in Level::available() {
            let sum = level.vectorize(Loop { start: 0.1, rounds: 100 });
            let limit = (1.0 - 0.0001) / (1.0 - 0.5001) * (WIDTH * SUMS) as f32;
            assert!((sum - limit).abs() < 1e-2, "{level:?}: {sum}, not {limit}");
        }
    }
}
