//! How a data set lies on disk, and which splits it has.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::layouts::{DiskLayout, LAYOUTS};
use crate::listing::{has_image_name, sorted_entries};
use crate::{DataError, Split};

/// The most folders that are looked into for a hint.
const MOST_LOOKED_INTO: usize = 50;

/// How a data set lies on disk.
#[derive(Clone, Copy)]
pub struct Layout(&'static dyn DiskLayout);

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Layout {
    /// Its name, such as `CIFAR-10` or `class folders`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether the usual recipe for such data crops and mirrors its images.
    pub fn crops_and_mirrors(self) -> bool {
        self.0.crops_and_mirrors()
    }

    /// What data sets are recognised by.
    pub fn looked_for() -> String {
        LAYOUTS.iter().map(|layout| layout.looked_for()).collect::<Vec<_>>().join("; ")
    }

    /// The layout of a folder: the first of which any split is there.
    pub(crate) fn of(folder: &Path) -> Result<Layout, DataError> {
        std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))?;
        Self::recognised(folder).ok_or_else(|| DataError::UnknownLayout {
            path: folder.to_path_buf(),
            hint: hint(folder),
            looked_for: Self::looked_for(),
        })
    }

    /// What is known of it.
    pub(crate) fn disk(self) -> &'static dyn DiskLayout {
        self.0
    }

    fn recognised(folder: &Path) -> Option<Layout> {
        let found = LAYOUTS.iter().find(|layout| Split::ALL.iter().any(|&split| layout.has(folder, split)));
        found.map(|layout| Layout(*layout))
    }

    /// The split to evaluate on: validation, else test images.
    pub(crate) fn to_evaluate(self, folder: &Path) -> Result<Split, DataError> {
        let mut splits = [Split::Val, Split::Test].into_iter();
        let found = splits.find(|&split| self.0.has(folder, split));
        found.ok_or_else(|| self.0.nothing_to_evaluate(folder).unwrap_or_else(|| self.missing(folder, Split::Test)))
    }

    pub(crate) fn check_has(self, folder: &Path, split: Split) -> Result<(), DataError> {
        if self.0.has(folder, split) { Ok(()) } else { Err(self.missing(folder, split)) }
    }

    fn missing(self, folder: &Path, split: Split) -> DataError {
        let there = Split::ALL.iter().filter(|&&split| self.0.has(folder, split));
        let found = there.map(|split| split.name()).collect::<Vec<_>>().join(" and ");
        DataError::NoSplit { path: folder.to_path_buf(), split, cause: self.0.missing(split), found }
    }
}

/// What a folder without a data set may be instead.
fn hint(folder: &Path) -> String {
    let entries = sorted_entries(folder).unwrap_or_default();
    let mut folders = entries.iter().filter(|path| path.is_dir()).take(MOST_LOOKED_INTO);
    if let Some(set) = folders.find(|path| Layout::recognised(path).is_some()) {
        return format!(" but in {}: name that folder", set.display());
    }
    if folders_with_images(&entries) > 1 {
        return " but class folders, which belong into train/ and, some images of each, into val/".to_string();
    }
    String::new()
}

/// How many of some folders have an image straight in them.
fn folders_with_images(entries: &[PathBuf]) -> usize {
    let folders = entries.iter().filter(|path| path.is_dir()).take(MOST_LOOKED_INTO);
    let has_image = |folder: &&PathBuf| sorted_entries(folder).is_ok_and(|e| e.iter().any(|path| has_image_name(path)));
    folders.filter(has_image).count()
}
