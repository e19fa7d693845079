//! What can go wrong with files.

use std::path::{Path, PathBuf};

/// An error of this crate; every message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file does not exist or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file cannot be written; one that was there before is unchanged.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The disk is full; a file that was there before is unchanged.
    #[error("cannot write {}: the disk is full, {bytes} bytes are needed", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that the file would have.
        bytes: u64,
    },
    /// The file is no safetensors file, is truncated, or lacks what this program wrote into its metadata.
    #[error("{} is not usable: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file's tensors are not those of the model.
    #[error("{} does not fit the model: {detail}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The first few differences.
        detail: String,
    },
    /// The values to be saved do not fit the graph.
    #[error(transparent)]
    Values(#[from] chiaro_nn::NnError),
}

impl IoError {
    pub(crate) fn format(path: &Path, detail: impl Into<String>) -> IoError {
        IoError::Format { path: path.to_path_buf(), detail: detail.into() }
    }
}

/// Result of reading and writing files.
pub type Result<T> = std::result::Result<T, IoError>;
