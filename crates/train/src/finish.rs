//! The end of a run: the best weights are measured once more, find their temperature, and leave `results.json`.

use std::collections::BTreeMap;

use chiaro_io::{load_weights, save_weights};

use crate::calibration;
use crate::confusion::Confusion;
use crate::error::Result;
use crate::evaluate::Evaluation;
use crate::folder::RunFolder;
use crate::metrics::{largest, reliability};
use crate::observer::{Event, Observer};
use crate::position::Best;
use crate::results::Results;
use crate::stop::Stop;
use crate::task::{Calibration, Tally, softmax_at};
use crate::trainer::Trainer;

impl Trainer {
    /// Measures the best weights on the images that epochs are evaluated on, adds the temperature to their file, and writes
    /// the pictures and the report, and `results.json` last: a run that is killed before goes on here. Whether it came to the end; a run that has done so before, and has trained
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
        let tallied = tallied.map(|done| {
            let (evaluation, mut tally) = done?;
            let found = tally.calibration();
            let temperature = found.map_or(1.0, |found| found.temperature);
            tally.set_temperature(temperature);
            // Now, as long as the device has the best weights.
            let looks = self.look(&*tally, temperature);
            Some((evaluation, tally, found, looks))
        });
        self.put_back(own)?;
        let Some((evaluation, tally, found, looks)) = tallied? else { return Ok(false) };
        let mut extra = weights.extra.clone();
        calibration::tell(found, &mut extra);
        save_weights(&path, &self.info, &extra, &self.step.graph, &arenas)?;
        let results = self.results(best, &evaluation, &*tally, found);
        self.write_report(folder, observer, &*tally, &results, looks);
        results.write(&folder.results_path())?;
        Ok(true)
    }

    fn results(&self, best: Best, evaluation: &Evaluation, tally: &dyn Tally, found: Option<Calibration>) -> Results {
        let scores = &evaluation.scores;
        let named = [("loss".to_string(), scores.loss)].into_iter().chain(scores.measures.iter().cloned());
        let temperature = found.map_or(1.0, |found| found.temperature);
        let counted = |confusion: &Confusion| {
            (0..confusion.classes().len()).map(|label| confusion.row(label).to_vec()).collect::<Vec<_>>()
        };
        Results {
            epoch: best.epoch,
            split: self.data.eval_split.clone(),
            images: evaluation.samples,
            scores: named.filter(|(_, value)| value.is_finite()).collect::<BTreeMap<String, f64>>(),
            temperature: found.map(|found| found.temperature),
            unknown_below: found.and_then(|found| found.unknown_below),
            metrics: tally.metrics(),
            confusion: tally.confusion().map(counted),
            reliability: tally.confusion().map(|confusion| {
                let classes = confusion.classes().len().max(1);
                let rows = tally.outputs().chunks_exact(classes).map(|row| softmax_at(row, temperature));
                let said: Vec<(usize, f64)> = rows.map(|row| (largest(&row), row[largest(&row)])).collect();
                let right: Vec<bool> =
                    said.iter().zip(tally.labels()).map(|((said, _), label)| said == label).collect();
                reliability(&said.iter().map(|(_, sure)| *sure).collect::<Vec<_>>(), &right)
            }),
        }
    }
}
