//! Rates of dropout and of dropped branches that a step sets in the place of the layers' own.

use crate::error::{NnError, Result};

/// A rate in the place of the layers' own, and how many layers asked for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    given: Option<f64>,
    asked: usize,
}

impl Rate {
    /// What a layer takes instead of its own.
    pub fn ask(&mut self) -> Option<f64> {
        self.asked += 1;
        self.given
    }

    fn check(self, what: &str, layer: &str, model: &str) -> Result<()> {
        match self.given {
            Some(rate) if !(0.0..1.0).contains(&rate) => {
                Err(NnError::Option(format!("the rate of {what} must be at least 0 and below 1, not {rate}")))
            }
            Some(rate) if rate > 0.0 && self.asked == 0 => {
                Err(NnError::Option(format!("{model} has no {layer}, so that a rate of {what} means nothing")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Both rates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dropping {
    pub dropout: Rate,
    pub drop_path: Rate,
}

impl Dropping {
    /// These rates, where they are given.
    pub fn new(dropout: Option<f64>, drop_path: Option<f64>) -> Dropping {
        let rate = |given| Rate { given, asked: 0 };
        Dropping { dropout: rate(dropout), drop_path: rate(drop_path) }
    }

    /// Looks at the rates once a model's layers have been recorded.
    ///
    /// # Errors
    /// If one is out of range, or no layer of the model takes it.
    pub fn check(&self, model: &str) -> Result<()> {
        self.dropout.check("dropout", "dropout layer", model)?;
        self.drop_path.check("dropped paths", "residual branch that can be dropped", model)
    }
}
