//! Metrics that steps add to on the device, read back only when they are shown.

use crate::arena::METRICS;
use chiaro_graph::{DType, Elementwise, Graph, Result, Target, Tensor, Var};

/// Sums over the steps since the arena was last cleared. Counts are f32, exact up to 2^24 samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the losses of the samples, those of steps with a non-finite loss left out.
    pub loss_sum: f64,
    /// Samples whose largest logit is that of their label.
    pub correct: f64,
    /// Samples, those with an ignored label left out.
    pub samples: f64,
    /// Steps with a loss that is infinite or NaN.
    pub non_finite: f64,
}

/// Values of the arena: loss sum, correct, samples, non-finite.
const LEN: usize = 4;

impl Metrics {
    /// The metrics from the arena's flat vector; `None` if it is too short.
    pub fn from_arena(flat: &Tensor) -> Option<Metrics> {
        let values = flat.as_f32()?.get(..LEN)?;
        let [loss_sum, correct, samples, non_finite] = [0, 1, 2, 3].map(|i| f64::from(values[i]));
        Some(Metrics { loss_sum, correct, samples, non_finite })
    }

    /// Mean loss of a sample; NaN without samples.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.samples
    }

    /// Share of correct samples in 0..=1; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct / self.samples
    }
}

/// Adds a step's numbers to the arena in one elementwise expression. `loss_sum` is a single number; labels are i32 `[N]`.
pub(crate) fn accumulate(graph: &mut Graph, logits: Var, labels: Var, loss_sum: Var, ignore_index: i32) -> Result<()> {
    let arena = graph.arena(METRICS, DType::F32)?;
    graph.state(arena, METRICS, &[LEN])?;
    let best = graph.argmax(logits, 1, false)?;
    let hit = graph.map(Elementwise::Equal, &[best, labels])?;
    let hit = graph.cast(hit, DType::F32)?;
    let correct = graph.sum_all(hit)?;
    let samples = counted(graph, labels, ignore_index)?;
    let finite = graph.unary(Elementwise::IsFinite, loss_sum)?;
    let (zero, one) = (graph.scalar(0.0, DType::F32)?, graph.scalar(1.0, DType::F32)?);
    let loss = graph.where_(finite, loss_sum, zero)?;
    let non_finite = graph.where_(finite, zero, one)?;

    let old = graph.arena_values(arena)?;
    let len = graph.shape(old)[0];
    let position = graph.iota(len)?;
    let mut added = zero;
    for (i, value) in [loss, correct, samples, non_finite].into_iter().enumerate() {
        let here = graph.map_scalars(Elementwise::Equal, position, &[i as f64])?;
        added = graph.where_(here, value, added)?;
    }
    let new = graph.add(old, added)?;
    graph.assign(Target::Arena(arena), new)
}

/// Number of labels that are not ignored, as one f32.
pub(crate) fn counted(graph: &mut Graph, labels: Var, ignore_index: i32) -> Result<Var> {
    let counted = graph.map_scalars(Elementwise::NotEqual, labels, &[f64::from(ignore_index)])?;
    let counted = graph.cast(counted, DType::F32)?;
    graph.sum_all(counted)
}
