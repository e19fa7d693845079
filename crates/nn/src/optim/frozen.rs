//! Parameters that are not trained, or not at first.

use super::each::spread;
use super::groups::Takes;
use crate::error::Result;
use chiaro_graph::{ArenaId, Elementwise, Graph, StateInfo, Var};
use std::fmt;
use std::sync::Arc;

/// Parameters that stay as they are, with their slots: for ever, or for so many updates.
#[derive(Clone)]
pub struct Frozen {
    takes: Takes,
    /// Updates after which they are trained as all others.
    thaw: Option<u64>,
}

impl Frozen {
    /// The parameters that `takes` accepts.
    pub fn new(takes: impl Fn(&StateInfo) -> bool + Send + Sync + 'static, thaw: Option<u64>) -> Frozen {
        Frozen { takes: Arc::new(takes), thaw }
    }

    /// Whether a parameter is one of them.
    pub(super) fn takes(&self, state: &StateInfo) -> bool {
        (self.takes)(state)
    }

    /// Updates after which they are trained as all others; `None`: never.
    pub(super) fn thaw(&self) -> Option<u64> {
        self.thaw
    }

    /// 1 once they have thawed, else 0.
    pub(super) fn number(&self, update: u64) -> f64 {
        f64::from(self.thaw.is_some_and(|thaw| update >= thaw))
    }

    /// Where a parameter moves: laid out as the arena, `thawed` being one element.
    pub(super) fn moves(&self, graph: &mut Graph, params: ArenaId, thawed: Var) -> Result<Var> {
        let free = spread(graph, params, |state| f64::from(!(self.takes)(state)))?;
        let free = graph.constant(free)?;
        let either = graph.map(Elementwise::Maximum, &[free, thawed])?;
        Ok(graph.map_scalars(Elementwise::Greater, either, &[0.0])?)
    }
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frozen {{ thaw: {:?} }}", self.thaw)
    }
}
