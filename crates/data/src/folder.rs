//! Image folders: one folder a class, image files of any size, resized to one shape.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::dataset::{check_length, image_at, no_such_image};
use crate::listing::Listing;
use crate::memory::zeroed;
use crate::{Alpha, Channels, DataError, Dataset, OpenOptions, Resize, decode_file, threads};

/// Height and width of folder images where none is asked for.
const DEFAULT_SIZE: [usize; 2] = [64, 64];

/// What was left out of an image folder.
#[derive(Debug, Default)]
pub struct FolderNotes {
    /// Images that cannot be used, each with its file and cause. Empty in strict mode, which refuses the first.
    pub skipped: Vec<DataError>,
    /// How many images are partly transparent and were shown on white.
    pub on_white: usize,
    /// Files in class folders that are no images by name, and folders in them that a link leads back to.
    pub ignored: Vec<PathBuf>,
    /// Images that lie beside the class folders.
    pub stray: Vec<PathBuf>,
}

impl FolderNotes {
    pub(crate) fn add(&mut self, other: FolderNotes) {
        self.on_white += other.on_white;
        self.skipped.extend(other.skipped);
        self.ignored.extend(other.ignored);
        self.stray.extend(other.stray);
    }
}

/// The images of a folder that has a folder for each class.
#[derive(Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    labels: Vec<u32>,
    /// `[N, classes]`, or nothing.
    shown: Vec<f32>,
    classes: Vec<String>,
    shape: [usize; 3],
    resize: Resize,
    /// All images decoded, `[N, H, W, C]`, where they fit the cache.
    pixels: Option<Vec<u8>>,
}

impl ImageFolder {
    /// Opens `root`, whose folders, in the order of their names, are the classes; a class's images may lie in folders of its
    /// folder. Names are kept in Unicode's composed form.
    ///
    /// Every image (or as many as `options.limit` says, spread evenly) is decoded once, in parallel, to know the corrupt ones;
    /// what was decoded is kept if it fits `options.cache_bytes`, else images are decoded again when asked for.
    ///
    /// # Errors
    /// An unreadable folder or file, no usable image, a class whose name is not UTF-8 or occurs twice, and in strict mode the
    /// first corrupt image.
    pub fn open(root: &Path, options: &OpenOptions) -> Result<(Self, FolderNotes), DataError> {
        options.check()?;
        threads::ready()?;
        let listing = Listing::new(root)?;
        let mut places = (0..listing.files.len()).collect();
        options.thin(&mut places);
        let listing = listing.part(&places, true);
        options.tell("decoded", listing.files.len());
        Self::load(listing, options)
    }

    pub(crate) fn load(listing: Listing, options: &OpenOptions) -> Result<(Self, FolderNotes), DataError> {
        let [height, width] = options.size.unwrap_or(DEFAULT_SIZE);
        let shape = [height, width, options.channels.unwrap_or(Channels::Rgb).count()];
        let image_len: usize = shape.iter().product();
        let total = image_len as u64 * listing.files.len() as u64;
        let cached = if total <= options.cache_bytes { listing.files.len() } else { 0 };
        let mut pixels = zeroed("decoded images", &[cached, image_len])?;
        let checks = check(&listing.files, shape, &mut pixels, options);

        let mut notes = FolderNotes { ignored: listing.ignored, stray: listing.stray, ..FolderNotes::default() };
        let width = listing.shown.len() / listing.files.len().max(1);
        let (mut files, mut labels, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (i, ((path, label), check)) in listing.files.into_iter().zip(checks).enumerate() {
            match check {
                Ok(alpha) => {
                    notes.on_white += usize::from(alpha == Alpha::OnWhite);
                    if !pixels.is_empty() {
                        let image = i * image_len..(i + 1) * image_len;
                        pixels.copy_within(image, files.len() * image_len);
                    }
                    files.push(path);
                    labels.push(label);
                    shown.extend_from_slice(&listing.shown[i * width..][..width]);
                }
                Err(e) if e.is_of_one_image() && !options.strict => notes.skipped.push(e),
                Err(e) => return Err(e),
            }
        }
        if files.is_empty() {
            let first = notes.skipped.first().map(|e| format!(" ({e})")).unwrap_or_default();
            let cause = format!("none of {} can be decoded{first}", notes.skipped.len());
            return Err(DataError::EmptySplit { path: listing.root, cause });
        }
        let cached = !pixels.is_empty();
        pixels.truncate(files.len() * image_len);
        let folder = Self {
            files,
            labels,
            shown,
            classes: listing.classes,
            shape,
            resize: options.resize,
            pixels: cached.then_some(pixels),
        };
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

/// Decodes every file, into `pixels` where it has room for all.
fn check(
    files: &[(PathBuf, u32)],
    shape: [usize; 3],
    pixels: &mut [u8],
    options: &OpenOptions,
) -> Vec<Result<Alpha, DataError>> {
    let image_len: usize = shape.iter().product();
    let decode = |path: &Path, out: &mut [u8]| {
        let decoded = decode_file(path, shape, options.resize, out);
        options.advance(1);
        decoded
    };
    let paths = files.par_iter().map(|(path, _)| path.as_path());
    if pixels.is_empty() {
        let one = || zeroed("a decoded image", &[image_len]);
        let decode = |out: &mut Result<Vec<u8>, DataError>, path: &Path| match out {
            Ok(out) => decode(path, out),
            Err(_) => Err(DataError::no_memory("a decoded image", image_len as u64)),
        };
        return paths.map_init(one, decode).collect();
    }
    paths.zip(pixels.par_chunks_mut(image_len)).map(|(path, out)| decode(path, out)).collect()
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

    fn values(&self, index: usize) -> &[f32] {
        let width = self.shown.len() / self.labels.len().max(1);
        &self.shown[index * width..][..width]
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        check_length(self.shape, out)?;
        if let Some(pixels) = &self.pixels {
            out.copy_from_slice(image_at(pixels, self.shape, index)?);
            return Ok(());
        }
        let path = self.files.get(index).ok_or_else(|| no_such_image(index))?;
        decode_file(path, self.shape, self.resize, out).map(|_| ())
    }

    fn in_memory(&self) -> bool {
        self.pixels.is_some()
    }
}
