//! Activation layers.

use crate::context::{Context, Module};
use chiaro_graph::{Elementwise, Result, Var};

/// An elementwise activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x, or slope x where x is not positive.
    LeakyRelu {
        /// Slope on the negative side.
        slope: f64,
    },
    /// x, or alpha (e^x - 1) where x is not positive.
    Elu {
        /// Scale of the negative side.
        alpha: f64,
    },
    /// x Φ(x).
    Gelu,
    /// x sigmoid(x).
    Silu,
    /// x relu6(x + 3) / 6.
    Hardswish,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

impl Module for Activation {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let graph = ctx.graph();
        match *self {
            Activation::Relu => graph.relu(x),
            Activation::Relu6 => graph.unary(Elementwise::Relu6, x),
            Activation::LeakyRelu { slope } => graph.map_scalars(Elementwise::LeakyRelu, x, &[slope]),
            Activation::Elu { alpha } => graph.map_scalars(Elementwise::Elu, x, &[alpha]),
            Activation::Gelu => graph.unary(Elementwise::Gelu, x),
            Activation::Silu => graph.unary(Elementwise::Silu, x),
            Activation::Hardswish => graph.unary(Elementwise::Hardswish, x),
            Activation::Sigmoid => graph.unary(Elementwise::Sigmoid, x),
            Activation::Tanh => graph.unary(Elementwise::Tanh, x),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Activation::Relu => "Relu",
            Activation::Relu6 => "Relu6",
            Activation::LeakyRelu { .. } => "LeakyRelu",
            Activation::Elu { .. } => "Elu",
            Activation::Gelu => "Gelu",
            Activation::Silu => "Silu",
            Activation::Hardswish => "Hardswish",
            Activation::Sigmoid => "Sigmoid",
            Activation::Tanh => "Tanh",
        }
    }
}
