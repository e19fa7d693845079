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
        let weight = ctx.parameter("weight", &[self.out_features, features], self.weight_init)?;
        let bias = if self.bias {
            let init = self.bias_init.unwrap_or_else(|| Init::torch_bias(features));
            Some(ctx.parameter("bias", &[self.out_features], init)?)
        } else {
            None
        };
        ctx.graph().linear(x, weight, bias)
    }

    fn kind(&self) -> &'static str {
        "Linear"
    }
}
