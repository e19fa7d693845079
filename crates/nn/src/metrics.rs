//! Metrics that steps add to on the device, read back only when they are shown.

use crate::arena::METRICS;
use crate::error::Result;
use crate::objective::Objective;
use chiaro_graph::{ArenaRole, DType, Elementwise, Graph, Initial, Target, Tensor, Var};

/// Sums over the steps since the arena was last cleared. Counts are f32, exact up to 2^24 samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the losses of the samples, those of steps with a non-finite loss left out.
    pub loss_sum: f64,
    /// The objective's own sums, as [`Objective::sums`] lists them, and then those of evaluations.
    pub sums: Vec<f64>,
    /// Samples that count.
    pub samples: f64,
    /// Steps with a loss that is infinite or NaN.
    pub non_finite: f64,
}

impl Metrics {
    /// The metrics from the arena's flat vector, of an objective with so many sums; `None` if it is too short.
    pub fn from_arena(flat: &Tensor, sums: usize) -> Option<Metrics> {
        let values: Vec<f64> = flat.as_f32()?.get(..sums + 3)?.iter().map(|v| f64::from(*v)).collect();
        let (loss_sum, sums, rest) = (values[0], values[1..=sums].to_vec(), &values[sums + 1..]);
        Some(Metrics { loss_sum, sums, samples: rest[0], non_finite: rest[1] })
    }

    /// How many sums the objective of a step's graph has.
    pub fn sums_in(graph: &Graph) -> usize {
        let arena = graph.states().iter().find(|state| state.name == METRICS);
        arena.map_or(0, |state| chiaro_graph::shape::count(&state.shape).saturating_sub(3))
    }

    /// Mean loss of a sample; NaN without samples.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.samples
    }

    /// The objective's sum number `i`, a sample: of a classification number 0 is the share of correct samples in 0..=1. NaN
    /// without samples.
    pub fn mean(&self, i: usize) -> f64 {
        self.sums.get(i).map_or(f64::NAN, |sum| sum / self.samples)
    }

    /// Both together.
    pub fn plus(&self, other: &Metrics) -> Metrics {
        let longest = self.sums.len().max(other.sums.len());
        let at = |metrics: &Metrics, i: usize| metrics.sums.get(i).copied().unwrap_or(0.0);
        Metrics {
            loss_sum: self.loss_sum + other.loss_sum,
            sums: (0..longest).map(|i| at(self, i) + at(other, i)).collect(),
            samples: self.samples + other.samples,
            non_finite: self.non_finite + other.non_finite,
        }
    }
}

/// Adds a step's numbers to the arena in one elementwise expression, with those of evaluations where it is one. `loss_sum` is a single number.
pub(crate) fn accumulate(
    graph: &mut Graph,
    objective: &dyn Objective,
    outputs: Var,
    targets: Var,
    loss_sum: Var,
    evaluates: bool,
) -> Result<()> {
    let mut sums = objective.sums(graph, outputs, targets)?;
    // Steps of both kinds share the arena.
    let all = sums.len() + objective.evaluated();
    if evaluates {
        sums.extend(objective.evaluated_sums(graph, outputs, targets)?);
    }
    let samples = objective.counted(graph, outputs, targets)?;
    let arena = graph.arena(METRICS, DType::F32)?;
    graph.state(arena, METRICS, &[all + 3])?;
    graph.describe_arena(arena, ArenaRole::Metrics, Initial::Fill(0.0))?;
    let finite = graph.unary(Elementwise::IsFinite, loss_sum)?;
    let (zero, one) = (graph.scalar(0.0, DType::F32)?, graph.scalar(1.0, DType::F32)?);
    let loss = graph.where_(finite, loss_sum, zero)?;
    let non_finite = graph.where_(finite, zero, one)?;

    let old = graph.arena_values(arena)?;
    let len = graph.shape(old)[0];
    let position = graph.iota(len)?;
    let mut added = zero;
    let places = (0..=sums.len()).chain([all + 1, all + 2]);
    for (i, value) in places.zip([loss].into_iter().chain(sums).chain([samples, non_finite])) {
        let here = graph.map_scalars(Elementwise::Equal, position, &[i as f64])?;
        added = graph.where_(here, value, added)?;
    }
    let new = graph.add(old, added)?;
    Ok(graph.assign(Target::Arena(arena), new)?)
}

/// Number of labels that are not ignored, as one f32.
pub(crate) fn counted(graph: &mut Graph, labels: Var, ignore_index: i32) -> chiaro_graph::Result<Var> {
    let counted = graph.map_scalars(Elementwise::NotEqual, labels, &[f64::from(ignore_index)])?;
    let counted = graph.cast(counted, DType::F32)?;
    graph.sum_all(counted)
}
