//! Recognises the layout of a folder and opens its splits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::layout::Layout;
use crate::layouts::{Part, Share};
use crate::{Channels, DataError, Dataset, FolderNotes, Holdout, Progress, Resize, Split, threads};

/// The longest side that images are resized to: a batch of larger ones would fit no memory.
const MAX_SIDE: usize = 4096;

/// How to open a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Height and width to resize to. Without it IDX and CIFAR images keep their own, and those of image files become squares of
    /// the usual shorter side of the training images: 64 at most, 28 at least.
    pub size: Option<[usize; 2]>,
    /// Without it IDX and CIFAR images keep their own, and those of image files become RGB, or grey where all training images are
    /// smaller than 64 pixels and without a colour.
    pub channels: Option<Channels>,
    /// What becomes of images whose sides are in another ratio.
    pub resize: Resize,
    /// Refuse a folder with a corrupt image, where otherwise such images are skipped and counted.
    pub strict: bool,
    /// The most memory, in bytes, for images decoded or resized ahead; both splits count. What does not fit is read from its pack,
    /// else decoded or resized, each time it is asked for.
    pub cache_bytes: u64,
    /// The folder that decoded image files are packed in, so that the next opening is a reading; `None` packs none. Old packs there
    /// make room for new ones.
    pub pack_dir: Option<PathBuf>,
    /// Use only so many images of each split, spread evenly over it (folders come sorted by class). Others are not decoded.
    pub limit: Option<usize>,
    /// Which training images are held out where there are no validation images. `None` holds out none: then test images are
    /// evaluated on, or all there are.
    pub holdout: Option<Holdout>,
    /// Is told how far opening has come.
    pub progress: Option<Arc<Progress>>,
}

impl Default for OpenOptions {
    /// The images' own size and channels, squashed where they must be, not strict, 1 GiB of cache and nothing packed, all images, a fifth held out where it must be, nobody told.
    fn default() -> Self {
        Self {
            size: None,
            channels: None,
            resize: Resize::Squash,
            strict: false,
            cache_bytes: 1 << 30,
            pack_dir: None,
            limit: None,
            holdout: Some(Holdout::default()),
            progress: None,
        }
    }
}

impl OpenOptions {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.limit == Some(0) {
            return Err(DataError::invalid("the limit must be at least 1 image"));
        }
        let sides = self.size.unwrap_or([1, 1]);
        if sides.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return Ok(());
        }
        Err(DataError::invalid(format!("image size {}x{}: sides go from 1 to {MAX_SIDE} pixels", sides[0], sides[1])))
    }

    /// Thins places to the limit, spread evenly over all.
    pub(crate) fn thin(&self, places: &mut Vec<usize>) {
        let len = places.len();
        if let Some(limit) = self.limit.filter(|&limit| limit < len) {
            *places = (0..limit).map(|i| places[i * len / limit]).collect();
        }
    }

    pub(crate) fn tell(&self, stage: &'static str, images: usize) {
        if let Some(progress) = &self.progress {
            progress.begin(stage, images);
        }
    }

    pub(crate) fn advance(&self, images: usize) {
        if let Some(progress) = &self.progress {
            progress.advance(images);
        }
    }
}

/// A training set and one to evaluate on, and what was left out of them.
pub struct Opened {
    /// The training images.
    pub train: Arc<dyn Dataset>,
    /// The images to evaluate on, of the same shape and classes.
    pub eval: Arc<dyn Dataset>,
    /// Which split `eval` is: validation images, or test images where there are none.
    pub split: Split,
    /// Whether `eval` was held out of the training images.
    pub held_out: bool,
    /// The layout that was recognised.
    pub layout: Layout,
    /// Files of an image folder that were left out, of both splits.
    pub notes: FolderNotes,
}

/// One split of a data set, and what was left out of it.
pub struct OpenedSplit {
    /// The images.
    pub set: Arc<dyn Dataset>,
    /// Which split it is.
    pub split: Split,
    /// Whether these are all images of a folder without splits.
    pub undivided: bool,
    /// The layout that was recognised.
    pub layout: Layout,
    /// Files of an image folder that were left out.
    pub notes: FolderNotes,
}

/// Opens the data set in `folder` for training. What may lie there:
///
/// - IDX files: MNIST's four names, plain or gzip; class names from `classes.txt` where there is one, else 0 to 9
/// - CIFAR-10's or CIFAR-100's binary files
/// - a table, CSV or TSV, of paths and labels with or without a column of splits: named itself, or `labels.csv`, or one for each
///   split (`train.csv`, ...) in the folder; `cat|dog` in a cell, or a column of 0 and 1 for each class, is several labels an image
/// - `train/` and, beside it or not, `val/` (`valid/`, `validation/`, `dev/`) and `test/`, in any case, each with a folder of images
///   for each class
/// - a folder of images for each class alone
///
/// Without validation images these are held out of the training images as [`OpenOptions::holdout`] says, and test images are
/// never looked at; only those of IDX and CIFAR files are evaluated on, unless somebody asked for a [`Holdout`].
///
/// # Errors
/// [`DataError::UnknownLayout`] tells what was looked for; everything else names file and cause. Fewer than two classes are
/// refused.
pub fn open(folder: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
    options.check()?;
    threads::ready()?;
    let layout = Layout::of(folder)?;
    let (pieces, split) = layout.for_training(folder, options.holdout.as_ref())?;
    let parts: [Part; 2] = layout.disk().open(folder, &pieces, options)?.try_into().map_err(|_| not_as_asked())?;
    let [(train, mut notes), (eval, eval_notes)] = parts;
    notes.add(eval_notes);
    notes.layout = layout.passed_over(folder);
    Ok(Opened { train, eval, split, held_out: pieces[1].share == Share::HeldOut, layout, notes })
}

/// Opens one split of the data set in `folder`, laid out as [`open`] says, and nothing else of it. Without a `split` it is the
/// one that [`open`] evaluates on.
///
/// # Errors
/// As [`open`]; [`DataError::NoSplit`] where there is no such split.
pub fn open_split(folder: &Path, split: Option<Split>, options: &OpenOptions) -> Result<OpenedSplit, DataError> {
    options.check()?;
    threads::ready()?;
    let layout = Layout::of(folder)?;
    let (piece, found) = layout.piece(folder, split, options.holdout.as_ref())?;
    let (set, mut notes) = layout.disk().open(folder, &[piece], options)?.pop().ok_or_else(not_as_asked)?;
    notes.layout = layout.passed_over(folder);
    let undivided = split.is_none() && found == Split::Train && piece.share == Share::Whole;
    Ok(OpenedSplit { set, split: found, undivided, layout, notes })
}

fn not_as_asked() -> DataError {
    DataError::invalid("the layout gave other parts than were asked for")
}
