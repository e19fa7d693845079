//! Random graphs: each from one seed. Every seed has some of the families of calls, sizes and types of its own, so that rare mixtures
//! come up; every value is computed as the graph grows, so that logarithms get positive numbers and nothing overflows.

mod conv;
mod elementwise;
mod finish;
mod gradient;
mod half;
mod index;
mod loss;
mod motif;
mod movement;
mod norm;
mod pool;
mod product;
mod random;
mod reduce;
mod size;
mod state;

use super::arg::V;
use super::call::Call;
use super::lanes::{Lanes, Value};
use super::recipe::{Leaf, LeafKind, Made, Recipe, RecipeStep, arena};
use super::rng::Rng;
use crate::draw::{Draw, arena_values};
use chiaro_graph::{DType, Graph, StateId, Tensor, Var};
use size::{Sizes, work};
use std::collections::BTreeMap;

/// Largest size of a value in 32 and in 16 bits: beyond it a call is taken back.
const LARGEST: [f64; 2] = [1e4, 500.0];

/// A graph that grows.
pub(super) struct Gen {
    pub rng: Rng,
    pub sizes: Sizes,
    /// Values of 16 bits occur.
    pub halves: bool,
    /// States occur.
    pub states_wanted: bool,
    pub recipe: Recipe,
    pub graph: Graph,
    made: Made,
    states: Vec<Option<StateId>>,
    /// The value of each node in the first run; empty where it is of no use.
    values: Vec<Value>,
    lanes: Lanes,
    inputs: Vec<Tensor>,
    /// Leaves that were made, those that were taken back among them.
    streams: u32,
    /// Work that is left, in elements.
    left: usize,
    /// Values of each state behind the run, and arenas that are written as a whole.
    pub updates: Vec<(usize, V)>,
    pub whole: Vec<(DType, V)>,
}

/// A family of calls: its weight, and what adds one to the graph; none if nothing fits or the call was taken back.
type Family = (usize, fn(&mut Gen) -> Option<V>);

const FAMILIES: &[Family] = &[
    (10, elementwise::unary),
    (10, elementwise::binary),
    (5, elementwise::numbers),
    (4, elementwise::selection),
    (3, elementwise::integers),
    (12, movement::movement),
    (5, movement::concat),
    (7, reduce::reduction),
    (4, reduce::extremes),
    (6, product::matmul),
    (4, product::linear),
    (10, conv::conv),
    (4, conv::transposed),
    (6, pool::window),
    (3, pool::adaptive),
    (7, norm::norm),
    (3, norm::softmax),
    (5, loss::entropy),
    (3, loss::distance),
    (4, index::selection),
    (2, index::one_hot),
    (2, movement::filled),
    (2, random::random),
    (1, random::images),
    (4, half::cast),
    (3, state::read),
    (3, state::packed),
    (4, motif::dense),
    (4, motif::residual),
    (3, motif::trained),
    (14, gradient::gradient),
];

/// The graph of a seed.
pub(super) fn generate(seed: u64) -> Recipe {
    let mut gen_ = Gen::new(seed);
    let weights: Vec<usize> = FAMILIES.iter().map(|(w, _)| w * gen_.rng.pick(&[0, 1, 1, 4])).collect();
    let nodes = gen_.sizes.nodes;
    for _ in 0..4 * nodes + 20 {
        if gen_.graph.nodes().len() >= nodes || gen_.left == 0 {
            break;
        }
        let Some(family) = gen_.rng.weighted(&weights) else { break };
        FAMILIES[family].1(&mut gen_);
    }
    gen_.finish()
}

impl Gen {
    fn new(seed: u64) -> Gen {
        let mut rng = Rng::new(seed);
        let sizes = Sizes::draw(&mut rng);
        let (halves, states_wanted) = (rng.percent(30), rng.percent(50));
        let left = sizes.work;
        Gen {
            rng,
            sizes,
            halves,
            states_wanted,
            recipe: Recipe { seed, ..Recipe::default() },
            graph: Graph::new(),
            made: vec![],
            states: vec![],
            values: vec![],
            lanes: Lanes { pairs: 0, seed, arenas: BTreeMap::new() },
            inputs: vec![],
            streams: 0,
            left,
            updates: vec![],
            whole: vec![],
        }
    }

    /// Adds a builder call.
    pub fn call(&mut self, call: Call) -> Option<V> {
        self.add(RecipeStep::Call(call))
    }

