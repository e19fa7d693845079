//! Recognises the layout of a folder and opens its splits.

use std::path::Path;
use std::sync::Arc;

use crate::layout::Layout;
use crate::{Channels, DataError, Dataset, FolderNotes, Progress, Split, threads};

/// The longest side that images are resized to: a batch of larger ones would fit no memory.
const MAX_SIDE: usize = 4096;

/// How to open a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Height and width to resize to. Without it IDX and CIFAR images keep their own, and those of
    /// image folders become 64x64.
    pub size: Option<[usize; 2]>,
    /// Without it IDX and CIFAR images keep their own, and those of image folders become RGB.
    pub channels: Option<Channels>,
    /// Refuse a folder with a corrupt image, where otherwise such images are skipped and counted.
    pub strict: bool,
    /// The most memory, in bytes, for images decoded or resized ahead; both splits count. What does
    /// not fit is decoded or resized each time it is asked for.
    pub cache_bytes: u64,
    /// Use only so many images of each split, spread evenly over it (folders come sorted by class). Others are not decoded.
    pub limit: Option<usize>,
    /// Is told how far opening has come.
    pub progress: Option<Arc<Progress>>,
}

impl Default for OpenOptions {
    /// The images' own size and channels, not strict, 1 GiB of cache, all images, nobody told.
    fn default() -> Self {
        Self { size: None, channels: None, strict: false, cache_bytes: 1 << 30, limit: None, progress: None }
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
    /// Which split `eval` is: the validation images where there are any, else the test images.
    pub split: Split,
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
    /// The layout that was recognised.
    pub layout: Layout,
    /// Files of an image folder that were left out.
    pub notes: FolderNotes,
}

/// Opens the data set in `folder` for training: IDX files (MNIST's four names, plain or gzip; class names from
/// `classes.txt` where there is one, else 0 to 9), CIFAR's binary files, or `train/` and `val/` (also `valid/` or
/// `validation/`; `test/` where there is none) with a folder for each class.
///
/// # Errors
/// [`DataError::UnknownLayout`] tells what was looked for; everything else names file and cause. Fewer than two classes are
/// refused.
pub fn open(folder: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
    options.check()?;
    threads::ready()?;
    let layout = Layout::of(folder)?;
    layout.check_has(folder, Split::Train)?;
    let split = layout.to_evaluate(folder)?;
    let [(train, mut notes), (eval, eval_notes)] = layout.disk().open_both(folder, split, options)?;
    notes.add(eval_notes);
    Ok(Opened { train, eval, split, layout, notes })
}

/// Opens one split of the data set in `folder`, laid out as [`open`] says, and nothing else of it. Without a `split` it is the
/// validation images where there are any, else the test images.
///
/// # Errors
/// As [`open`]; [`DataError::NoSplit`] where there is no such split.
pub fn open_split(folder: &Path, split: Option<Split>, options: &OpenOptions) -> Result<OpenedSplit, DataError> {
    options.check()?;
    threads::ready()?;
    let layout = Layout::of(folder)?;
    let split = match split {
        Some(split) => split,
        None => layout.to_evaluate(folder)?,
    };
    layout.check_has(folder, split)?;
    let (set, notes) = layout.disk().open(folder, split, options, &mut options.cache_bytes.clone())?;
    Ok(OpenedSplit { set, split, layout, notes })
}
