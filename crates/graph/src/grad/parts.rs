//! The cotangent of a value while it is collected. Of a value that is cut into many slices, a sequence into its steps for example, each
//! slice's is zeros around a part: added up, all of them would be read at every element. They are joined instead.

use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;

/// From so many slices on, parts are joined. Fewer are added in one kernel with whatever computes them.
const MANY: usize = 8;

/// What has come together so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Cotangent {
    sum: Option<Var>,
    /// Zeros around a part each, kept where the value is cut into many.
    parts: Vec<Var>,
    is_cut: bool,
}

impl Cotangent {
    /// The sum, once [`Cotangent::whole`] has made it.
    pub fn sum(&self) -> Option<Var> {
        self.sum
    }

    /// Adds one.
    pub fn add(&mut self, graph: &mut Graph, part: Var) -> Result<()> {
        if self.is_cut && is_padded(graph, part) {
            self.parts.push(part);
            return Ok(());
        }
        self.sum = Some(match self.sum {
            Some(sum) => graph.add(sum, part)?,
            None => part,
        });
        Ok(())
    }

    /// All that has come, as one value like node number `node`.
    pub fn whole(&mut self, graph: &mut Graph, node: usize) -> Result<Option<Var>> {
        let parts = std::mem::take(&mut self.parts);
        self.is_cut = false;
        match joined(graph, node, &parts)? {
            Some(all) => self.add(graph, all)?,
            None => parts.into_iter().try_for_each(|part| self.add(graph, part))?,
        }
        Ok(self.sum)
    }
}

impl Graph {
    /// An empty cotangent for each node up to y.
    pub(super) fn cotangents_of(&self, y: Var) -> Vec<Cotangent> {
        let mut slices = vec![0; y.index() + 1];
        for node in &self.nodes()[..=y.index()] {
            if matches!(node.op, Op::Slice { .. }) {
                slices[node.inputs[0].index()] += 1;
            }
        }
        slices.into_iter().map(|n| Cotangent { is_cut: n >= MANY, ..Cotangent::default() }).collect()
    }
}

/// Where a padded part begins and ends along `axis`, if it fills all the other axes.
fn range(graph: &Graph, part: Var, axis: usize) -> Option<[usize; 2]> {
    let Op::Pad { low, value, .. } = &graph.node(part).op else { return None };
    let (inner, whole) = (graph.shape(graph.node(part).inputs[0]), graph.shape(part));
    let fills = (0..whole.len()).all(|i| i == axis || inner[i] == whole[i]);
    (fills && value.value == 0.0).then(|| [low[axis], low[axis] + inner[axis]])
}

fn is_padded(graph: &Graph, part: Var) -> bool {
    (0..graph.shape(part).len()).any(|axis| range(graph, part, axis).is_some())
}

/// The parts side by side, zeros in the gaps; `None` if they lie on each other or along different axes.
fn joined(graph: &mut Graph, node: usize, parts: &[Var]) -> Result<Option<Var>> {
    let whole = graph.nodes()[node].shape.clone();
    let along = |axis: usize| -> Option<Vec<([usize; 2], Var)>> {
        let placed = parts.iter().map(|&part| Some((range(graph, part, axis)?, part)));
        let mut placed = placed.collect::<Option<Vec<_>>>()?;
        placed.sort_by_key(|(range, _)| range[0]);
        placed.windows(2).all(|pair| pair[0].0[1] <= pair[1].0[0]).then_some(placed)
    };
    let Some((axis, placed)) = (0..whole.len()).find_map(|axis| Some((axis, along(axis)?))) else { return Ok(None) };
    if parts.is_empty() {
        return Ok(None);
    }
    let (mut side_by_side, mut end) = (vec![], 0);
    let gap = |graph: &mut Graph, all: &mut Vec<Var>, from: usize, to: usize| -> Result<()> {
        if to > from {
            let mut shape = whole.clone();
            shape[axis] = to - from;
            let dtype = graph.nodes()[node].dtype;
            all.push(graph.full(&shape, 0.0, dtype)?);
        }
        Ok(())
    };
    for ([from, to], part) in placed {
        gap(graph, &mut side_by_side, end, from)?;
        side_by_side.push(graph.node(part).inputs[0]);
        end = to;
    }
    gap(graph, &mut side_by_side, end, whole[axis])?;
    graph.concat(&side_by_side, axis).map(Some)
}
