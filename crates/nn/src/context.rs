//! What layers are recorded against: the graph, the layer path, the mode, and everything they declare on the way.

use crate::arena::{BUFFERS, PARAMS};
use crate::declare::{Declare, Declared, LayerInfo, StateKind};
use crate::dropping::Dropping;
use crate::init::Init;
use crate::inner::Recorded;
use crate::precision::{HalfWeight, HalfWeights};
use crate::running::{Running, RunningUpdate};
use chiaro_graph::{ArenaRole, DType, Graph, GraphError, Initial, Result, StateId, StateInfo, Var};
use std::sync::Arc;

/// Whether layers behave as in training or as in evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, dropout, updates of running statistics.
    Train,
    /// Running statistics, no dropout.
    Eval,
}

/// A layer or a model: a plain struct that says what it keeps, and records its ops. Extents of inputs are taken from what it
/// is given.
pub trait Module: Send + Sync {
    /// Declares parameters and statistics for an input of shape `x`, without recording anything, and gives the shape of the
    /// result. A layer that keeps the shape and has no states needs none of its own.
    ///
    /// # Errors
    /// If the layer does not fit its input; the message names the layer path.
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let _ = declare;
        Ok(x.to_vec())
    }

    /// Records the layer on `x` and returns its result.
    ///
    /// # Errors
    /// If the layer does not fit its input; the message names the layer path.
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var>;

    /// The layer's name in reports.
    fn kind(&self) -> &'static str;

    /// What whoever trains it should be told: a choice that was made by the images' size, for example.
    fn remark(&self) -> Option<String> {
        None
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        (**self).declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        (**self).forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn remark(&self) -> Option<String> {
        (**self).remark()
    }
}

/// A declared state with its initial values.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The state.
    pub state: StateId,
    /// How it starts.
    pub init: Init,
}

/// The states of a model in a graph, in the order in which they were declared.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// The trainable parameters.
    pub parameters: Vec<Declaration>,
    /// The running statistics.
    pub buffers: Vec<Declaration>,
    /// The parameters that layers took as 16-bit copies.
    pub(crate) halves: Vec<HalfWeight>,
    /// Those of them that some layer took as they are too.
    pub(crate) plain: Vec<StateId>,
}

/// The graph with the state of recording a model.
pub struct Context<'g> {
    graph: &'g mut Graph,
    mode: Mode,
    key: Option<Var>,
    half: Option<HalfWeights>,
    placed: Declarations,
    /// Paths of the declared layers, with the extents of their results.
    layers: Vec<LayerInfo>,
    /// What they took and gave.
    recorded: Vec<Recorded>,
    /// Within a module whose states are declared.
    inside: bool,
    running: Running,
    dropping: Dropping,
    places: Places,
    still: Still,
}

/// Whether the norm with this parameter takes its running statistics as they are, in training too.
type Still = Arc<dyn Fn(&StateInfo) -> bool + Send + Sync>;

