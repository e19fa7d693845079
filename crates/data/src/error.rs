//! Everything that can go wrong with data, each with the file and the cause in its message.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data set could not be opened, decoded or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder that is needed is not there.
    #[error("{}: no such file or folder", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// The operating system refused to read a file or folder.
    #[error("{}: cannot be read: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A folder matches none of the known layouts.
    #[error("{}: no known data set here; looked for {looked_for}", path.display())]
    UnknownLayout {
        /// The folder.
        path: PathBuf,
        /// The names that would have been recognised.
        looked_for: String,
    },
    /// An IDX file does not start with the magic number of its kind.
    #[error("{}: wrong magic number {found:#010x}, expected {expected:#010x}", path.display())]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// The number that belongs there.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// A header whose fields make no sense.
    #[error("{}: bad header: {cause}", path.display())]
    BadHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file ends too early. Sizes count bytes after decompression.
    #[error("{}: truncated: expected {expected} bytes, found {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that its header or its layout calls for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A file goes on after the end that its header gives.
    #[error("{}: more bytes than the {expected} that its header calls for", path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Bytes that its header calls for.
        expected: u64,
    },
    /// Compressed data that cannot be unpacked, or fails its checksum.
    #[error("{}: corrupt gzip data: {cause}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The decompressor's reason.
        cause: String,
    },
    /// A file of images and its file of labels disagree on how many there are.
    #[error(
        "{} has {images} images but {} has {labels} labels",
        images_path.display(), labels_path.display()
    )]
    CountMismatch {
        /// The file of images.
        images_path: PathBuf,
        /// How many images it has.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// How many labels it has.
        labels: usize,
    },
    /// The training and the test images differ in size.
    #[error(
        "{}: test images are {}x{} but training images are {}x{}; give a size to resize both",
        path.display(), test[0], test[1], train[0], train[1]
    )]
    ShapesDiffer {
        /// The folder.
        path: PathBuf,
        /// Height and width of training images.
        train: [usize; 2],
        /// Height and width of test images.
        test: [usize; 2],
    },
    /// A label names a class that does not exist.
    #[error(
        "{}: label {label} of image {index} is out of range: there are {classes} classes",
        path.display()
    )]
    LabelOutOfRange {
        /// The file of labels.
        path: PathBuf,
        /// Which image, counted from 0 in that file.
        index: usize,
        /// The label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A list of class names that cannot be used.
    #[error("{}: bad list of classes: {cause}", path.display())]
    BadClassList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The class folders of two splits differ.
    #[error(
        "{}: classes differ from the training split's: missing [{}], not in training [{}]",
        path.display(), missing.join(", "), extra.join(", ")
    )]
    ClassesDiffer {
        /// The folder of the second split.
        path: PathBuf,
        /// Classes that only the training split has.
        missing: Vec<String>,
        /// Classes that only this split has.
        extra: Vec<String>,
    },
    /// A training class without a single image file.
    #[error("{}: a class folder without any JPEG or PNG file", path.display())]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
    },
    /// A split without a single usable image.
    #[error("{}: no usable image", path.display())]
    EmptySplit {
        /// The file or folder.
        path: PathBuf,
    },
    /// An image file that cannot be decoded, or not to its end.
    #[error("{}: corrupt image: {cause}", path.display())]
    CorruptImage {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        cause: String,
    },
    /// An argument or option that cannot be honoured.
    #[error("{cause}")]
    Invalid {
        /// What is wrong with it.
        cause: String,
    },
    /// A data set panicked in a background thread.
    #[error("a data loading thread panicked: {cause}")]
    WorkerPanicked {
        /// The panic's message.
        cause: String,
    },
}

impl DataError {
    /// An [`io::Error`] with the path it concerns; "not found" becomes [`DataError::Missing`].
    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, cause },
        }
    }

    pub(crate) fn corrupt(path: &Path, cause: impl ToString) -> Self {
        // Some decoders end their messages in a line break.
        let cause = cause.to_string().trim_end().to_string();
        Self::CorruptImage { path: path.to_path_buf(), cause }
    }

    pub(crate) fn invalid(cause: impl Into<String>) -> Self {
        Self::Invalid { cause: cause.into() }
    }
}
