//! Recurrent layers: RNN, GRU and LSTM over whole sequences, in one or both directions.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::plan::Product;
use chiaro_graph::{DType, Elementwise, Graph, Result, Var};

/// How a state goes on from one step to the next. x̂ and ĥ are the gates' dense layers of the input and of the state before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// h' = tanh(x̂ + ĥ) (Elman, 1990).
    Rnn,
    /// r, z = σ(x̂ + ĥ); n = tanh(x̂ + r ĥ); h' = (1 - z) n + z h (arXiv:1406.1078, with the reset behind the product as cuDNN has it).
    Gru,
    /// i, f, o = σ(x̂ + ĥ); g = tanh(x̂ + ĥ); c' = f c + i g; h' = o tanh(c') (Hochreiter and Schmidhuber, 1997; arXiv:1503.04069).
    Lstm,
}

impl Cell {
    /// Dense layers that a step takes.
    fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }
}

/// What a recurrent layer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// The state after each step: `[N,T,directions * features]`; zeros behind a sequence's end.
    Sequence,
    /// The state after the last step of a sequence, which for the way back is its first: `[N,directions * features]`.
    Last,
}

/// Sequences `[N,T,D]` through layers of cells, begun with zeros. Parameters are PyTorch's, gates in its order: `weight_ih_l0`
/// `[gates * features, D]`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, those of the way back with `_reverse` behind; layers
/// behind the first are `l1`, `l2`. The graph has a few nodes a step, so that T is part of it.
#[derive(Clone, Debug)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// Features of a state.
    pub features: usize,
    /// Layers, each of which takes the sequence of the one before.
    pub layers: usize,
    /// Whether each layer also goes from the end to the beginning.
    pub both_ways: bool,
    /// What comes out.
    pub gives: Gives,
}

impl Recurrent {
    /// One layer in one direction that gives the last state.
    pub fn new(cell: Cell, features: usize) -> Recurrent {
        Recurrent { cell, features, layers: 1, both_ways: false, gives: Gives::Last }
    }

    /// Gives the state after each step.
    pub fn sequence(self) -> Recurrent {
        Recurrent { gives: Gives::Sequence, ..self }
    }

    /// Goes both ways.
    pub fn both_ways(self) -> Recurrent {
        Recurrent { both_ways: true, ..self }
    }

    /// So many layers.
    pub fn layers(self, layers: usize) -> Recurrent {
        Recurrent { layers, ..self }
    }

    /// For sequences of several lengths, filled up at their ends: `lengths` is i32 `[N]`, from 1 to T.
    pub fn within(&self, lengths: Var) -> Within<'_> {
        Within { layer: self, lengths }
    }

    fn ways(&self) -> &'static [&'static str] {
        if self.both_ways { &["", "_reverse"] } else { &[""] }
    }

    fn record(&self, ctx: &mut Context<'_>, x: Var, lengths: Option<Var>) -> Result<Var> {
        let &[n, time, features] = ctx.shape(x) else {
            return Err(ctx.shape_error("recurrent", &[ctx.shape(x)], "takes sequences [N,T,D]".into()));
        };
        if let Some(lengths) = lengths.filter(|&lengths| ctx.shape(lengths) != [n]) {
            let shapes = [ctx.shape(x), ctx.shape(lengths)];
            return Err(ctx.shape_error("recurrent", &shapes, "lengths must be [N]".into()));
        }
        let graph = ctx.graph();
        let (stored, x) = (graph.dtype(x), graph.widened(x)?);
        let inside = lengths.map(|lengths| insides(graph, lengths, time)).transpose()?;
        let mut steps = vec![];
        for t in 0..time {
            let step = graph.narrow(x, 1, t, t + 1)?;
            steps.push(graph.reshape(step, &[n, features])?);
        }
        let mut ends = vec![];
        for layer in 0..self.layers {
            let mut ways = vec![];
            for way in self.ways() {
                let part = Part { cell: self.cell, features: self.features, name: format!("l{layer}{way}") };
                ways.push(part.run(ctx, &steps, inside.as_deref(), !way.is_empty())?);
            }
            let graph = ctx.graph();
            let joined = |graph: &mut Graph, t: usize| {
                let all: Vec<Var> = ways.iter().map(|(states, _)| states[t]).collect();
                graph.concat(&all, 1)
            };
            steps = (0..time).map(|t| joined(graph, t)).collect::<Result<_>>()?;
            ends = ways.into_iter().map(|(_, end)| end).collect();
        }
        let graph = ctx.graph();
        let result = match self.gives {
            Gives::Last => graph.concat(&ends, 1)?,
            Gives::Sequence => {
                let width = self.features * self.ways().len();
                let each = steps.into_iter().map(|step| graph.reshape(step, &[n, 1, width]));
                let each = each.collect::<Result<Vec<_>>>()?;
                graph.concat(&each, 1)?
            }
        };
        graph.cast(result, stored)
    }
}

