//! The run folder: its name, the places of its files, and who may write to it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chiaro_io::{remove_leftovers, write_whole};

use crate::error::{Result, TrainError};
use crate::imported::{known_beside, save_beside};
use crate::lock::Lock;
use crate::observer::EpochRecord;
use crate::run_config::RunConfig;
use crate::table;

/// A folder with `config.json`, `metrics.csv`, `best.safetensors`, `last.safetensors`, `checkpoint.safetensors` and the checkpoint
/// before it, and at the end `results.json`. Clones are the same folder: what one has claimed, all have.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Arc<Mutex<Option<Lock>>>,
}

impl RunFolder {
    fn at(path: &Path) -> RunFolder {
        RunFolder { path: path.to_path_buf(), lock: Arc::default() }
    }

    /// Makes a new folder under `parent`, named by today's date and the first free number, and claims it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_in(parent: &Path) -> Result<RunFolder> {
        fs::create_dir_all(parent).map_err(|cause| TrainError::write(parent, cause))?;
        // Of this user's clock: the day that a person would call it.
        let date = jiff::ZonedDateTime::now().date();
        let mut number = 1;
        loop {
            let path = parent.join(format!("{date}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let folder = RunFolder::at(&path);
                    folder.claim()?;
                    return Ok(folder);
                }
                // Another run may be making its folder at the same time: whoever comes second takes the next number.
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(cause) => return Err(TrainError::write(&path, cause)),
            }
        }
    }

    /// Makes this folder, which may exist already but hold no run, and claims it.
    ///
    /// # Errors
    /// [`TrainError::RunExists`], [`TrainError::InUse`], or if it cannot be made.
    pub fn create(path: &Path) -> Result<RunFolder> {
        fs::create_dir_all(path).map_err(|cause| TrainError::write(path, cause))?;
        let folder = RunFolder::at(path);
        // Asked again once it is claimed: another process may have begun a run meanwhile.
        if folder.config_path().exists() || folder.claim().map(|_| folder.config_path().exists())? {
            return Err(TrainError::RunExists { path: path.to_path_buf() });
        }
        Ok(folder)
    }

    /// A folder that holds a run.
    ///
    /// # Errors
    /// [`TrainError::NotARun`] if it does not.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let folder = RunFolder::at(path);
        let cause = if !path.is_dir() {
            "no such folder"
        } else if !folder.config_path().is_file() {
            "there is no config.json"
        } else {
            return Ok(folder);
        };
        Err(TrainError::NotARun { path: path.to_path_buf(), cause: cause.to_string() })
    }

    /// Makes this process the one that writes to the folder, until it ends or the last clone of this is dropped, and removes the
    /// half-written files of processes that were killed. Claiming again does nothing. Where the file system has no locks, why
    /// comes back, and nothing keeps other processes away.
    ///
    /// # Errors
    /// [`TrainError::InUse`], or if the folder cannot be written to.
    pub fn claim(&self) -> Result<Option<String>> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            let taken = lock.insert(Lock::take(&self.path)?);
            if let Some(cause) = &taken.unavailable {
                let path = self.path.display();
                return Ok(Some(format!("{path} cannot be locked ({cause}): let no other process write to it")));
            }
            remove_leftovers(&self.path)?;
        }
        Ok(None)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The record of settings.
    pub fn config_path(&self) -> PathBuf {
        self.path.join("config.json")
    }

    /// The table of epochs.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// The weights of the best epoch by the task's first measure, of equal ones the first.
    pub fn best_path(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// The weights of the last epoch.
    pub fn last_path(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// What came of the run, once it has ended.
    pub fn results_path(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// Everything that is needed to go on.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// The checkpoint before that one, for the case that it is damaged.
    pub fn previous_path(&self) -> PathBuf {
        self.path.join("checkpoint.previous.safetensors")
    }

    /// Reads the record of settings.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn config(&self) -> Result<RunConfig> {
        let config = RunConfig::read(&self.config_path())?;
        known_beside(&self.path, &config.settings.model)?;
        Ok(config)
    }

    /// Writes the record of settings.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, config: &RunConfig) -> Result<()> {
        save_beside(&self.path, &config.settings.model)?;
        config.write(&self.config_path())
    }

    /// The table's rows; none before the first epoch has ended.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.metrics_path();
        match fs::read_to_string(&path) {
            Ok(text) => table::from_csv(&path, &text),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(vec![]),
            Err(cause) => Err(TrainError::read(&path, cause)),
        }
    }

    pub(crate) fn write_metrics(&self, records: &[EpochRecord]) -> Result<()> {
        Ok(write_whole(&self.metrics_path(), table::to_csv(records).as_bytes())?)
    }

    pub(crate) fn write_metrics_if_changed(&self, records: &[EpochRecord]) -> Result<()> {
        let there = fs::read_to_string(self.metrics_path());
        if there.is_ok_and(|text| text == table::to_csv(records)) { Ok(()) } else { self.write_metrics(records) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_folders_are_numbered() {
        let parent = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = (0..3)
            .map(|_| RunFolder::create_in(&parent.path().join("runs")).expect("made"))
            .map(|run| run.path().file_name().expect("a name").to_string_lossy().into_owned())
            .collect();
        for (i, name) in names.iter().enumerate() {
            assert!(name.ends_with(&format!("-{}", i + 1)) && name.starts_with("20"), "{name}");
        }
    }

    #[test]
    fn a_folder_with_a_run_is_not_taken_for_a_new_one() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(parent.path()).expect("empty");
        assert!(RunFolder::open(parent.path()).is_err());
        fs::write(folder.config_path(), "{}").expect("written");
        assert!(matches!(RunFolder::create(parent.path()), Err(TrainError::RunExists { .. })));
        assert!(RunFolder::open(parent.path()).is_ok());
    }
}
