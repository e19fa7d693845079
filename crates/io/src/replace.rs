//! Writing a file whole or not at all, so that a full disk, a crash or a kill never harms what was there.

use crate::error::{IoError, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// How the names of files end that are not whole yet.
const ENDING: &str = ".tmp";

/// Replaces `path` by these bytes, or leaves it as it is.
///
/// # Errors
/// If the file cannot be written; then one that was there before is unchanged.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, None, bytes.len() as u64, |out| out.write_all(bytes))
}

/// Writes beside the file, waits until the disk has it, and renames, so that a crash leaves the old file or the new one. With
/// `previous`, the old file gets that name first; a crash between the two leaves it there and no file at `path`.
pub(crate) fn replace(
    path: &Path,
    previous: Option<&Path>,
    bytes: u64,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let beside = temporary(path);
    let kept = || match previous.filter(|_| path.is_file()) {
        Some(previous) => fs::rename(path, previous),
        None => Ok(()),
    };
    let written = write_and_sync(&beside, fill).and_then(|()| kept()).and_then(|()| fs::rename(&beside, path));
    if let Err(cause) = written {
        // The failure to write is the one to report, whether or not there was something to remove.
        let _ = fs::remove_file(&beside);
        let path = path.to_path_buf();
        return Err(match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => IoError::DiskFull { path, bytes },
            _ => IoError::Write { path, cause },
        });
    }
    sync_folder(path).map_err(|cause| IoError::Write { path: path.to_path_buf(), cause })
}

fn write_and_sync(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}{ENDING}", std::process::id()))
}

/// Removes from a folder the files that a process which was killed had begun to write. Only for a folder that no other process
/// writes to. How many there were.
///
/// # Errors
/// If the folder cannot be read or a file not be removed.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    let fail = |cause| IoError::Write { path: folder.to_path_buf(), cause };
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if is_temporary(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            fs::remove_file(entry.path()).map_err(fail)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether this is a name that [`temporary`] gives: `.NAME.PROCESS.tmp`.
fn is_temporary(name: &str) -> bool {
    let process = name.strip_prefix('.').and_then(|n| n.strip_suffix(ENDING)).and_then(|n| n.rsplit_once('.'));
    process.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Makes the rename itself durable; only Unix lets a folder be opened for that.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_disk_is_named_and_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights");
        write_whole(&path, b"old").expect("written");
        let error = replace(&path, Some(&folder.path().join("previous")), 99, |out| {
            out.write_all(b"new")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(matches!(error, Err(IoError::DiskFull { bytes: 99, .. })), "{error:?}");
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(names(folder.path()), ["weights"], "nothing is left beside it");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_systems_own_full_device_is_recognised() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights");
        let error = replace(&path, None, 1, |_| File::create("/dev/full")?.write_all(b"x"));
        assert!(matches!(error, Err(IoError::DiskFull { .. })), "{error:?}");
        assert!(!path.exists());
    }

    #[test]
    fn the_file_before_is_kept_where_that_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, previous] = ["now", "before"].map(|name| folder.path().join(name));
        for text in ["1", "2", "3"] {
            replace(&path, Some(&previous), 1, |out| out.write_all(text.as_bytes())).expect("written");
        }
        assert_eq!(fs::read(&path).expect("read"), b"3");
        assert_eq!(fs::read(&previous).expect("read"), b"2");
        assert_eq!(names(folder.path()), ["before", "now"]);
    }

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = temporary(&folder.path().join("last.safetensors"));
        let others = [".hidden", ".notes.tmp", "a.7.tmp", "last.safetensors", ".lock"];
        for name in others {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        fs::write(&left, "half").expect("written");
        fs::write(folder.path().join(".config.json.4711.tmp"), "half").expect("written");
        assert_eq!(remove_leftovers(folder.path()).expect("removed"), 2);
        let mut kept = others.map(String::from);
        kept.sort();
        assert_eq!(names(folder.path()), kept);
    }
}
