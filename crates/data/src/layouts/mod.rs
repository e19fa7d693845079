//! The layouts of data sets on disk that are read, one a file, and what each says of itself.

mod cifar;
mod class_folders;
mod idx;

use std::path::Path;
use std::sync::Arc;

use crate::convert::converted;
use crate::{DataError, Dataset, FolderNotes, InMemory, OpenOptions, Split};

/// Every layout, in the order in which they are looked for.
pub(crate) const LAYOUTS: &[&dyn DiskLayout] =
    &[&idx::Idx, &cifar::CIFAR_10, &cifar::CIFAR_100, &class_folders::ClassFolders];

/// How a data set lies on disk.
pub(crate) trait DiskLayout: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it is recognised by, for people who look for their mistake.
    fn looked_for(&self) -> &'static str;

    /// Whether anything of a split is in the folder.
    fn has(&self, folder: &Path, split: Split) -> bool;

    /// What is missing where a split is not there.
    fn missing(&self, split: Split) -> String;

    /// The error of a folder that has nothing to evaluate on; by default that of its missing test images.
    fn nothing_to_evaluate(&self, _folder: &Path) -> Option<DataError> {
        None
    }

    /// Whether the usual recipe crops and mirrors its images: elsewhere, who knows whether a mirrored image is still of its class?
    fn crops_and_mirrors(&self) -> bool {
        false
    }

    /// Opens one split. What is decoded or resized ahead uses up `cache`.
    fn open(&self, folder: &Path, split: Split, options: &OpenOptions, cache: &mut u64) -> Result<Part, DataError>;

    /// Opens the training images and those of `split`, with the same classes and of one shape.
    fn open_both(&self, folder: &Path, split: Split, options: &OpenOptions) -> Result<[Part; 2], DataError>;
}

/// One split, and what was left out of it.
pub(crate) type Part = (Arc<dyn Dataset>, FolderNotes);

/// A split that is read into memory as it is, brought to the size that is asked for.
fn in_memory(set: InMemory, options: &OpenOptions, cache: &mut u64) -> Result<Part, DataError> {
    Ok((converted(set, options, cache)?, FolderNotes::default()))
}

/// Both splits of a layout that is read into memory.
fn both_in_memory(
    folder: &Path,
    split: Split,
    options: &OpenOptions,
    read: impl Fn(Split) -> Result<InMemory, DataError> + Sync,
) -> Result<[Part; 2], DataError> {
    let (train, eval) = rayon::join(|| read(Split::Train), || read(split));
    let (train, eval) = (train?, eval?);
    let size = |set: &InMemory| {
        let [height, width, _] = set.image_shape();
        [height, width]
    };
    if options.size.is_none() && size(&train) != size(&eval) {
        return Err(DataError::ShapesDiffer { path: folder.to_path_buf(), train: size(&train), test: size(&eval) });
    }
    let mut cache = options.cache_bytes;
    Ok([in_memory(train, options, &mut cache)?, in_memory(eval, options, &mut cache)?])
}
