//! What the arenas of a step hold before it runs for the first time.

use crate::arena::vector;
use crate::context::Declarations;
use crate::init::initial_arena_from;
use crate::whitening::ExampleImages;
use chiaro_graph::{ArenaInfo, ArenaRole, Graph, Initial, Tensor};

/// Every arena but the data set's with its values, those of layers as they declared them.
pub(crate) fn initial_arenas(
    graph: &Graph,
    declarations: &Declarations,
    seed: u64,
    examples: Option<&ExampleImages>,
) -> Vec<(String, Tensor)> {
    let Declarations { parameters, buffers, .. } = declarations;
    let drawn = |role| match role {
        ArenaRole::Parameters => initial_arena_from(graph, parameters, seed, examples),
        ArenaRole::Statistics | ArenaRole::Slot | ArenaRole::Metrics | ArenaRole::Data | ArenaRole::Other => {
            initial_arena_from(graph, buffers, seed, examples)
        }
    };
    let value = |arena: &ArenaInfo| match &arena.initial {
        Initial::Fill(number) => vector(vec![*number as f32; arena.len]),
        Initial::Values(values) => padded(values, arena.len),
        // An average starts as what it is of.
        Initial::Drawn => drawn(arena.like.map_or(arena.role, |like| graph.arenas()[like.index()].role)),
    };
    let arenas = graph.arenas().iter().filter(|arena| arena.role != ArenaRole::Data);
    arenas.map(|arena| (arena.name.clone(), value(arena))).collect()
}

/// f32 values filled up with zeros.
fn padded(values: &Tensor, len: usize) -> Tensor {
    let mut flat = values.as_f32().unwrap_or_default().to_vec();
    flat.resize(len, 0.0);
    vector(flat)
}
