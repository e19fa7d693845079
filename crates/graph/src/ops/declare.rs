//! Builder methods that declare what a graph is given and what it keeps: inputs, arenas and states, constants, outputs, assignments.

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::graph::{
    ARENA_ALIGNMENT, ArenaId, ArenaInfo, ConstantId, Graph, InputId, InputInfo, StateId, StateInfo, Target, Var,
};
use crate::op::Op;
use crate::shape::{MAX_ELEMENTS, count};
use crate::tensor::Tensor;

impl Graph {
    /// Declares an input.
    ///
    /// # Errors
    /// If the name is taken, an extent is 0 or the shape too large.
    pub fn input(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<Var> {
        if self.inputs.iter().any(|i| i.name == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        self.check_extents(&format!("input {name:?}"), shape)?;
        let id = InputId(self.inputs.len(), self.tag());
        self.inputs.push(InputInfo { name: name.to_string(), shape: shape.to_vec(), dtype, indices: vec![] });
        Ok(self.push(Op::Input(id), vec![], shape.to_vec(), dtype))
    }

    /// The arena of this name, made if it is new. `dtype` is that of every state in it.
    ///
    /// # Errors
    /// If the arena exists with another element type.
    pub fn arena(&mut self, name: &str, dtype: DType) -> Result<ArenaId> {
        match self.arenas.iter().position(|a| a.name == name) {
            Some(i) if self.arenas[i].dtype == dtype => Ok(ArenaId(i, self.tag())),
            Some(i) => {
                Err(self.dtype_error("arena", &[self.arenas[i].dtype, dtype], format!("{name:?} has another type")))
            }
            None => {
                self.arenas.push(ArenaInfo::new(name, dtype));
                Ok(ArenaId(self.arenas.len() - 1, self.tag()))
            }
        }
    }

    /// The arena of this name, if it was declared.
    pub fn find_arena(&self, name: &str) -> Option<ArenaId> {
        self.arenas.iter().position(|a| a.name == name).map(|i| ArenaId(i, self.tag()))
    }

    /// The state of this name, if it was declared.
    pub fn find_state(&self, name: &str) -> Option<StateId> {
        self.states.iter().position(|s| s.name == name).map(|i| StateId(i, self.tag()))
    }

    /// Declares a state at the end of an arena.
    ///
    /// # Errors
    /// If the name is taken, an extent is 0, the arena is of another graph or becomes too large, or its length is fixed already, because
    /// [`Graph::arena_values`], [`Graph::arena_like`] or [`Graph::pack`] took the whole of it.
    pub fn state(&mut self, arena: ArenaId, name: &str, shape: &[usize]) -> Result<StateId> {
        if self.states.iter().any(|s| s.name == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        let info = self.arena_info("state", arena)?;
        if self.taken.contains(&arena) {
            let detail = format!("the arena {:?} was taken as a whole before {name:?} was declared", info.name);
            return Err(self.shape_error("state", &[shape], detail));
        }
        self.check_extents(&format!("state {name:?}"), shape)?;
        let (offset, aligned) = (info.len, count(shape).next_multiple_of(ARENA_ALIGNMENT));
        let Some(len) = offset.checked_add(aligned).filter(|&len| len <= MAX_ELEMENTS) else {
            return Err(self.shape_error("state", &[shape], format!("the arena {:?} becomes too large", info.name)));
        };
        let id = StateId(self.states.len(), self.tag());
        let info = &mut self.arenas[arena.0];
        info.len = len;
        info.states.push(id);
        self.states.push(StateInfo { name: name.to_string(), shape: shape.to_vec(), arena, offset });
        Ok(id)
    }

    /// An arena of this graph.
    pub(crate) fn arena_info(&self, op: &str, id: ArenaId) -> Result<&ArenaInfo> {
        self.arenas.get(id.0).filter(|_| id.1 == self.tag()).ok_or_else(|| self.foreign(op, "arena"))
    }

    /// A state of this graph.
    pub(crate) fn state_info(&self, op: &str, id: StateId) -> Result<&StateInfo> {
        self.states.get(id.0).filter(|_| id.1 == self.tag()).ok_or_else(|| self.foreign(op, "state"))
    }

    /// Fixes the length of an arena.
    pub(crate) fn take_arena(&mut self, op: &str, id: ArenaId) -> Result<(usize, DType)> {
        let info = self.arena_info(op, id)?;
        let known = (info.len, info.dtype);
        self.check_extents(&format!("arena {:?} without a state", info.name), &[info.len])?;
        if !self.taken.contains(&id) {
            self.taken.push(id);
        }
        Ok(known)
    }

    /// The value of a state before this step's assignments.
    ///
    /// # Errors
    /// If the state is of another graph.
    pub fn state_value(&mut self, id: StateId) -> Result<Var> {
        let info = self.state_info("state_value", id)?;
        let (shape, dtype) = (info.shape.clone(), self.arenas[info.arena.0].dtype);
        Ok(self.push(Op::State(id), vec![], shape, dtype))
    }

    /// A whole arena as one flat vector, padding (always zero at the start) included.
    ///
    /// # Errors
    /// If no state was declared in it, or it is of another graph.
    pub fn arena_values(&mut self, id: ArenaId) -> Result<Var> {
        let (len, dtype) = self.take_arena("arena_values", id)?;
        Ok(self.push(Op::Arena(id), vec![], vec![len], dtype))
    }

    /// Declares an arena with the layout of another, for optimizer slots; its single state has the arena's name.
    ///
    /// # Errors
    /// If the name is taken, or the other arena has no state or is of another graph.
    pub fn arena_like(&mut self, like: ArenaId, name: &str) -> Result<ArenaId> {
        let (len, dtype) = self.take_arena("arena_like", like)?;
        let id = self.arena(name, dtype)?;
        self.state(id, name, &[len])?;
        self.arenas[id.0].like = Some(like);
        Ok(id)
    }

    /// Fixed data, held on the device.
    ///
    /// # Errors
    /// If an extent is 0.
    pub fn constant(&mut self, value: Tensor) -> Result<Var> {
        let (shape, dtype) = (value.shape().to_vec(), value.dtype());
        self.check_extents("constant", &shape)?;
        let known = self.constants.iter().position(|c| c.same_bits(&value));
        let id = known.unwrap_or_else(|| {
            self.constants.push(value);
            self.constants.len() - 1
        });
        Ok(self.push(Op::Constant(ConstantId(id, self.tag())), vec![], shape, dtype))
    }

    /// Names a value to be read after a step.
    ///
    /// # Errors
    /// If the name is taken or the value of another graph.
    pub fn output(&mut self, name: &str, v: Var) -> Result<()> {
        self.check_own("output", &[v])?;
        if self.outputs.iter().any(|(n, _)| n == name) {
            return Err(GraphError::DuplicateName(name.to_string()));
        }
        self.outputs.push((name.to_string(), v));
        Ok(())
    }

    /// Writes a value to a state or an arena at the end of the step.
    ///
    /// # Errors
    /// If shape or type differ, the target is assigned already, or something is of another graph.
    pub fn assign(&mut self, target: Target, v: Var) -> Result<()> {
        self.check_own("assign", &[v])?;
        let (shape, arena) = match target {
            Target::State(s) => {
                let info = self.state_info("assign", s)?;
                (info.shape.clone(), info.arena)
            }
            Target::Arena(a) => (vec![self.take_arena("assign", a)?.0], a),
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
}
