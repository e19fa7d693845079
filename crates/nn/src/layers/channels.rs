//! Parts of the channels, and their order.

use crate::context::{Context, Module};
use crate::declare::Declare;
use chiaro_graph::{Result, Var};

/// One of several equal parts of the last axis.
#[derive(Clone, Copy, Debug)]
pub struct ChannelPart {
    /// Which, from 0.
    pub part: usize,
    /// Of how many.
    pub of: usize,
}

impl ChannelPart {
    /// Extent of the part.
    fn extent(self, shape: &[usize]) -> Option<usize> {
        let channels = *shape.last()?;
        let extent = channels.checked_div(self.of)?;
        (self.part < self.of && extent > 0 && extent * self.of == channels).then_some(extent)
    }
}

impl Module for ChannelPart {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let (Some(extent), Some((_, outer))) = (self.extent(x), x.split_last()) else {
            let detail = format!("there is no part {} of {} equal parts of the channels", self.part, self.of);
            return Err(declare.error("channel_part", &[x], detail));
        };
        Ok([outer, &[extent]].concat())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let Some(extent) = self.extent(ctx.shape(x)) else {
            return Err(ctx.shape_error("channel_part", &[ctx.shape(x)], "no such part".into()));
        };
        ctx.graph().narrow(x, -1, self.part * extent, (self.part + 1) * extent)
    }

    fn kind(&self) -> &'static str {
        "ChannelPart"
    }
}

/// Channel `i` of each of so many groups, then channel `i + 1` of each (arXiv:1707.01083).
#[derive(Clone, Copy, Debug)]
pub struct ChannelShuffle(pub usize);

impl Module for ChannelShuffle {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match x {
            [_, _, _, channels] if channels.checked_rem(self.0) == Some(0) => Ok(x.to_vec()),
            _ => {
                let detail = format!("takes [N,H,W,C] whose channels split into {} groups", self.0);
                Err(declare.error("channel_shuffle", &[x], detail))
            }
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let shape = ctx.shape(x).to_vec();
        let &[n, h, w, channels] = &shape[..] else {
            return Err(ctx.shape_error("channel_shuffle", &[&shape], "takes [N,H,W,C]".into()));
        };
        let graph = ctx.graph();
        let groups = graph.reshape(x, &[n, h, w, self.0, channels / self.0.max(1)])?;
        let mixed = graph.transpose(groups, &[0, 1, 2, 4, 3])?;
        graph.reshape(mixed, &shape)
    }

    fn kind(&self) -> &'static str {
        "ChannelShuffle"
    }
}
