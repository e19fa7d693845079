//! Which of the classes an image is of: softmax and cross-entropy.

use crate::class_loss::ClassLoss;
use crate::error::{NnError, Result};
use crate::metrics::counted;
use crate::objective::{Objective, TargetSpec};
use chiaro_graph::{CrossEntropyOptions, DType, Elementwise, Graph, Reduction, Var};

/// One class of several. Outputs are logits; targets are labels i32 `[N]`, -100 in rows that do not count. Beside the loss the rows
/// are counted whose largest logit is that of their label, and by evaluations those whose label is among the five largest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classification {
    /// Share of the target spread evenly over the classes, in training.
    pub label_smoothing: f64,
    /// Weight of each class in the loss of training.
    pub class_weights: Option<Vec<f32>>,
    /// What is made small in training.
    pub loss: ClassLoss,
}

/// Places of a ranking in which a label counts as found.
const TOP: usize = 5;

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

    fn evaluated(&self) -> usize {
        1
    }

    /// Rows whose label is among the five largest logits, of equal ones those that come first.
    fn evaluated_sums(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Vec<Var>> {
        let (rows, classes) = (graph.shape(outputs)[0], graph.shape(outputs)[1]);
        let column = graph.reshape(targets, &[rows, 1])?;
        let numbers = graph.iota(classes)?;
        let numbers = graph.cast(numbers, DType::I32)?;
        let own = graph.map(Elementwise::Equal, &[numbers, column])?;
        let (zero, one) = (graph.scalar(0.0, DType::F32)?, graph.scalar(1.0, DType::F32)?);
        let logit = graph.where_(own, outputs, zero)?;
        let logit = graph.sum(logit, &[1], true)?;
        let greater = graph.map(Elementwise::Greater, &[outputs, logit])?;
        let equal = graph.map(Elementwise::Equal, &[outputs, logit])?;
        let earlier = graph.map(Elementwise::Less, &[numbers, column])?;
        let tie = graph.where_(earlier, one, zero)?;
        let tie = graph.where_(equal, tie, zero)?;
        let before = graph.where_(greater, one, tie)?;
        let before = graph.sum(before, &[1], false)?;
        let hit = graph.map_scalars(Elementwise::Less, before, &[TOP as f64])?;
        let hit = graph.cast(hit, DType::F32)?;
        // Rows that do not count have no label, and so no class before theirs that would keep them out.
        let counts = self.rows_that_count(graph, outputs, targets)?;
        let hit = graph.mul(hit, counts)?;
        Ok(vec![graph.sum_all(hit)?])
    }
}
