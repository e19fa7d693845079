//! Learning-rate schedules, in f64 on the host. The unit of time is the caller's: a step or an epoch.

mod plateau;

pub use plateau::{Plateau, Threshold};

use std::f64::consts::PI;

/// A learning rate as a function of time, in closed form.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// The base rate always.
    Constant,
    /// Times `gamma` every `every`.
    Step {
        /// Time between two falls.
        every: u64,
        /// Factor of each.
        gamma: f64,
    },
    /// Times `gamma` at each milestone.
    MultiStep {
        /// When, in any order.
        milestones: Vec<u64>,
        /// Factor of each.
        gamma: f64,
    },
    /// Times `gamma` every time.
    Exponential {
        /// The factor.
        gamma: f64,
    },
    /// Half a cosine from the base rate to `min` in `period`, then back up, and so on (arXiv:1608.03983).
    Cosine {
        /// Time from the highest rate to the lowest.
        period: u64,
        /// The lowest rate.
        min: f64,
    },
    /// From `start` times the base rate to `end` times, evenly over `over`.
    Linear {
        /// First factor.
        start: f64,
        /// Last factor.
        end: f64,
        /// Time from one to the other.
        over: u64,
    },
    /// `before` until `at`, then `after` with its own time from 0: warm-up and cosine, for example.
    Then {
        /// The first schedule.
        before: Box<Schedule>,
        /// When it ends.
        at: u64,
        /// The second.
        after: Box<Schedule>,
    },
    /// One cycle of cosine shape (arXiv:1708.07120); the base rate is the highest.
    OneCycle {
        /// Length of the cycle; the lowest rate comes at `total - 1`.
        total: u64,
        /// Share of it in which the rate rises.
        rise: f64,
        /// Highest rate over the first.
        div: f64,
        /// First rate over the last.
        final_div: f64,
    },
    /// Base rate times (1 - t/over)^power, and 0 from then on.
    Polynomial {
        /// When the rate is 0.
        over: u64,
        /// The power.
        power: f64,
    },
}

impl Schedule {
    /// A linear rise over `warmup`, from a hundredth of the base rate, then a cosine fall to 0 at `total`.
    pub fn warmup_cosine(warmup: u64, total: u64) -> Schedule {
        let cosine = Schedule::Cosine { period: total.saturating_sub(warmup).max(1), min: 0.0 };
        if warmup == 0 {
            return cosine;
        }
        let before = Box::new(Schedule::Linear { start: 0.01, end: 1.0, over: warmup });
        Schedule::Then { before, at: warmup, after: Box::new(cosine) }
    }

    /// One cycle with PyTorch's defaults: three tenths rise, from a 25th of the base rate, to a 10,000th of that.
    pub fn one_cycle(total: u64) -> Schedule {
        Schedule::OneCycle { total, rise: 0.3, div: 25.0, final_div: 1e4 }
    }

    /// The rate at time `t`, from 0.
    pub fn rate(&self, base: f64, t: u64) -> f64 {
        let time = t as f64;
        match self {
            Schedule::Constant => base,
            Schedule::Step { every, gamma } => base * gamma.powf((t / every.max(&1)) as f64),
            Schedule::MultiStep { milestones, gamma } => {
                base * gamma.powf(milestones.iter().filter(|&&m| m <= t).count() as f64)
            }
            Schedule::Exponential { gamma } => base * gamma.powf(time),
            Schedule::Cosine { period, min } => {
                min + (base - min) * (1.0 + (PI * time / (*period).max(1) as f64).cos()) / 2.0
            }
            Schedule::Linear { start, end, over } => {
                let share = if *over == 0 { 1.0 } else { (time / *over as f64).min(1.0) };
                base * (start + (end - start) * share)
            }
            Schedule::Then { before, at, .. } if t < *at => before.rate(base, t),
            Schedule::Then { at, after, .. } => after.rate(base, t - at),
            Schedule::OneCycle { total, rise, div, final_div } => {
                let last = total.saturating_sub(1) as f64;
                let top = rise * *total as f64 - 1.0;
                let (first, lowest) = (base / div, base / div / final_div);
                if time <= top {
                    anneal(first, base, time / top.max(f64::MIN_POSITIVE))
                } else {
                    anneal(base, lowest, ((time - top) / (last - top)).min(1.0))
                }
            }
            Schedule::Polynomial { over, power } => base * (1.0 - (time / (*over).max(1) as f64).min(1.0)).powf(*power),
        }
    }
}

/// From one rate to another along half a cosine.
fn anneal(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * share).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_ends_at_the_base_rate_and_cosine_at_zero() {
        let schedule = Schedule::warmup_cosine(5, 105);
        assert_eq!(schedule.rate(0.4, 0), 0.004);
        assert_eq!(schedule.rate(0.4, 5), 0.4);
        assert!((schedule.rate(0.4, 55) - 0.2).abs() < 1e-12);
        assert!(schedule.rate(0.4, 105).abs() < 1e-12);
        assert_eq!(Schedule::Constant.rate(0.4, 77), 0.4);
    }

    #[test]
    fn degenerate_lengths_give_finite_rates() {
        let zero = [
            Schedule::Step { every: 0, gamma: 0.1 },
            Schedule::Cosine { period: 0, min: 0.0 },
            Schedule::Linear { start: 0.1, end: 1.0, over: 0 },
            Schedule::one_cycle(2),
            Schedule::Polynomial { over: 0, power: 2.0 },
            Schedule::warmup_cosine(10, 3),
        ];
        for schedule in zero {
            assert!((0..5).all(|t| schedule.rate(0.1, t).is_finite()), "{schedule:?}");
        }
    }
}
