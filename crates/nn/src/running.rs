//! Running statistics: all updated by one elementwise expression over their arena.

use crate::arena::{BUFFERS, vector};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, DType, Elementwise, Graph, GraphError, Result, StateId, Target, Tensor, Var};

/// One update: the statistic becomes `(1 - momentum) old + momentum scale batch`.
pub(crate) struct RunningUpdate {
    pub state: StateId,
    pub batch: Var,
    pub scale: f64,
    pub momentum: f64,
}

/// The updates of a step.
#[derive(Default)]
pub(crate) struct Running(Vec<RunningUpdate>);

impl Running {
    pub fn add(&mut self, graph: &Graph, update: RunningUpdate) -> Result<()> {
        if self.0.iter().any(|u| u.state == update.state) {
            return Err(GraphError::DuplicateName(format!("update of {}", graph.states()[update.state.index()].name)));
        }
        self.0.push(update);
        Ok(())
    }

    /// Records all updates; where the condition, a single truth value, does not hold, the statistics stay. Gives their arena and what
    /// it holds after the step.
    ///
    /// # Errors
    /// If a batch statistic does not have its state's shape.
    pub fn assign(&self, graph: &mut Graph, condition: Option<Var>) -> Result<Option<(ArenaId, Var)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let arena = graph.arena(BUFFERS, DType::F32)?;
        let batch: Vec<(StateId, Var)> = self.0.iter().map(|u| (u.state, u.batch)).collect();
        let packed = graph.pack(arena, &batch)?;
        let old = graph.arena_values(arena)?;
        let kept = self.kept_share(graph, arena, old)?;
        let gain = self.per_element(graph, arena, 0.0, |u| u.momentum * u.scale);
        let gain = graph.constant(gain)?;
        let new = graph.mul(packed, gain)?;
        let mut sum = graph.add(kept, new)?;
        if let Some(condition) = condition {
            sum = graph.where_(condition, sum, old)?;
        }
        graph.assign(Target::Arena(arena), sum)?;
        Ok(Some((arena, sum)))
    }

    /// `(1 - momentum) old`, with one number where all layers agree.
    fn kept_share(&self, graph: &mut Graph, arena: ArenaId, old: Var) -> Result<Var> {
        let first = self.0[0].momentum;
        let complete = self.0.len() == graph.arenas()[arena.index()].states.len();
        if complete && self.0.iter().all(|u| u.momentum == first) {
            return graph.map_scalars(Elementwise::Mul, old, &[1.0 - first]);
        }
        let keep = self.per_element(graph, arena, 1.0, |u| 1.0 - u.momentum);
        let keep = graph.constant(keep)?;
        graph.mul(old, keep)
    }

    fn per_element(&self, graph: &Graph, arena: ArenaId, other: f64, f: impl Fn(&RunningUpdate) -> f64) -> Tensor {
        let mut flat = vec![other as f32; graph.arenas()[arena.index()].len];
        for update in &self.0 {
            let state = &graph.states()[update.state.index()];
            flat[state.offset..state.offset + count(&state.shape)].fill(f(update) as f32);
        }
        vector(flat)
    }
}