impl<'g> Context<'g> {
    /// Starts recording. `key` is the random key `u32 [3]` that dropout needs in training.
    pub fn new(graph: &'g mut Graph, mode: Mode, key: Option<Var>) -> Context<'g> {
        let (placed, layers, recorded, running) = (Declarations::default(), vec![], vec![], Running::default());
        let (half, inside, dropping, places) = (None, false, Dropping::default(), Places::default());
        let still: Still = Arc::new(|_| false);
        Context { graph, mode, key, half, placed, layers, recorded, inside, running, dropping, places, still }
    }

    /// Norms with such parameters behave as in evaluation: those of parts that are not trained.
    pub(crate) fn with_still(self, still: impl Fn(&StateInfo) -> bool + Send + Sync + 'static) -> Self {
        Context { still: Arc::new(still), ..self }
    }

    /// Whether the norm with this parameter takes its running statistics as they are: in evaluation, and where it is not trained.
    ///
    /// # Errors
    /// If the layer has not declared the parameter.
    pub fn keeps_statistics(&self, parameter: &str) -> Result<bool> {
        let state = self.declared(parameter)?;
        Ok(!self.training() || (self.still)(&self.graph.states()[state.index()]))
    }

    /// Puts parameters and statistics into arenas of these names, which are neither trained nor saved.
    pub(crate) fn of_arenas(self, names: &[String; 2]) -> Self {
        let [parameters, statistics] = names.clone().map(|name| (name, ArenaRole::Data, Initial::Fill(0.0)));
        Context { places: Places { parameters, statistics }, ..self }
    }

    /// Sets rates that dropout layers and residual branches take instead of their own.
    pub(crate) fn with_dropping(self, dropping: Dropping) -> Self {
        Context { dropping, ..self }
    }

    /// The rates with the number of layers that asked for them.
    pub(crate) fn dropping(&self) -> &Dropping {
        &self.dropping
    }

    /// The probability that dropout layers take instead of their own, where the step sets one.
    pub fn dropout(&mut self) -> Option<f64> {
        self.dropping.dropout.ask()
    }

    /// The probability at which the last residual branch is dropped, where the step sets one; those before take their share.
    pub fn drop_path(&mut self) -> Option<f64> {
        self.dropping.drop_path.ask()
    }

    /// Lets layers take 16-bit copies of the parameters.
    pub(crate) fn with_half(self, half: Option<HalfWeights>) -> Self {
        Context { half, ..self }
    }

    pub(crate) fn graph_and_half(&mut self) -> (&mut Graph, Option<&mut HalfWeights>) {
        (self.graph, self.half.as_mut())
    }

    /// The graph.
    pub fn graph(&mut self) -> &mut Graph {
        self.graph
    }

    /// Extents of a value.
    pub fn shape(&self, v: Var) -> &[usize] {
        self.graph.shape(v)
    }

    /// True in training.
    pub fn training(&self) -> bool {
        self.mode == Mode::Train
    }

    /// The random key.
    ///
    /// # Errors
    /// If recording was started without one.
    pub fn key(&self) -> Result<Var> {
        self.key.ok_or_else(|| self.shape_error("dropout", &[], "needs the random key in training".into()))
    }

    /// Records a layer under `name`; dots make deeper paths (`downsample.0`). What it declares is declared by the module around it;
    /// if there is none, here.
    ///
    /// # Errors
    /// Those of the layer; and if its result has another shape than it declared.
    pub fn call(&mut self, name: &str, module: &(impl Module + ?Sized), x: Var) -> Result<Var> {
        if !self.inside {
            let declared = Declared::at(&self.graph.scope(), name, module, self.graph.shape(x))?;
            return self.record(&declared, |ctx| ctx.call(name, module, x));
        }
        let parts = name.split('.');
        parts.clone().for_each(|part| self.graph.push_scope(part));
        let result = module.forward(self, x).and_then(|y| self.checked(module.kind(), y));
        if let Ok(output) = result {
            self.recorded.push(Recorded { path: self.graph.scope(), kind: module.kind(), input: x, output });
        }
        parts.for_each(|_| self.graph.pop_scope());
        result
    }

    /// Records a module whose declarations are these.
    pub(crate) fn record(
        &mut self,
        declared: &Declared,
        forward: impl FnOnce(&mut Self) -> Result<Var>,
    ) -> Result<Var> {
        for Declaration { state, init } in self.places.put(self.graph, declared, StateKind::Parameter)? {
            if self.placed.parameters.iter().all(|d| d.state != state) {
                self.placed.parameters.push(Declaration { state, init });
            }
        }
        for Declaration { state, init } in self.places.put(self.graph, declared, StateKind::Statistic)? {
            if self.placed.buffers.iter().all(|d| d.state != state) {
                self.placed.buffers.push(Declaration { state, init });
            }
        }
        self.layers.extend(declared.layers.iter().cloned());
        let outside = std::mem::replace(&mut self.inside, true);
        let result = forward(self);
        self.inside = outside;
        result
    }

    /// The result of the layer that is being recorded, if it has the shape that was declared; the batch may be another.
    fn checked(&self, kind: &str, y: Var) -> Result<Var> {
        let (path, shape) = (self.graph.scope(), self.graph.shape(y));
        let declared: Vec<&[usize]> = self.layers.iter().filter(|l| l.path == path).map(|l| &l.output[..]).collect();
        let same = |output: &&[usize]| output.len() == shape.len() && output.iter().skip(1).eq(shape.iter().skip(1));
        if declared.iter().any(same) {
            return Ok(y);
        }
        let detail = "the layer's forward pass gives another shape (first) than it declares".into();
        Err(self.shape_error(kind, &[&[shape], &declared[..]].concat(), detail))
    }

    /// A declared parameter of the layer that is being recorded.
    ///
    /// # Errors
    /// If the layer has not declared it.
    pub fn parameter(&mut self, name: &str) -> Result<Var> {
        let state = self.declared(name)?;
        self.placed.plain.push(state);
        self.graph.state_value(state)
    }

    /// A declared running statistic of the layer that is being recorded.
    ///
    /// # Errors
    /// If the layer has not declared it.
    pub fn statistic(&self, name: &str) -> Result<StateId> {
        self.declared(name)
    }

    pub(crate) fn declared(&self, name: &str) -> Result<StateId> {
        let scope = self.graph.scope().replace('/', ".");
        let name = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        let unknown = || self.shape_error(&name, &[], "the layer takes this state without having declared it".into());
        self.graph.find_state(&name).ok_or_else(unknown)
    }

    /// At the end of the step the running statistic becomes `(1 - momentum) old + momentum scale batch`.
    ///
    /// # Errors
    /// If it has an update already (a normalisation layer called twice).
    pub fn update_running(&mut self, state: StateId, batch: Var, scale: f64, momentum: f64) -> Result<()> {
        self.running.add(self.graph, RunningUpdate { state, batch, scale, momentum })
    }

    /// An error of the layer that is being recorded.
    pub fn shape_error(&self, op: &str, shapes: &[&[usize]], detail: String) -> GraphError {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        GraphError::Shape { op: op.into(), shapes, detail, path: self.graph.scope() }
    }

    /// Ends recording: all running statistics are updated.
    ///
    /// # Errors
    /// If a batch statistic does not have its state's shape.
    pub fn finish(self) -> Result<Declarations> {
        self.running.assign(self.graph, None)?;
        Ok(self.placed)
    }

    /// The same with what each layer took and gave.
    pub(crate) fn finish_telling(mut self) -> Result<(Declarations, Vec<Recorded>)> {
        let recorded = std::mem::take(&mut self.recorded);
        Ok((self.finish()?, recorded))
    }

    /// Ends recording, but leaves the running statistics to be updated.
    pub(crate) fn close(self) -> (Declarations, Running) {
        let halves = self.half.map(HalfWeights::taken).unwrap_or_default();
        (Declarations { halves, ..self.placed }, self.running)
    }
}

/// Where states are put: arenas with their roles, and how they start.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    parameters: (String, ArenaRole, Initial),
    statistics: (String, ArenaRole, Initial),
}

