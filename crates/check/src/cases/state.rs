//! States, arenas and packing: what is read is the value before the step, what is assigned is seen in the next.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{DType, Target};

pub(super) fn cases() -> Vec<Case> {
    let swap = Case::new("state/swap_and_accumulate", |g, v| {
        let arena = g.arena("case.swap", DType::F32)?;
        let (a, b) = (g.state(arena, "case.swap.a", &[3, 2])?, g.state(arena, "case.swap.b", &[3, 2])?);
        let (old_a, old_b) = (g.state_value(a)?, g.state_value(b)?);
        let sum = g.add(old_b, v[0])?;
        g.assign(Target::State(a), sum)?;
        g.assign(Target::State(b), old_a)?;
        g.mul(old_a, v[0])
    });
    let whole = Case::new("state/pack_and_update_the_arena", |g, v| {
        let arena = g.arena("case.pack", DType::F32)?;
        let (a, b) = (g.state(arena, "case.pack.a", &[3])?, g.state(arena, "case.pack.b", &[2, 35])?);
        let packed = g.pack(arena, &[(a, v[0]), (b, v[1])])?;
        let old = g.arena_values(arena)?;
        let scale = g.scalar(0.5, DType::F32)?;
        let scaled = g.mul(packed, scale)?;
        let new = g.sub(old, scaled)?;
        g.assign(Target::Arena(arena), new)?;
        let doubled = g.add(packed, old)?;
        g.mul(doubled, packed)
    });
    let counter = Case::new("state/integer_counter", |g, v| {
        let arena = g.arena("case.counter", DType::I32)?;
        let count = g.state(arena, "case.counter.n", &[])?;
        let old = g.state_value(count)?;
        let new = g.add(old, v[0])?;
        g.assign(Target::State(count), new)?;
        Ok(new)
    });
    vec![
        swap.float("x", &[3, 2], Draw::Normal).steps(3),
        whole.float("x", &[3], Draw::Normal).float("y", &[2, 35], Draw::Normal).steps(2),
        counter.fixed("x", &[], DType::I32, Draw::Values(vec![3.0])).exact().steps(4),
    ]
}
