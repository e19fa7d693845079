//! A rate that falls when a metric stops improving.

/// Multiplies the rate by `factor` after more than `patience` observations without improvement, then ignores `cooldown` of them.
/// The counters are public so that a checkpoint can hold them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// Factor of each fall.
    pub factor: f64,
    /// Observations without improvement that are borne.
    pub patience: u64,
    /// Least relative improvement that counts.
    pub threshold: f64,
    /// Observations after a fall that do not count as bad.
    pub cooldown: u64,
    /// Lowest rate.
    pub min: f64,
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
            threshold: 1e-4,
            cooldown: 0,
            min: 0.0,
            maximize: false,
            rate: base,
            best: None,
            bad: 0,
            cooling: 0,
        }
    }

    /// Takes a metric and gives the rate in force from now on. A NaN counts as no improvement.
    pub fn observe(&mut self, metric: f64) -> f64 {
        let improves = match self.best {
            None => !metric.is_nan(),
            Some(best) if self.maximize => metric > best * (1.0 + self.threshold),
            Some(best) => metric < best * (1.0 - self.threshold),
        };
        if improves {
            (self.best, self.bad) = (Some(metric), 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.bad) = (self.cooling - 1, 0);
        }
        if self.bad > self.patience {
            self.rate = (self.rate * self.factor).max(self.min);
            (self.cooling, self.bad) = (self.cooldown, 0);
        }
        self.rate
    }
}
