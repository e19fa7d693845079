//! Layers side by side: their results added, or joined along the channels.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::Sequential;
use chiaro_graph::{Result, Var};

/// The sum of what several chains make of one input; an empty chain passes it on.
pub struct Sum(pub Vec<Sequential>);

impl Module for Sum {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let shapes = self.0.iter().map(|branch| branch.declare(declare, x)).collect::<Result<Vec<_>>>()?;
        match &shapes[..] {
            [first, rest @ ..] if rest.iter().all(|shape| shape == first) => Ok(first.clone()),
            _ => {
                let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
                Err(declare.error("sum", &shapes, "all branches must give the same shape".into()))
            }
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(ctx.shape_error("sum", &[ctx.shape(x)], "has no branches".into()));
        };
        let start = first.forward(ctx, x)?;
        rest.iter().try_fold(start, |sum, branch| {
            let y = branch.forward(ctx, x)?;
            ctx.sum(sum, y)
        })
    }

    fn kind(&self) -> &'static str {
        "Sum"
    }
}

/// What several chains make of one input, joined along the last axis; an empty chain passes it on.
pub struct Concat(pub Vec<Sequential>);

impl Module for Concat {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let shapes = self.0.iter().map(|branch| branch.declare(declare, x)).collect::<Result<Vec<_>>>()?;
        let channels = shapes.iter().fold(0, |sum: usize, s| sum.saturating_add(s.last().copied().unwrap_or(0)));
        let outer = |shape: &[usize]| shape.split_last().map(|(_, outer)| outer.to_vec());
        match shapes.first().and_then(|first| outer(first)) {
            Some(first) if shapes.iter().all(|s| outer(s).as_ref() == Some(&first)) => {
                Ok([&first[..], &[channels]].concat())
            }
            _ => {
                let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
                Err(declare.error("concat", &shapes, "branches may differ in the last axis alone".into()))
            }
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let mut parts = self.0.iter().map(|branch| branch.forward(ctx, x)).collect::<Result<Vec<_>>>()?;
        let dtype = |ctx: &mut Context<'_>, v| ctx.graph().dtype(v);
        if let [first, ..] = parts[..]
            && parts.iter().any(|&part| dtype(ctx, part) != dtype(ctx, first))
        {
            // In 16-bit training a branch may not have met a product yet and so still be 32-bit.
            parts = parts.into_iter().map(|part| ctx.operand(part)).collect::<Result<_>>()?;
        }
        ctx.graph().concat(&parts, -1)
    }

    fn kind(&self) -> &'static str {
        "Concat"
    }
}