impl Module for Recurrent {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[n, time, mut inputs] = x else {
            return Err(declare.error("recurrent", &[x], "takes sequences [N,T,D]".into()));
        };
        if self.layers == 0 || self.features == 0 {
            return Err(declare.error("recurrent", &[x], "has no layers, or no features".into()));
        }
        let rows = self.cell.gates().saturating_mul(self.features);
        let width = self.features.saturating_mul(self.ways().len());
        for layer in 0..self.layers {
            for way in self.ways() {
                let spread = Init::torch_bias(self.features);
                declare.parameter(&format!("weight_ih_l{layer}{way}"), &[rows, inputs], spread)?;
                declare.parameter(&format!("weight_hh_l{layer}{way}"), &[rows, self.features], spread)?;
                declare.parameter(&format!("bias_ih_l{layer}{way}"), &[rows], spread)?;
                declare.parameter(&format!("bias_hh_l{layer}{way}"), &[rows], spread)?;
                let product = |k| Product { batch: time, m: n, n: rows, k, busy_rows: false };
                declare.product(product(inputs));
                declare.product(product(self.features));
            }
            inputs = width;
        }
        Ok(match self.gives {
            Gives::Sequence => vec![n, time, width],
            Gives::Last => vec![n, width],
        })
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.record(ctx, x, None)
    }

    fn kind(&self) -> &'static str {
        match self.cell {
            Cell::Rnn => "Rnn",
            Cell::Gru => "Gru",
            Cell::Lstm => "Lstm",
        }
    }
}

/// A recurrent layer for sequences of several lengths; see [`Recurrent::within`].
pub struct Within<'l> {
    layer: &'l Recurrent,
    lengths: Var,
}

impl Module for Within<'_> {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layer.declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layer.record(ctx, x, Some(self.lengths))
    }

    fn kind(&self) -> &'static str {
        self.layer.kind()
    }
}

/// For each step, whether each sequence goes on there: bool `[N,1]`.
fn insides(graph: &mut Graph, lengths: Var, time: usize) -> Result<Vec<Var>> {
    let n = graph.shape(lengths)[0];
    let column = graph.reshape(lengths, &[n, 1])?;
    (0..time).map(|t| graph.map_scalars(Elementwise::Greater, column, &[t as f64])).collect()
}

/// One layer in one direction.
struct Part {
    cell: Cell,
    features: usize,
    name: String,
}

impl Part {
    /// The states after each step, in the order of time, and after the last.
    fn run(&self, ctx: &mut Context<'_>, steps: &[Var], inside: Option<&[Var]>, back: bool) -> Result<(Vec<Var>, Var)> {
        let of = |name: &str| format!("{name}_{}", self.name);
        let [wx, wh] = [ctx.parameter(&of("weight_ih"))?, ctx.parameter(&of("weight_hh"))?];
        let [bx, bh] = [ctx.parameter(&of("bias_ih"))?, ctx.parameter(&of("bias_hh"))?];
        let (n, graph) = (ctx.shape(steps[0])[0], ctx.graph());
        let zeros = graph.full(&[n, self.features], 0.0, DType::F32)?;
        let (mut state, mut memory) = (zeros, zeros);
        let mut states = vec![zeros; steps.len()];
        let order: Vec<usize> = if back { (0..steps.len()).rev().collect() } else { (0..steps.len()).collect() };
        for t in order {
            let x = graph.linear(steps[t], wx, Some(bx))?;
            let h = graph.linear(state, wh, Some(bh))?;
            let (new, kept) = self.step(graph, x, h, state, memory)?;
            let Some(inside) = inside.map(|inside| inside[t]) else {
                (state, memory, states[t]) = (new, kept, new);
                continue;
            };
            states[t] = graph.where_(inside, new, zeros)?;
            state = graph.where_(inside, new, state)?;
            memory = graph.where_(inside, kept, memory)?;
        }
        Ok((states, state))
    }

    /// The next state, and the next memory of a cell that has one.
    fn step(&self, graph: &mut Graph, x: Var, h: Var, state: Var, memory: Var) -> Result<(Var, Var)> {
        let gate =
            |graph: &mut Graph, of: Var, i: usize| graph.narrow(of, 1, i * self.features, (i + 1) * self.features);
        match self.cell {
            Cell::Rnn => {
                let sum = graph.add(x, h)?;
                Ok((graph.tanh(sum)?, memory))
            }
            Cell::Gru => {
                let mut open = vec![];
                for i in 0..2 {
                    let (x, h) = (gate(graph, x, i)?, gate(graph, h, i)?);
                    let sum = graph.add(x, h)?;
                    open.push(graph.sigmoid(sum)?);
                }
                let (own, past) = (gate(graph, x, 2)?, gate(graph, h, 2)?);
                let past = graph.mul(open[0], past)?;
                let new = graph.add(own, past)?;
                let new = graph.tanh(new)?;
                let change = graph.sub(state, new)?;
                let kept = graph.mul(open[1], change)?;
                Ok((graph.add(new, kept)?, memory))
            }
            Cell::Lstm => {
                let all = graph.add(x, h)?;
                let [i, f, g, o] = [0, 1, 2, 3].map(|place| gate(graph, all, place));
                let (i, f, g, o) = (graph.sigmoid(i?)?, graph.sigmoid(f?)?, graph.tanh(g?)?, graph.sigmoid(o?)?);
                let (kept, added) = (graph.mul(f, memory)?, graph.mul(i, g)?);
                let memory = graph.add(kept, added)?;
                let shown = graph.tanh(memory)?;
                Ok((graph.mul(o, shown)?, memory))
            }
        }
    }
}
