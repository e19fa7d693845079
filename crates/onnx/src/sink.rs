//! Where a recorded model goes: what becomes of its weights.

use chiaro_graph::{Graph, Var};

use crate::error::Result;
use crate::host::Host;
use crate::proto::NodeProto;

/// What takes the model in.
pub(crate) trait Sink {
    /// The graph that is recorded.
    fn graph(&mut self) -> &mut Graph;

    /// A trainable weight with its values, as `name`.
    fn parameter(&mut self, name: &str, values: &Host) -> Result<Var>;

    /// A weight of a product: in 16-bit training, its copy.
    fn weight(&mut self, name: &str, values: &Host) -> Result<Var> {
        self.parameter(name, values)
    }

    /// What a product takes: in 16-bit training, rounded.
    fn operand(&mut self, x: Var) -> Result<Var> {
        Ok(x)
    }

    /// Batch norm of x, channels last; names and values of scale, shift, mean and variance.
    fn batch_norm(&mut self, x: Var, names: &[String; 4], values: &[Host; 4], numbers: NormNumbers) -> Result<Var>;

    /// What comes next is of this node.
    fn begins(&mut self, node: &NodeProto) {
        let _ = node;
    }

    /// The value is the result of a node.
    fn made(&mut self, op: &'static str, name: &str, var: Var) {
        let _ = (op, name, var);
    }
}

/// Numbers of a batch norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormNumbers {
    pub eps: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
}

/// All weights are fixed data of the graph.
pub(crate) struct Fixed<'g>(pub &'g mut Graph);

impl Sink for Fixed<'_> {
    fn graph(&mut self) -> &mut Graph {
        self.0
    }

    fn parameter(&mut self, _name: &str, values: &Host) -> Result<Var> {
        Ok(self.0.constant(values.to_tensor()?)?)
    }

    fn batch_norm(&mut self, x: Var, names: &[String; 4], values: &[Host; 4], numbers: NormNumbers) -> Result<Var> {
        let mut vars = vec![];
        for (name, values) in names.iter().zip(values) {
            vars.push(self.parameter(name, values)?);
        }
        Ok(self.0.normalise(x, vars[2], vars[3], Some(vars[0]), Some(vars[1]), numbers.eps)?)
    }
}
