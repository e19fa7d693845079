//! The parts of a data set by the names they have on disk.

use std::fmt;
use std::str::FromStr;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The images a model learns from.
    Train,
    /// Images to watch a run by.
    Val,
    /// Images kept for the end.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Val, Split::Test];

    /// Its short name: `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The word for its images: training, validation or test images.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Val => "validation",
            Self::Test => "test",
        }
    }

    /// The names that its folder may have, in any case.
    pub(crate) fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train", "training"],
            Self::Val => &["val", "valid", "validation", "dev"],
            Self::Test => &["test", "testing"],
        }
    }

    /// The split that a folder, or a word of a table, names.
    pub(crate) fn named(name: &str) -> Option<Split> {
        let is = |split: &Split| split.folders().iter().any(|folder| folder.eq_ignore_ascii_case(name));
        Self::ALL.into_iter().find(is)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| format!("'{text}' is no split: train, val and test are"))
    }
}
