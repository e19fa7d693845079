//! Batch norms found among the elementwise ops that they are recorded as, for files in which they stay what they are.

use chiaro_graph::{Elementwise, Graph, Node, Op, Var};

use super::builder::{Item, Wide, float};
use super::value::{IMAGE, Val, plain};
use super::writer::{Writer, refused};
use crate::error::Result;

/// A batch norm in evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    pub x: Var,
    /// Absent where the factors are all 1.
    scale: Option<Var>,
    shift: Var,
    mean: Var,
    variance: Var,
    eps: f64,
}

/// A value before it was broadcast, and before it got leading axes for that.
fn source(graph: &Graph, v: Var) -> Var {
    let node = graph.node(v);
    if node.op != Op::Broadcast {
        return v;
    }
    let inner = node.inputs[0];
    let under = graph.node(inner);
    let is_aligned = under.op == Op::Reshape && graph.shape(under.inputs[0]).len() < under.shape.len();
    if is_aligned { under.inputs[0] } else { inner }
}

/// The operands of an op, before they were broadcast, if a node is one of it.
fn operands(graph: &Graph, node: &Node, op: Elementwise) -> Option<[Var; 2]> {
    let inputs = (node.op == Op::Map(op)).then_some(&node.inputs[..])?;
    match inputs {
        &[a, b] => Some([source(graph, a), source(graph, b)]),
        _ => None,
    }
}

fn is_state(graph: &Graph, v: Var) -> bool {
    matches!(graph.node(v).op, Op::State(_))
}

impl Norm {
    /// The norm whose result this is: (x - mean) * (rsqrt(variance + eps) * scale) + shift, as `Graph::normalise` records it.
    pub fn at(graph: &Graph, index: usize) -> Option<Norm> {
        use Elementwise::{Add, Mul, Rsqrt, Sub};
        let [scaled, shift] = operands(graph, &graph.nodes()[index], Add)?;
        let [centred, factor] = operands(graph, graph.node(scaled), Mul)?;
        let [x, mean] = operands(graph, graph.node(centred), Sub)?;
        let (root, scale) = match operands(graph, graph.node(factor), Mul) {
            Some([root, scale]) => (root, Some(scale)),
            None => (factor, None),
        };
        let node = graph.node(root);
        let sum = (node.op == Op::Map(Rsqrt)).then(|| node.inputs[0])?;
        let [variance, eps] = operands(graph, graph.node(sum), Add)?;
        let Op::Scalar(eps) = &graph.node(eps).op else { return None };
        let scale = match scale {
            Some(v) if matches!(&graph.node(v).op, Op::Scalar(one) if one.value == 1.0) => None,
            scale => scale,
        };
        let all = [shift, mean, variance].into_iter().chain(scale).all(|v| is_state(graph, v));
        all.then_some(Norm { x, scale, shift, mean, variance, eps: eps.value })
    }

    /// The values that must be known for it.
    pub fn needs(&self) -> impl Iterator<Item = Var> {
        [self.x, self.shift, self.mean, self.variance].into_iter().chain(self.scale)
    }
}

impl Writer<'_> {
    /// Writes a norm as one node, over images or over rows of them.
    pub(super) fn norm(&mut self, norm: &Norm) -> Result<Val> {
        let rank = self.shape(norm.x.index()).len();
        let (x, val): (String, Box<dyn Fn(String) -> Val>) = match self.val(norm.x) {
            Val::Rows { name } => (name, Box::new(|name| Val::Rows { name })),
            _ if rank == 4 => {
                (self.whole(norm.x, &IMAGE)?, Box::new(|name| Val::Tensor { name, order: IMAGE.to_vec() }))
            }
            _ if rank == 2 => (self.whole(norm.x, &[0, 1])?, Box::new(|name| Val::Tensor { name, order: plain(2) })),
            _ => return refused("a batch norm of neither images nor rows"),
        };
        let channels = self.shape(norm.mean.index())[0];
        let ones = Wide { shape: vec![channels], values: vec![1.0; channels] };
        let mut names = vec![x];
        for state in [norm.scale, Some(norm.shift), Some(norm.mean), Some(norm.variance)] {
            names.push(match state.map(|v| self.val(v)) {
                Some(Val::Known { wide, name }) => {
                    self.b.own_floats(name.as_deref().unwrap_or("norm"), &wide.reshaped(&[channels]))
                }
                _ => self.b.floats("ones", &ones),
            });
        }
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let output = self.b.name("BatchNormalization");
        let node = self.b.made("BatchNormalization", &inputs, vec![float("epsilon", norm.eps)], &output);
        self.b.items.push(Item::Node(node));
        Ok(val(output))
    }
}
