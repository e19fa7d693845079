//! A step of one's own: any inputs and losses, with the layers, gradients and optimizers of this crate.

use crate::arena::{PARAMS, arena_id};
use crate::context::{Context, Declarations, Mode};
use crate::error::{NnError, Result};
use crate::initial::initial_arenas;
use crate::optim::Optimizers;
use crate::train_step::random_key;
use chiaro_graph::{DType, Graph, StateId, Tensor, Var};

/// Name, extents and type of an input.
pub type OwnInput<'a> = (&'a str, &'a [usize], DType);

/// A loss, and what the names of the parameters that it trains begin with: nothing for all of them.
#[derive(Clone, Debug)]
pub struct Aim {
    /// A single number.
    pub loss: Var,
    /// The beginning of the names.
    pub of: String,
}

/// A graph with inputs, outputs and losses of one's own. Where it trains, two inputs follow one's own: `key` u32 `[3]` for dropout,
/// and `hyper` f32 for the optimizers. Its states are in the arenas [`PARAMS`](crate::PARAMS) and [`BUFFERS`](crate::BUFFERS),
/// which steps with the same layers share.
#[derive(Clone, Debug)]
pub struct OwnStep {
    /// The graph.
    pub graph: Graph,
    /// What the layers declared.
    pub declarations: Declarations,
    /// None where nothing is trained.
    optimizers: Option<Optimizers>,
}

impl OwnStep {
    /// A training step: `record` records layers and outputs, and gives the loss.
    ///
    /// # Errors
    /// Those of `record`; if a layer does not fit, nothing was declared that could be trained, or the loss is no single number.
    pub fn training(
        inputs: &[OwnInput<'_>],
        optimizers: impl Into<Optimizers>,
        record: impl FnOnce(&mut Context<'_>, &[Var]) -> chiaro_graph::Result<Var>,
    ) -> Result<OwnStep> {
        let one = |ctx: &mut Context<'_>, given: &[Var]| Ok(vec![Aim { loss: record(ctx, given)?, of: String::new() }]);
        OwnStep::training_for(inputs, optimizers, one)
    }

    /// The same with several losses, each for the parameters whose names begin as it says; the first that fits counts. All
    /// gradients are of the parameters before the step.
    ///
    /// # Errors
    /// Those of [`OwnStep::training`], and if there is no loss for a parameter, or no parameter for a loss.
    pub fn training_for(
        inputs: &[OwnInput<'_>],
        optimizers: impl Into<Optimizers>,
        record: impl FnOnce(&mut Context<'_>, &[Var]) -> chiaro_graph::Result<Vec<Aim>>,
    ) -> Result<OwnStep> {
        let optimizers = optimizers.into();
        let mut graph = Graph::new();
        let given = declare(&mut graph, inputs)?;
        let key = graph.input("key", &[3], DType::U32)?;
        let hyper = graph.input("hyper", &[optimizers.hyper_len()], DType::F32)?;
        let mut ctx = Context::new(&mut graph, Mode::Train, Some(key));
        let aims = record(&mut ctx, &given)?;
        let declarations = ctx.finish()?;
        let Some(params) = arena_id(&graph, PARAMS) else {
            return Err(NnError::Option("the step has no parameters to train".into()));
        };
        let gradients = gradients(&mut graph, &declarations, &aims)?;
        let gradient = graph.pack(params, &gradients)?;
        optimizers.apply(&mut graph, params, gradient, hyper, None)?;
        Ok(OwnStep { graph, declarations, optimizers: Some(optimizers) })
    }

    /// A step that trains nothing: layers behave as in evaluation, and `record` says what is put out.
    ///
    /// # Errors
    /// Those of `record`, and if a layer does not fit.
    pub fn asking(
        inputs: &[OwnInput<'_>],
        record: impl FnOnce(&mut Context<'_>, &[Var]) -> chiaro_graph::Result<()>,
    ) -> Result<OwnStep> {
        let mut graph = Graph::new();
        let given = declare(&mut graph, inputs)?;
        let mut ctx = Context::new(&mut graph, Mode::Eval, None);
        record(&mut ctx, &given)?;
        let declarations = ctx.finish()?;
        Ok(OwnStep { graph, declarations, optimizers: None })
    }

    /// Whether it trains.
    pub fn trains(&self) -> bool {
        self.optimizers.is_some()
    }

    /// The place of an output among the graph's.
    pub fn output(&self, name: &str) -> Option<usize> {
        self.graph.outputs().iter().position(|(known, _)| known == name)
    }

    /// Every arena with its values before the first step.
    pub fn initial_arenas(&self, seed: u64) -> Vec<(String, Tensor)> {
        initial_arenas(&self.graph, &self.declarations, seed, None)
    }

    /// The inputs of a step in the graph's order. `seed` and `step` (from 0) key the random numbers, `lr` is the step's rate; a step
    /// that trains nothing looks at none of them.
    pub fn inputs(&self, own: &[Tensor], seed: u64, step: u64, lr: f64) -> Vec<Tensor> {
        let trained = self.optimizers.as_ref().map(|optimizers| [random_key(seed, step), optimizers.hyper(lr, step)]);
        own.iter().cloned().chain(trained.into_iter().flatten()).collect()
    }
}

fn declare(graph: &mut Graph, inputs: &[OwnInput<'_>]) -> Result<Vec<Var>> {
    Ok(inputs
        .iter()
        .map(|(name, shape, dtype)| graph.input(name, shape, *dtype))
        .collect::<chiaro_graph::Result<_>>()?)
}

/// Of each parameter, the gradient of the first loss that is for it.
fn gradients(graph: &mut Graph, declarations: &Declarations, aims: &[Aim]) -> Result<Vec<(StateId, Var)>> {
    let states: Vec<StateId> = declarations.parameters.iter().map(|declared| declared.state).collect();
    let mut of = vec![vec![]; aims.len()];
    for state in states {
        let name = &graph.states()[state.index()].name;
        let Some(aim) = aims.iter().position(|aim| name.starts_with(&aim.of)) else {
            return Err(NnError::Option(format!("no loss of the step is for the parameter {name}")));
        };
        of[aim].push(state);
    }
    if let Some((aim, _)) = aims.iter().zip(&of).find(|(_, states)| states.is_empty()) {
        return Err(NnError::Option(format!(
            "no parameter is left for the loss of those that begin with {:?}: none does, or an earlier loss has them",
            aim.of
        )));
    }
    let mut pairs = vec![];
    for (aim, states) in aims.iter().zip(of) {
        let values = states.iter().map(|state| graph.state_value(*state)).collect::<chiaro_graph::Result<Vec<_>>>()?;
        pairs.extend(states.into_iter().zip(graph.grad(aim.loss, None, &values)?));
    }
    Ok(pairs)
}
