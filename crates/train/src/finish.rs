//! The end of a run: the best weights are measured once more, find their temperature, and leave `results.json`.

use std::collections::BTreeMap;

use chiaro_io::{load_weights, save_weights};

use crate::calibration;
use crate::error::Result;
use crate::evaluate::Evaluation;
use crate::folder::RunFolder;
use crate::observer::{Event, Observer};
use crate::position::Best;
use crate::results::Results;
use crate::stop::Stop;
use crate::task::Tally;
use crate::trainer::Trainer;

impl Trainer {
    /// Measures the best weights on the images that epochs are evaluated on, adds the temperature to their file, and writes
    /// `results.json` last: a run that is killed before goes on here. Whether it came to the end; a run that has done so before, and has trained
    /// nothing since, does nothing.
    pub(crate) fn finish(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn Observer,
        stop: &Stop,
        trained: bool,
    ) -> Result<bool> {
        let Some(best) = self.at.best else { return Ok(true) };
        let is_done = folder.results().is_ok_and(|found| found.is_some_and(|found| found.epoch == best.epoch));
        if is_done && !trained {
            return Ok(true);
        }
        let path = folder.best_path();
        let weights = load_weights(&path)?;
        let arenas = weights.arenas(&self.step.graph)?;
        let mut own = vec![];
        for (name, values) in &arenas {
            own.push((name.clone(), self.backend.read_arena(name)?));
            self.backend.write_arena(name, values)?;
        }
        let batches = self.evaluator.batches();
        let tallied = self.evaluator.tally_while(&mut *self.backend, |batch| {
            observer.event(&Event::Evaluating { batch, batches, seconds_left: None });
            batch == batches || !stop.requested()
        });
        self.put_back(own)?;
        let Some((evaluation, mut tally)) = tallied? else { return Ok(false) };
        let found = tally.calibration();
        let mut extra = weights.extra.clone();
        calibration::tell(found, &mut extra);
        save_weights(&path, &self.info, &extra, &self.step.graph, &arenas)?;
        tally.set_temperature(found.map_or(1.0, |found| found.temperature));
        self.results(best, &evaluation, &*tally).write(&folder.results_path())?;
        Ok(true)
    }

    fn results(&self, best: Best, evaluation: &Evaluation, tally: &dyn Tally) -> Results {
        let scores = &evaluation.scores;
        let named = [("loss".to_string(), scores.loss)].into_iter().chain(scores.measures.iter().cloned());
        let found = tally.calibration();
        Results {
            epoch: best.epoch,
            split: self.data.eval_split.clone(),
            images: evaluation.samples,
            scores: named.filter(|(_, value)| value.is_finite()).collect::<BTreeMap<String, f64>>(),
            temperature: found.map(|found| found.temperature),
            unknown_below: found.and_then(|found| found.unknown_below),
            metrics: tally.metrics(),
        }
    }
}
