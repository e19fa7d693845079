//! A folder for each split with a folder for each class.

use std::path::{Path, PathBuf};

use super::{DiskLayout, Part, Piece, files};
use crate::listing::{Listing, sorted_entries};
use crate::{DataError, OpenOptions, Split};

/// The layout.
pub(crate) struct SplitFolders;

impl DiskLayout for SplitFolders {
    fn name(&self) -> &'static str {
        "class folders"
    }

    fn looked_for(&self) -> &'static str {
        "train/ with a folder of images for each class, and val/ and test/ beside it or not"
    }

    fn has(&self, folder: &Path, split: Split) -> bool {
        !folders_of(folder, split).is_empty()
    }

    fn missing(&self, split: Split) -> String {
        format!("there is no folder {}", split.folders().join(" or "))
    }

    fn holds_out(&self) -> bool {
        true
    }

    fn list(&self, folder: &Path, split: Split) -> Option<Result<Listing, DataError>> {
        Some(folder_of(folder, split).and_then(|folder| Listing::new(&folder)))
    }

    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        files::open(pieces, options, |split| Listing::new(&folder_of(folder, split)?))
    }
}

/// The folders whose names say that they are of this split.
fn folders_of(folder: &Path, split: Split) -> Vec<PathBuf> {
    let mut entries = sorted_entries(folder).unwrap_or_default();
    let name = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).and_then(Split::named);
    entries.retain(|path| name(path) == Some(split) && path.is_dir());
    entries
}

/// The folder of a split.
fn folder_of(folder: &Path, split: Split) -> Result<PathBuf, DataError> {
    match folders_of(folder, split).as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(DataError::Missing { path: folder.join(split.name()) }),
        [first, second, ..] => Err(DataError::invalid(format!(
            "{} and {} are both names of {} images: move them into one folder",
            first.display(),
            second.display(),
            split.word()
        ))),
    }
}
