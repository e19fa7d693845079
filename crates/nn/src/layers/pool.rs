//! Pooling layers over `[N,H,W,C]`.

use crate::context::{Context, Module};
use crate::declare::Declare;
use chiaro_graph::{AvgDivisor, PoolSpec, Result, Var};

/// Largest element of each window.
#[derive(Clone, Debug)]
pub struct MaxPool2d(pub PoolSpec);

impl MaxPool2d {
    /// A square window with stride equal to its size.
    pub fn new(kernel: usize) -> MaxPool2d {
        MaxPool2d(PoolSpec::square(kernel))
    }
}

impl Module for MaxPool2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.0.result(x).map_err(|detail| declare.error("max_pool2d", &[x], detail))
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().max_pool2d(x, &self.0)
    }

    fn kind(&self) -> &'static str {
        "MaxPool2d"
    }
}

/// Mean of each window.
#[derive(Clone, Debug)]
pub struct AvgPool2d {
    /// The window.
    pub spec: PoolSpec,
    /// What is divided by.
    pub divisor: AvgDivisor,
}

impl AvgPool2d {
    /// A square window with stride equal to its size.
    pub fn new(kernel: usize) -> AvgPool2d {
        AvgPool2d { spec: PoolSpec::square(kernel), divisor: AvgDivisor::IncludePadding }
    }
}

impl Module for AvgPool2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.spec.result(x).map_err(|detail| declare.error("avg_pool2d", &[x], detail))
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().avg_pool2d(x, &self.spec, self.divisor)
    }

    fn kind(&self) -> &'static str {
        "AvgPool2d"
    }
}

/// Mean over the whole image: `[N,H,W,C]` to `[N,C]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool;

impl Module for GlobalAvgPool {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match *x {
            [n, _, _, c] => Ok(vec![n, c]),
            _ => Err(declare.error("global_avg_pool2d", &[x], "takes [N,H,W,C]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().global_avg_pool2d(x)
    }

    fn kind(&self) -> &'static str {
        "GlobalAvgPool"
    }
}

/// Mean over regions that cover the image, so many rows and columns of them whatever the image's extents: `[N,H,W,C]` to
/// `[N,rows,columns,C]`; see [`Graph::adaptive_avg_pool2d`](chiaro_graph::Graph::adaptive_avg_pool2d).
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool2d(pub [usize; 2]);

impl Module for AdaptiveAvgPool2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match *x {
            [n, _, _, c] => Ok(vec![n, self.0[0], self.0[1], c]),
            _ => Err(declare.error("adaptive_avg_pool2d", &[x], "takes [N,H,W,C]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().adaptive_avg_pool2d(x, self.0)
    }

    fn kind(&self) -> &'static str {
        "AdaptiveAvgPool2d"
    }
}

/// Largest element of the whole image: `[N,H,W,C]` to `[N,C]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalMaxPool;

impl Module for GlobalMaxPool {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match *x {
            [n, _, _, c] => Ok(vec![n, c]),
            _ => Err(declare.error("global_max_pool2d", &[x], "takes [N,H,W,C]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let &[n, h, w, c] = ctx.shape(x) else {
            return Err(ctx.shape_error("global_max_pool2d", &[ctx.shape(x)], "takes [N,H,W,C]".into()));
        };
        let whole = PoolSpec { kernel: [h, w], stride: [h, w], ..PoolSpec::square(1) };
        let y = ctx.graph().max_pool2d(x, &whole)?;
        ctx.graph().reshape(y, &[n, c])
    }

    fn kind(&self) -> &'static str {
        "GlobalMaxPool"
    }
}
