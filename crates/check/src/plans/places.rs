//! What may be written over what.

use super::{Record, conv};
use chiaro_graph::{DType, Elementwise, Graph, Result, Target, Var};

pub(super) const CASES: &[(&str, Record)] = &[
    ("a state that becomes a product of itself", product_of_state),
    ("a state that becomes a sum of itself", sum_of_state),
    ("a state that others read before it changes", state_read_by_others),
    ("a product that is added to its own operand", residual_of_operand),
    ("a sum that is added to what it sums", residual_of_sum),
    ("a 16-bit value that is widened where it dies", widened),
    ("rows of 16-bit values that start between the bounds of bindings", rows_of_halves),
    ("an activation that becomes a state", assigned_activation),
    ("a value that becomes a state and goes on", assigned_and_read),
    ("sums that are finished with a value that dies", columns_with_dying_value),
    ("sums that are finished with the state that is written", columns_with_state),
    ("a value that becomes two states", assigned_twice),
    ("a state whose reader waits for the writer of another", states_in_turn),
];

fn state(g: &mut Graph, shape: &[usize]) -> Result<(Target, Var)> {
    let arena = g.arena("states", DType::F32)?;
    let state = g.state(arena, "p", shape)?;
    Ok((Target::State(state), g.state_value(state)?))
}

fn product_of_state(g: &mut Graph) -> Result<()> {
    let (target, p) = state(g, &[64, 64])?;
    let w = g.input("w", &[64, 64], DType::F32)?;
    let y = g.matmul(p, w, false, false)?;
    let y = g.map_scalars(Elementwise::Mul, y, &[0.02])?;
    g.assign(target, y)
}

fn sum_of_state(g: &mut Graph) -> Result<()> {
    let (target, p) = state(g, &[4096])?;
    let w = g.input("w", &[4096, 64], DType::F32)?;
    let first = g.narrow(p, 0, 0, 64)?;
    let y = g.mul(w, first)?;
    let y = g.sum(y, &[1], false)?;
    let y = g.map_scalars(Elementwise::Mul, y, &[0.02])?;
    g.assign(target, y)
}

fn state_read_by_others(g: &mut Graph) -> Result<()> {
    let (target, p) = state(g, &[32, 32])?;
    let w = g.input("w", &[32, 32], DType::F32)?;
    let y = g.matmul(p, w, false, false)?;
    let new = g.map_scalars(Elementwise::Mul, p, &[0.5])?;
    let z = g.matmul(w, p, false, true)?;
    let sum = g.add(y, z)?;
    g.assign(target, new)?;
    g.output("sum", sum)
}

fn residual_of_operand(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[64, 64], DType::F32)?;
    let w = g.input("w", &[64, 64], DType::F32)?;
    let x = g.matmul(a, w, false, false)?;
    let y = g.matmul(x, w, false, false)?;
    let y = g.add(y, x)?;
    let z = g.matmul(y, w, true, false)?;
    g.output("z", z)
}

fn residual_of_sum(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[512, 512], DType::F32)?;
    let b = g.input("b", &[512, 16], DType::F32)?;
    let c = g.input("c", &[16, 1], DType::F32)?;
    let x = g.matmul(b, c, false, false)?;
    let x = g.reshape(x, &[512])?;
    let y = g.mul(a, x)?;
    let y = g.sum(y, &[1], false)?;
    let y = g.add(y, x)?;
    let y = g.reshape(y, &[1, 512])?;
    let z = g.matmul(y, a, false, false)?;
    g.output("z", z)
}

fn widened(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[64, 64], DType::F32)?;
    let h = g.input("h", &[64, 64], DType::F16)?;
    let x = g.matmul(h, h, false, false)?;
    let p = g.matmul(h, h, true, false)?;
    let (x, p) = (g.cast(x, DType::F32)?, g.cast(p, DType::F32)?);
    let y = g.mul(x, p)?;
    let z = g.matmul(y, a, false, false)?;
    g.output("z", z)
}

