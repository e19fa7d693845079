//! The option `--unknown-below`: the probability below which an image is of no known class.

use anyhow::bail;
use chiaro::train::Saved;

/// A probability, or the one that the weights tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnknownBelow {
    /// That which most of the validation images that were right reach.
    Auto,
    /// This one.
    Given(f64),
}

/// `auto`, or a share in 0..=1.
pub fn parse(text: &str) -> Result<UnknownBelow, String> {
    if text == "auto" {
        return Ok(UnknownBelow::Auto);
    }
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.map(UnknownBelow::Given).ok_or_else(|| format!("{text:?} is neither auto nor a share from 0 to 1, as 0.5"))
}

impl UnknownBelow {
    /// The probability for these weights.
    ///
    /// # Errors
    /// If it is to be that of the weights, and they tell none.
    pub fn of(self, saved: &Saved) -> anyhow::Result<f64> {
        match (self, saved.calibration().unknown_below) {
            (UnknownBelow::Given(share), _) | (UnknownBelow::Auto, Some(share)) => Ok(share),
            (UnknownBelow::Auto, None) => bail!(
                "{} tells no probability for --unknown-below auto: runs find one when they end, where some validation image is \
                 wrong; give a number, as 0.5",
                saved.path.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_or_auto_is_taken_and_nothing_else() {
        assert_eq!(parse("auto"), Ok(UnknownBelow::Auto));
        assert_eq!(parse("0.25"), Ok(UnknownBelow::Given(0.25)));
        for wrong in ["50", "-0.1", "NaN", "often", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
