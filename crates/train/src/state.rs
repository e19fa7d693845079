//! What a checkpoint keeps beside the arenas: where the run is, its epochs so far, and the settings and data that made it.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_graph::{Graph, Tensor};
use chiaro_io::{Checkpoint, ModelInfo, Progress, load_checkpoint, save_checkpoint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::observer::EpochRecord;
use crate::position::Position;
use crate::run_config::DataInfo;
use crate::settings::TrainConfig;
use crate::table;

const POSITION: &str = "position";
/// The table of epochs, as `results.csv` has it: that file is made anew where it is gone or older.
const METRICS: &str = "metrics";
const SETTINGS: &str = "settings";
const DATA: &str = "data";

/// A run between two steps, its arenas left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunState {
    pub position: Position,
    pub records: Vec<EpochRecord>,
    pub settings: TrainConfig,
    pub data: DataInfo,
}

impl RunState {
    /// Saves the state with all arenas; the checkpoint before it is kept.
    pub fn save(&self, folder: &RunFolder, info: &ModelInfo, graph: &Graph, arenas: &[(String, Tensor)]) -> Result<()> {
        let path = folder.checkpoint_path();
        let at = &self.position;
        let extra = BTreeMap::from([
            (POSITION.to_string(), json(&path, at)?),
            (METRICS.to_string(), table::to_csv(&self.records)),
            (SETTINGS.to_string(), json(&path, &self.settings)?),
            (DATA.to_string(), json(&path, &self.data)?),
        ]);
        let progress = Progress { step: at.step, epoch: at.epoch as u64, seed: self.settings.seed, extra };
        Ok(save_checkpoint(&path, Some(&folder.previous_path()), info, &progress, graph, arenas)?)
    }

    /// Reads a checkpoint and the state in it.
    pub fn load(path: &Path) -> Result<(RunState, Checkpoint)> {
        let checkpoint = load_checkpoint(path)?;
        let extra = &checkpoint.progress.extra;
        let state = RunState {
            position: part(path, extra, POSITION)?,
            records: table::from_csv(path, text(path, extra, METRICS)?)?,
            settings: part(path, extra, SETTINGS)?,
            data: part(path, extra, DATA)?,
        };
        Ok((state, checkpoint))
    }
}

fn json(path: &Path, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| TrainError::corrupt(path, cause))
}

fn text<'e>(path: &Path, extra: &'e BTreeMap<String, String>, key: &str) -> Result<&'e str> {
    let missing =
        || TrainError::corrupt(path, format!("it does not tell the run's {key}, so no run can go on from it"));
    extra.get(key).map(String::as_str).ok_or_else(missing)
}

fn part<T: DeserializeOwned>(path: &Path, extra: &BTreeMap<String, String>, key: &str) -> Result<T> {
    let bad = |cause| TrainError::corrupt(path, format!("its {key}: {cause}"));
    serde_json::from_str(text(path, extra, key)?).map_err(bad)
}
