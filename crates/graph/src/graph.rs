//! The graph: nodes in order of creation, equal nodes merged, states laid out in arenas.

use crate::axis::Axis;
use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::id::Tag;
use crate::indices::IndexBound;
use crate::op::Op;
use crate::shape::{Shape, checked_count};
use crate::tensor::Tensor;
use rustc_hash::{FxHashMap, FxHashSet};

/// An operand of an elementwise op's method: a value, or a number of the type of the values beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// A value of the graph.
    Value(Var),
    /// A number.
    Number(f64),
}

impl From<Var> for Arg {
    fn from(value: Var) -> Arg {
        Arg::Value(value)
    }
}

impl From<f64> for Arg {
    fn from(number: f64) -> Arg {
        Arg::Number(number)
    }
}

pub use crate::arena::{ArenaInfo, ArenaRole, Initial, Saved};
pub use crate::id::{ArenaId, ConstantId, InputId, StateId, Var};

/// One op with its operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// From what.
    pub inputs: Vec<Var>,
    /// Extents of the result.
    pub shape: Shape,
    /// Element type of the result.
    pub dtype: DType,
}

/// A named input.
#[derive(Clone, Debug)]
pub struct InputInfo {
    /// Name, unique in the graph.
    pub name: String,
    /// Extents.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
    /// What its elements may be, where they select by index; [`check_inputs`](crate::check_inputs) asks for it at every step.
    pub indices: Vec<IndexBound>,
}

/// A value that lives on the device between steps.
#[derive(Clone, Debug)]
pub struct StateInfo {
    /// Name, unique in the graph; plans with the same arenas share it.
    pub name: String,
    /// Extents.
    pub shape: Shape,
    /// The arena that holds it.
    pub arena: ArenaId,
    /// First element within the arena; a multiple of [`ARENA_ALIGNMENT`].
    pub offset: usize,
}

/// States start at multiples of this many elements: 256 bytes, the largest binding alignment of any adapter, in an arena of
/// 16-bit values or a 16-bit copy of one.
pub const ARENA_ALIGNMENT: usize = 128;

/// What an assignment writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// One state.
    State(StateId),
    /// A whole arena, as one flat vector.
    Arena(ArenaId),
}

