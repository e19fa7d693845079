//! What can go wrong on the way to a data set.

use std::io;
use std::path::{Path, PathBuf};

use chiaro_io::IoError;

/// Why a data set could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It is not here, and nothing may be downloaded.
    #[error(
        "{name} is not in {}, and --offline downloads nothing; leave it out once, or put there: {}",
        folder.display(), files.join(", ")
    )]
    Offline {
        /// The name of the set.
        name: &'static str,
        /// Where it would lie.
        folder: PathBuf,
        /// The files that are missing.
        files: Vec<String>,
    },
    /// No address gave the file.
    #[error("{file} could not be downloaded: {}{}", causes.join("; "), kept(*part))]
    NoAnswer {
        /// The name of the file.
        file: String,
        /// What was wrong with each address.
        causes: Vec<String>,
        /// Bytes that have come, and are kept.
        part: u64,
    },
    /// What came, or came before and was kept, holds no weights.
    #[error("{cause}; it came as {name}, and was removed; {advice}")]
    NotWeights {
        /// The repository.
        name: &'static str,
        /// What is wrong with the file.
        cause: Box<IoError>,
        /// What to do.
        advice: String,
    },
    /// The file is not the one that was published.
    #[error("{file} from {url} is not the published file: its SHA-256 is {found}, not {expected}; it was removed")]
    WrongHash {
        /// The name of the file.
        file: String,
        /// Where it came from.
        url: String,
        /// What belongs there.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A file that was downloaded before is not as it was.
    #[error("{} has changed since it was downloaded: its SHA-256 is {found}, not {expected}; remove it, so that it is downloaded again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it was.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file or folder here cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A file cannot be written whole.
    #[error(transparent)]
    Write(#[from] IoError),
    /// There are no weights for this model.
    #[error("no weights are known for the model {model}; there are some for {}; --pretrained=FILE takes a file or a folder", known.join(", "))]
    NoWeights {
        /// The model.
        model: String,
        /// Those that have some.
        known: Vec<&'static str>,
    },
    /// There is no folder to keep data in.
    #[error(
        "there is no cache folder to keep {name} in (CHIARO_CACHE_DIR is off, or there is no home); set CHIARO_CACHE_DIR to a folder"
    )]
    NoFolder {
        /// The name of the set.
        name: &'static str,
    },
}

impl FetchError {
    pub(crate) fn io(path: &Path, cause: io::Error) -> FetchError {
        FetchError::Io { path: path.to_path_buf(), cause }
    }
}

/// What becomes of the part that has come.
fn kept(part: u64) -> String {
    if part == 0 {
        String::new()
    } else {
        format!("; the {part} bytes that have come are kept and gone on with the next time")
    }
}
