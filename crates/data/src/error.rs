//! Everything that can go wrong with data, each with the file and the cause in its message.

use std::io;
use std::path::{Path, PathBuf};

use crate::Split;

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
    /// What should be a regular file is something else.
    #[error("{}: is {kind}, not a file", path.display())]
    NotAFile {
        /// What was to be opened.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A file is larger than such a file can be.
    #[error("{}: {}, more than the {} that such a file may have", path.display(), size(*bytes), size(*limit))]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest that is read.
        limit: u64,
    },
    /// A folder matches none of the known layouts.
    #[error("{}: no known data set here{hint}; looked for {looked_for}", path.display())]
    UnknownLayout {
        /// The folder.
        path: PathBuf,
        /// What there seems to be; empty, or begins with a separator.
        hint: String,
        /// The names that would have been recognised.
        looked_for: String,
    },
    /// A data set has not the split that was asked for.
    #[error("{}: no {} images: {cause}; what is there: {found}", path.display(), split.word())]
    NoSplit {
        /// The folder of the data set.
        path: PathBuf,
        /// The split.
        split: Split,
        /// The file or folder that would have it.
        cause: String,
        /// The splits that are there.
        found: String,
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
    /// A file goes on after its end. Sizes count bytes after decompression.
    #[error("{}: too long: expected {expected} bytes, found {found} or more", path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Bytes that its header or its layout calls for.
        expected: u64,
        /// Bytes that were seen.
        found: u64,
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
        "{}: label {label} of image {index} is out of range: there are {classes} classes{hint}",
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
        /// What to do; empty, or begins with a separator.
        hint: String,
    },
    /// A list of class names that cannot be used.
    #[error("{}: bad list of classes: {cause}", path.display())]
    BadClassList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A split has classes that the training split lacks.
    #[error(
        "{}: there are no training images of its class{} {}; those of the training images are {}",
        path.display(), if extra.len() == 1 { "" } else { "es" }, extra.join(", "), training.join(", ")
    )]
    ClassesDiffer {
        /// The folder of the second split.
        path: PathBuf,
        /// Classes that only this split has.
        extra: Vec<String>,
        /// The classes of the training split.
        training: Vec<String>,
    },
    /// The name of a class folder is no text.
    #[error("{}: the name of this class folder is not UTF-8, and names are kept as text: rename it", path.display())]
    NameNotUtf8 {
        /// The class folder.
        path: PathBuf,
    },
    /// Two class folders have one name in two spellings of Unicode.
    #[error(
        "{}: two class folders are named '{name}', in two spellings of Unicode ({:?} and {:?}): make them one",
        path.display(), paths[0].file_name().unwrap_or_default(), paths[1].file_name().unwrap_or_default()
    )]
    SameClassTwice {
        /// The split's folder.
        path: PathBuf,
        /// The name, composed.
        name: String,
        /// The two folders.
        paths: [PathBuf; 2],
    },
    /// A training class without a single image file.
    #[error("{}: a class folder without any image file", path.display())]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
    },
    /// Images that lie in no class folder.
    #[error(
        "{}: {images} image{} straight in it; each belongs into a folder named as its class, as in {}",
        path.display(), if *images == 1 { " lies" } else { "s lie" }, path.join("cat").join("1.jpg").display()
    )]
    NoClassFolders {
        /// The split's folder.
        path: PathBuf,
        /// How many there are.
        images: usize,
    },
    /// A training split with a single class folder.
    #[error("{}: '{class}' is the only class folder, and a classifier needs two at least{}", path.display(), nested(below))]
    OneClassFolder {
        /// The split's folder.
        path: PathBuf,
        /// The only class.
        class: String,
        /// The folders in the class folder.
        below: Vec<String>,
    },
    /// All training images are of one class.
    #[error("all {images} training images are of the class '{class}', and a classifier needs two classes at least")]
    OneClass {
        /// The class.
        class: String,
        /// How many images there are.
        images: usize,
    },
    /// A split without a single usable image.
    #[error("{}: no usable image: {cause}", path.display())]
    EmptySplit {
        /// The file or folder.
        path: PathBuf,
        /// Why there is none.
        cause: String,
    },
    /// An image file that cannot be decoded, or not to its end.
    #[error("{}: corrupt image: {cause}", path.display())]
    CorruptImage {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        cause: String,
    },
    /// An image in a format that is not read.
    #[error("{} holds {format}, which chiaro does not read yet; convert it to PNG or JPEG", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// What it holds.
        format: &'static str,
    },
    /// An image that would take too much memory.
    #[error(
        "{}: too large: decoding its {width}x{height} pixels takes {}, and {} is the most; make it smaller",
        path.display(), size(*bytes), size(*limit)
    )]
    ImageTooLarge {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// Memory that decoding would take.
        bytes: u64,
        /// The most that it may take.
        limit: u64,
    },
    /// The system gives no more memory.
    #[error("no memory for {purpose}: {} are needed", size(*bytes))]
    NoMemory {
        /// What it was for.
        purpose: String,
        /// How much was asked for.
        bytes: u64,
    },
    /// The system gives no more threads.
    #[error("the system does not start {cause}; ask for fewer, as --threads 1")]
    NoThreads {
        /// How many were to be started, and the system's reason.
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

    pub(crate) fn no_memory(purpose: impl Into<String>, bytes: u64) -> Self {
        Self::NoMemory { purpose: purpose.into(), bytes }
    }

    /// Whether the fault is in one image alone, so that a data set can do without it.
    pub fn is_of_one_image(&self) -> bool {
        matches!(self, Self::CorruptImage { .. } | Self::OtherFormat { .. } | Self::ImageTooLarge { .. })
            || matches!(self, Self::FileTooLarge { .. } | Self::Missing { .. })
            || matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied)
    }

    pub(crate) fn invalid(cause: impl Into<String>) -> Self {
        Self::Invalid { cause: cause.into() }
    }
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let unit = units.into_iter().find(|(one, _)| bytes as f64 >= *one);
    unit.map_or_else(|| format!("{bytes} bytes"), |(one, name)| format!("{:.1} {name}", bytes as f64 / one))
}

/// A hint at classes that lie a level too deep.
fn nested(below: &[String]) -> String {
    match below {
        [] => String::new(),
        [only] => format!("; if '{only}' in it is meant as one, move it a level up"),
        [first, second, rest @ ..] => {
            let more = if rest.is_empty() { "" } else { ", ..." };
            format!("; if the folders in it are the classes ('{first}', '{second}'{more}), move them a level up")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_left_out_and_a_failing_disk_is_not() {
        let error = |kind: io::ErrorKind| DataError::io(Path::new("a.png"), kind.into());
        assert!(error(io::ErrorKind::PermissionDenied).is_of_one_image());
        assert!(!error(io::ErrorKind::Other).is_of_one_image());
    }
}
