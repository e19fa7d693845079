//! Multi-head self-attention.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::Linear;
use chiaro_graph::plan::Product;
use chiaro_graph::{Elementwise, Result, Var};

/// Self-attention (arXiv:1706.03762) over tokens `[N,T,D]`: softmax(q kᵀ / √(D/heads)) v for each head, with a dense layer before
/// (`qkv`, which gives all three at once) and behind (`proj`), as timm has it.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Parts of the features that attend by themselves.
    pub heads: usize,
    /// The dense layers, whose number of features is set by the input.
    pub dense: Linear,
}

impl Attention {
    fn layer(&self, out_features: usize) -> Linear {
        Linear { out_features, ..self.dense.clone() }
    }

    /// Tokens and features of an input that fits.
    fn extents(&self, x: &[usize]) -> Option<[usize; 3]> {
        match *x {
            [n, tokens, features] if features.checked_rem(self.heads) == Some(0) => Some([n, tokens, features]),
            _ => None,
        }
    }

    fn refusal(&self) -> String {
        format!("takes tokens [N,T,D] whose features split into {} heads", self.heads)
    }

    /// Queries, keys or values: part `i` of three, `[N,heads,T,D/heads]`.
    fn part(&self, ctx: &mut Context<'_>, qkv: Var, i: usize, [n, tokens, features]: [usize; 3]) -> Result<Var> {
        let graph = ctx.graph();
        let part = graph.narrow(qkv, 2, i * features, (i + 1) * features)?;
        let split = graph.reshape(part, &[n, tokens, self.heads, features / self.heads])?;
        graph.transpose(split, &[0, 2, 1, 3])
    }
}

impl Module for Attention {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some([n, tokens, features]) = self.extents(x) else {
            return Err(declare.error("attention", &[x], self.refusal()));
        };
        declare.call("qkv", &self.layer(features.saturating_mul(3)), x)?;
        let (batch, width) = (n.saturating_mul(self.heads), features / self.heads);
        declare.product(Product { batch, m: tokens, n: tokens, k: width, busy_rows: false });
        declare.product(Product { batch, m: tokens, n: width, k: tokens, busy_rows: false });
        declare.call("proj", &self.layer(features), x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let Some(extents) = self.extents(ctx.shape(x)) else {
            return Err(ctx.shape_error("attention", &[ctx.shape(x)], self.refusal()));
        };
        let features = extents[2];
        let qkv = ctx.call("qkv", &self.layer(3 * features), x)?;
        let [q, k, v] = [0, 1, 2].map(|i| self.part(ctx, qkv, i, extents));
        let (q, k, v) = (q?, k?, v?);
        let graph = ctx.graph();
        let scale = 1.0 / ((features / self.heads) as f64).sqrt();
        let scaled = graph.map_scalars(Elementwise::Mul, q, &[scale])?;
        let scores = graph.matmul(scaled, k, false, true)?;
        let weights = softmax_wide(ctx, scores)?;
        let graph = ctx.graph();
        let mixed = graph.matmul(weights, v, false, false)?;
        let tokens_first = graph.transpose(mixed, &[0, 2, 1, 3])?;
        let joined = graph.reshape(tokens_first, &extents)?;
        ctx.call("proj", &self.layer(features), joined)
    }

    fn kind(&self) -> &'static str {
        "Attention"
    }
}

/// Softmax over the last axis, computed in 32 bits whatever it is stored in.
fn softmax_wide(ctx: &mut Context<'_>, scores: Var) -> Result<Var> {
    let graph = ctx.graph();
    let (stored, wide) = (graph.dtype(scores), graph.widened(scores)?);
    let weights = graph.softmax(wide, -1, false)?;
    graph.cast(weights, stored)
}
