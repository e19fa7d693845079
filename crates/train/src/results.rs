//! `results.json`: what came of a run, measured with the weights of its best epoch once it has ended.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use chiaro_io::write_whole;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::metrics::{ClassMetrics, ReliabilityBin};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The epoch whose weights these are of.
    pub epoch: usize,
    /// The images: `val`, or `test` where there are no validation images.
    pub split: String,
    /// How many they are.
    pub images: usize,
    /// Loss and the task's measures by name; those that are no number are left out.
    pub scores: BTreeMap<String, f64>,
    /// What outputs are divided by before they are read as probabilities; absent where there is no such number.
    pub temperature: Option<f64>,
    /// The probability below which an image is rather of no class.
    pub unknown_below: Option<f64>,
    /// All measures of classes, at the temperature; absent for tasks without classes.
    pub metrics: Option<ClassMetrics>,
    /// How many images of each class, by row, were said to be of which, by column; absent where an image may be of several.
    #[serde(default)]
    pub confusion: Option<Vec<Vec<u64>>>,
    /// Images by the probability, at the temperature, of what was said of them; absent for the same.
    #[serde(default)]
    pub reliability: Option<Vec<ReliabilityBin>>,
}

impl Results {
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|cause| TrainError::corrupt(path, cause))?;
        Ok(write_whole(path, text.as_bytes())?)
    }
}

impl RunFolder {
    /// What came of the run; `None` as long as it has not ended.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn results(&self) -> Result<Option<Results>> {
        let path = self.results_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|cause| TrainError::corrupt(&path, cause)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(TrainError::read(&path, cause)),
        }
    }
}
