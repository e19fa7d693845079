//! Looking for a learning rate (Smith 2015): a few hundred steps at rates that rise exponentially, until the loss diverges.

use chiaro_nn::{Metrics, StepKey};

use crate::error::{Result, TrainError};
use crate::evaluate::take_metrics;
use crate::plot::{Curve, Plot};
use crate::stop::Stop;
use crate::trainer::Trainer;

/// Rates and steps of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRange {
    /// The first rate.
    pub low: f64,
    /// The rate of the last step.
    pub high: f64,
    /// Steps between them.
    pub steps: usize,
}

impl Default for RateRange {
    fn default() -> RateRange {
        RateRange { low: 1e-6, high: 10.0, steps: 300 }
    }
}

/// Fewest steps from which something can be seen.
const FEWEST: usize = 20;

impl RateRange {
    /// The rate of a step.
    pub fn rate(&self, step: usize) -> f64 {
        self.low * (self.high / self.low).powf(step as f64 / (self.steps - 1) as f64)
    }

    /// Whether it is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<()> {
        let RateRange { low, high, steps } = *self;
        if steps < FEWEST {
            return Err(TrainError::setting(format!(
                "{steps} steps are too few to see anything: take {FEWEST} at least"
            )));
        }
        if low > 0.0 && low < high && high.is_finite() {
            return Ok(());
        }
        Err(TrainError::setting(format!("rates rise from above 0 to a larger one, not from {low} to {high}")))
    }
}

/// Losses by rate.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSearch {
    /// The rate of each step with its loss, and with the smoothed one.
    pub points: Vec<RatePoint>,
    /// Whether the loss went up without end, which ended the search.
    pub diverged: bool,
}

/// A step of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// The step's rate.
    pub rate: f64,
    /// Its loss.
    pub loss: f64,
    /// The exponential average of the losses so far.
    pub smooth: f64,
}

/// Share of itself that the average keeps in a step.
const KEPT: f64 = 0.9;
/// Steps whose losses say where the loss begins, and how much it varies by its images alone.
const FIRST: usize = FEWEST / 2;
/// The loss diverges where its average has risen so many times that spread above where it began, and as much as it had fallen below, or
/// is not finite.
const DIVERGED: f64 = 4.0;
/// The spread is taken to be at least this share of the first losses: what is below may be rounding.
const LEAST_SPREAD: f64 = 1e-3;

impl RateSearch {
    /// Losses of steps at these rates, one after the other, as far as they do not diverge.
    fn new() -> RateSearch {
        RateSearch { points: vec![], diverged: false }
    }

    /// Adds a step; whether the next is worth it.
    fn add(&mut self, rate: f64, loss: f64) -> bool {
        let n = self.points.len() as i32;
        let corrected = |smooth: f64, n: i32| smooth * (1.0 - KEPT.powi(n));
        let before = self.points.last().map_or(0.0, |last| corrected(last.smooth, n));
        let smooth = (KEPT * before + (1.0 - KEPT) * loss) / (1.0 - KEPT.powi(n + 1));
        let [first, spread] = self.began();
        let rise = (first - self.lowest()).max(DIVERGED * spread);
        self.diverged = !loss.is_finite() || (self.points.len() >= FIRST && smooth > first + rise);
        if loss.is_finite() {
            self.points.push(RatePoint { rate, loss, smooth });
        }
        !self.diverged
    }

    /// Mean and standard deviation of the first losses.
    fn began(&self) -> [f64; 2] {
        let first = &self.points[..self.points.len().min(FIRST)];
        let mean = |of: &dyn Fn(&RatePoint) -> f64| first.iter().map(of).sum::<f64>() / first.len().max(1) as f64;
        let middle = mean(&|point| point.loss);
        let spread = mean(&|point| (point.loss - middle).powi(2)).sqrt();
        [middle, spread.max(LEAST_SPREAD * middle.abs())]
    }

    /// The smallest average behind the first losses; infinity where there is none.
    fn lowest(&self) -> f64 {
        self.points.iter().skip(FIRST).map(|point| point.smooth).fold(f64::INFINITY, f64::min)
    }

    /// The rate at which the smoothed loss falls steepest over the logarithm of the rate, by the slope of a line through the steps
    /// around; `None` where it falls by no more than the first losses vary.
    pub fn suggestion(&self) -> Option<f64> {
        let [first, spread] = self.began();
        if first - self.lowest() <= spread {
            return None;
        }
        let lowest = |best: usize, i: usize| if self.points[i].smooth < self.points[best].smooth { i } else { best };
        let bottom = (0..self.points.len()).fold(0, lowest);
        // The first losses are of few steps, and behind the bottom nothing falls for good.
        let around = (self.points.len() / 20).max(2);
        let slope = |i: usize| {
            let near = &self.points[i - around..=i + around];
            let xs: Vec<f64> = near.iter().map(|point| point.rate.ln()).collect();
            let [mx, my] =
                [xs.iter().sum::<f64>(), near.iter().map(|p| p.smooth).sum()].map(|sum| sum / xs.len() as f64);
            let products = xs.iter().zip(near).map(|(x, point)| (x - mx) * (point.smooth - my));
            products.sum::<f64>() / xs.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
        };
        let last = bottom.min(self.points.len().saturating_sub(around + 1));
        let slopes = (around..=last).map(|i| (i, slope(i)));
        let (i, steepest) = slopes.min_by(|a, b| a.1.total_cmp(&b.1))?;
        (steepest < 0.0).then(|| self.points[i].rate)
    }