/// Ops with their operands, in order of creation; a node's operands come before it.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    tag: Tag,
    nodes: Vec<Node>,
    merged: FxHashMap<Node, Var>,
    /// Values that are computed a second time, since the first was not kept.
    recomputed: FxHashSet<Var>,
    paths: Vec<String>,
    scope: Vec<String>,
    pub(crate) inputs: Vec<InputInfo>,
    pub(crate) states: Vec<StateInfo>,
    pub(crate) arenas: Vec<ArenaInfo>,
    pub(crate) constants: Vec<Tensor>,
    pub(crate) outputs: Vec<(String, Var)>,
    pub(crate) assignments: Vec<(Target, Var)>,
    /// Arenas whose length values depend on: no state can be added to them.
    pub(crate) taken: Vec<ArenaId>,
    salts: u32,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// The nodes, operands first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of a value.
    ///
    /// # Panics
    /// If the value is of another graph, as do the three accessors below. Methods that add to the graph return an error instead.
    pub fn node(&self, v: Var) -> &Node {
        assert!(self.owns(v), "a value of another graph");
        &self.nodes[v.index()]
    }

    /// Whether a value is one of this graph's.
    pub fn owns(&self, v: Var) -> bool {
        v.tag() == self.tag && v.index() < self.nodes.len()
    }

    /// The value of the node at a position.
    pub(crate) fn value(&self, index: usize) -> Var {
        Var::new(index, self.tag)
    }

    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// Extents of a value.
    pub fn shape(&self, v: Var) -> &[usize] {
        &self.node(v).shape
    }

    /// Element type of a value.
    pub fn dtype(&self, v: Var) -> DType {
        self.node(v).dtype
    }

    /// Layer path under which a value was made, such as `layer1/conv2`.
    pub fn path(&self, v: Var) -> &str {
        assert!(self.owns(v), "a value of another graph");
        &self.paths[v.index()]
    }

    /// The inputs, in order of declaration.
    pub fn inputs(&self) -> &[InputInfo] {
        &self.inputs
    }

    /// The states, in order of declaration.
    pub fn states(&self) -> &[StateInfo] {
        &self.states
    }

    /// The arenas, in order of declaration.
    pub fn arenas(&self) -> &[ArenaInfo] {
        &self.arenas
    }

    /// The fixed data.
    pub fn constants(&self) -> &[Tensor] {
        &self.constants
    }

    /// The named outputs.
    pub fn outputs(&self) -> &[(String, Var)] {
        &self.outputs
    }

    /// The assignments to states, all done at the end of a step.
    pub fn assignments(&self) -> &[(Target, Var)] {
        &self.assignments
    }

    /// Runs `f` with `name` appended to the layer path of the nodes it makes.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn scoped<T>(&mut self, name: &str, f: impl FnOnce(&mut Graph) -> Result<T>) -> Result<T> {
        self.push_scope(name);
        let result = f(self);
        self.pop_scope();
        result
    }

    /// Appends `name` to the layer path of the nodes made from now on.
    pub fn push_scope(&mut self, name: &str) {
        self.scope.push(name.to_string());
    }

    /// Takes back the last `push_scope`.
    pub fn pop_scope(&mut self) {
        self.scope.pop();
    }

    /// The present layer path.
    pub fn scope(&self) -> String {
        self.scope.join("/")
    }

    /// A number that no other random op of this graph has.
    pub(crate) fn next_salt(&mut self) -> u32 {
        self.salts += 1;
        self.salts
    }

    /// Adds a node whose shape and types were checked, or finds the equal one.
    pub(crate) fn push(&mut self, op: Op, inputs: Vec<Var>, shape: Shape, dtype: DType) -> Var {
        assert!(checked_count(&shape).is_some_and(|n| n > 0), "{op:?} gave the shape {shape:?}");
        let node = Node { op, inputs, shape, dtype };
        if let Some(&v) = self.merged.get(&node) {
            return v;
        }
        let v = self.value(self.nodes.len());
        self.merged.insert(node.clone(), v);
        self.nodes.push(node);
        self.paths.push(self.scope());
        v
    }

    /// Records the op of a value once more, over other operands or the same, as a value of its own.
    pub(crate) fn push_copy(&mut self, of: Var, inputs: Vec<Var>) -> Var {
        let v = self.value(self.nodes.len());
        let node = Node { inputs, ..self.node(of).clone() };
        self.nodes.push(node);
        self.paths.push(self.paths[of.index()].clone());
        self.recomputed.insert(v);
        v
    }

    /// Whether something is computed a second time, since the first was not kept ([`Graph::grad_recomputing`]).
    pub fn recomputes(&self) -> bool {
        !self.recomputed.is_empty()
    }

    /// Whether a value is computed a second time.
    pub(crate) fn is_recomputed(&self, v: Var) -> bool {
        self.recomputed.contains(&v)
    }

    /// [`Graph::push`] of a result that may be larger than its operands.
    pub(crate) fn record(&mut self, name: &str, op: Op, inputs: Vec<Var>, shape: Shape, dtype: DType) -> Result<Var> {
        self.check_extents(name, &shape)?;
        Ok(self.push(op, inputs, shape, dtype))
    }

    /// Refuses shapes without elements, and those whose offsets or bytes could wrap. Whatever gives a shape that is no operand's
    /// asks here, so that no node of a graph is empty: a sum or a largest element of nothing, or a kernel over nothing, cannot occur.
    pub(crate) fn check_extents(&self, what: &str, shape: &[usize]) -> Result<()> {
        let detail = match checked_count(shape) {
            Some(0) => "an extent is 0, but every tensor needs an element",
            Some(_) => return Ok(()),
            None => "these are more elements than a computer can address",
        };
        Err(self.shape_error(what, &[shape], detail.into()))
    }

    /// Refuses values of other graphs.
    pub(crate) fn check_own(&self, name: &str, values: &[Var]) -> Result<()> {
        if values.iter().all(|&v| self.owns(v)) { Ok(()) } else { Err(self.foreign(name, "value")) }
    }

    pub(crate) fn foreign(&self, name: &str, what: &'static str) -> GraphError {
        GraphError::Foreign { op: name.into(), what, path: self.scope() }
    }

    /// The position of an axis of x.
    pub(crate) fn axis(&self, name: &str, x: Var, axis: impl Axis) -> Result<usize> {
        self.check_own(name, &[x])?;
        let shape = self.shape(x);
        axis.position(shape.len()).ok_or_else(|| self.shape_error(name, &[shape], format!("there is no axis {axis:?}")))
    }

    /// Refuses values that are no floats, or not all of one type.
    pub(crate) fn check_floats(&self, name: &str, values: &[Var]) -> Result<()> {
        self.check_own(name, values)?;
        let dtypes: Vec<DType> = values.iter().map(|&v| self.dtype(v)).collect();
        if dtypes.iter().all(|d| d.is_float() && *d == dtypes[0]) {
            return Ok(());
        }
        let detail = if values.len() == 1 { "takes a float" } else { "takes floats of one type" };
        Err(self.dtype_error(name, &dtypes, detail.into()))
    }

    pub(crate) fn shape_error(&self, op: &str, shapes: &[&[usize]], detail: String) -> GraphError {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        GraphError::Shape { op: op.into(), shapes, detail, path: self.scope() }
    }

    pub(crate) fn dtype_error(&self, op: &str, dtypes: &[DType], detail: String) -> GraphError {
        GraphError::DType { op: op.into(), dtypes: dtypes.to_vec(), detail, path: self.scope() }
    }
}
