//! Fully connected layer.

use crate::context::{Context, Module};
use crate::init::Init;
use chiaro_graph::{Result, Var};

/// x `[..., in]` times weight `[out, in]` transposed, plus bias `[out]`. Parameters: `weight`, `bias`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Features of the result.
    pub out_features: usize,
    /// Add a bias.
    pub bias: bool,
    /// How the weight starts.
    pub weight_init: Init,
    /// How the bias starts; PyTorch's default, which depends on the fan in, if absent.
    pub bias_init: Option<Init>,
}

impl Linear {
    /// A layer with bias and PyTorch's initial values.
    pub fn new(out_features: usize) -> Linear {
        Linear { out_features, bias: true, weight_init: Init::torch_weight(), bias_init: None }
    }
}

impl Module for Linear {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let Some(&features) = ctx.shape(x).last() else {
            return Err(ctx.shape_error("linear", &[&[]], "takes x [..., in]".into()));
        };
        let shape = [self.out_features, features];
        let (x, weight) = (ctx.operand(x)?, ctx.weight("weight", &shape, self.weight_init)?);
        let y = ctx.graph().linear(x, weight, None)?;
        if !self.bias {
            return Ok(y);
        }
        let init = self.bias_init.unwrap_or_else(|| Init::torch_bias(features));
        let bias = ctx.parameter("bias", &[self.out_features], init)?;
        ctx.add_bias(y, bias)
    }

    fn kind(&self) -> &'static str {
        "Linear"
    }
}