    /// The search as a picture, its end cut off where the loss shoots up.
    pub fn plot(&self) -> Plot {
        let seen = &self.points[..self.points.len() - usize::from(self.diverged && self.points.len() > 1)];
        let curve = |name: &str, of: fn(&RatePoint) -> f64| Curve {
            name: name.to_string(),
            points: seen.iter().map(|point| (point.rate, of(point))).collect(),
        };
        Plot {
            title: "loss by learning rate".to_string(),
            axes: ["learning rate", "loss"].map(String::from),
            log_x: true,
            curves: vec![curve("smoothed loss", |point| point.smooth)],
            mark: self.suggestion().map(|rate| (rate, format!("{rate:.1e}"))),
        }
    }
}

impl Trainer {
    /// Trains at rates that rise from step to step until the loss diverges or a stop is asked for; `step` hears of each. The weights are of no use afterwards.
    ///
    /// # Errors
    /// If the range is none, data cannot be loaded or the device fails.
    pub fn find_rate(mut self, range: RateRange, mut step: impl FnMut(usize), stop: &Stop) -> Result<RateSearch> {
        range.check()?;
        let mut found = RateSearch::new();
        let sums = Metrics::sums_in(&self.step.graph);
        let mut number = 0;
        for epoch in 0.. {
            for batch in self.feed.epoch(epoch, 0)? {
                let batch = batch?;
                let rows = batch.rows.clone();
                let [images, targets] = batch.into_tensors(self.feed.targets(), self.filler)?;
                let key = StepKey { seed: self.config.seed, step: number as u64, epoch, rows: &rows };
                let rate = range.rate(number);
                let inputs = self.step.inputs_by(images, targets, &key, rate);
                let plan = self.present().0;
                self.backend.run(plan, &inputs)?;
                let metrics = take_metrics(&mut *self.backend, sums)?;
                let loss = if metrics.non_finite > 0.0 { f64::NAN } else { metrics.loss() };
                number += 1;
                step(number);
                if !found.add(rate, loss) || number == range.steps || stop.requested() {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses that stay, fall evenly over the logarithm of the rate between 1e-3 and 1e-1, steepest at 1e-2, and shoot up.
    fn searched(range: RateRange) -> RateSearch {
        let mut found = RateSearch::new();
        for step in 0..range.steps {
            let rate = range.rate(step);
            let fall = 1.0 / (1.0 + (-2.0 * (rate / 1e-2).ln()).exp());
            if !found.add(rate, 2.0 - 1.5 * fall + rate * rate * 30.0) {
                break;
            }
        }
        found
    }

    #[test]
    fn the_suggestion_is_where_the_loss_falls_steepest_and_the_search_ends_where_it_shoots_up() {
        let range = RateRange::default();
        let found = searched(range);
        let rate = found.suggestion().expect("it falls");
        assert!((5e-3..4e-2).contains(&rate), "{rate}");
        assert!(found.diverged && found.points.len() < range.steps, "{}", found.points.len());
        let plot = found.plot();
        assert!(plot.mark.as_ref().is_some_and(|(at, _)| *at == rate) && plot.to_text().contains('*'));
    }

    #[test]
    fn rates_rise_by_the_same_factor_from_the_first_to_the_last() {
        let range = RateRange { low: 1e-4, high: 1.0, steps: 41 };
        let rates: Vec<f64> = (0..41).map(|step| range.rate(step)).collect();
        assert!((rates[0] / 1e-4 - 1.0).abs() < 1e-12 && (rates[40] - 1.0).abs() < 1e-12);
        assert!(rates.windows(2).all(|pair| (pair[1] / pair[0] - 10f64.powf(0.1)).abs() < 1e-9), "{rates:?}");
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing_and_one_that_is_no_number_ends_the_search() {
        let mut found = RateSearch::new();
        for step in 0..100 {
            found.add(RateRange::default().rate(step), 1.0 + step as f64 / 100.0);
        }
        assert_eq!(found.suggestion(), None);
        let before = found.points.len();
        assert!(!found.add(1.0, f64::NAN) && found.diverged && found.points.len() == before);
        assert_eq!(RateSearch::new().suggestion(), None);
        RateSearch::new().plot().to_svg();
    }

    /// A number from -1 to 1 that looks drawn.
    fn noise(step: usize) -> f64 {
        ((step * 7919 + 13) % 97) as f64 / 48.0 - 1.0
    }

    #[test]
    fn noise_around_a_loss_that_stays_neither_ends_the_search_nor_suggests_a_rate() {
        let range = RateRange::default();
        // Of a model that has learnt all, the loss varies by far more than its smallest average.
        let spikes = |step: usize| 1e-4 + if step % 7 == 3 { 1e-2 } else { 0.0 };
        let around = |step: usize| 2.0 + noise(step) / 2.0;
        let same = |_: usize| 2.3;
        let all: [&dyn Fn(usize) -> f64; 3] = [&spikes, &around, &same];
        for (number, loss) in all.into_iter().enumerate() {
            let mut found = RateSearch::new();
            let steps = (0..range.steps).take_while(|&step| found.add(range.rate(step), loss(step))).count();
            assert_eq!((steps, found.suggestion()), (range.steps, None), "{number}");
            assert!(!found.add(10.0, 100.0), "{number}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (low, high, steps) in [(0.0, 1.0, 100), (1.0, 0.1, 100), (1e-3, f64::INFINITY, 100), (1e-3, 1.0, 3)] {
            assert!(RateRange { low, high, steps }.check().is_err(), "{low} {high} {steps}");
        }
    }
}
