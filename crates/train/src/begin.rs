//! The weights that a run begins with, where it does not draw them.

use std::path::Path;

use chiaro_graph::{Saved as Kept, Tensor};
use chiaro_nn::{arenas_saved, average_of, pack_arena, unpack_arena};
use std::collections::BTreeMap;

use crate::error::{Result, TrainError};
use crate::imported::ImportOptions;
use crate::saved::Saved;
use crate::trainer::Trainer;

impl Trainer {
    /// Writes the weights that the settings name to begin with (`init`), for a run that does not go on; without, nothing happens.
    /// States that the file has not, or has in another shape, stay as they were drawn: which ones comes back in a sentence.
    ///
    /// # Errors
    /// If the file cannot be read, or none of its tensors fits.
    pub fn begin(&mut self) -> Result<Vec<String>> {
        let Some(given) = self.config.init.clone() else { return Ok(vec![]) };
        let (saved, mut notes) = Saved::for_model(&ImportOptions::default(), &given, &self.config.model)?;
        notes.extend(self.begin_with(&saved)?);
        Ok(notes)
    }

    /// [`Trainer::begin`] with weights that were loaded already.
    ///
    /// # Errors
    /// If none of the tensors fits.
    pub fn begin_with(&mut self, saved: &Saved) -> Result<Vec<String>> {
        let (path, weights) = (saved.path.clone(), saved.weights());
        let (mut taken, mut anew) = (0, vec![]);
        let arenas: Vec<String> =
            arenas_saved(&self.step.graph, Kept::Weights).map(|(arena, _)| arena.name.clone()).collect();
        for arena in arenas {
            let drawn = unpack_arena(&self.step.graph, &arena, &self.backend.read_arena(&arena)?)?;
            let mut values: BTreeMap<String, Tensor> = BTreeMap::new();
            for (name, own) in drawn {
                let found = weights.tensors().get(&name);
                match found.filter(|found| found.shape() == own.shape()) {
                    Some(fits) => {
                        taken += 1;
                        values.insert(name, fits.clone());
                    }
                    None => {
                        let there = found.map_or("missing".to_string(), |found| format!("{:?}", found.shape()));
                        anew.push(format!("{name} ({there} there, {:?} here)", own.shape()));
                        values.insert(name, own);
                    }
                }
            }
            self.write_weights(&arena, &pack_arena(&self.step.graph, &arena, |name| values.get(name))?)?;
        }
        told(&path, taken, &anew)
    }

    /// Writes an arena, and its average where there is one.
    fn write_weights(&mut self, arena: &str, values: &Tensor) -> Result<()> {
        self.backend.write_arena(arena, values)?;
        let average = average_of(arena);
        if self.step.graph.find_arena(&average).is_some() {
            self.backend.write_arena(&average, values)?;
        }
        Ok(())
    }
}

/// How many of the names that begin anew are told.
const TOLD: usize = 6;

fn told(path: &Path, taken: usize, anew: &[String]) -> Result<Vec<String>> {
    if taken == 0 {
        return Err(TrainError::Setting(format!(
            "none of the tensors of {} fits this model: --init takes weights of the same model, of whatever classes",
            path.display()
        )));
    }
    let begun = format!("begun with {taken} tensors of {}", path.display());
    if anew.is_empty() {
        return Ok(vec![begun]);
    }
    let more = anew.len().saturating_sub(TOLD);
    let list = anew.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    let list = if more > 0 { format!("{list} and {more} more") } else { list };
    Ok(vec![format!("{begun}; anew begin {list}")])
}
