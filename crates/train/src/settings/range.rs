//! The numbers that a setting may have.

use std::fmt;

/// Finite numbers between two bounds, where there are any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: Option<Bound>,
    high: Option<Bound>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    at: f64,
    included: bool,
}

impl Range {
    /// Any finite number.
    pub const ANY: Range = Range { low: None, high: None };
    /// At least 0 and below 1.
    pub const SHARE: Range = Range::at_least(0.0).and_below(1.0);

    /// Numbers above this one.
    pub const fn above(at: f64) -> Range {
        Range { low: Some(Bound { at, included: false }), high: None }
    }

    /// This number and those above.
    pub const fn at_least(at: f64) -> Range {
        Range { low: Some(Bound { at, included: true }), high: None }
    }

    /// Of these, those below a number.
    pub const fn and_below(self, at: f64) -> Range {
        Range { low: self.low, high: Some(Bound { at, included: false }) }
    }

    /// Of these, this number and those below.
    pub const fn and_at_most(self, at: f64) -> Range {
        Range { low: self.low, high: Some(Bound { at, included: true }) }
    }

    /// Whether a number is one of them.
    pub fn holds(&self, number: f64) -> bool {
        let above = |bound: Bound| number > bound.at || (bound.included && number == bound.at);
        let below = |bound: Bound| number < bound.at || (bound.included && number == bound.at);
        number.is_finite() && self.low.is_none_or(above) && self.high.is_none_or(below)
    }
}

impl fmt::Display for Range {
    /// As it ends the sentence "it must be ...".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = self.low.map(|b| format!("{} {}", if b.included { "at least" } else { "above" }, b.at));
        let high = self.high.map(|b| format!("{} {}", if b.included { "at most" } else { "below" }, b.at));
        match (low, high) {
            (Some(low), Some(high)) => write!(f, "{low} and {high}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(&one),
            (None, None) => f.write_str("finite"),
        }
    }
}
