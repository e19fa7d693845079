//! Dynamic loss scaling, all on the device (arXiv:1710.03740).
//!
//! Gradients of activations are often too small for 16 bits, so that the backward pass starts from a large number in place of 1,
//! and parameter gradients, which are 32-bit, are divided by it. The number grows after a run of good steps. A step with a
//! gradient that is not finite changes nothing but the number, which becomes smaller.

use crate::arena::vector;
use crate::error::{NnError, Result};
use chiaro_graph::{ArenaRole, DType, Elementwise, Graph, Initial, Target, Tensor, Var};

/// Arena of the loss scale; see [`LossScaleState`].
pub const LOSS_SCALE: &str = "loss_scale";

/// How the loss is scaled. Growth and backoff that are powers of two make scaling exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    /// The scale of the first step.
    pub initial: f64,
    /// What the scale is multiplied by after a run of good steps.
    pub growth: f64,
    /// Good steps in a row after which the scale grows.
    pub interval: u32,
    /// What the scale is multiplied by after a step with a gradient that is not finite.
    pub backoff: f64,
    /// The smallest and the largest scale.
    pub bounds: [f64; 2],
}

impl Default for LossScale {
    fn default() -> Self {
        // From this start the first steps of batch-normalised networks do not overflow, even of single images.
        LossScale { initial: 16384.0, growth: 2.0, interval: 2000, backoff: 0.5, bounds: [1.0, 16_777_216.0] }
    }
}

impl LossScale {
    /// A scale that never changes; steps with gradients that are not finite are left out all the same.
    pub fn fixed(scale: f64) -> LossScale {
        LossScale { initial: scale, growth: 1.0, interval: u32::MAX, backoff: 1.0, bounds: [scale; 2] }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let [least, most] = self.bounds;
        let ordered = 0.0 < least && least <= self.initial && self.initial <= most && (most as f32).is_finite();
        if ordered && self.growth >= 1.0 && 0.0 < self.backoff && self.backoff <= 1.0 && self.interval > 0 {
            return Ok(());
        }
        Err(NnError::Option(format!(
            "a loss scale needs 0 < smallest <= first <= largest and factors of its kind: {self:?}"
        )))
    }
}

/// Values of the arena.
const LEN: usize = 3;

/// The loss scale between two steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScaleState {
    /// What the next step's loss is multiplied by.
    pub scale: f64,
    /// Good steps since the scale changed.
    pub good_steps: f64,
    /// Steps that were left out since the start.
    pub skipped: f64,
}

impl LossScaleState {
    /// The state from the arena's flat vector; `None` if it is too short.
    pub fn from_arena(flat: &Tensor) -> Option<LossScaleState> {
        let values = flat.as_f32()?.get(..LEN)?;
        let [scale, good_steps, skipped] = [0, 1, 2].map(|i| f64::from(values[i]));
        Some(LossScaleState { scale, good_steps, skipped })
    }
}

/// The loss scale of a step that is being recorded.
pub(crate) struct Scaling {
    settings: LossScale,
    values: Var,
    /// A single number: what the backward pass starts from.
    pub scale: Var,
}

impl Scaling {
    pub fn declare(graph: &mut Graph, settings: LossScale) -> Result<Scaling> {
        settings.check()?;
        let arena = graph.arena(LOSS_SCALE, DType::F32)?;
        graph.state(arena, LOSS_SCALE, &[LEN])?;
        graph.describe_arena(arena, ArenaRole::Other, Initial::Values(vector(vec![settings.initial as f32])))?;
        let values = graph.arena_values(arena)?;
        let first = graph.narrow(values, 0, 0, 1)?;
        // Zeros, which nobody has written over yet, are no scale.
        let first = graph.map_scalars(Elementwise::Maximum, first, &[settings.bounds[0]])?;
        let scale = graph.reshape(first, &[])?;
        Ok(Scaling { settings, values, scale })
    }

    /// The gradients as if the loss had not been scaled, and whether all are finite; the scale of the next step is assigned.
    pub fn unscale(&self, graph: &mut Graph, scaled: Var) -> Result<(Var, Var)> {
        let (zero, one) = (graph.scalar(0.0, DType::F32)?, graph.scalar(1.0, DType::F32)?);
        let finite = graph.unary(Elementwise::IsFinite, scaled)?;
        let wrong = graph.where_(finite, zero, one)?;
        let wrong = graph.sum_all(wrong)?;
        let good = graph.map_scalars(Elementwise::Equal, wrong, &[0.0])?;
        let inverse = graph.unary(Elementwise::Reciprocal, self.scale)?;
        self.assign(graph, good)?;
        Ok((graph.mul(scaled, inverse)?, good))
    }

