//! A chain of layers.

use crate::context::{Context, Module};
use crate::declare::Declare;
use chiaro_graph::{Result, Var};

/// Layers one after another, each with a name of its own in the layer path.
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(Option<String>, Box<dyn Module>)>,
    remark: Option<String>,
}

impl Sequential {
    /// An empty chain, which returns its input.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// Appends a layer named by its position, as PyTorch does.
    pub fn push(self, layer: impl Module + 'static) -> Sequential {
        let name = self.layers.len().to_string();
        self.named(&name, layer)
    }

    /// Appends a layer under a name.
    pub fn named(mut self, name: &str, layer: impl Module + 'static) -> Sequential {
        self.layers.push((Some(name.to_string()), Box::new(layer)));
        self
    }

    /// Appends a layer without a name: it belongs to the layer around, as an activation in a block does.
    pub fn then(mut self, layer: impl Module + 'static) -> Sequential {
        self.layers.push((None, Box::new(layer)));
        self
    }

    /// Says what whoever trains it should be told; see [`Module::remark`].
    pub fn remarking(mut self, remark: impl Into<String>) -> Sequential {
        self.remark = Some(remark.into());
        self
    }
}

impl Module for Sequential {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers.iter().try_fold(x.to_vec(), |x, (name, layer)| match name {
            Some(name) => declare.call(name, layer, &x),
            None => layer.declare(declare, &x),
        })
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers.iter().try_fold(x, |x, (name, layer)| match name {
            Some(name) => ctx.call(name, layer, x),
            None => layer.forward(ctx, x),
        })
    }

    fn kind(&self) -> &'static str {
        "Sequential"
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }
}
