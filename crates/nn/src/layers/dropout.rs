//! Dropout.

use crate::context::{Context, Module};
use chiaro_graph::{Result, Var};

/// In training, zeroes each element with probability `p` and scales the others by 1/(1-p) (arXiv:1207.0580).
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability in [0, 1), unless the step sets another ([`TrainOptions::dropout`](crate::TrainOptions::dropout)).
    pub p: f64,
}

impl Module for Dropout {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let p = ctx.dropout().unwrap_or(self.p);
        if !ctx.training() || p == 0.0 {
            return Ok(x);
        }
        let key = ctx.key()?;
        ctx.graph().dropout(x, p, key)
    }

    fn kind(&self) -> &'static str {
        "Dropout"
    }
}
