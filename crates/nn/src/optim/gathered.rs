//! Gradients that are gathered over several steps before the parameters are updated.

use crate::error::Result;
use chiaro_graph::{ArenaId, ArenaRole, Elementwise, Graph, Initial, Target, Var};

/// The arena that holds the sum so far.
const ARENA: &str = "optimizer.gathered";

/// The mean gradient of so many steps, of which this is one, where `last`, one element, is 1; the sum so far where it is 0. Gradients
/// of steps in which the condition does not hold are left out. Also gives whether it is the last.
pub(super) fn gather(
    graph: &mut Graph,
    params: ArenaId,
    gradient: Var,
    steps: u64,
    last: Var,
    condition: Option<Var>,
) -> Result<(Var, Var)> {
    let arena = graph.arena_like(params, ARENA)?;
    graph.describe_arena(arena, ArenaRole::Slot, Initial::Fill(0.0))?;
    let old = graph.arena_values(arena)?;
    let share = graph.map_scalars(Elementwise::Mul, gradient, &[1.0 / steps as f64])?;
    let mut sum = graph.add(old, share)?;
    if let Some(condition) = condition {
        sum = graph.where_(condition, sum, old)?;
    }
    let ends = graph.map_scalars(Elementwise::Greater, last, &[0.5])?;
    let nothing = graph.map_scalars(Elementwise::Mul, old, &[0.0])?;
    let rest = graph.where_(ends, nothing, sum)?;
    graph.assign(Target::Arena(arena), rest)?;
    Ok((sum, ends))
}
