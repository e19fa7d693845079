//! The weights that a run begins with, where it does not draw them.

use chiaro_graph::{ArenaRole, Saved as Kept, StateInfo, Tensor};
use chiaro_nn::{arenas_saved, average_of, pack_arena, unpack_arena};
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Result, TrainError};
use crate::imported::ImportOptions;
use crate::new_head::head_of;
use crate::saved::Saved;
use crate::settings::NormsName;
use crate::trainer::Trainer;

impl Trainer {
    /// Writes the weights that the settings name to begin with (`init`), for a run that does not go on; without, nothing happens.
    /// States that the file has not, or has in another shape, stay as they were drawn: which ones comes back in a sentence.
    ///
    /// # Errors
    /// If the file cannot be read, or none of its tensors fits.
    pub fn begin(&mut self) -> Result<Vec<String>> {
        let Some(given) = self.config.init.clone() else {
            return match self.config.norms {
                NormsName::Still => Ok(vec![STILL_ALONE.into()]),
                NormsName::Batch => Ok(vec![]),
            };
        };
        let options = ImportOptions { open_size: self.config.size, ..ImportOptions::default() };
        let (saved, mut notes) = Saved::for_model(&options, &given, &self.config.model)?;
        notes.extend(self.begin_with(&saved)?);
        Ok(notes)
    }

    /// [`Trainer::begin`] with weights that were loaded already.
    ///
    /// # Errors
    /// If none of the tensors fits.
    pub fn begin_with(&mut self, saved: &Saved) -> Result<Vec<String>> {
        let weights = saved.weights();
        self.check_norms(saved)?;
        let head = if self.config.new_head { head_of(&self.model)? } else { vec![] };
        let (mut taken, mut anew) = (BTreeSet::new(), vec![]);
        let arenas: Vec<String> =
            arenas_saved(&self.step.graph, Kept::Weights).map(|(arena, _)| arena.name.clone()).collect();
        for arena in arenas {
            let drawn = unpack_arena(&self.step.graph, &arena, &self.backend.read_arena(&arena)?)?;
            let mut values: BTreeMap<String, Tensor> = BTreeMap::new();
            for (name, own) in drawn {
                let found = weights.tensors().get(&name);
                let is_head = head.contains(&name);
                match found.filter(|found| found.shape() == own.shape() && !is_head) {
                    Some(fits) => {
                        values.insert(name.clone(), fits.clone());
                        taken.insert(name);
                    }
                    None => {
                        let there = found.map_or("missing".to_string(), |found| format!("{:?}", found.shape()));
                        let here = if is_head { "--new-head" } else { "here" };
                        anew.push((name.clone(), format!("{name} ({there} there, {:?} {here})", own.shape())));
                        values.insert(name, own);
                    }
                }
            }
            self.write_weights(&arena, &pack_arena(&self.step.graph, &arena, |name| values.get(name))?)?;
        }
        let (new, anew): (Vec<String>, Vec<String>) = anew.into_iter().unzip();
        let idle = weights.tensors().keys().filter(|name| !taken.contains(*name) && !new.contains(name)).cloned();
        told(saved, &self.config.model, taken.len(), [&anew, &idle.collect::<Vec<_>>()])
    }

    /// Norms that keep their running statistics need all of them from the file.
    fn check_norms(&self, saved: &Saved) -> Result<()> {
        let graph = &self.step.graph;
        let is_running = |state: &&StateInfo| graph.arenas()[state.arena.index()].role == ArenaRole::Statistics;
        let fits = |state: &StateInfo| saved.tensors().get(&state.name).is_some_and(|t| t.shape() == &state.shape[..]);
        let anew: Vec<&str> =
            graph.states().iter().filter(is_running).filter(|state| !fits(state)).map(|state| &*state.name).collect();
        match (self.config.norms, anew.first()) {
            (NormsName::Batch, _) | (NormsName::Still, None) => Ok(()),
            (NormsName::Still, Some(first)) => Err(TrainError::Setting(format!(
                "--norms still keeps the running statistics of norms as they come, and {} of them do not come with {} ({first}, ...): \
                 use --norms batch",
                anew.len(),
                saved.path.display()
            ))),
        }
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

/// Of norms that keep what nobody gave them.
const STILL_ALONE: &str = "--norms still keeps the running statistics of norms as they come, which are means of 0 and variances of 1 where a run \
                           begins with no weights: these norms normalise nothing";

/// How many names are told of those that begin anew, and of those that found no place.
const TOLD: usize = 6;

fn told(saved: &Saved, model: &str, taken: usize, [anew, idle]: [&[String]; 2]) -> Result<Vec<String>> {
    let path = &saved.path;
    if taken == 0 {
        return Err(TrainError::Setting(format!(
            "none of the tensors of {}, of the model {}, fits {model}: --init takes weights of the same model, of whatever classes",
            path.display(),
            saved.info().model
        )));
    }
    let mut notes = vec![format!("begun with {taken} tensors of {}", path.display())];
    if !anew.is_empty() {
        notes[0] += &format!("; anew begin {}", some(anew));
    }
    if !idle.is_empty() {
        notes.push(format!("{} tensors of {} have no place in this model: {}", idle.len(), path.display(), some(idle)));
    }
    Ok(notes)
}

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    let (list, more) =
        (names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", "), names.len().saturating_sub(TOLD));
    if more > 0 { format!("{list} and {more} more") } else { list }
}
