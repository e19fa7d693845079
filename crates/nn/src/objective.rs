//! What a step is trained for: the targets it takes beside the images, its loss, and what is counted.

use std::fmt;

use crate::error::Result;
use chiaro_graph::{DType, Elementwise, Graph, ReduceKind, Var};

/// What a step takes for each image beside its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSpec {
    /// Name of the step's input.
    pub name: &'static str,
    /// Extents for one image: none for a number.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub dtype: DType,
    /// What fills the target of a row that does not count: it is there to fill up the batch.
    pub filler: f64,
}

/// What a step is trained for. Outputs are the model's, f32 `[N,outputs]`; targets have the extents of the spec behind N.
pub trait Objective: fmt::Debug + Send + Sync {
    /// What is taken for each image, for a model of so many outputs.
    fn target(&self, outputs: usize) -> TargetSpec;

    /// Looks whether the objective's own options fit a model of so many outputs.
    ///
    /// # Errors
    /// [`NnError::Option`](crate::NnError::Option) says what does not.
    fn check(&self, _outputs: usize) -> Result<()> {
        Ok(())
    }

    /// The loss of training, a single number: the mean over the rows that count.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var>;

    /// The loss of evaluation, a single number: the sum over the rows that count. Without its own, that of training times their
    /// number.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn loss_sum(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        let (mean, rows) = (self.loss(graph, outputs, targets)?, self.counted(graph, outputs, targets)?);
        Ok(graph.mul(mean, rows)?)
    }

    /// How many rows count, one f32: those whose target is not all filler.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn counted(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        let counts = self.rows_that_count(graph, outputs, targets)?;
        Ok(graph.sum_all(counts)?)
    }

    /// 1 for a row that counts, else 0: f32 `[N]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn rows_that_count(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        let width = graph.shape(outputs).last().copied().unwrap_or(1);
        let filler = self.target(width).filler;
        let real = graph.map_scalars(Elementwise::NotEqual, targets, &[filler])?;
        let real = graph.cast(real, DType::F32)?;
        let axes: Vec<isize> = (1..graph.shape(real).len() as isize).collect();
        Ok(if axes.is_empty() { real } else { graph.reduce(ReduceKind::Max, real, &axes, false)? })
    }

    /// What is added up over the steps of an epoch beside the loss, single numbers over the rows that count; as many in every
    /// graph.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn sums(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Vec<Var>>;

    /// How many more single numbers evaluations add up, behind those.
    fn evaluated(&self) -> usize {
        0
    }

    /// These numbers, which training does without.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn evaluated_sums(&self, _graph: &mut Graph, _outputs: Var, _targets: Var) -> Result<Vec<Var>> {
        Ok(vec![])
    }
}
