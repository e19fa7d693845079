//! Image folders: one folder a class, image files of any size, resized to one shape.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dataset::{check_length, no_such_image};
use crate::images::{Images, Opening};
use crate::listing::Listing;
use crate::own_shape;
use crate::{Alpha, DataError, Dataset, OpenOptions, threads};

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
    /// Images that are groups by themselves, since their names lack the part that images are grouped by.
    pub ungrouped: Vec<String>,
    /// What of the folder counts for nothing: one of two layouts that lie in it, or the empty folder of a split.
    pub layout: Option<String>,
}

impl FolderNotes {
    pub(crate) fn add(&mut self, other: FolderNotes) {
        self.on_white += other.on_white;
        self.skipped.extend(other.skipped);
        self.ignored.extend(other.ignored);
        self.stray.extend(other.stray);
        self.ungrouped.extend(other.ungrouped);
        self.layout = self.layout.take().or(other.layout);
    }
}

/// The images of a folder that has a folder for each class.
#[derive(Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    /// Where each file's image is among those that were opened together.
    places: Vec<usize>,
    images: Arc<Images>,
    labels: Vec<u32>,
    /// `[N, classes]`, or nothing.
    shown: Vec<f32>,
    classes: Vec<String>,
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
        let options = &own_shape::shaped(options, &listing);
        let mut places = (0..listing.files.len()).collect();
        options.thin(&mut places);
        options.tell("decoded", places.len());
        let mut parts = Self::load(&listing, &[(places, true)], options, &mut options.cache_bytes.clone())?;
        parts.pop().ok_or_else(|| DataError::invalid("a listing without its part"))
    }

    /// The images at some places of a listing, as data sets, of which each says whether what was left out is told with it.
    pub(crate) fn load(
        listing: &Listing,
        parts: &[(Vec<usize>, bool)],
        options: &OpenOptions,
        cache: &mut u64,
    ) -> Result<Vec<(Self, FolderNotes)>, DataError> {
        // A pack of all is of use for each part; else only what is wanted is decoded.
        let all: Vec<usize> = (0..listing.files.len()).collect();
        let mut wanted: Vec<usize> = parts.iter().flat_map(|(places, _)| places).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let source = |places: &[usize]| Opening {
            root: &listing.root,
            files: places.iter().map(|&place| listing.files[place].0.as_path()).collect(),
            options,
        };
        let ((images, outcomes), opened) = match source(&all).packed(cache) {
            Some(found) => (found, all),
            None => (source(&wanted).load(cache)?, wanted),
        };
        let (images, mut outcomes): (_, Vec<Option<_>>) = (Arc::new(images), outcomes.into_iter().map(Some).collect());
        parts.iter().map(|part| Self::part(listing, part, &images, &mut outcomes, &opened, options)).collect()
    }

    fn part(
        listing: &Listing,
        (places, telling): &(Vec<usize>, bool),
        images: &Arc<Images>,
        outcomes: &mut [Option<Result<Alpha, DataError>>],
        opened: &[usize],
        options: &OpenOptions,
    ) -> Result<(Self, FolderNotes), DataError> {
        let told = |paths: &[PathBuf]| if *telling { paths.to_vec() } else { vec![] };
        let mut notes =
            FolderNotes { ignored: told(&listing.ignored), stray: told(&listing.stray), ..FolderNotes::default() };
        let width = listing.shown.len() / listing.files.len().max(1);
        let (mut files, mut labels, mut shown, mut stored) = (vec![], vec![], vec![], vec![]);
        for &place in places {
            let at = opened.binary_search(&place).map_err(|_| no_such_image(place))?;
            // A file is of one part, so that its outcome is taken once.
            match outcomes[at].take() {
                Some(Ok(alpha)) => {
                    notes.on_white += usize::from(alpha == Alpha::OnWhite);
                    files.push(listing.files[place].0.clone());
                    labels.push(listing.files[place].1);
                    shown.extend_from_slice(&listing.shown[place * width..][..width]);
                    stored.push(at);
                }
                Some(Err(e)) if e.is_of_one_image() && !options.strict => notes.skipped.push(e),
                Some(Err(e)) => return Err(e),
                None => return Err(no_such_image(place)),
            }
        }
        if files.is_empty() {
            let first = notes.skipped.first().map(|e| format!(" ({e})")).unwrap_or_default();
            let cause = format!("none of {} can be decoded{first}", notes.skipped.len());
            return Err(DataError::EmptySplit { path: listing.root.clone(), cause });
        }
        let (images, classes) = (Arc::clone(images), listing.classes.clone());
        Ok((Self { files, places: stored, images, labels, shown, classes }, notes))
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
        self.images.shape
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn name(&self, index: usize) -> String {
        self.files.get(index).map_or_else(|| format!("#{index}"), |file| file.display().to_string())
    }

    fn values(&self, index: usize) -> &[f32] {
        let width = self.shown.len() / self.labels.len().max(1);
        &self.shown[index * width..][..width]
    }

    fn channel_sums(&self, index: usize) -> Option<&[u64]> {
        Some(self.images.sums(self.places[index]))
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        check_length(self.images.shape, out)?;
        let (path, place) = self.files.get(index).zip(self.places.get(index)).ok_or_else(|| no_such_image(index))?;
        self.images.write(*place, path, out)
    }

    fn in_memory(&self) -> bool {
        self.images.in_memory()
    }
}
