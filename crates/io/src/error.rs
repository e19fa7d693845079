//! What can go wrong with files.

use std::path::{Path, PathBuf};

/// An error of this crate; every message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file does not exist or cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The file cannot be written; one that was there before is unchanged.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
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
    /// The file's bytes are not those that were written.
    #[error("{} is damaged: its bytes do not give the checksum that it holds", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Weights that are infinite or NaN, read or to be written: no model works with them.
    #[error("{} is not usable: {tensor} has a value that is {value}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first tensor with such a value.
        tensor: String,
        /// The value.
        value: f32,
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
