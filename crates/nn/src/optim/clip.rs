//! What is done to gradients before the optimizer sees them: clipping.

use std::fmt;
use std::sync::Arc;

use crate::error::NnError;
use chiaro_graph::{Elementwise, Graph, Result, Var};

type ChangeGradient = dyn Fn(&mut Graph, Var) -> std::result::Result<Var, NnError> + Send + Sync;

/// A change of the gradients of all parameters, laid out as their arena, before the optimizer sees them.
#[derive(Clone)]
pub struct GradientChange(Arc<ChangeGradient>);

impl GradientChange {
    /// A change that is recorded by this function.
    pub fn new(
        record: impl Fn(&mut Graph, Var) -> std::result::Result<Var, NnError> + Send + Sync + 'static,
    ) -> GradientChange {
        GradientChange(Arc::new(record))
    }

    /// Records the change of a flat gradient.
    ///
    /// # Errors
    /// If one of its numbers is out of range.
    pub fn apply(&self, graph: &mut Graph, gradient: Var) -> std::result::Result<Var, NnError> {
        (self.0)(graph, gradient)
    }
}

impl fmt::Debug for GradientChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GradientChange")
    }
}

/// Scales gradients so that the norm of all together is at most this; see [`clip_by_global_norm`].
pub fn clip_by_norm(most: f64) -> GradientChange {
    GradientChange::new(move |graph, gradient| {
        if !most.is_finite() || most <= 0.0 {
            return Err(NnError::Option(format!("clipping needs a positive norm, not {most}")));
        }
        Ok(clip_by_global_norm(graph, gradient, most)?.0)
    })
}

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
