//! The measured roofline of the processor: multiply-adds of all threads, and a copy that no cache holds.

use std::hint::black_box;
use std::time::Duration;

use chiaro_graph::clock::Instant;
use chiaro_graph::{Clock, Peaks};
use rayon::prelude::*;

use crate::kernels::{Level, Vectorize, madd};

/// Runs are repeated for so long, and the fastest counts: short ones find the moments in which nobody else computes.
const ENOUGH: Duration = Duration::from_millis(250);

/// Floats that each thread works on, all of them in its first cache.
const FLOATS: usize = 1024;

/// Multiply-adds of a float between its load and its store. Long enough that those do not count, and short enough that the
/// processor reaches the next floats, whose chains are independent, before this one ends.
const CHAIN: usize = 16;

/// Times that all floats are gone through: about a millisecond.
const ROUNDS: usize = 1 << 13;

/// Bytes that are copied, shared by all threads.
const COPIED: usize = 128 << 20;

/// Measures with every thread of the current pool.
pub(crate) fn measure(level: Level) -> Peaks {
    Peaks { flops: multiplied(level), flops_f16: None, bytes: copied(), clock: Clock::Host }
}

/// Operations a second.
fn multiplied(level: Level) -> f64 {
    let work = (rayon::current_num_threads() * ROUNDS * FLOATS * CHAIN * 2) as f64;
    let run = || {
        rayon::broadcast(|_| {
            let mut floats = vec![0.1; FLOATS];
            level.vectorize(Loop { floats: black_box(&mut floats), rounds: black_box(ROUNDS) });
            black_box(&floats);
        });
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
    let mut timed = || {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    };
    let started = Instant::now();
    let mut fastest = timed();
    while started.elapsed() < ENOUGH {
        fastest = fastest.min(timed());
    }
    fastest
}

/// Values that each tend to 2: no overflow, no denormal.
struct Loop<'a> {
    floats: &'a mut [f32],
    rounds: usize,
}

impl Vectorize for Loop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (scale, shift) = (black_box(0.5), black_box(1.0));
        for _ in 0..self.rounds {
            for float in &mut *self.floats {
                let mut value = *float;
                for _ in 0..CHAIN {
                    value = madd::<FMA>(value, scale, shift);
                }
                *float = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_computes_the_loop() {
        for level in Level::available() {
            let mut floats = [0.0; 37];
            level.vectorize(Loop { floats: &mut floats, rounds: 1 });
            let value = 2.0 - 2.0 * 0.5f32.powi(CHAIN as i32);
            assert!(floats.iter().all(|float| (float - value).abs() < 1e-6), "{level:?}: {floats:?}, not {value}");
        }
    }
}
