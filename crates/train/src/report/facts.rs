//! What the page tells, as JSON for its script.

use chiaro_nn::Summary;
use serde_json::{Value, json};

use super::heat::Heat;
use super::{Looks, Said};
use crate::folder::RunFolder;
use crate::observer::EpochRecord;
use crate::results::Results;
use crate::scores::Scores;
use crate::settings::SETTINGS;
use crate::task::{Measure, judge};
use crate::trainer::Trainer;

impl Trainer {
    /// All of them. `said` is of the images that `looks` has, in their order.
    pub(super) fn facts(&self, folder: &RunFolder, results: &Results, looks: Option<&Looks>, said: &[Said]) -> Value {
        let measures = |all: Vec<Measure>| -> Vec<Value> {
            all.iter().map(|m| json!({ "name": m.name, "percent": m.percent })).collect()
        };
        let [train, eval] = &self.class_counts;
        json!({
            "run": self.run_facts(folder, results),
            "settings": self.settings_facts(),
            "measures": { "train": measures(self.task.measures()), "eval": measures(self.curved_measures()) },
            "epochs": self.records.iter().map(epoch).collect::<Vec<_>>(),
            "classes": self.info.classes,
            "counts": { "train": train, "eval": eval },
            "results": results,
            "spread": looks.map_or(0, |looks| looks.choice.spread),
            "pictures": looks.map_or(vec![], |looks| self.picture_facts(looks, said)),
            "cells": looks.map_or(vec![], cells),
            "mistakes": looks.map_or(vec![], |looks| self.mistake_facts(looks)),
            "no_heats": looks.and_then(|looks| looks.no_heats.clone()),
            "layers": self.layer_facts(),
        })
    }

    fn run_facts(&self, folder: &RunFolder, results: &Results) -> Value {
        let measure = judge(&*self.task);
        let path = folder.path();
        let name = path.file_name().map_or(path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let config = folder.config().ok();
        let speeds: Vec<f64> = self.records.iter().map(|r| r.images_per_second).filter(|speed| *speed > 0.0).collect();
        let summary = Summary::of(&self.model);
        json!({
            "name": name,
            "path": path.display().to_string(),
            "made": jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M").to_string(),
            "chiaro": env!("CARGO_PKG_VERSION"),
            "device": config.map_or(String::new(), |config| config.device),
            "task": self.task.name(),
            "model": self.info.model,
            "image": self.info.image,
            "data": self.config.data.display().to_string(),
            "train_images": self.data.train_images,
            "split": results.split,
            "measure": { "name": measure.name, "percent": measure.percent },
            "best": self.at.best.map(|best| best.score),
            "seconds": self.at.seconds,
            "speed": (!speeds.is_empty()).then(|| speeds.iter().sum::<f64>() / speeds.len() as f64),
            "parameters": summary.parameters(),
            "flops": summary.flops(),
            "batch": self.config.batch_size,
        })
    }

    fn settings_facts(&self) -> Vec<Value> {
        let known = SETTINGS.iter().map(|setting| (setting, setting.value_in(&self.config)));
        known
            .filter(|(_, value)| !value.is_null())
            .map(|(setting, value)| json!({ "name": setting.name, "value": value, "help": setting.help() }))
            .collect()
    }

    fn picture_facts(&self, looks: &Looks, said: &[Said]) -> Vec<Value> {
        let one = |(image, said): (&Vec<u8>, &Said)| {
            json!({
                "src": self.link(image).unwrap_or_default(),
                "name": self.eval_names.get(said.row),
                "label": said.label,
                "said": said.said,
                "p": said.probability,
                "right": said.right,
            })
        };
        looks.images.iter().zip(said).map(one).collect()
    }

    fn mistake_facts(&self, looks: &Looks) -> Vec<Value> {
        let [height, width, _] = self.info.image;
        let mistakes = looks.choice.mistakes.iter().enumerate();
        let one = |(number, mistake): (usize, &super::choice::Mistake)| {
            let picture = looks.choice.rows.iter().position(|row| *row == mistake.row)?;
            let heat = looks.heats.get(number).and_then(|heat| {
                let hot = crate::heat::covered(looks.images.get(picture)?, [height, width], &heat.map, heat.size);
                self.link(&hot).ok()
            });
            let silent = looks.heats.get(number).is_some_and(Heat::is_silent);
            Some(json!({ "picture": picture, "heat": heat, "silent": silent }))
        };
        mistakes.filter_map(one).collect()
    }

    fn layer_facts(&self) -> Vec<Value> {
        let row = |row: &chiaro_nn::SummaryRow| json!({ "path": row.path, "kind": row.kind, "output": row.output, "parameters": row.parameters, "flops": row.flops });
        Summary::of(&self.model).rows.iter().map(row).collect()
    }
}

fn epoch(record: &EpochRecord) -> Value {
    let scores = |scores: &Scores| -> Value {
        let all = [("loss".to_string(), scores.loss)].into_iter().chain(scores.measures.iter().cloned());
        // What is no number has no word in JSON, and no place on a curve.
        Value::Object(all.map(|(name, value)| (name, json!(value))).collect())
    };
    json!({
        "epoch": record.epoch,
        "seconds": record.seconds,
        "lr": record.lr,
        "speed": record.images_per_second,
        "train": scores(&record.train),
        "eval": scores(&record.eval),
    })
}

/// Label, prediction, and the places of the cell's images among the pictures.
fn cells(looks: &Looks) -> Vec<Value> {
    let rows = &looks.choice.rows;
    let places = |of: &Vec<usize>| -> Vec<usize> {
        of.iter().filter_map(|row| rows.iter().position(|known| known == row)).collect()
    };
    looks.choice.cells.iter().map(|((label, said), of)| json!([label, said, places(of)])).collect()
}
