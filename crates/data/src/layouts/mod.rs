//! The layouts of data sets on disk that are read, one a file, and what each says of itself.

mod cifar;
mod class_folders;
mod files;
mod idx;
mod split_folders;
pub(crate) mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::convert::converted;
use crate::holdout::Within;
use crate::listing::Listing;
use crate::{DataError, Dataset, FolderNotes, InMemory, OpenOptions, Split};

/// Every layout, in the order in which they are looked for.
pub(crate) const LAYOUTS: &[&dyn DiskLayout] = &[
    &idx::Idx,
    &cifar::CIFAR_10,
    &cifar::CIFAR_100,
    &table::Tables,
    &split_folders::SplitFolders,
    &class_folders::ClassFolders,
];

/// How a data set lies on disk.
pub(crate) trait DiskLayout: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it is recognised by, for people who look for their mistake.
    fn looked_for(&self) -> &'static str;

    /// Whether anything of a split is in the folder.
    fn has(&self, folder: &Path, split: Split) -> bool;

    /// Folders that are called as a split but hold no image.
    fn emptied(&self, _folder: &Path) -> Vec<PathBuf> {
        vec![]
    }

    /// What is missing where a split is not there.
    fn missing(&self, split: Split) -> String;

    /// Whether training images are held out to validate by where there are no validation images. Of the published sets, whose
    /// figures are all of their test images, these are evaluated on instead.
    fn holds_out(&self) -> bool {
        false
    }

    /// Whether the usual recipe crops and mirrors its images: elsewhere, who knows whether a mirrored image is still of its class?
    fn crops_and_mirrors(&self) -> bool {
        false
    }

    /// The image files of a split that is there; `None` of layouts that have no files of images.
    fn list(&self, _folder: &Path, _split: Split) -> Option<Result<Listing, DataError>> {
        None
    }

    /// Opens pieces of the splits that are there, all of one shape and with the same classes.
    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError>;
}

/// A part of a split that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub split: Split,
    pub share: Share,
}

/// How much of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Whole,
    /// Without what is held out of it.
    Kept,
    HeldOut,
}

/// One split, and what was left out of it.
pub(crate) type Part = (Arc<dyn Dataset>, FolderNotes);

/// Pieces of a layout whose splits are read into memory as they are, brought to the size that is asked for.
fn in_memory(
    folder: &Path,
    pieces: &[Piece],
    options: &OpenOptions,
    read: impl Fn(Split) -> Result<InMemory, DataError> + Sync,
) -> Result<Vec<Part>, DataError> {
    if options.holdout.as_ref().is_some_and(|holdout| holdout.group_by.is_some()) {
        return Err(DataError::invalid(format!("{}: images without file names have no groups", folder.display())));
    }
    let sets = match pieces {
        [one, other] if one.split != other.split => {
            let (one, other) = rayon::join(|| read(one.split), || read(other.split));
            vec![one?, other?]
        }
        [one, _] => {
            let set = read(one.split)?;
            vec![set.clone(), set]
        }
        others => others.iter().map(|piece| read(piece.split)).collect::<Result<_, _>>()?,
    };
    check_sizes(folder, &sets, options)?;
    let mut cache = options.cache_bytes;
    let part = |(piece, set): (&Piece, InMemory)| {
        let set = taken(set, piece.share, options)?;
        Ok((converted(set, options, &mut cache)?, FolderNotes::default()))
    };
    pieces.iter().zip(sets).map(part).collect()
}

fn check_sizes(folder: &Path, sets: &[InMemory], options: &OpenOptions) -> Result<(), DataError> {
    let size = |set: &InMemory| {
        let [height, width, _] = set.image_shape();
        [height, width]
    };
    match sets {
        [train, test] if options.size.is_none() && size(train) != size(test) => {
            Err(DataError::ShapesDiffer { path: folder.to_path_buf(), train: size(train), test: size(test) })
        }
        _ => Ok(()),
    }
}

/// A part of the images, thinned to the limit.
fn taken(set: InMemory, share: Share, options: &OpenOptions) -> Result<InMemory, DataError> {
    let divided = |holdout: &crate::Holdout| {
        let names: Vec<String> = (0..set.len()).map(|i| i.to_string()).collect();
        let labels: Vec<u32> = (0..set.len()).map(|i| set.label(i)).collect();
        holdout.divide(&names, Within::Root, &labels)
    };
    let mut places = match (share, &options.holdout) {
        (Share::Whole, _) | (Share::Kept | Share::HeldOut, None) => (0..set.len()).collect(),
        (Share::Kept, Some(holdout)) => divided(holdout)?.kept,
        (Share::HeldOut, Some(holdout)) => divided(holdout)?.held_out,
    };
    options.thin(&mut places);
    if places.len() == set.len() { Ok(set) } else { set.part(&places) }
}
