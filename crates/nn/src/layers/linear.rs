//! Fully connected layer.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::plan::Product;
use chiaro_graph::shape::count;
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
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some((&features, rows)) = x.split_last() else {
            return Err(declare.error("linear", &[x], "takes x [..., in]".into()));
        };
        declare.parameter("weight", &[self.out_features, features], self.weight_init)?;
        if self.bias {
            let init = self.bias_init.unwrap_or_else(|| Init::torch_bias(features));
            declare.parameter("bias", &[self.out_features], init)?;
        }
        let (m, n) = (count(rows), self.out_features);
        declare.product(Product { batch: 1, m, n, k: features, busy_rows: false });
        Ok([rows, &[n]].concat())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let (x, weight) = (ctx.operand(x)?, ctx.weight("weight")?);
        let y = ctx.graph().linear(x, weight, None)?;
        if !self.bias {
            return Ok(y);
        }
        let bias = ctx.parameter("bias")?;
        ctx.add_bias(y, bias)
    }

    fn kind(&self) -> &'static str {
        "Linear"
    }
}