impl Default for Places {
    fn default() -> Places {
        Places {
            parameters: (PARAMS.to_string(), ArenaRole::Parameters, Initial::Drawn),
            statistics: (BUFFERS.to_string(), ArenaRole::Statistics, Initial::Drawn),
        }
    }
}

impl Places {
    /// The declared states of one kind in a graph: made there, or found if they are there already.
    pub(crate) fn put(&self, graph: &mut Graph, declared: &Declared, kind: StateKind) -> Result<Vec<Declaration>> {
        let (name, role, initial) = match kind {
            StateKind::Parameter => &self.parameters,
            StateKind::Statistic => &self.statistics,
        };
        let mut placed = vec![];
        for known in declared.states.iter().filter(|s| s.kind == kind) {
            let arena = graph.arena(name, DType::F32)?;
            graph.describe_arena(arena, *role, initial.clone())?;
            let state = match graph.find_state(&known.name) {
                Some(id)
                    if graph.states()[id.index()].shape == known.shape && graph.states()[id.index()].arena == arena =>
                {
                    id
                }
                Some(_) => return Err(GraphError::DuplicateName(known.name.clone())),
                None => graph.state(arena, &known.name, &known.shape)?,
            };
            placed.push(Declaration { state, init: known.init });
        }
        Ok(placed)
    }
}
