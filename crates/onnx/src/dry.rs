//! A trial recording: what a model keeps, and what its layers give, for images of a size.

use chiaro_graph::plan::Product;
use chiaro_graph::{DType, Graph, Var};
use chiaro_nn::StateKind;

use crate::error::Result;
use crate::host::Host;
use crate::parts::Taker;
use crate::proto::NodeProto;
use crate::sink::{NormNumbers, Sink};

/// A parameter or statistic of a model.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub name: String,
    pub values: Host,
    pub kind: StateKind,
    pub role: Role,
}

/// What a state is for, which tells how it begins where it has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Weight,
    Bias,
    Scale,
}

/// A node that computes something.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub name: String,
    pub op: &'static str,
    pub output: Vec<usize>,
    pub products: Vec<Product>,
}

/// What a trial recording finds.
#[derive(Debug, Default)]
pub(crate) struct Dry {
    pub graph: Graph,
    /// Extents of the logits.
    pub logits: Vec<usize>,
    pub states: Vec<State>,
    pub layers: Vec<Layer>,
    /// The nodes, with the states that each takes.
    pub takers: Vec<Taker>,
    seen: usize,
}

impl Dry {
    fn state(&mut self, name: &str, values: &Host, kind: StateKind, role: Role) -> Result<Var> {
        if let Some(taker) = self.takers.last_mut() {
            taker.states.push(name.to_string());
        }
        if self.states.iter().all(|s| s.name != name) {
            self.states.push(State { name: name.into(), values: values.clone(), kind, role });
            return Ok(self.graph.input(&format!("state {name}"), &values.shape, DType::F32)?);
        }
        // Recorded before: any value of its shape does for a trial.
        Ok(self.graph.full(&values.shape, 0.0, DType::F32)?)
    }
}

impl Sink for Dry {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn begins(&mut self, node: &NodeProto) {
        self.takers.push(Taker::of(node));
    }

    fn parameter(&mut self, name: &str, values: &Host) -> Result<Var> {
        self.state(name, values, StateKind::Parameter, Role::Bias)
    }

    fn weight(&mut self, name: &str, values: &Host) -> Result<Var> {
        self.state(name, values, StateKind::Parameter, Role::Weight)
    }

    fn batch_norm(&mut self, x: Var, names: &[String; 4], values: &[Host; 4], numbers: NormNumbers) -> Result<Var> {
        use StateKind::{Parameter, Statistic};
        let kinds =
            [(Parameter, Role::Scale), (Parameter, Role::Bias), (Statistic, Role::Bias), (Statistic, Role::Scale)];
        let mut vars = vec![];
        for ((name, values), (kind, role)) in names.iter().zip(values).zip(kinds) {
            vars.push(self.state(name, values, kind, role)?);
        }
        Ok(self.graph.normalise(x, vars[2], vars[3], Some(vars[0]), Some(vars[1]), numbers.eps)?)
    }

    fn made(&mut self, op: &'static str, name: &str, var: Var) {
        let products = self.graph.products(self.seen).collect();
        self.seen = self.graph.nodes().len();
        let output = self.graph.shape(var).to_vec();
        let name = name.trim_matches('/').replace('/', ".");
        self.layers.push(Layer { name, op, output, products });
    }
}
