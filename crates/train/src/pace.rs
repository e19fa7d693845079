//! How long a run will go on, from how long its steps and evaluations took.

/// An evaluation has no backward pass: about a third of a step, until one was timed.
const EVAL_SHARE: f64 = 1.0 / 3.0;

/// Seconds that parts of a run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Of a step, on average over the present or the last epoch.
    pub step: Option<f64>,
    /// Of a whole evaluation.
    pub evaluation: Option<f64>,
}

/// What is left of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Training steps, of all epochs.
    pub steps: usize,
    /// Evaluations, the present one's share included.
    pub evaluations: f64,
    /// Batches of an evaluation.
    pub batches: usize,
}

impl Pace {
    /// Seconds until the end of the run; `None` as long as no step was timed.
    pub fn seconds(self, left: Left) -> Option<f64> {
        let step = self.step?;
        let evaluation = self.evaluation.unwrap_or(step * EVAL_SHARE * left.batches as f64);
        Some(left.steps as f64 * step + left.evaluations * evaluation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_all_steps_and_evaluations_of_the_run() {
        let left = Left { steps: 100, evaluations: 2.0, batches: 30 };
        assert_eq!(Pace::default().seconds(left), None);
        assert_eq!(Pace { step: Some(0.5), evaluation: None }.seconds(left), Some(50.0 + 2.0 * 5.0));
        assert_eq!(Pace { step: Some(0.5), evaluation: Some(7.0) }.seconds(left), Some(50.0 + 14.0));
    }
}