    /// Adds a step, or takes it back if the builder refuses it or its values are of no use.
    pub fn add(&mut self, step: RecipeStep) -> Option<V> {
        let i = self.recipe.steps.len();
        self.recipe.steps.push(step);
        self.states.push(None);
        let vars = self.applied(i);
        if vars.is_none() {
            self.recipe.steps.pop();
            self.states.pop();
        }
        self.made.push(vars?);
        Some(V { step: i, part: 0 })
    }

    /// The values of step `i`; none if the builder refuses it or they are of no use.
    fn applied(&mut self, i: usize) -> Option<Vec<Var>> {
        if let RecipeStep::Leaf(leaf) = self.recipe.steps[i].clone() {
            self.declare(i, &leaf)?;
        }
        let added = self.recipe.add(&mut self.graph, &self.made, &self.states, i);
        let fine = self.evaluate();
        added.ok().filter(|vars| fine && vars.iter().all(|v| self.is_usable(v.index())))
    }

    /// Declares a state, or keeps the numbers of an input.
    fn declare(&mut self, i: usize, leaf: &Leaf) -> Option<()> {
        match leaf.kind {
            LeafKind::Input => self.inputs.push(leaf.values(self.recipe.seed, 0)),
            LeafKind::State => {
                let id = arena(&mut self.graph, leaf.dtype).ok()?;
                self.states[i] = Some(self.graph.state(id, &leaf.name(), &leaf.shape).ok()?);
                let info = &self.graph.arenas()[id.index()];
                self.lanes.arenas.insert(info.name.clone(), Value::exact(arena_values(info).to_f64()));
            }
            LeafKind::Constant | LeafKind::Arena => {}
        }
        Some(())
    }

    /// Computes the new nodes; false if one is too much work or not finite.
    fn evaluate(&mut self) -> bool {
        let mut fine = true;
        for i in self.values.len()..self.graph.nodes().len() {
            let cost = work(&self.graph, i);
            let whole = self.graph.nodes()[i].inputs.iter().all(|v| self.is_known(v.index()));
            let fits = cost <= self.left && self.sizes.fits(&self.graph.nodes()[i].shape);
            let value = if fine && whole && fits {
                self.left -= cost;
                self.lanes.node(&self.graph, i, &self.values, &self.inputs, 0)
            } else {
                None
            };
            let value = value.filter(|v| v.base.iter().all(|x| x.is_finite()));
            fine &= value.is_some();
            self.values.push(value.unwrap_or_default());
        }
        fine
    }

    fn is_known(&self, node: usize) -> bool {
        !self.values[node].base.is_empty()
    }

    fn is_usable(&self, node: usize) -> bool {
        let dtype = self.graph.nodes()[node].dtype;
        let limit = match dtype {
            // Pixels, keys and matrices of images are numbers of 32 bits, and integers wrap around alike everywhere.
            DType::U32 | DType::I32 | DType::Bool => f64::INFINITY,
            DType::F32 | DType::F16 => LARGEST[usize::from(dtype == DType::F16)],
        };
        self.is_known(node) && self.values[node].base.iter().all(|v| v.abs() <= limit)
    }

    /// Adds a leaf of its own numbers.
    pub fn leaf(&mut self, kind: LeafKind, shape: &[usize], dtype: DType, draw: Draw) -> Option<V> {
        self.streams += 1;
        let stream = self.streams;
        self.add(RecipeStep::Leaf(Leaf { kind, shape: shape.to_vec(), dtype, draw, stream }))
    }

    pub fn shape(&self, v: V) -> Vec<usize> {
        self.graph.shape(self.made[v.step][v.part]).to_vec()
    }

    pub fn dtype(&self, v: V) -> DType {
        self.graph.dtype(self.made[v.step][v.part])
    }

    /// The numbers of a value in the first run.
    pub fn numbers(&self, v: V) -> &[f64] {
        &self.values[self.made[v.step][v.part].index()].base
    }

    /// Every value.
    pub fn all(&self) -> Vec<V> {
        let parts = |(step, vars): (usize, &Vec<_>)| (0..vars.len()).map(move |part| V { step, part });
        self.made.iter().enumerate().flat_map(parts).collect()
    }

    /// A value that fits, the latest ones more often.
    pub fn some(&mut self, fits: impl Fn(&Gen, V) -> bool) -> Option<V> {
        let all: Vec<V> = self.all().into_iter().filter(|&v| fits(self, v)).collect();
        if all.is_empty() {
            return None;
        }
        let from = if self.rng.percent(50) { all.len().saturating_sub(3) } else { 0 };
        Some(all[self.rng.within(from, all.len() - 1)])
    }
}