    fn assign(&self, graph: &mut Graph, good: Var) -> Result<()> {
        let LossScale { growth, interval, backoff, bounds: [least, most], .. } = self.settings;
        let number = |graph: &mut Graph, i: usize| graph.narrow(self.values, 0, i, i + 1);
        let [run, skipped] = [number(graph, 1)?, number(graph, 2)?];
        let scale = graph.reshape(self.scale, &[1])?;
        let zero = graph.scalar(0.0, DType::F32)?;
        let run = graph.map_scalars(Elementwise::Add, run, &[1.0])?;
        let full = graph.map_scalars(Elementwise::GreaterEqual, run, &[f64::from(interval)])?;
        let larger = graph.map_scalars(Elementwise::Mul, scale, &[growth])?;
        let larger = graph.map_scalars(Elementwise::Minimum, larger, &[most])?;
        let smaller = graph.map_scalars(Elementwise::Mul, scale, &[backoff])?;
        let smaller = graph.map_scalars(Elementwise::Maximum, smaller, &[least])?;
        let kept = graph.where_(full, larger, scale)?;
        let new_scale = graph.where_(good, kept, smaller)?;
        let ended = graph.where_(full, zero, run)?;
        let new_run = graph.where_(good, ended, zero)?;
        let more = graph.map_scalars(Elementwise::Add, skipped, &[1.0])?;
        let new_skipped = graph.where_(good, skipped, more)?;
        let arena = graph.arena(LOSS_SCALE, DType::F32)?;
        let position = graph.iota(graph.arenas()[arena.index()].len)?;
        let mut new = zero;
        for (i, value) in [new_scale, new_run, new_skipped].into_iter().enumerate() {
            let here = graph.map_scalars(Elementwise::Equal, position, &[i as f64])?;
            new = graph.where_(here, value, new)?;
        }
        Ok(graph.assign(Target::Arena(arena), new)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_cpu::reference::Reference;
    use chiaro_graph::Backend;

    /// The state after each step whose gradients are these.
    fn states(settings: LossScale, gradients: &[f32]) -> Vec<LossScaleState> {
        let mut g = Graph::new();
        let scaling = Scaling::declare(&mut g, settings).expect("settings");
        let scaled = g.input("scaled", &[2], DType::F32).expect("new");
        scaling.unscale(&mut g, scaled).expect("floats");
        let mut backend = Reference::new();
        let plan = backend.compile(&g).expect("compiles");
        let mut initial = vec![0.0; g.arenas()[0].len];
        initial[0] = settings.initial as f32;
        let initial = vector(initial);
        backend.write_arena(LOSS_SCALE, &initial).expect("arena");
        let step = |&gradient: &f32| {
            backend.run(plan, &[Tensor::f32([2], vec![1.0, gradient]).expect("two")]).expect("runs");
            LossScaleState::from_arena(&backend.read_arena(LOSS_SCALE).expect("arena")).expect("three values")
        };
        gradients.iter().map(step).collect()
    }

    const NARROW: LossScale = LossScale { initial: 4.0, growth: 2.0, interval: 2, backoff: 0.25, bounds: [2.0, 12.0] };

    fn scales(gradients: &[f32]) -> Vec<f64> {
        states(NARROW, gradients).iter().map(|s| s.scale).collect()
    }

    #[test]
    fn overflows_in_a_row_stop_at_the_smallest_scale() {
        let bad = [f32::INFINITY, f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
        assert_eq!(scales(&bad), [2.0; 4], "a quarter of 4 and less is below the bound");
        assert_eq!(states(NARROW, &bad).last().map(|s| s.skipped), Some(4.0));
    }

    #[test]
    fn growth_comes_after_a_run_of_good_steps_and_stops_at_the_largest_scale() {
        assert_eq!(scales(&[1.0; 8]), [4.0, 8.0, 8.0, 12.0, 12.0, 12.0, 12.0, 12.0]);
        // A bad step ends the run.
        assert_eq!(scales(&[1.0, f32::INFINITY, 1.0, 1.0, 1.0, 1.0]), [4.0, 2.0, 2.0, 4.0, 4.0, 8.0]);
    }
}
