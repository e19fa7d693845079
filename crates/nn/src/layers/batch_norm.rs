//! Batch normalisation.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{DType, Result, Var};

/// Batch norm (arXiv:1502.03167) over all axes but the last. Parameters: `weight`, `bias`; running statistics:
/// `running_mean`, `running_var` (unbiased), all `[C]`.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    /// Added to the variance.
    pub eps: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
    /// Where the scale starts: 0 in the last norm of a residual block makes the block start as the identity.
    pub initial_scale: f64,
    /// Learn the scale; without, it stays 1 and there is no `weight`.
    pub scaled: bool,
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        BatchNorm2d { eps: 1e-5, momentum: 0.1, initial_scale: 1.0, scaled: true }
    }
}

impl BatchNorm2d {
    /// PyTorch's defaults: eps 1e-5, momentum 0.1.
    pub fn new() -> BatchNorm2d {
        BatchNorm2d::default()
    }
}

impl Module for BatchNorm2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some(&c) = x.last() else {
            return Err(declare.error("batch_norm", &[x], "takes x [..., C]".into()));
        };
        if self.scaled {
            declare.parameter("weight", &[c], Init::Constant(self.initial_scale))?;
        }
        declare.parameter("bias", &[c], Init::ZEROS)?;
        declare.statistic("running_mean", &[c], Init::ZEROS)?;
        declare.statistic("running_var", &[c], Init::ONES)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let shape = ctx.shape(x).to_vec();
        let (Some(&c), rank) = (shape.last(), shape.len()) else {
            return Err(ctx.shape_error("batch_norm", &[&shape], "takes x [..., C]".into()));
        };
        let scale = if self.scaled { ctx.parameter("weight")? } else { ctx.graph().full(&[c], 1.0, DType::F32)? };
        let shift = ctx.parameter("bias")?;
        let (mean, variance) = (ctx.statistic("running_mean")?, ctx.statistic("running_var")?);
        if ctx.keeps_statistics("bias")? {
            let (mean, variance) = (ctx.graph().state_value(mean)?, ctx.graph().state_value(variance)?);
            return ctx.graph().normalise(x, mean, variance, Some(scale), Some(shift), self.eps);
        }
        let rows: usize = shape[..rank - 1].iter().product();
        if rows < 2 {
            let detail = "training needs more than one value per channel".into();
            return Err(ctx.shape_error("batch_norm", &[&shape], detail));
        }
        let (y, moments) = ctx.graph().batch_norm(x, scale, shift, self.eps)?;
        let unbiased = rows as f64 / (rows - 1) as f64;
        for (row, state, factor) in [(0, mean, 1.0), (1, variance, unbiased)] {
            let batch = ctx.graph().narrow(moments, 0, row, row + 1)?;
            let batch = ctx.graph().reshape(batch, &[c])?;
            ctx.update_running(state, batch, factor, self.momentum)?;
        }
        Ok(y)
    }

    fn kind(&self) -> &'static str {
        "BatchNorm2d"
    }
}
