//! A random graph as data: leaves, builder calls, outputs and assignments, which can be built, changed and printed.

use super::arg::V;
use super::call::Call;
use crate::draw::Draw;
use chiaro_graph::{ArenaId, DType, Graph, Result, StateId, Target, Tensor, Var};

/// The graph's values, by step and part.
pub(super) type Made = Vec<Vec<Var>>;

/// Steps that a graph runs; each has inputs of its own.
pub(super) const RUNS: usize = 2;

/// A value that is not computed.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub kind: LeafKind,
    pub shape: Vec<usize>,
    pub dtype: DType,
    /// How an input or a constant is drawn.
    pub draw: Draw,
    /// Tells its numbers from those of other leaves, however steps are renumbered.
    pub stream: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafKind {
    /// Given at every step.
    Input,
    /// Fixed data.
    Constant,
    /// A state in the arena of its type.
    State,
    /// All states of the type's arena.
    Arena,
}

/// A step of a recipe.
#[derive(Clone, Debug)]
pub(super) enum RecipeStep {
    Leaf(Leaf),
    Call(Call),
    /// Values laid out as the states of an arena are: steps of states, and what stands in their places.
    Pack(DType, Vec<(usize, V)>),
}

/// What is written at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The state that this step declares.
    State(usize),
    /// The whole arena of a type.
    Arena(DType),
}

/// A graph as data.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipe {
    pub seed: u64,
    pub steps: Vec<RecipeStep>,
    pub outputs: Vec<V>,
    pub assignments: Vec<(Place, V)>,
}

/// A graph with the inputs of each run.
#[derive(Clone, Debug)]
pub struct Question {
    /// The graph.
    pub graph: Graph,
    /// The inputs of each run, in the graph's order.
    pub inputs: Vec<Vec<Tensor>>,
}

/// The state that a step declares.
fn declared(states: &[Option<StateId>], step: usize) -> StateId {
    states[step].expect("the step declares a state")
}

/// The arena of a type's states.
pub(super) fn arena(g: &mut Graph, dtype: DType) -> Result<ArenaId> {
    g.arena(&format!("fuzz.{dtype}"), dtype)
}

impl Leaf {
    /// Its name in the graph.
    pub fn name(&self) -> String {
        format!("x{}", self.stream)
    }

    /// Its numbers in a run; constants have the same in all.
    pub fn values(&self, seed: u64, run: usize) -> Tensor {
        let run = if self.kind == LeafKind::Input { run } else { 0 };
        self.draw.tensor(seed, self.stream * RUNS as u32 + run as u32, &self.shape, self.dtype)
    }
}

impl RecipeStep {
    /// Visits the values that the step reads.
    pub fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        match self {
            RecipeStep::Leaf(_) => {}
            RecipeStep::Call(call) => call.values(visit),
            RecipeStep::Pack(_, parts) => parts.iter_mut().for_each(|(_, v)| visit(v)),
        }
    }

    /// Visits the numbers of steps of which the step needs more than their values.
    pub fn states(&mut self, visit: &mut dyn FnMut(&mut usize)) {
        match self {
            RecipeStep::Leaf(_) | RecipeStep::Call(_) => {}
            RecipeStep::Pack(_, parts) => parts.iter_mut().for_each(|(s, _)| visit(s)),
        }
    }
}

impl Recipe {
    /// Builds the graph.
    ///
    /// # Errors
    /// If the builder refuses a call.
    pub fn build(&self) -> Result<Question> {
        self.build_with_values().map(|(question, _)| question)
    }

    /// Builds the graph, and tells the values of each step.
    ///
    /// # Errors
    /// If the builder refuses a call.
    pub fn build_with_values(&self) -> Result<(Question, Made)> {
        let mut g = Graph::new();
        let states = self.declare_states(&mut g)?;
        let mut made: Made = vec![];
        let mut inputs = vec![vec![]; RUNS];
        for (i, step) in self.steps.iter().enumerate() {
            let vars = self.add(&mut g, &made, &states, i)?;
            if let RecipeStep::Leaf(leaf) = step
                && leaf.kind == LeafKind::Input
            {
                inputs.iter_mut().enumerate().for_each(|(run, all)| all.push(leaf.values(self.seed, run)));
            }
            made.push(vars);
        }
        for (i, v) in self.outputs.iter().enumerate() {
            g.output(&format!("out{i}"), made[v.step][v.part])?;
        }
        for (place, v) in &self.assignments {
            let target = match place {
                Place::State(step) => Target::State(declared(&states, *step)),
                Place::Arena(dtype) => Target::Arena(arena(&mut g, *dtype)?),
            };
            g.assign(target, made[v.step][v.part])?;
        }
        Ok((Question { graph: g, inputs }, made))
    }

    /// Declares every state first, as reading a whole arena demands.
    fn declare_states(&self, g: &mut Graph) -> Result<Vec<Option<StateId>>> {
        let declare = |step: &RecipeStep| match step {
            RecipeStep::Leaf(leaf) if leaf.kind == LeafKind::State => {
                let id = arena(g, leaf.dtype)?;
                g.state(id, &leaf.name(), &leaf.shape).map(Some)
            }
            RecipeStep::Leaf(_) | RecipeStep::Call(_) | RecipeStep::Pack(..) => Ok(None),
        };
        self.steps.iter().map(declare).collect()
    }

    /// Adds the nodes of step `i`.
    pub fn add(&self, g: &mut Graph, made: &Made, states: &[Option<StateId>], i: usize) -> Result<Vec<Var>> {
        let state = |step: usize| declared(states, step);
        match &self.steps[i] {
            RecipeStep::Call(call) => call.apply(g, made),
            RecipeStep::Pack(dtype, parts) => {
                let id = arena(g, *dtype)?;
                let parts: Vec<(StateId, Var)> = parts.iter().map(|&(s, v)| (state(s), made[v.step][v.part])).collect();
                g.pack(id, &parts).map(|v| vec![v])
            }
            RecipeStep::Leaf(leaf) => Ok(vec![match leaf.kind {
                LeafKind::Input => g.input(&leaf.name(), &leaf.shape, leaf.dtype)?,
                LeafKind::Constant => g.constant(leaf.values(self.seed, 0))?,
                LeafKind::State => g.state_value(state(i))?,
                LeafKind::Arena => {
                    let id = arena(g, leaf.dtype)?;
                    g.arena_values(id)?
                }
            }]),
        }
    }
}
