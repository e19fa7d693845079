//! The run folder: its name, the places of its files, and who may write to it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chiaro_io::{remove_leftovers, write_whole};

use crate::error::{Result, TrainError};
use crate::imported::{known_beside, save_beside};
use crate::lock::{self, Lock};
use crate::observer::EpochRecord;
use crate::run_config::RunConfig;
use crate::table;

/// The folder in it that weights lie in.
const WEIGHTS: &str = "weights";

/// A folder with `args.toml`, `results.csv`, `weights/best.safetensors`, `weights/last.safetensors`, `checkpoint.safetensors` and the
/// checkpoint before it, and at the end `results.json`. Folders of before this naming, with `config.json`, `metrics.csv` and weights
/// beside them, are read as they are, and get today's names when their run goes on. Clones are the same folder: what one has claimed,
/// all have.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Arc<Mutex<Option<Lock>>>,
}

impl RunFolder {
    fn at(path: &Path) -> RunFolder {
        RunFolder { path: path.to_path_buf(), lock: Arc::default() }
    }

    /// Makes a new folder under `parent` and claims it: `train`, or where there is one already `train2`, `train3`, and so on.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_in(parent: &Path) -> Result<RunFolder> {
        fs::create_dir_all(parent).map_err(|cause| TrainError::write(parent, cause))?;
        let mut number = 1;
        loop {
            let path = parent.join(if number == 1 { "train".to_string() } else { format!("train{number}") });
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
            "there is no args.toml"
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
            let weights = self.path.join(WEIGHTS);
            fs::create_dir_all(&weights).map_err(|cause| TrainError::write(&weights, cause))?;
            remove_leftovers(&weights)?;
        }
        Ok(None)
    }

    /// Whether a process trains the run now.
    pub fn is_in_use(&self) -> bool {
        lock::is_held(&self.path)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file is: in its place, or where runs of before put it.
    fn now_or_before(&self, now: &str, before: &str) -> PathBuf {
        let [now, before] = [now, before].map(|name| self.path.join(name));
        if !now.exists() && before.is_file() { before } else { now }
    }

    /// The record of settings.
    pub fn config_path(&self) -> PathBuf {
        self.now_or_before("args.toml", "config.json")
    }

    /// The table of epochs.
    pub fn metrics_path(&self) -> PathBuf {
        self.now_or_before("results.csv", "metrics.csv")
    }

    /// The weights of the best epoch by the task's first measure, of equal ones the first.
    pub fn best_path(&self) -> PathBuf {
        self.now_or_before("weights/best.safetensors", "best.safetensors")
    }

    /// The weights of the last epoch.
    pub fn last_path(&self) -> PathBuf {
        self.now_or_before("weights/last.safetensors", "last.safetensors")
    }

    /// The folder of a run that weights lie in: the file's own, or the one above its `weights`.
    pub(crate) fn of_weights(path: &Path) -> PathBuf {
        // The parent of a bare file name is the empty path, which is no folder to the system.
        let named = |path: &Path| path.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf);
        let own = named(path).unwrap_or_else(|| PathBuf::from("."));
        let whole = own.canonicalize().unwrap_or_else(|_| own.clone());
        if !whole.ends_with(WEIGHTS) {
            return own;
        }
        let above = named(&own).unwrap_or_else(|| own.join(".."));
        if RunFolder::open(&above).is_ok() { above } else { own }
    }

    /// Gives the files of a run of before today's names; the table and the settings are written anew beside it.
    pub(crate) fn rename_old(&self) -> Result<()> {
        for name in ["best.safetensors", "last.safetensors"] {
            let [old, new] = [self.path.join(name), self.path.join(WEIGHTS).join(name)];
            if old.is_file() && !new.exists() {
                fs::rename(&old, &new).map_err(|cause| TrainError::write(&new, cause))?;
            }
        }
        Ok(())
    }

    /// Removes what another file stands for now.
    fn remove_old(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(TrainError::write(&self.path.join(name), cause)),
            Ok(()) | Err(_) => Ok(()),
        }
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
        config.write(&self.path.join("args.toml"))?;
        self.remove_old("config.json")
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
        write_whole(&self.path.join("results.csv"), table::to_csv(records).as_bytes())?;
        self.remove_old("metrics.csv")
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
        let runs = parent.path().join("runs");
        let made = || {
            let run = RunFolder::create_in(&runs).expect("made");
            run.path().file_name().expect("a name").to_string_lossy().into_owned()
        };
        assert_eq!([made(), made(), made()], ["train", "train2", "train3"]);
        fs::remove_dir_all(runs.join("train2")).expect("removed");
        assert_eq!([made(), made()], ["train2", "train4"], "the first that is free");
    }

    #[test]
    fn weights_know_the_folder_of_their_run() {
        let parent = tempfile::tempdir().expect("a folder");
        let run = RunFolder::create(&parent.path().join("run")).expect("made");
        fs::write(run.config_path(), "").expect("written");
        assert_eq!(RunFolder::of_weights(&run.best_path()), run.path());
        assert_eq!(RunFolder::of_weights(&run.path().join("best.safetensors")), run.path());
        let elsewhere = parent.path().join("weights");
        fs::create_dir(&elsewhere).expect("made");
        assert_eq!(RunFolder::of_weights(&elsewhere.join("a.safetensors")), elsewhere, "no run is above it");
        assert_eq!(RunFolder::of_weights(Path::new("a.safetensors")), Path::new("."));
    }

    #[test]
    fn a_folder_with_a_run_is_not_taken_for_a_new_one() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(parent.path()).expect("empty");
        assert!(RunFolder::open(parent.path()).is_err());
        fs::write(folder.config_path(), "").expect("written");
        assert!(matches!(RunFolder::create(parent.path()), Err(TrainError::RunExists { .. })));
        assert!(RunFolder::open(parent.path()).is_ok());
    }
}
