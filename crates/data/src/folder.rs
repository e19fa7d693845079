//! Image folders: one folder a class, JPEG and PNG files of any size, resized to one shape.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::dataset::{check_length, image_at, no_such_image};
use crate::{Channels, DataError, Dataset, OpenOptions, decode_file};

/// Height and width of folder images where none is asked for.
const DEFAULT_SIZE: [usize; 2] = [64, 64];
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// What was left out of an image folder.
#[derive(Debug, Default)]
pub struct FolderNotes {
    /// Corrupt images, each with its file and cause. Empty in strict mode, which refuses the first.
    pub skipped: Vec<DataError>,
    /// Files in class folders that are no JPEG or PNG by name, and folders in class folders.
    pub ignored: Vec<PathBuf>,
}

/// The images of a folder that has a folder for each class.
#[derive(Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    labels: Vec<u32>,
    classes: Vec<String>,
    shape: [usize; 3],
    /// All images decoded, `[N, H, W, C]`, where they fit the cache.
    pixels: Option<Vec<u8>>,
}

impl ImageFolder {
    /// Opens `root`, whose folders, in the order of their names, are the classes.
    ///
    /// Every image is decoded once, in parallel, to know the corrupt ones; what was decoded is
    /// kept if it fits `options.cache_bytes`, else images are decoded again when asked for.
    ///
    /// # Errors
    /// An unreadable folder or file, no usable image, and in strict mode the first corrupt image.
    pub fn open(root: &Path, options: &OpenOptions) -> Result<(Self, FolderNotes), DataError> {
        options.check()?;
        Self::load(Listing::new(root)?, options)
    }

    pub(crate) fn load(listing: Listing, options: &OpenOptions) -> Result<(Self, FolderNotes), DataError> {
        let [height, width] = options.size.unwrap_or(DEFAULT_SIZE);
        let shape = [height, width, options.channels.unwrap_or(Channels::Rgb).count()];
        let image_len: usize = shape.iter().product();
        let total = image_len as u64 * listing.files.len() as u64;
        let mut pixels = vec![0; if total <= options.cache_bytes { total } else { 0 } as usize];
        let paths = listing.files.par_iter().map(|(path, _)| path.as_path());
        let checks: Vec<Result<(), DataError>> = if pixels.is_empty() {
            paths.map_init(|| vec![0; image_len], |out, path| decode_file(path, shape, out)).collect()
        } else {
            paths.zip(pixels.par_chunks_mut(image_len)).map(|(path, out)| decode_file(path, shape, out)).collect()
        };

        let mut notes = FolderNotes { skipped: Vec::new(), ignored: listing.ignored };
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        for (i, ((path, label), check)) in listing.files.into_iter().zip(checks).enumerate() {
            match check {
                Ok(()) => {
                    if !pixels.is_empty() {
                        let image = i * image_len..(i + 1) * image_len;
                        pixels.copy_within(image, files.len() * image_len);
                    }
                    files.push(path);
                    labels.push(label);
                }
                Err(e @ DataError::CorruptImage { .. }) if !options.strict => notes.skipped.push(e),
                Err(e) => return Err(e),
            }
        }
        if files.is_empty() {
            return Err(DataError::EmptySplit { path: listing.root });
        }
        let cached = !pixels.is_empty();
        pixels.truncate(files.len() * image_len);
        let folder = Self { files, labels, classes: listing.classes, shape, pixels: cached.then_some(pixels) };
        Ok((folder, notes))
    }

    /// Bytes of decoded images held in memory.
    pub fn cached_bytes(&self) -> u64 {
        self.pixels.as_ref().map_or(0, |pixels| pixels.len() as u64)
    }

    /// The files of the images, in the order of their indices.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        check_length(self.shape, out)?;
        if let Some(pixels) = &self.pixels {
            out.copy_from_slice(image_at(pixels, self.shape, index)?);
            return Ok(());
        }
        let path = self.files.get(index).ok_or_else(|| no_such_image(index))?;
        decode_file(path, self.shape, out)
    }

    fn in_memory(&self) -> bool {
        self.pixels.is_some()
    }
}

/// The class folders of a split and their image files, before anything is decoded.
pub(crate) struct Listing {
    root: PathBuf,
    pub(crate) classes: Vec<String>,
    files: Vec<(PathBuf, u32)>,
    ignored: Vec<PathBuf>,
}

impl Listing {
    pub(crate) fn new(root: &Path) -> Result<Self, DataError> {
        let mut listing =
            Self { root: root.to_path_buf(), classes: Vec::new(), files: Vec::new(), ignored: Vec::new() };
        for folder in sorted_entries(root)?.into_iter().filter(|p| p.is_dir()) {
            let label = listing.classes.len() as u32;
            listing.classes.push(name(&folder));
            for path in sorted_entries(&folder)? {
                if path.is_file() && has_image_name(&path) {
                    listing.files.push((path, label));
                } else {
                    listing.ignored.push(path);
                }
            }
        }
        if listing.files.is_empty() {
            return Err(DataError::EmptySplit { path: listing.root });
        }
        Ok(listing)
    }

    /// Refuses a class that has no file at all.
    pub(crate) fn check_no_class_is_empty(&self) -> Result<(), DataError> {
        let mut has_file = vec![false; self.classes.len()];
        for (_, label) in &self.files {
            has_file[*label as usize] = true;
        }
        match has_file.iter().position(|has| !has) {
            None => Ok(()),
            Some(label) => Err(DataError::EmptyClass { path: self.root.join(&self.classes[label]) }),
        }
    }

    /// Refuses a split whose classes are not those of `train`.
    pub(crate) fn check_same_classes(&self, train: &Listing) -> Result<(), DataError> {
        if self.classes == train.classes {
            return Ok(());
        }
        let without = |these: &[String], those: &[String]| -> Vec<String> {
            let lacking = these.iter().filter(|class| !those.contains(class));
            lacking.cloned().collect()
        };
        Err(DataError::ClassesDiffer {
            path: self.root.clone(),
            missing: without(&train.classes, &self.classes),
            extra: without(&self.classes, &train.classes),
        })
    }
}

/// Everything in a folder but hidden files, by name.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |e| DataError::io(folder, e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn has_image_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}
