//! How large a graph and its values are, and what a node costs the reference.

use super::super::rng::Rng;
use chiaro_graph::{Graph, Op};

/// Extents of one kind.
const TINY: &[usize] = &[1, 1, 2, 2, 3, 4];
const SMALL: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 9];
const ODD: &[usize] = &[1, 3, 5, 7, 11, 13, 15, 17, 19, 23, 31, 33];
const ROUND: &[usize] = &[1, 4, 8, 12, 16, 24, 32];
const LARGE: &[usize] = &[63, 64, 65, 100, 127, 128, 129, 200, 257, 511, 1000, 1025, 4099];

/// The sizes of a seed.
pub(in super::super) struct Sizes {
    extents: &'static [usize],
    /// One extent in a hundred of this many is large.
    large: usize,
    /// Elements of a value at the most.
    elements: usize,
    /// Nodes after which the graph ends.
    pub nodes: usize,
    /// Work of all nodes at the most.
    pub work: usize,
}

impl Sizes {
    pub fn draw(rng: &mut Rng) -> Sizes {
        let extents = rng.pick(&[TINY, TINY, SMALL, SMALL, ODD, ROUND]);
        let nodes = match rng.below(10) {
            0..3 => rng.within(1, 8),
            3..8 => rng.within(5, 40),
            _ => rng.within(30, 100),
        };
        let large = rng.pick(&[0, 0, 0, 10]);
        let elements = if large > 0 { 40_000 } else { 4_000 };
        Sizes { extents, large, elements, nodes, work: if large > 0 { 600_000 } else { 150_000 } }
    }

    /// An extent.
    pub fn extent(&self, rng: &mut Rng) -> usize {
        if rng.percent(self.large) { rng.pick(LARGE) } else { rng.pick(self.extents) }
    }

    /// Extents of a value, most of them small if there are many.
    pub fn shape(&self, rng: &mut Rng, rank: usize) -> Vec<usize> {
        let mut shape: Vec<usize> = (0..rank).map(|_| self.extent(rng)).collect();
        while !self.fits(&shape) {
            let axis = rng.below(rank);
            shape[axis] = shape[axis].div_ceil(2);
        }
        shape
    }

    /// Whether a value of this shape may be made.
    pub fn fits(&self, shape: &[usize]) -> bool {
        shape.iter().product::<usize>() <= self.elements
    }
}

/// What a node costs, in elements of a simple one.
pub(super) fn work(g: &Graph, i: usize) -> usize {
    let node = &g.nodes()[i];
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let (own, first) = (count(&node.shape), node.inputs.first().map_or(0, |&v| count(g.shape(v))));
    let taps = |w: &[usize]| w[1] * w[2] * (1 + w[3] / 40);
    match &node.op {
        Op::Conv2d(_) => own * taps(g.shape(node.inputs[1])),
        Op::Conv2dInputGrad(_) => first * taps(g.shape(node.inputs[1])),
        Op::Conv2dWeightGrad(_) => count(g.shape(node.inputs[1])) * taps(&node.shape),
        Op::MatMul { ta, .. } => {
            let a = g.shape(node.inputs[0]);
            own * (1 + a[a.len() - if *ta { 2 } else { 1 }] / 10)
        }
        Op::MaxPool2d(s) | Op::MaxPool2dIndex(s) | Op::MaxPool2dGrad(s) => own.max(first) * s.kernel[0] * s.kernel[1],
        Op::AvgPool2d(s, _) | Op::AvgPool2dGrad(s, _) => own.max(first) * s.kernel[0] * s.kernel[1],
        Op::Input(_)
        | Op::State(_)
        | Op::Arena(_)
        | Op::Scalar(_)
        | Op::Constant(_)
        | Op::Iota
        | Op::Random { .. }
        | Op::Map(_)
        | Op::Cast(_)
        | Op::Reshape
        | Op::Transpose(_)
        | Op::Broadcast
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Concat(_)
        | Op::Pack(..)
        | Op::Reduce(..)
        | Op::ArgReduce(..)
        | Op::Moments(_)
        | Op::Softmax { .. }
        | Op::CrossEntropy(_)
        | Op::CrossEntropyGrad(_)
        | Op::Gather(_)
        | Op::ScatterAdd(_)
        | Op::IndexSelect(_)
        | Op::IndexAdd(_)
        | Op::Custom(_)
        | Op::WithGradient(_) => own.max(first),
    }
}
