//! What layers are recorded against: the graph, the layer path, the mode, and everything they declare on the way.

use crate::arena::{BUFFERS, PARAMS};
use crate::init::Init;
use crate::precision::{HalfWeight, HalfWeights};
use crate::running::{Running, RunningUpdate};
use chiaro_graph::{DType, Graph, GraphError, Result, StateId, Var};

/// Whether layers behave as in training or as in evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, dropout, updates of running statistics.
    Train,
    /// Running statistics, no dropout.
    Eval,
}

/// A layer or a model: a plain struct that records its ops. Extents of inputs are taken from the value it is given.
pub trait Module: Send + Sync {
    /// Records the layer on `x` and returns its result.
    ///
    /// # Errors
    /// If the layer does not fit its input; the message names the layer path.
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var>;

    /// The layer's name in reports.
    fn kind(&self) -> &'static str;
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        (**self).forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        (**self).kind()
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

/// A recorded layer.
#[derive(Clone, Debug)]
pub struct LayerInfo {
    /// Path, such as `layer1/0/conv1`.
    pub path: String,
    /// [`Module::kind`].
    pub kind: &'static str,
    /// Its result.
    pub output: Var,
}

/// Everything the layers of a model declared, in order.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// The trainable parameters.
    pub parameters: Vec<Declaration>,
    /// The running statistics.
    pub buffers: Vec<Declaration>,
    /// The layers, inner ones before those that contain them.
    pub layers: Vec<LayerInfo>,
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
    declared: Declarations,
    running: Running,
}

impl<'g> Context<'g> {
    /// Starts recording. `key` is the random key `u32 [3]` that dropout needs in training.
    pub fn new(graph: &'g mut Graph, mode: Mode, key: Option<Var>) -> Context<'g> {
        Context { graph, mode, key, half: None, declared: Declarations::default(), running: Running::default() }
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

    /// Records a layer under `name`; dots make deeper paths (`downsample.0`).
    ///
    /// # Errors
    /// Those of the layer.
    pub fn call(&mut self, name: &str, module: &(impl Module + ?Sized), x: Var) -> Result<Var> {
        let parts = name.split('.');
        parts.clone().for_each(|part| self.graph.push_scope(part));
        let result = module.forward(self, x);
        if let Ok(output) = result {
            let path = self.graph.scope();
            self.declared.layers.push(LayerInfo { path, kind: module.kind(), output });
        }
        parts.for_each(|_| self.graph.pop_scope());
        result
    }

    /// Declares a trainable parameter named after the layer path, `layer1.0.conv1.weight`. The same name and shape
    /// again gives the same parameter, so a layer called twice shares its weights.
    ///
    /// # Errors
    /// If the name is taken by a state of another shape.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        let state = self.declare_parameter(name, shape, init)?;
        self.declared.plain.push(state);
        self.graph.state_value(state)
    }

    pub(crate) fn declare_parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Result<StateId> {
        let state = self.declare(PARAMS, name, shape)?;
        if self.declared.parameters.iter().all(|d| d.state != state) {
            self.declared.parameters.push(Declaration { state, init });
        }
        Ok(state)
    }

    /// Declares a running statistic named after the layer path.
    ///
    /// # Errors
    /// If the name is taken by a state of another shape.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Result<StateId> {
        let state = self.declare(BUFFERS, name, shape)?;
        if self.declared.buffers.iter().all(|d| d.state != state) {
            self.declared.buffers.push(Declaration { state, init });
        }
        Ok(state)
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
        Ok(self.declared)
    }

    /// Ends recording, but leaves the running statistics to be updated.
    pub(crate) fn close(self) -> (Declarations, Running) {
        let halves = self.half.map(HalfWeights::taken).unwrap_or_default();
        (Declarations { halves, ..self.declared }, self.running)
    }

    fn declare(&mut self, arena: &str, name: &str, shape: &[usize]) -> Result<StateId> {
        let scope = self.graph.scope().replace('/', ".");
        let name = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        let arena = self.graph.arena(arena, DType::F32)?;
        match self.graph.find_state(&name) {
            Some(id) if self.graph.states()[id.0].shape == shape && self.graph.states()[id.0].arena == arena => Ok(id),
            Some(_) => Err(GraphError::DuplicateName(name)),
            None => self.graph.state(arena, &name, shape),
        }
    }
}
