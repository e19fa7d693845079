//! A folder for each split with a folder for each class, of JPEG and PNG images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DiskLayout, Part};
use crate::{DataError, ImageFolder, OpenOptions, Split};

/// The layout.
pub(crate) struct ClassFolders;

impl DiskLayout for ClassFolders {
    fn name(&self) -> &'static str {
        "class folders"
    }

    fn looked_for(&self) -> &'static str {
        "train/ and val/ or test/ with a folder for each class (images)"
    }

    fn has(&self, folder: &Path, split: Split) -> bool {
        split.folders().iter().any(|name| folder.join(name).is_dir())
    }

    fn missing(&self, split: Split) -> String {
        format!("there is no folder {}", split.folders().join(" or "))
    }

    fn nothing_to_evaluate(&self, folder: &Path) -> Option<DataError> {
        Some(DataError::Missing { path: folder.join("val (or test)") })
    }

    fn open(&self, folder: &Path, split: Split, options: &OpenOptions, cache: &mut u64) -> Result<Part, DataError> {
        let listing = ImageFolder::list(&folder_of(folder, split)?, options)?;
        options.tell("decoded", listing.files.len());
        let (set, notes) = ImageFolder::load(listing, &with_cache(options, *cache))?;
        *cache = cache.saturating_sub(set.cached_bytes());
        Ok((Arc::new(set), notes))
    }

    fn open_both(&self, folder: &Path, split: Split, options: &OpenOptions) -> Result<[Part; 2], DataError> {
        let train = ImageFolder::list(&folder_of(folder, Split::Train)?, options)?;
        let eval = ImageFolder::list(&folder_of(folder, split)?, options)?;
        train.check_for_training()?;
        eval.check_same_classes(&train)?;
        options.tell("decoded", train.files.len() + eval.files.len());
        let (train, train_notes) = ImageFolder::load(train, options)?;
        let left = options.cache_bytes.saturating_sub(train.cached_bytes());
        let (eval, eval_notes) = ImageFolder::load(eval, &with_cache(options, left))?;
        Ok([(Arc::new(train), train_notes), (Arc::new(eval), eval_notes)])
    }
}

fn with_cache(options: &OpenOptions, cache_bytes: u64) -> OpenOptions {
    OpenOptions { cache_bytes, ..options.clone() }
}

/// The folder of a split.
fn folder_of(folder: &Path, split: Split) -> Result<PathBuf, DataError> {
    let mut folders = split.folders().iter().map(|name| folder.join(name));
    folders.find(|path| path.is_dir()).ok_or_else(|| DataError::Missing { path: folder.join(split.name()) })
}
