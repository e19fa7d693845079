//! Arenas: flat buffers of states, what each is for, how it starts, and where it is saved.

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::graph::Graph;
use crate::id::{ArenaId, StateId};
use crate::tensor::Tensor;

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
    /// What it is for.
    pub role: ArenaRole,
    /// The arena whose states say what its elements are, where it is laid out as that one; see [`Graph::arena_like`].
    pub like: Option<ArenaId>,
    /// What it holds before the first step.
    pub initial: Initial,
}

impl ArenaInfo {
    pub(crate) fn new(name: &str, dtype: DType) -> ArenaInfo {
        let (name, states, initial) = (name.to_string(), vec![], Initial::Fill(0.0));
        ArenaInfo { name, dtype, len: 0, states, role: ArenaRole::Other, like: None, initial }
    }
}

/// What an arena is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArenaRole {
    /// What is trained.
    Parameters,
    /// Running statistics: made in training, used in evaluation.
    Statistics,
    /// What an optimizer keeps of every parameter.
    Slot,
    /// Sums over steps, which the host reads and clears.
    Metrics,
    /// A data set, which the host writes.
    Data,
    /// Anything else that the next step needs: a loss scale, an average of the parameters, a recurrent state.
    #[default]
    Other,
}

/// Where an arena is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// With the weights, and in checkpoints.
    Weights,
    /// In checkpoints.
    Checkpoint,
    /// Nowhere.
    Nowhere,
}

impl ArenaRole {
    /// Where an arena of this role is saved.
    pub fn saved(self) -> Saved {
        match self {
            ArenaRole::Parameters | ArenaRole::Statistics => Saved::Weights,
            ArenaRole::Slot | ArenaRole::Other => Saved::Checkpoint,
            ArenaRole::Metrics | ArenaRole::Data => Saved::Nowhere,
        }
    }
}

/// What an arena holds before the first step.
#[derive(Clone, Debug, PartialEq)]
pub enum Initial {
    /// The same everywhere.
    Fill(f64),
    /// These elements, and zeros behind them.
    Values(Tensor),
    /// What the layers that declared its states say, drawn from the run's seed.
    Drawn,
}

impl Graph {
    /// Says what an arena is for and how it starts; until then it is [`ArenaRole::Other`] and starts as zeros.
    ///
    /// # Errors
    /// If the arena is of another graph, or the values are more than it has elements or of another type.
    pub fn describe_arena(&mut self, arena: ArenaId, role: ArenaRole, initial: Initial) -> Result<()> {
        let info = self.arena_info("describe_arena", arena)?;
        if let Initial::Values(values) = &initial
            && (values.dtype() != info.dtype || values.data().len() > info.len)
        {
            let detail = format!("the arena {:?} has {} elements of {}", info.name, info.len, info.dtype);
            let shapes = vec![values.shape().to_vec()];
            return Err(GraphError::Shape { op: "describe_arena".into(), shapes, detail, path: self.scope() });
        }
        let info = &mut self.arenas[arena.0];
        (info.role, info.initial) = (role, initial);
        Ok(())
    }
}
