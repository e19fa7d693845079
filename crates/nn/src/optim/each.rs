//! A number for each parameter, and what is computed of each parameter by itself.

use super::Update;
use super::decay::a_number_each;
use crate::arena::vector;
use crate::error::Result;
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, Graph, StateId, StateInfo, Tensor, Var};

/// What `number` says of each parameter, at all its elements: laid out as the arena, 0 between.
pub(super) fn spread(graph: &Graph, params: ArenaId, number: impl Fn(&StateInfo) -> f64) -> Result<Tensor> {
    let mut flat = a_number_each(graph, params, 0.0f32)?;
    for state in graph.arenas()[params.index()].states.iter().map(|s| &graph.states()[s.index()]) {
        flat[state.offset..state.offset + count(&state.shape)].fill(number(state) as f32);
    }
    Ok(vector(flat))
}

impl Update<'_> {
    /// Flat vectors taken apart: `record` gets each parameter with its part of each vector, in its shape, and gives what stands at
    /// its place in the result.
    ///
    /// # Errors
    /// Those of `record`; and if a result has not the parameter's shape.
    pub fn each(
        &mut self,
        vectors: &[Var],
        mut record: impl FnMut(&mut Graph, &StateInfo, &[Var]) -> Result<Var>,
    ) -> Result<Var> {
        let params = self.params();
        let graph = self.graph();
        let states: Vec<StateId> = graph.arenas()[params.index()].states.clone();
        let mut made = vec![];
        for id in states {
            let state = graph.states()[id.index()].clone();
            let part = |graph: &mut Graph, &flat: &Var| {
                let own = graph.narrow(flat, 0, state.offset, state.offset + count(&state.shape))?;
                graph.reshape(own, &state.shape)
            };
            let parts = vectors.iter().map(|v| part(graph, v)).collect::<chiaro_graph::Result<Vec<_>>>()?;
            made.push((id, record(graph, &state, &parts)?));
        }
        Ok(graph.pack(params, &made)?)
    }
}
