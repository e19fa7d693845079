//! Values while a model is recorded: known on the host, or computed by the graph in some order of their axes.

use chiaro_graph::{Graph, Var};

use crate::error::{OnnxError, Result};
use crate::host::Host;

/// A value of the model.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Known.
    Host(Host),
    /// Computed.
    Device(Held),
}

/// A computed value.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub var: Var,
    /// How the elements lie.
    pub order: Order,
}

/// How a computed value's elements lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Axis i of the variable is axis `.0[i]` of ONNX.
    Axes(Vec<usize>),
    /// A matrix whose columns are flattened pixels, in order of row, column, channel; ONNX has channel, row, column.
    Pixels([usize; 3]),
}

impl Held {
    pub fn plain(graph: &Graph, var: Var) -> Held {
        Held { var, order: Order::Axes((0..graph.shape(var).len()).collect()) }
    }

    /// Extents in ONNX' order.
    pub fn shape(&self, graph: &Graph) -> Vec<usize> {
        let own = graph.shape(self.var);
        match &self.order {
            Order::Pixels(_) => own.to_vec(),
            Order::Axes(axes) => {
                let mut shape = vec![0; own.len()];
                axes.iter().zip(own).for_each(|(&axis, &n)| shape[axis] = n);
                shape
            }
        }
    }

    /// The variable with its axes in this order.
    pub fn ordered(&self, graph: &mut Graph, wanted: &[usize]) -> Result<Var> {
        let (var, axes) = match &self.order {
            Order::Axes(axes) => (self.var, axes.clone()),
            Order::Pixels([h, w, c]) => {
                let n = graph.shape(self.var)[0];
                let image = graph.reshape(self.var, &[n, *h, *w, *c])?;
                let first = transposed(graph, image, &[0, 3, 1, 2])?;
                (graph.reshape(first, &[n, h * w * c])?, vec![0, 1])
            }
        };
        if wanted.len() != axes.len() {
            return Err(OnnxError::node(format!("{} axes are wanted of {:?}", wanted.len(), graph.shape(var))));
        }
        let place = |axis: &usize| axes.iter().position(|a| a == axis);
        let perm: Option<Vec<usize>> = wanted.iter().map(place).collect();
        let perm = perm.ok_or_else(|| OnnxError::node(format!("the axes {wanted:?} are wanted of {axes:?}")))?;
        transposed(graph, var, &perm)
    }

    /// The variable as ONNX orders it.
    pub fn logical(&self, graph: &mut Graph) -> Result<Var> {
        let rank = graph.shape(self.var).len();
        self.ordered(graph, &(0..rank).collect::<Vec<_>>())
    }
}

/// A transposition; one that moves axes of extent 1 alone is no work.
pub(crate) fn transposed(graph: &mut Graph, var: Var, perm: &[usize]) -> Result<Var> {
    let shape = graph.shape(var).to_vec();
    let long: Vec<usize> = perm.iter().copied().filter(|&p| shape[p] > 1).collect();
    if long.is_sorted() {
        let out: Vec<usize> = perm.iter().map(|&p| shape[p]).collect();
        return Ok(graph.reshape(var, &out)?);
    }
    Ok(graph.transpose(var, perm)?)
}

/// Channels last, for any number of axes: `[0, 2, 3, 1]` of images.
pub(crate) fn channels_last(rank: usize) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        axes.remove(1);
        axes.push(1);
    }
    axes
}
