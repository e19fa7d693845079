//! What layers are recorded against: the graph, the layer path, the mode, and everything they declare on the way.

use crate::arena::{BUFFERS, PARAMS, vector};
use crate::init::Init;
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, DType, Elementwise, Graph, GraphError, Result, StateId, Target, Var};

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
}

struct RunningUpdate {
    state: StateId,
    batch: Var,
    scale: f64,
    momentum: f64,
}

/// The graph with the state of recording a model.
pub struct Context<'g> {
    graph: &'g mut Graph,
    mode: Mode,
    key: Option<Var>,
    declared: Declarations,
    updates: Vec<RunningUpdate>,
}

impl<'g> Context<'g> {
    /// Starts recording. `key` is the random key `u32 [3]` that dropout needs in training.
    pub fn new(graph: &'g mut Graph, mode: Mode, key: Option<Var>) -> Context<'g> {
        Context { graph, mode, key, declared: Declarations::default(), updates: vec![] }
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
        let (state, new) = self.declare(PARAMS, name, shape)?;
        if new {
            self.declared.parameters.push(Declaration { state, init });
        }
        Ok(self.graph.state_value(state))
    }

    /// Declares a running statistic named after the layer path.
    ///
    /// # Errors
    /// If the name is taken by a state of another shape.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Result<StateId> {
        let (state, new) = self.declare(BUFFERS, name, shape)?;
        if new {
            self.declared.buffers.push(Declaration { state, init });
        }
        Ok(state)
    }

    /// At the end of the step the running statistic becomes `(1 - momentum) old + momentum scale batch`.
    ///
    /// # Errors
    /// If it has an update already (a normalisation layer called twice).
    pub fn update_running(&mut self, state: StateId, batch: Var, scale: f64, momentum: f64) -> Result<()> {
        if self.updates.iter().any(|u| u.state == state) {
            return Err(GraphError::DuplicateName(format!("update of {}", self.graph.states()[state.0].name)));
        }
        self.updates.push(RunningUpdate { state, batch, scale, momentum });
        Ok(())
    }

    /// An error of the layer that is being recorded.
    pub fn shape_error(&self, op: &str, shapes: &[&[usize]], detail: String) -> GraphError {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        GraphError::Shape { op: op.into(), shapes, detail, path: self.graph.scope() }
    }

    /// Ends recording: all running statistics are updated by one elementwise expression over their arena.
    ///
    /// # Errors
    /// If a batch statistic does not have its state's shape.
    pub fn finish(mut self) -> Result<Declarations> {
        if !self.updates.is_empty() {
            self.assign_buffers()?;
        }
        Ok(self.declared)
    }

    fn declare(&mut self, arena: &str, name: &str, shape: &[usize]) -> Result<(StateId, bool)> {
        let scope = self.graph.scope().replace('/', ".");
        let name = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        let arena = self.graph.arena(arena, DType::F32)?;
        let known = self.graph.states().iter().position(|s| s.name == name);
        match known.map(StateId) {
            Some(id) if self.graph.states()[id.0].shape == shape && self.graph.states()[id.0].arena == arena => {
                Ok((id, false))
            }
            Some(_) => Err(GraphError::DuplicateName(name)),
            None => Ok((self.graph.state(arena, &name, shape)?, true)),
        }
    }

    fn assign_buffers(&mut self) -> Result<()> {
        let arena = self.graph.arena(BUFFERS, DType::F32)?;
        let batch: Vec<(StateId, Var)> = self.updates.iter().map(|u| (u.state, u.batch)).collect();
        let packed = self.graph.pack(arena, &batch)?;
        let old = self.graph.arena_values(arena);
        let kept = self.kept_share(arena, old)?;
        let gain = self.per_element(arena, 0.0, |u| u.momentum * u.scale);
        let gain = self.graph.constant(gain);
        let new = self.graph.mul(packed, gain)?;
        let sum = self.graph.add(kept, new)?;
        self.graph.assign(Target::Arena(arena), sum)
    }

    /// `(1 - momentum) old`, with one number where all layers agree.
    fn kept_share(&mut self, arena: ArenaId, old: Var) -> Result<Var> {
        let first = self.updates[0].momentum;
        let complete = self.updates.len() == self.graph.arenas()[arena.0].states.len();
        if complete && self.updates.iter().all(|u| u.momentum == first) {
            return self.graph.map_scalars(Elementwise::Mul, old, &[1.0 - first]);
        }
        let keep = self.per_element(arena, 1.0, |u| 1.0 - u.momentum);
        let keep = self.graph.constant(keep);
        self.graph.mul(old, keep)
    }

    fn per_element(&self, arena: ArenaId, other: f64, f: impl Fn(&RunningUpdate) -> f64) -> chiaro_graph::Tensor {
        let mut flat = vec![other as f32; self.graph.arenas()[arena.0].len];
        for update in &self.updates {
            let state = &self.graph.states()[update.state.0];
            flat[state.offset..state.offset + count(&state.shape)].fill(f(update) as f32);
        }
        vector(flat)
    }
}
