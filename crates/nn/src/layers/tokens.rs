//! Images as tokens, and the token of the class.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{Result, Var};

/// Pixels `[N,H,W,D]` as tokens `[N,HW,D]` behind a learnt one for the class, with a learnt vector for each place added
/// (arXiv:2010.11929): `[N,1+HW,D]`. Parameters as timm has them: `cls_token` `[1,1,D]`, `pos_embed` `[1,1+HW,D]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens;

const TOKEN: &str = "cls_token";
const PLACES: &str = "pos_embed";

impl Module for Tokens {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[n, h, w, features] = x else {
            return Err(declare.error("tokens", &[x], "takes x [N,H,W,D]".into()));
        };
        let tokens = h.saturating_mul(w).saturating_add(1);
        declare.parameter(TOKEN, &[1, 1, features], Init::Normal { std: 1e-6 })?;
        declare.parameter(PLACES, &[1, tokens, features], Init::Normal { std: 0.02 })?;
        Ok(vec![n, tokens, features])
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let &[n, h, w, features] = ctx.shape(x) else {
            return Err(ctx.shape_error("tokens", &[ctx.shape(x)], "takes x [N,H,W,D]".into()));
        };
        let (token, places) = (ctx.parameter(TOKEN)?, ctx.parameter(PLACES)?);
        let graph = ctx.graph();
        let stored = graph.dtype(x);
        let pixels = graph.reshape(x, &[n, h * w, features])?;
        let pixels = graph.cast(pixels, graph.dtype(token))?;
        let token = graph.broadcast_to(token, &[n, 1, features])?;
        let all = graph.concat(&[token, pixels], 1)?;
        let placed = graph.add(all, places)?;
        graph.cast(placed, stored)
    }

    fn kind(&self) -> &'static str {
        "Tokens"
    }
}

/// The first token: `[N,T,D]` to `[N,D]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstToken;

impl Module for FirstToken {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match *x {
            [n, _, features] => Ok(vec![n, features]),
            _ => Err(declare.error("first_token", &[x], "takes tokens [N,T,D]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let &[n, _, features] = ctx.shape(x) else {
            return Err(ctx.shape_error("first_token", &[ctx.shape(x)], "takes tokens [N,T,D]".into()));
        };
        let first = ctx.graph().narrow(x, 1, 0, 1)?;
        ctx.graph().reshape(first, &[n, features])
    }

    fn kind(&self) -> &'static str {
        "FirstToken"
    }
}
