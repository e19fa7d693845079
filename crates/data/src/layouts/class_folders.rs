//! A folder of images for each class and nothing else: validation images are held out of them.

use std::path::Path;

use super::{DiskLayout, Part, Piece, files};
use crate::listing::{Listing, has_image_below, sorted_entries};
use crate::{DataError, OpenOptions, Split};

/// The layout.
pub(crate) struct ClassFolders;

impl DiskLayout for ClassFolders {
    fn name(&self) -> &'static str {
        "class folders without splits"
    }

    fn looked_for(&self) -> &'static str {
        "a folder of images for each class"
    }

    fn has(&self, folder: &Path, split: Split) -> bool {
        let is_class = |path: &&std::path::PathBuf| path.is_dir() && has_image_below(path);
        let classes = || sorted_entries(folder).is_ok_and(|entries| entries.iter().filter(is_class).nth(1).is_some());
        split == Split::Train && classes()
    }

    fn missing(&self, split: Split) -> String {
        match split {
            Split::Train => "there are no two folders with images".to_string(),
            Split::Val | Split::Test => "the folders are of classes, not of splits".to_string(),
        }
    }

    fn holds_out(&self) -> bool {
        true
    }

    fn list(&self, folder: &Path, _split: Split) -> Option<Result<Listing, DataError>> {
        Some(Listing::new(folder))
    }

    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        files::open(pieces, options, |_| Listing::new(folder))
    }
}
