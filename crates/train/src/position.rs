//! Where a run is: the part of its state that changes with every step.

use std::fmt;

use chiaro_nn::Metrics;
use serde::{Deserialize, Serialize};

use crate::task::Measure;

/// The epoch whose weights are kept as the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: usize,
    /// What epochs are judged by, the task's first measure, on the images that it was evaluated on; called the accuracy in
    /// checkpoints from before there were tasks.
    #[serde(alias = "accuracy", with = "any_number")]
    pub score: f64,
    /// The loss on those images, which decides between equal scores; NaN where an older version did not keep it.
    #[serde(default = "unknown", with = "any_number")]
    pub loss: f64,
}

fn unknown() -> f64 {
    f64::NAN
}

/// The place of a run between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Epochs that have ended.
    pub epoch: usize,
    /// Steps done in the present epoch.
    pub step_in_epoch: usize,
    /// Steps since the start of the run.
    pub step: u64,
    /// Loss sum, the task's sums, and samples of the present epoch; empty before there are any.
    #[serde(with = "any_numbers")]
    pub sums: Vec<f64>,
    /// Steps of the present epoch whose time counts: the first after a start compiles kernels and does not.
    pub timed_steps: usize,
    /// Seconds of those steps.
    pub timed_seconds: f64,
    /// Seconds since the start of the run.
    pub seconds: f64,
    /// The best epoch so far.
    pub best: Option<Best>,
}

/// A number that JSON may have no word for: NaN and infinities stand as texts.
mod any_number {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub enum Word {
        Number(f64),
        Text(String),
        /// What JSON writers make of it.
        Null(()),
    }

    impl Word {
        pub fn of(value: f64) -> Word {
            if value.is_finite() { Word::Number(value) } else { Word::Text(value.to_string()) }
        }

        pub fn value(self) -> Result<f64, String> {
            match self {
                Word::Number(value) => Ok(value),
                Word::Text(text) => text.parse().map_err(|_| format!("'{text}' is no number")),
                Word::Null(()) => Ok(f64::NAN),
            }
        }
    }

    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        Word::of(*value).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Word::deserialize(from)?.value().map_err(D::Error::custom)
    }
}

/// Some of them.
mod any_numbers {
    use super::any_number::Word;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
        values.iter().map(|value| Word::of(*value)).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let words = Vec::<Word>::deserialize(from)?;
        words.into_iter().map(|word| word.value().map_err(D::Error::custom)).collect()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        write!(f, "{} epoch{}", self.epoch, plural(self.epoch))?;
        match self.step_in_epoch {
            0 => Ok(()),
            steps => write!(f, " and {steps} step{}", plural(steps)),
        }
    }
}

impl Position {
    pub(crate) fn metrics(&self) -> Metrics {
        match self.sums.as_slice() {
            [loss_sum, sums @ .., samples] => {
                Metrics { loss_sum: *loss_sum, sums: sums.to_vec(), samples: *samples, non_finite: 0.0 }
            }
            [] | [_] => Metrics::default(),
        }
    }

    pub(crate) fn add(&mut self, more: &Metrics) {
        let sum = self.metrics().plus(more);
        self.sums = [&[sum.loss_sum], &sum.sums[..], &[sum.samples]].concat();
    }

    /// Ends the present epoch. Whether it is the best so far by a measure; of equals the one of the lowest loss is, and the first of those.
    pub(crate) fn end_epoch(&mut self, score: f64, loss: f64, judge: Measure) -> bool {
        let ended = Best { epoch: self.epoch + 1, score, loss };
        // An epoch that is done again, after a kill or a damaged checkpoint, may find its own weights there.
        let beats = |best: Best| judge.better(score, best.score) || (score == best.score && loss < best.loss);
        let better = self.best.is_none_or(|best| beats(best) || ended == best);
        if better {
            self.best = Some(ended);
        }
        *self = Position {
            epoch: self.epoch + 1,
            step_in_epoch: 0,
            sums: vec![],
            timed_steps: 0,
            timed_seconds: 0.0,
            ..self.clone()
        };
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_without_a_score_is_read_again_and_any_other_is_better() {
        let mut at = Position::default();
        assert!(at.end_epoch(f64::NAN, f64::NAN, Measure::LOSS), "the only one");
        at.sums = vec![f64::INFINITY, 1.5, f64::NAN];
        let text = serde_json::to_string(&at).expect("written");
        let read: Position = serde_json::from_str(&text).expect("read");
        assert!(read.best.is_some_and(|best| best.score.is_nan()), "{text}");
        assert_eq!((read.sums[0], read.sums[1], read.sums[2].is_nan()), (f64::INFINITY, 1.5, true));
        let null = serde_json::from_str::<Best>(r#"{"epoch": 3, "score": null}"#).expect("of an older version");
        assert!(null.score.is_nan());
        assert!(!at.end_epoch(f64::NAN, f64::NAN, Measure::LOSS), "no better than the first");
        for score in [0.5, f64::NAN, 0.4] {
            assert_eq!(at.end_epoch(score, score, Measure::LOSS), !score.is_nan());
        }
    }

    #[test]
    fn the_best_epoch_is_the_first_of_the_best_measure() {
        for (judge, sign) in [(Measure::share("accuracy"), 1.0), (Measure::LOSS, -1.0)] {
            let mut at = Position::default();
            let scores = [0.5, 0.7, 0.6, 0.7, 0.8, 0.8].map(|score| sign * score);
            let better: Vec<bool> = scores.into_iter().map(|score| at.end_epoch(score, 0.4, judge)).collect();
            assert_eq!(better, [true, true, false, false, true, false]);
            let best = Some(Best { epoch: 5, score: sign * 0.8, loss: 0.4 });
            assert_eq!(at.best, best);
            // Epochs 5 and 6 once more, from a checkpoint of epoch 4 beside the best weights of epoch 5.
            at.epoch = 4;
            assert!(at.end_epoch(sign * 0.8, 0.4, judge) && !at.end_epoch(sign * 0.8, 0.4, judge));
            assert_eq!(at.best, best);
        }
    }

    #[test]
    fn of_equal_scores_the_lowest_loss_is_the_best() {
        let mut at = Position::default();
        let epochs = [(0.9, 0.5), (1.0, 0.9), (1.0, 0.4), (1.0, 0.4), (1.0, f64::NAN), (0.9, 0.1), (1.0, 0.3)];
        let better = epochs.map(|(score, loss)| at.end_epoch(score, loss, Measure::share("accuracy")));
        assert_eq!(better, [true, true, true, false, false, false, true]);
        assert_eq!(at.best, Some(Best { epoch: 7, score: 1.0, loss: 0.3 }));
    }

    #[test]
    fn a_place_from_before_there_were_tasks_is_read() {
        let text = r#"{"epoch":3,"step_in_epoch":2,"step":20,"sums":[1.5,6.0,16.0],"timed_steps":1,"timed_seconds":0.5,
            "seconds":9.0,"best":{"epoch":2,"accuracy":0.75}}"#;
        let at: Position = serde_json::from_str(text).expect("read");
        let best = at.best.expect("there");
        assert_eq!((best.epoch, best.score, best.loss.is_nan()), (2, 0.75, true));
        assert_eq!((at.metrics().loss(), at.metrics().mean(0)), (1.5 / 16.0, 6.0 / 16.0));
    }
}
