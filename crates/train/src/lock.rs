//! One process at a time writes to a run folder: the system's lock on a file there, which dies with the process that holds it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::{Result, TrainError};

/// The file that is locked. It stays: removing it would let two processes lock two files of that name.
const NAME: &str = ".lock";

/// The lock of a folder, free again when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Why the file system gives no locks, where it gives none.
    pub unavailable: Option<String>,
    _file: File,
}

impl Lock {
    /// Locks a folder for this process.
    pub fn take(folder: &Path) -> Result<Lock> {
        let path = folder.join(NAME);
        let failed = |cause| TrainError::write(&path, cause);
        let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(TrainError::InUse { path: folder.to_path_buf(), process: process(&mut file) });
            }
            // Some network file systems have none. A run there is as safe as its user is careful.
            Err(TryLockError::Error(cause)) => return Ok(Lock { unavailable: Some(cause.to_string()), _file: file }),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Lock { unavailable: None, _file: file })
    }
}

/// Whether a process has a folder's lock.
pub(crate) fn is_held(folder: &Path) -> bool {
    let opened = File::open(folder.join(NAME));
    opened.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The number that the other process wrote. Some systems do not let a locked file be read.
fn process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_the_holder_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Lock::take(folder.path()).expect("free");
        let error = Lock::take(folder.path()).expect_err("held").to_string();
        if cfg!(unix) {
            assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        }
        assert!(error.contains("is in use"), "{error}");
        assert!(is_held(folder.path()));
        drop(held);
        assert!(!is_held(folder.path()));
        assert!(Lock::take(folder.path()).expect("free again").unavailable.is_none());
    }

    #[test]
    fn what_a_dead_process_left_is_no_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(NAME), "1").expect("written");
        Lock::take(folder.path()).expect("nobody holds it");
        let text = std::fs::read_to_string(folder.path().join(NAME)).expect("there");
        assert_eq!(text, std::process::id().to_string());
    }
}
