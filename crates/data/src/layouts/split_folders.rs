//! A folder for each split with a folder for each class.

use std::path::{Path, PathBuf};

use super::{DiskLayout, Part, Piece, files};
use crate::listing::{Listing, has_image_below, has_image_name, sorted_entries};
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
        let folders = folders_of(folder, split);
        // Empty ones, which tools make beside the training images, are as good as none.
        folders.iter().any(|path| split == Split::Train || has_image_below(path))
    }

    fn emptied(&self, folder: &Path) -> Vec<PathBuf> {
        let others = [Split::Val, Split::Test].into_iter().filter(|&split| !self.has(folder, split));
        others.flat_map(|split| folders_of(folder, split)).collect()
    }

    fn missing(&self, split: Split) -> String {
        format!("there is no folder {}", split.folders().join(" or "))
    }

    fn holds_out(&self) -> bool {
        true
    }

    fn list(&self, folder: &Path, split: Split) -> Option<Result<Listing, DataError>> {
        Some(listed(folder, split))
    }

    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        files::open(pieces, options, |split| listed(folder, split))
    }
}

/// What lies in the folder of a split.
fn listed(folder: &Path, split: Split) -> Result<Listing, DataError> {
    let folder = folder_of(folder, split)?;
    Listing::new(&folder).map_err(|error| match error {
        DataError::NoClassFolders { .. } => DataError::invalid(format!(
            "{error}; if {} is a class and not the {} images, give it another name",
            folder.display(),
            split.word()
        )),
        other => other,
    })
}

/// The folders whose names say that they are of this split. Beside folders of other names that have images, one whose images lie
/// straight in it is a class that is called so.
fn folders_of(folder: &Path, split: Split) -> Vec<PathBuf> {
    let mut folders = sorted_entries(folder).unwrap_or_default();
    folders.retain(|path| path.is_dir());
    let name = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).and_then(Split::named);
    let named: Vec<PathBuf> = folders.iter().filter(|path| name(path) == Some(split)).cloned().collect();
    if named.is_empty() || !folders.iter().any(|path| name(path).is_none() && has_image_below(path)) {
        return named;
    }
    named.into_iter().filter(|path| !is_class(path)).collect()
}

/// Whether images lie straight in a folder, and none in folders of it.
fn is_class(folder: &Path) -> bool {
    let entries = sorted_entries(folder).unwrap_or_default();
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|path| path.is_dir());
    files.iter().any(|path| has_image_name(path)) && !folders.iter().any(|path| has_image_below(path))
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
