//! Flattening of images for linear layers.

use crate::context::{Context, Module};
use crate::declare::Declare;
use chiaro_graph::shape::count;
use chiaro_graph::{Result, Var};

/// `[N, ...]` to `[N, features]`. Images are channels last, so feature `(h W + w) C + c` holds what PyTorch, with channels first,
/// has at `(c H + h) W + w`: the columns of a linear layer that follows must be permuted when weights are exchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Module for Flatten {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match x {
            [n, rest @ ..] => Ok(vec![*n, count(rest)]),
            [] => Err(declare.error("flatten", &[x], "takes x [N, ...]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let [n, rest @ ..] = ctx.shape(x) else {
            return Err(ctx.shape_error("flatten", &[&[]], "takes x [N, ...]".into()));
        };
        let shape = [*n, count(rest)];
        ctx.graph().reshape(x, &shape)
    }

    fn kind(&self) -> &'static str {
        "Flatten"
    }
}
