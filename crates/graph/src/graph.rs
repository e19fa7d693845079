//! The graph: nodes in order of creation, equal nodes merged, states laid out in arenas.

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::op::Op;
use crate::shape::{Shape, count};
use crate::tensor::Tensor;
use std::collections::HashMap;

/// A value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub(crate) u32);

impl Var {
    /// Position of the node in the graph.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $Id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Id(pub usize);
    };
}

id! {
    /// Index into [`Graph::inputs`].
    InputId
}
id! {
    /// Index into [`Graph::states`].
    StateId
}
id! {
    /// Index into [`Graph::arenas`].
    ArenaId
}
id! {
    /// Index into [`Graph::constants`].
    ConstantId
}

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

/// A flat buffer of states of one type.
#[derive(Clone, Debug)]
pub struct ArenaInfo {
    /// Name; the device's buffers are shared between plans by it.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Elements, padding included.
    pub len: usize,
    /// The states in it, in order of declaration.
    pub states: Vec<StateId>,
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
    nodes: Vec<Node>,
    merged: HashMap<Node, Var>,
    paths: Vec<String>,
    scope: Vec<String>,
    inputs: Vec<InputInfo>,
    states: Vec<StateInfo>,
    arenas: Vec<ArenaInfo>,
    constants: Vec<Tensor>,
    outputs: Vec<(String, Var)>,
    assignments: Vec<(Target, Var)>,
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
    pub fn node(&self, v: Var) -> &Node {
        &self.nodes[v.index()]
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

    /// Declares an input.
    ///
    /// # Errors
    /// If the name is taken or an extent is 0.
    pub fn input(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<Var> {
        if self.inputs.iter().any(|i| i.name == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        self.check_extents(&format!("input {name:?}"), shape)?;
        let id = InputId(self.inputs.len());
        self.inputs.push(InputInfo { name: name.to_string(), shape: shape.to_vec(), dtype });
        Ok(self.push(Op::Input(id), vec![], shape.to_vec(), dtype))
    }

    /// The arena of this name, made if it is new. `dtype` is that of every state in it.
    ///
    /// # Errors
    /// If the arena exists with another element type.
    pub fn arena(&mut self, name: &str, dtype: DType) -> Result<ArenaId> {
        match self.arenas.iter().position(|a| a.name == name) {
            Some(i) if self.arenas[i].dtype == dtype => Ok(ArenaId(i)),
            Some(i) => {
                Err(self.dtype_error("arena", &[self.arenas[i].dtype, dtype], format!("{name:?} has another type")))
            }
            None => {
                self.arenas.push(ArenaInfo { name: name.to_string(), dtype, len: 0, states: vec![] });
                Ok(ArenaId(self.arenas.len() - 1))
            }
        }
    }

    /// Declares a state at the end of an arena. Every state of an arena must be declared before [`Graph::arena_values`].
    ///
    /// # Errors
    /// If the name is taken or an extent is 0.
    pub fn state(&mut self, arena: ArenaId, name: &str, shape: &[usize]) -> Result<StateId> {
        if self.states.iter().any(|s| s.name == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        self.check_extents(&format!("state {name:?}"), shape)?;
        let id = StateId(self.states.len());
        let info = &mut self.arenas[arena.0];
        let offset = info.len;
        info.len += count(shape).next_multiple_of(ARENA_ALIGNMENT);
        info.states.push(id);
        self.states.push(StateInfo { name: name.to_string(), shape: shape.to_vec(), arena, offset });
        Ok(id)
    }

    /// The value of a state before this step's assignments.
    pub fn state_value(&mut self, id: StateId) -> Var {
        let info = &self.states[id.0];
        let (shape, dtype) = (info.shape.clone(), self.arenas[info.arena.0].dtype);
        self.push(Op::State(id), vec![], shape, dtype)
    }

    /// A whole arena as one flat vector, padding (always zero at the start) included.
    ///
    /// # Errors
    /// If no state was declared in it.
    pub fn arena_values(&mut self, id: ArenaId) -> Result<Var> {
        let info = &self.arenas[id.0];
        let (len, dtype) = (info.len, info.dtype);
        self.check_extents(&format!("arena {:?} without a state", info.name), &[len])?;
        Ok(self.push(Op::Arena(id), vec![], vec![len], dtype))
    }

    /// Declares an arena with the layout of another, for optimizer slots; its single state has the arena's name.
    ///
    /// # Errors
    /// If the name is taken or the other arena has no state.
    pub fn arena_like(&mut self, like: ArenaId, name: &str) -> Result<ArenaId> {
        let len = self.arenas[like.0].len;
        let id = self.arena(name, self.arenas[like.0].dtype)?;
        self.state(id, name, &[len])?;
        Ok(id)
    }

    /// Fixed data, held on the device.
    ///
    /// # Errors
    /// If an extent is 0.
    pub fn constant(&mut self, value: Tensor) -> Result<Var> {
        let (shape, dtype) = (value.shape().to_vec(), value.dtype());
        self.check_extents("constant", &shape)?;
        let known = self.constants.iter().position(|c| *c == value);
        let id = known.unwrap_or_else(|| {
            self.constants.push(value);
            self.constants.len() - 1
        });
        Ok(self.push(Op::Constant(ConstantId(id)), vec![], shape, dtype))
    }

    /// Names a value to be read after a step.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn output(&mut self, name: &str, v: Var) -> Result<()> {
        if self.outputs.iter().any(|(n, _)| n == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        self.outputs.push((name.to_string(), v));
        Ok(())
    }

    /// Writes a value to a state or an arena at the end of the step.
    ///
    /// # Errors
    /// If shape or type differ, or the target is assigned already.
    pub fn assign(&mut self, target: Target, v: Var) -> Result<()> {
        let (shape, arena) = match target {
            Target::State(s) => (self.states[s.0].shape.clone(), self.states[s.0].arena),
            Target::Arena(a) => (vec![self.arenas[a.0].len], a),
        };
        if self.shape(v) != shape {
            return Err(self.shape_error(
                "assign",
                &[&shape, self.shape(v)],
                "target and value differ in shape".into(),
            ));
        }
        if self.dtype(v) != self.arenas[arena.0].dtype {
            let types = [self.arenas[arena.0].dtype, self.dtype(v)];
            return Err(self.dtype_error("assign", &types, "target and value differ in type".into()));
        }
        let taken = self.assignments.iter().any(|(t, _)| match (*t, target) {
            (Target::State(a), Target::State(b)) => a == b,
            (Target::State(a), Target::Arena(b)) | (Target::Arena(b), Target::State(a)) => self.states[a.0].arena == b,
            (Target::Arena(a), Target::Arena(b)) => a == b,
        });
        if taken {
            return Err(GraphError::DuplicateName(format!("assignment to {target:?}")));
        }
        self.assignments.push((target, v));
        Ok(())
    }

    /// A number that no other random op of this graph has.
    pub(crate) fn next_salt(&mut self) -> u32 {
        self.salts += 1;
        self.salts
    }

    /// Refuses shapes without elements. Whatever gives a shape that does not come from operands asks here, so that no node
    /// of a graph is empty: a sum or a largest element of nothing, or a kernel over nothing, cannot occur.
    pub(crate) fn check_extents(&self, what: &str, shape: &[usize]) -> Result<()> {
        if shape.contains(&0) {
            return Err(self.shape_error(what, &[shape], "an extent is 0, but every tensor needs an element".into()));
        }
        Ok(())
    }

    /// Adds a node whose shape and types were checked, or finds the equal one.
    pub(crate) fn push(&mut self, op: Op, inputs: Vec<Var>, shape: Shape, dtype: DType) -> Var {
        assert!(!shape.contains(&0), "{op:?} gave the empty shape {shape:?}");
        let node = Node { op, inputs, shape, dtype };
        if let Some(&v) = self.merged.get(&node) {
            return v;
        }
        let v = Var(self.nodes.len() as u32);
        self.merged.insert(node.clone(), v);
        self.nodes.push(node);
        self.paths.push(self.scope());
        v
    }

    pub(crate) fn shape_error(&self, op: &str, shapes: &[&[usize]], detail: String) -> GraphError {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        GraphError::Shape { op: op.into(), shapes, detail, path: self.scope() }
    }

    pub(crate) fn dtype_error(&self, op: &str, dtypes: &[DType], detail: String) -> GraphError {
        GraphError::DType { op: op.into(), dtypes: dtypes.to_vec(), detail, path: self.scope() }
    }
}