fn rows_of_halves(g: &mut Graph) -> Result<()> {
    let h = g.input("h", &[4, 8, 8], DType::F16)?;
    let first = g.narrow(h, 0, 1, 2)?;
    let second = g.narrow(h, 0, 2, 3)?;
    let z = g.matmul(first, second, false, false)?;
    g.output("z", z)
}

fn assigned_activation(g: &mut Graph) -> Result<()> {
    let (target, _) = state(g, &[2, 8, 8, 8])?;
    let x = g.input("x", &[2, 8, 8, 8], DType::F32)?;
    let y = conv(g, x, "w1")?;
    let (scale, shift) = (g.input("scale", &[8], DType::F32)?, g.input("shift", &[8], DType::F32)?);
    let (y, _) = g.batch_norm(y, scale, shift, 1e-5)?;
    let y = g.relu(y)?;
    let z = conv(g, y, "w2")?;
    g.output("z", z)?;
    g.assign(target, y)
}

fn assigned_and_read(g: &mut Graph) -> Result<()> {
    let (target, old) = state(g, &[32, 32])?;
    let w = g.input("w", &[32, 32], DType::F32)?;
    let y = g.map_scalars(Elementwise::Mul, old, &[0.5])?;
    let y = g.add(y, w)?;
    let z = g.matmul(y, w, false, false)?;
    g.output("z", z)?;
    g.assign(target, y)
}

fn columns_with_dying_value(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[64, 32], DType::F32)?;
    let w = g.input("w", &[32, 64], DType::F32)?;
    let c = g.input("c", &[64, 32], DType::F32)?;
    // Recorded before the value that dies, so that the sum of both ends this product and not the other.
    let y = g.matmul(a, w, false, false)?;
    let x = g.matmul(c, w, false, false)?;
    let y = g.add(y, x)?;
    let s = g.sum(y, &[0], false)?;
    let row = g.narrow(x, 0, 3, 4)?;
    let row = g.reshape(row, &[64])?;
    let s = g.add(s, row)?;
    let z = g.matmul(y, w, false, true)?;
    g.output("z", z)?;
    g.output("s", s)
}

fn columns_with_state(g: &mut Graph) -> Result<()> {
    let (target, old) = state(g, &[64, 64])?;
    let a = g.input("a", &[64, 32], DType::F32)?;
    let w = g.input("w", &[32, 64], DType::F32)?;
    let y = g.matmul(a, w, false, false)?;
    let s = g.sum(y, &[0], false)?;
    let row = g.narrow(old, 0, 3, 4)?;
    let row = g.reshape(row, &[64])?;
    let s = g.add(s, row)?;
    g.output("s", s)?;
    g.assign(target, y)
}

fn assigned_twice(g: &mut Graph) -> Result<()> {
    let arena = g.arena("states", DType::F32)?;
    let [p, q] = [g.state(arena, "p", &[32, 32])?, g.state(arena, "q", &[32, 32])?];
    let w = g.input("w", &[32, 32], DType::F32)?;
    let old = g.state_value(p)?;
    let y = g.matmul(w, old, false, false)?;
    let y = g.map_scalars(Elementwise::Mul, y, &[0.02])?;
    g.assign(Target::State(p), y)?;
    g.assign(Target::State(q), y)
}

/// p := f(p), which a product with q waits for; q := relu(p) would be written in place before that product reads q: whoever
/// reads p comes before p is written.
fn states_in_turn(g: &mut Graph) -> Result<()> {
    let arena = g.arena("states", DType::F32)?;
    let [p, q] = [g.state(arena, "p", &[128, 128])?, g.state(arena, "q", &[128, 128])?];
    let [old_p, old_q] = [g.state_value(p)?, g.state_value(q)?];
    let new = g.map_scalars(Elementwise::Mul, old_p, &[0.5])?;
    let product = g.matmul(new, old_q, false, false)?;
    g.output("product", product)?;
    g.assign(Target::State(p), new)?;
    let relu = g.relu(old_p)?;
    g.assign(Target::State(q), relu)
}
