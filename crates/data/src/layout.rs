//! How a data set lies on disk, and which splits it has.

use std::path::{Path, PathBuf};

use crate::listing::{has_image_name, sorted_entries};
use crate::{DataError, Split, cifar, idx};

/// The most folders that are looked into for a hint.
const MOST_LOOKED_INTO: usize = 50;

/// How a data set lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// IDX files, as MNIST and Fashion-MNIST have them: training and test images.
    Idx,
    /// CIFAR-10's binary files: training and test images.
    Cifar10,
    /// A folder for each split with a folder for each class.
    Folders,
}

impl Layout {
    const ALL: [Layout; 3] = [Layout::Idx, Layout::Cifar10, Layout::Folders];

    /// The layout of a folder: the first of which any split is there.
    pub(crate) fn of(folder: &Path) -> Result<Layout, DataError> {
        std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))?;
        Self::recognised(folder).ok_or_else(|| DataError::UnknownLayout {
            path: folder.to_path_buf(),
            hint: hint(folder),
            looked_for: "train-images-idx3-ubyte and its three companions (IDX, .gz or not); data_batch_1.bin to \
                         data_batch_5.bin, test_batch.bin and batches.meta.txt (CIFAR-10); train/ and val/ or test/ with \
                         a folder for each class (images)"
                .to_string(),
        })
    }

    fn recognised(folder: &Path) -> Option<Layout> {
        Self::ALL.into_iter().find(|layout| Split::ALL.iter().any(|&split| layout.has(folder, split)))
    }

    /// Whether anything of a split is there.
    fn has(self, folder: &Path, split: Split) -> bool {
        match self {
            Layout::Idx => ["images", "labels"].iter().any(|kind| idx::find(folder, split, kind).is_some()),
            Layout::Cifar10 => cifar::files(split).iter().any(|name| folder.join(name).is_file()),
            Layout::Folders => split.folders().iter().any(|name| folder.join(name).is_dir()),
        }
    }

    /// The split to evaluate on: validation, else test images.
    pub(crate) fn to_evaluate(self, folder: &Path) -> Result<Split, DataError> {
        let mut splits = [Split::Val, Split::Test].into_iter();
        let found = splits.find(|&split| self.has(folder, split));
        found.ok_or_else(|| match self {
            Layout::Idx | Layout::Cifar10 => self.missing(folder, Split::Test),
            Layout::Folders => DataError::Missing { path: folder.join("val (or test)") },
        })
    }

    pub(crate) fn check_has(self, folder: &Path, split: Split) -> Result<(), DataError> {
        if self.has(folder, split) { Ok(()) } else { Err(self.missing(folder, split)) }
    }

    fn missing(self, folder: &Path, split: Split) -> DataError {
        let cause = match (self, split) {
            (Layout::Idx | Layout::Cifar10, Split::Val) => "such data has none".to_string(),
            (Layout::Idx, Split::Train | Split::Test) => format!("{} is missing", idx::file_name(split, "images")),
            (Layout::Cifar10, Split::Train | Split::Test) => format!("{} is missing", cifar::files(split).join(", ")),
            (Layout::Folders, _) => format!("there is no folder {}", split.folders().join(" or ")),
        };
        let there = Split::ALL.iter().filter(|&&split| self.has(folder, split));
        let found = there.map(|split| split.name()).collect::<Vec<_>>().join(" and ");
        DataError::NoSplit { path: folder.to_path_buf(), split, cause, found }
    }

    /// The folder of a split of image folders.
    pub(crate) fn folder_of(self, folder: &Path, split: Split) -> Result<PathBuf, DataError> {
        let mut folders = split.folders().iter().map(|name| folder.join(name));
        folders.find(|path| path.is_dir()).ok_or_else(|| DataError::Missing { path: folder.join(split.name()) })
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
