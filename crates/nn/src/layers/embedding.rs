//! Vectors for words, places, and whatever else is counted.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{Result, Var};

/// A learnt vector for each index: i32 `[...]` to `[..., features]`. Parameter: `weight` `[rows, features]`, normal as PyTorch's.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// How many indices there are.
    pub rows: usize,
    /// Length of a vector.
    pub features: usize,
    /// The index that fills sequences up: its vector starts as zeros and is not trained.
    pub padding: Option<usize>,
    /// How vectors start; where it is normal, the filling vector starts as zeros.
    pub init: Init,
}

impl Embedding {
    /// Vectors that start as standard normal numbers.
    pub fn new(rows: usize, features: usize) -> Embedding {
        Embedding { rows, features, padding: None, init: Init::Normal { std: 1.0 } }
    }

    /// The same with an index that fills sequences up.
    pub fn padding(self, index: usize) -> Embedding {
        Embedding { padding: Some(index), ..self }
    }
}

impl Module for Embedding {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let init = match (self.padding, self.init) {
            (Some(row), Init::Normal { std }) => Init::NormalBut { std, zeros: row },
            (_, init) => init,
        };
        declare.parameter("weight", &[self.rows, self.features], init)?;
        Ok([x, &[self.features]].concat())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let weight = ctx.parameter("weight")?;
        ctx.graph().embedding(weight, x, self.padding)
    }

    fn kind(&self) -> &'static str {
        "Embedding"
    }
}

/// A learnt vector for each place of a sequence, added: `[N,T,D]`. Parameter: `weight` `[T,D]`.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// How vectors start.
    pub init: Init,
}

impl Module for Places {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[_, time, features] = x else {
            return Err(declare.error("places", &[x], "takes sequences [N,T,D]".into()));
        };
        declare.parameter("weight", &[time, features], self.init)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let weight = ctx.parameter("weight")?;
        ctx.add_bias(x, weight)
    }

    fn kind(&self) -> &'static str {
        "Places"
    }
}
