//! A rate that falls when a metric stops improving.

/// How much better than the best a metric must be to count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// By this share of the best.
    Relative(f64),
    /// By this much.
    Absolute(f64),
}

/// Multiplies the rate by `factor` after more than `patience` observations without improvement, then ignores `cooldown` of them.
/// The counters are public so that a checkpoint can hold them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// Factor of each fall.
    pub factor: f64,
    /// Observations without improvement that are borne.
    pub patience: u64,
    /// Least improvement that counts.
    pub threshold: Threshold,
    /// Observations after a fall that do not count as bad.
    pub cooldown: u64,
    /// Lowest rate.
    pub min: f64,
    /// A fall by no more than this is left out.
    pub least_change: f64,
    /// True if a larger metric is better, as with accuracy.
    pub maximize: bool,
    /// The present rate.
    pub rate: f64,
    /// The best metric so far, if there was one.
    pub best: Option<f64>,
    /// Observations without improvement since the last one or the last fall.
    pub bad: u64,
    /// Observations of the cooldown left.
    pub cooling: u64,
}

impl Plateau {
    /// PyTorch's defaults: a tenth after 10 bad observations of a metric that should fall, improvements below 1e-4 not counted.
    pub fn new(base: f64) -> Plateau {
        Plateau {
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min: 0.0,
            least_change: 1e-8,
            maximize: false,
            rate: base,
            best: None,
            bad: 0,
            cooling: 0,
        }
    }

    /// Takes a metric and gives the rate in force from now on. A NaN counts as no improvement.
    pub fn observe(&mut self, metric: f64) -> f64 {
        if self.improves(metric) {
            (self.best, self.bad) = (Some(metric), 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.bad) = (self.cooling - 1, 0);
        }
        if self.bad > self.patience {
            let lower = (self.rate * self.factor).max(self.min);
            if self.rate - lower > self.least_change {
                self.rate = lower;
            }
            (self.cooling, self.bad) = (self.cooldown, 0);
        }
        self.rate
    }

    fn improves(&self, metric: f64) -> bool {
        let Some(best) = self.best else {
            return if self.maximize { metric > f64::NEG_INFINITY } else { metric < f64::INFINITY };
        };
        match (self.threshold, self.maximize) {
            (Threshold::Relative(share), true) => metric > best * (1.0 + share),
            (Threshold::Relative(share), false) => metric < best * (1.0 - share),
            (Threshold::Absolute(amount), true) => metric > best + amount,
            (Threshold::Absolute(amount), false) => metric < best - amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates after each metric, from 1 and halved.
    fn rates(plateau: Plateau, metrics: &[f64]) -> Vec<f64> {
        let mut plateau = Plateau { factor: 0.5, patience: 1, rate: 1.0, ..plateau };
        metrics.iter().map(|&m| plateau.observe(m)).collect()
    }

    // The expected rates follow by hand from the rules in the documentation of PyTorch's ReduceLROnPlateau.

    #[test]
    fn an_absolute_threshold_asks_for_an_amount_and_a_relative_one_for_a_share() {
        let metrics = [10.0, 9.5, 9.0, 8.9, 8.8, 8.7];
        let absolute = Plateau { threshold: Threshold::Absolute(1.0), ..Plateau::new(1.0) };
        // 9.5 and 9.0 are bad: 9.0 is not below 10 - 1. Then 8.9 is below 9, and 8.8 and 8.7 are not below 7.9.
        assert_eq!(rates(absolute, &metrics), [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
        let relative = Plateau { threshold: Threshold::Relative(0.1), ..Plateau::new(1.0) };
        // 9.0 is not below 10 * 0.9; 8.9 is; 8.8 and 8.7 are not below 8.01.
        assert_eq!(rates(relative, &metrics), [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
        // Of small metrics the two differ: an amount of 1 is out of reach, a tenth is not.
        let small = [0.5, 0.4, 0.3, 0.2];
        assert_eq!(rates(absolute, &small), [1.0, 1.0, 0.5, 0.5]);
        assert_eq!(rates(relative, &small), [1.0; 4]);
    }

    #[test]
    fn a_metric_to_maximize_must_rise_by_the_threshold() {
        let up = Plateau { maximize: true, ..Plateau::new(1.0) };
        let absolute = Plateau { threshold: Threshold::Absolute(0.5), ..up };
        assert_eq!(rates(absolute, &[1.0, 1.5, 1.6, 1.7]), [1.0, 1.0, 1.0, 1.0]);
        assert_eq!(rates(absolute, &[1.0, 1.5, 1.5, 1.7]), [1.0, 1.0, 0.5, 0.5]);
        let relative = Plateau { threshold: Threshold::Relative(0.5), ..up };
        assert_eq!(rates(relative, &[2.0, 2.6, 3.0, 3.1]), [1.0, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn a_first_metric_that_is_no_number_is_bad_and_never_the_best() {
        // Two bad ones halve; then 5 is better than nothing, and so on down.
        assert_eq!(rates(Plateau::new(1.0), &[f64::NAN, f64::NAN, 5.0, 4.0, 3.0, 2.0]), [1.0, 0.5, 0.5, 0.5, 0.5, 0.5]);
        assert_eq!(rates(Plateau::new(1.0), &[f64::INFINITY, f64::INFINITY, 5.0, 4.0]), [1.0, 0.5, 0.5, 0.5]);
        let up = Plateau { maximize: true, ..Plateau::new(1.0) };
        assert_eq!(rates(up, &[f64::NAN, f64::NEG_INFINITY, 0.1, 0.2]), [1.0, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn falls_that_hardly_change_the_rate_are_left_out() {
        let near = Plateau { min: 0.5 - 1e-9, ..Plateau::new(1.0) };
        assert_eq!(rates(near, &[1.0; 9]).last(), Some(&0.5));
        let exact = Plateau { least_change: 0.0, ..near };
        assert_eq!(rates(exact, &[1.0; 9]).last(), Some(&(0.5 - 1e-9)));
    }
}
