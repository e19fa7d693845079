//! Writing a file whole or not at all, so that a full disk or a crash never harms what was there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{Result, TrainError};

/// Replaces `path` by `bytes`: written beside it, flushed to the disk, then renamed over it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let beside = path.with_file_name(name);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|cause| {
        // The half-written file is of no use; that it cannot be removed is not the error to tell.
        let _ = fs::remove_file(&beside);
        TrainError::write(path, cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        write_whole(&path, b"old").expect("written");
        // A folder in the way of the file beside makes the write fail, for root too.
        fs::create_dir(folder.path().join("a.txt.new")).expect("made");
        let error = write_whole(&path, b"new").expect_err("refused");
        assert!(error.to_string().contains("a.txt"), "{error}");
        assert_eq!(fs::read(&path).expect("there"), b"old");
    }

    #[test]
    fn a_write_replaces_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        write_whole(&path, b"first").expect("written");
        write_whole(&path, b"2").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"2");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
