//! Recognises the layout of a folder and opens its training and test sets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::convert::converted;
use crate::folder::Listing;
use crate::{Channels, DataError, Dataset, FolderNotes, ImageFolder, InMemory, cifar, idx};

const TRAIN_FOLDER: &str = "train";
const TEST_FOLDERS: [&str; 2] = ["val", "test"];

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
}

impl Default for OpenOptions {
    /// The images' own size and channels, not strict, 1 GiB of cache.
    fn default() -> Self {
        Self { size: None, channels: None, strict: false, cache_bytes: 1 << 30 }
    }
}

impl OpenOptions {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let sides = self.size.unwrap_or([1, 1]);
        if sides.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return Ok(());
        }
        Err(DataError::invalid(format!("image size {}x{}: sides go from 1 to {MAX_SIDE} pixels", sides[0], sides[1])))
    }
}

/// How a data set lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Four IDX files, as MNIST and Fashion-MNIST have them.
    Idx,
    /// CIFAR-10's binary files.
    Cifar10,
    /// A folder for each split with a folder for each class.
    Folders,
}

/// A training and a test set, and what was left out of them.
pub struct Opened {
    /// The training images.
    pub train: Arc<dyn Dataset>,
    /// The test (or validation) images, of the same shape and classes.
    pub test: Arc<dyn Dataset>,
    /// The layout that was recognised.
    pub layout: Layout,
    /// Files of an image folder that were left out, of both splits.
    pub notes: FolderNotes,
}

/// Opens the data set in `folder`: IDX files (MNIST's four names, plain or gzip; class names from
/// `classes.txt` where there is one, else 0 to 9), CIFAR-10's binary files, or `train/` and `val/`
/// (or `test/`) with a folder for each class.
///
/// # Errors
/// [`DataError::UnknownLayout`] tells what was looked for; everything else names file and cause.
pub fn open(folder: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
    options.check()?;
    std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))?;
    if is_idx(folder) {
        open_idx(folder, options)
    } else if is_cifar(folder) {
        let (train, test) = cifar::open(folder)?;
        in_memory(Layout::Cifar10, train, test, options)
    } else if folder.join(TRAIN_FOLDER).is_dir() {
        open_folders(folder, options)
    } else {
        Err(DataError::UnknownLayout {
            path: folder.to_path_buf(),
            looked_for: "train-images-idx3-ubyte and its three companions (IDX, .gz or not); \
                data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt \
                (CIFAR-10); train/ and val/ or test/ with a folder for each class (images)"
                .to_string(),
        })
    }
}

fn is_idx(folder: &Path) -> bool {
    idx::SPLITS.iter().any(|split| {
        let found = |kind| idx::find(folder, split, kind).is_some();
        found("images") || found("labels")
    })
}

fn is_cifar(folder: &Path) -> bool {
    let mut names = cifar::TRAIN_FILES.into_iter().chain([cifar::TEST_FILE]);
    names.any(|name| folder.join(name).is_file())
}

fn open_idx(folder: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
    let [train, test] = idx::SPLITS;
    let (train, test) = rayon::join(|| idx::open_split(folder, train), || idx::open_split(folder, test));
    let (train, test) = (train?, test?);
    let size = |set: &InMemory| {
        let [height, width, _] = set.image_shape();
        [height, width]
    };
    if options.size.is_none() && size(&train) != size(&test) {
        return Err(DataError::ShapesDiffer { path: folder.to_path_buf(), train: size(&train), test: size(&test) });
    }
    in_memory(Layout::Idx, train, test, options)
}

fn in_memory(layout: Layout, train: InMemory, test: InMemory, options: &OpenOptions) -> Result<Opened, DataError> {
    let mut cache = options.cache_bytes;
    Ok(Opened {
        train: converted(train, options, &mut cache)?,
        test: converted(test, options, &mut cache)?,
        layout,
        notes: FolderNotes::default(),
    })
}

fn open_folders(folder: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
    let train = Listing::new(&folder.join(TRAIN_FOLDER))?;
    let test = Listing::new(&test_folder(folder)?)?;
    test.check_same_classes(&train)?;
    train.check_no_class_is_empty()?;
    let (train, mut notes) = ImageFolder::load(train, options)?;
    let left = OpenOptions { cache_bytes: options.cache_bytes.saturating_sub(train.cached_bytes()), ..options.clone() };
    let (test, test_notes) = ImageFolder::load(test, &left)?;
    notes.skipped.extend(test_notes.skipped);
    notes.ignored.extend(test_notes.ignored);
    Ok(Opened { train: Arc::new(train), test: Arc::new(test), layout: Layout::Folders, notes })
}

fn test_folder(folder: &Path) -> Result<PathBuf, DataError> {
    let mut candidates = TEST_FOLDERS.iter().map(|name| folder.join(name));
    candidates.find(|path| path.is_dir()).ok_or_else(|| DataError::Missing { path: folder.join("val (or test)") })
}
