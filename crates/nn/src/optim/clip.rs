//! Gradient clipping.

use chiaro_graph::{Elementwise, Graph, Result, Var};

/// Scales a flat gradient so that its norm is at most `max_norm`: g min(1, max_norm / (|g| + 1e-6)), as PyTorch does.
/// Also gives the norm before clipping, a single number.
///
/// # Errors
/// If the gradient is no float.
pub fn clip_by_global_norm(graph: &mut Graph, gradient: Var, max_norm: f64) -> Result<(Var, Var)> {
    let squares = graph.unary(Elementwise::Square, gradient)?;
    let sum = graph.sum_all(squares)?;
    let norm = graph.unary(Elementwise::Sqrt, sum)?;
    let safe = graph.map_scalars(Elementwise::Add, norm, &[1e-6])?;
    let inverse = graph.unary(Elementwise::Reciprocal, safe)?;
    let scale = graph.map_scalars(Elementwise::Mul, inverse, &[max_norm])?;
    let scale = graph.map_scalars(Elementwise::Minimum, scale, &[1.0])?;
    Ok((graph.mul(gradient, scale)?, norm))
}
