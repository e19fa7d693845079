//! What is written at the end of an epoch, and when a run is interrupted.

use std::collections::BTreeMap;

use chiaro_graph::Tensor;
use chiaro_io::{read_arenas, save_weights};

use crate::error::Result;
use crate::evaluate::Evaluation;
use crate::folder::RunFolder;
use crate::observer::{EpochRecord, Event, Observer};
use crate::position::Best;
use crate::scores::Scores;
use crate::state::RunState;
use crate::task::{Measure, judge};
use crate::trainer::Trainer;
use crate::weights;

/// What weights tell about themselves: the epoch whose end they are of.
pub(crate) const EPOCH: &str = "epoch";

impl Trainer {
    /// Adds an epoch to the table and saves it.
    pub(crate) fn end_epoch(
        &mut self,
        folder: Option<&RunFolder>,
        observer: &mut dyn Observer,
        evaluation: Evaluation,
    ) -> Result<()> {
        let arenas = match folder {
            // Weights that are not finite would show in the loss.
            None if evaluation.scores.loss.is_finite() => vec![],
            None | Some(_) => self.arenas()?,
        };
        let (score, loss) = (evaluation.scores.judged(), evaluation.scores.loss);
        self.records.push(EpochRecord {
            epoch: self.at.epoch + 1,
            step: self.at.step,
            train: Scores::of_training(&*self.task, &self.at.metrics()),
            eval: evaluation.scores,
            lr: self.rate(self.at.step.saturating_sub(1)),
            seconds: self.at.seconds,
            images_per_second: self.images_per_second(),
        });
        let best = self.at.end_epoch(score, loss, judge(&*self.task));
        if let Some(folder) = folder {
            self.save_epoch(folder, best, &arenas)?;
        }
        if let Some(record) = self.records.last() {
            observer.event(&Event::Epoch { record, best, data_wait: self.data_wait });
        }
        if let Some(folder) = folder {
            self.tell_board(observer, &arenas);
            self.draw_curves(folder, observer, false);
        }
        Ok(())
    }

    /// The checkpoint first: whatever a kill keeps from being written after it is made from it when the run goes on.
    fn save_epoch(&self, folder: &RunFolder, best: bool, arenas: &[(String, Tensor)]) -> Result<()> {
        self.save_checkpoint(folder, arenas)?;
        if let Some(best) = self.at.best.filter(|_| best) {
            self.save_best(folder, best, arenas)?;
        }
        self.save_last(folder, arenas)?;
        folder.write_metrics(&self.records)
    }

    /// Saves what is needed to go on from here.
    pub(crate) fn save_here(&mut self, folder: &RunFolder) -> Result<()> {
        let arenas = self.arenas()?;
        self.save_checkpoint(folder, &arenas)
    }

    fn save_checkpoint(&self, folder: &RunFolder, arenas: &[(String, Tensor)]) -> Result<()> {
        let state = RunState {
            position: self.at.clone(),
            records: self.records.clone(),
            settings: self.config.clone(),
            data: self.data.clone(),
        };
        state.save(folder, &self.info, &self.step.graph, arenas)
    }

    /// Saves the weights of the best epoch, which they name beside what it is judged by.
    pub(crate) fn save_best(&self, folder: &RunFolder, best: Best, arenas: &[(String, Tensor)]) -> Result<()> {
        let judge = judge(&*self.task).name;
        let told = [
            (EPOCH, best.epoch.to_string()),
            (Measure::LOSS.name, best.loss.to_string()),
            (judge, best.score.to_string()),
        ];
        let told = told.map(|(key, value)| (key.to_string(), value));
        let arenas = self.evaluated(arenas);
        Ok(save_weights(&folder.best_path(), &self.info, &BTreeMap::from(told), &self.step.graph, &arenas)?)
    }

    /// Saves the weights of the last epoch, which they name beside what it is judged by.
    pub(crate) fn save_last(&self, folder: &RunFolder, arenas: &[(String, Tensor)]) -> Result<()> {
        let mut told = BTreeMap::from([(EPOCH.to_string(), self.at.epoch.to_string())]);
        if let Some(last) = self.records.last() {
            told.insert(judge(&*self.task).name.to_string(), last.eval.judged().to_string());
        }
        let arenas = self.evaluated(arenas);
        Ok(save_weights(&folder.last_path(), &self.info, &told, &self.step.graph, &arenas)?)
    }

    /// All arenas that are saved; weights that are infinite or NaN are an error.
    fn arenas(&mut self) -> Result<Vec<(String, Tensor)>> {
        let arenas = read_arenas(&mut *self.backend, &self.step.graph)?;
        if weights::finite(&self.step.graph, &arenas) {
            return Ok(arenas);
        }
        Err(self.non_finite("the weights are", self.at.step_in_epoch.saturating_sub(1)))
    }
}
