//! What a task measures, and the numbers that were measured.

/// A number that says how good a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// One word, as tables have it: `accuracy`.
    pub name: &'static str,
    /// Shown in percent: it lies in 0..=1.
    pub percent: bool,
    /// Whether a lower value is better.
    pub lower_is_better: bool,
    /// Whether only tables and curves have it, and lines do without.
    pub aside: bool,
}

impl Measure {
    /// The loss, by which epochs are judged where a task measures nothing else.
    pub const LOSS: Measure = Measure { name: "loss", percent: false, lower_is_better: true, aside: false };

    /// A share in 0..=1, of which more is better.
    pub const fn share(name: &'static str) -> Measure {
        Measure { name, percent: true, lower_is_better: false, aside: false }
    }

    /// A value with the measure's name: `accuracy 98.21 %`.
    pub fn shown(self, value: f64) -> String {
        if self.percent { format!("{} {:.2} %", self.name, value * 100.0) } else { format!("{} {value:.4}", self.name) }
    }

    /// Whether `new` is better than `old`; any number is better than none.
    pub(crate) fn better(self, new: f64, old: f64) -> bool {
        match (new.is_nan(), old.is_nan()) {
            (true, _) => false,
            (false, true) => true,
            (false, false) if self.lower_is_better => new < old,
            (false, false) => new > old,
        }
    }
}
