//! Elementwise ops as layers.

use crate::context::{Context, Module};
use chiaro_graph::{Elementwise, Result, Var};

/// Every op of the table is a layer, `Activation::Relu`; the operands behind the first have their usual numbers. [`Map`] gives it
/// others.
pub use chiaro_graph::Elementwise as Activation;

impl Module for Elementwise {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().map_scalars(*self, x, self.usual_numbers())
    }

    fn kind(&self) -> &'static str {
        self.name()
    }
}

/// An elementwise op with numbers for the operands behind the first: `Map(Activation::LeakyRelu, vec![0.2])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Map(pub Elementwise, pub Vec<f64>);

impl Module for Map {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().map_scalars(self.0, x, &self.1)
    }

    fn kind(&self) -> &'static str {
        self.0.name()
    }
}
