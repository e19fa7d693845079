//! Which of the classes an image is of: softmax and cross-entropy.

use crate::class_loss::ClassLoss;
use crate::error::{NnError, Result};
use crate::metrics::counted;
use crate::objective::{Objective, TargetSpec};
use chiaro_graph::{CrossEntropyOptions, DType, Elementwise, Graph, Reduction, Var};

/// One class of several. Outputs are logits; targets are labels i32 `[N]`, -100 in rows that do not count. Beside the loss the rows
/// are counted whose largest logit is that of their label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classification {
    /// Share of the target spread evenly over the classes, in training.
    pub label_smoothing: f64,
    /// Weight of each class in the loss of training.
    pub class_weights: Option<Vec<f32>>,
    /// What is made small in training.
    pub loss: ClassLoss,
}

impl Classification {
    /// Label of a row that does not count.
    pub const IGNORED: i32 = -100;
}

impl Objective for Classification {
    fn target(&self, _outputs: usize) -> TargetSpec {
        TargetSpec { name: "labels", shape: vec![], dtype: DType::I32, filler: f64::from(Self::IGNORED) }
    }

    fn check(&self, outputs: usize) -> Result<()> {
        let fail = |text: String| Err(NnError::Option(text));
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return fail(format!("label smoothing {} is outside [0, 1)", self.label_smoothing));
        }
        self.loss.check()?;
        let Some(weights) = &self.class_weights else { return Ok(()) };
        if weights.len() != outputs {
            return fail(format!("{} class weights were given for {outputs} classes", weights.len()));
        }
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) {
            return fail("class weights must be numbers >= 0".into());
        }
        Ok(())
    }

    fn loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        self.training_loss(graph, outputs, targets)
    }

    /// Plain cross-entropy: what makes training better is no part of how good the model is.
    fn loss_sum(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        let options = CrossEntropyOptions {
            ignore_index: Self::IGNORED,
            reduction: Reduction::Sum,
            ..CrossEntropyOptions::default()
        };
        Ok(graph.cross_entropy(outputs, targets, &options)?)
    }

    fn counted(&self, graph: &mut Graph, _outputs: Var, targets: Var) -> Result<Var> {
        Ok(counted(graph, targets, Self::IGNORED)?)
    }

    fn sums(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Vec<Var>> {
        let best = graph.argmax(outputs, 1, false)?;
        let hit = graph.map(Elementwise::Equal, &[best, targets])?;
        let hit = graph.cast(hit, DType::F32)?;
        Ok(vec![graph.sum_all(hit)?])
    }
}
