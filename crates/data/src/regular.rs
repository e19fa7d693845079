//! Opens files of data: only regular ones, since a pipe or device may never answer or never end, and none that is too large.

use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::path::Path;

use crate::DataError;

/// Opens a regular file of at most `most` bytes.
pub(crate) fn open(path: &Path, most: u64) -> Result<(File, Metadata), DataError> {
    let failed = |e| DataError::io(path, e);
    // Asked before it is opened: opening a pipe waits for someone to write to it.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile { path: path.to_path_buf(), kind: kind(metadata.file_type()) });
    }
    if metadata.len() > most {
        return Err(DataError::FileTooLarge { path: path.to_path_buf(), bytes: metadata.len(), limit: most });
    }
    Ok((File::open(path).map_err(failed)?, metadata))
}

/// The content of a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    let (file, metadata) = open(path, most)?;
    let mut bytes = Vec::new();
    let reserved = bytes.try_reserve_exact(metadata.len() as usize);
    reserved.map_err(|_| DataError::no_memory(format!("reading {}", path.display()), metadata.len()))?;
    // It may have grown meanwhile.
    file.take(most).read_to_end(&mut bytes).map_err(|e| DataError::io(path, e))?;
    Ok(bytes)
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    special(kind)
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}
