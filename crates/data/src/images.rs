//! The images of files in one shape: in memory where they have the room, else in a pack on disk, else decoded when asked for.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;

use crate::memory::zeroed;
use crate::own_shape;
use crate::pack_file::{Entry, Kind, Pack, Writer, path_in};
use crate::shuffle::fnv;
use crate::{Alpha, Channels, DataError, OpenOptions, Resize, decode_file};

/// Bytes that are decoded between two writings to a pack.
const CHUNK: usize = 32 << 20;

/// Images of files, of which some may be unusable.
#[derive(Debug)]
pub(crate) struct Images {
    pub shape: [usize; 3],
    resize: Resize,
    store: ImageStore,
    entries: Vec<Entry>,
}

/// Where the pixels are.
#[derive(Debug)]
enum ImageStore {
    Memory(Vec<u8>),
    Pack(Pack),
    /// In their files alone.
    Files,
}

/// The files that are opened, and how.
pub(crate) struct Opening<'s> {
    pub root: &'s Path,
    pub files: Vec<&'s Path>,
    pub options: &'s OpenOptions,
}

/// What became of each file.
pub(crate) type Outcomes = Vec<Result<Alpha, DataError>>;

impl Opening<'_> {
    fn shape(&self) -> [usize; 3] {
        let [height, width] = self.options.size.unwrap_or([own_shape::MOST; 2]);
        [height, width, self.options.channels.unwrap_or(Channels::Rgb).count()]
    }

    /// The pack of these files as they are now, and its place; `None` where none is to be kept or a file cannot be asked.
    fn pack(&self) -> Option<(PathBuf, Kind)> {
        let folder = self.options.pack_dir.as_ref()?;
        let shape = self.shape();
        let mut text = format!("{} {shape:?} {}", env!("CARGO_PKG_VERSION"), self.options.resize);
        for path in &self.files {
            // One that is not there is unusable; when it comes, there is another key.
            let about = std::fs::metadata(path).ok();
            let changed = about.as_ref().and_then(|about| about.modified().ok()?.duration_since(UNIX_EPOCH).ok());
            let name = path.strip_prefix(self.root).unwrap_or(path);
            let bytes = about.map_or(0, |about| about.len());
            write!(text, "\n{} {bytes} {}", name.display(), changed.unwrap_or_default().as_nanos()).ok()?;
        }
        let kind = Kind {
            key: fnv(text.as_bytes()),
            images: self.files.len(),
            image_len: shape.iter().product(),
            channels: shape[2],
        };
        Some((path_in(folder, self.root, kind.key), kind))
    }

    /// The images out of their pack, if there is one.
    pub fn packed(&self, cache: &mut u64) -> Option<(Images, Outcomes)> {
        let (path, kind) = self.pack()?;
        let pack = Pack::open(&path, kind)?;
        let (shape, resize) = (self.shape(), self.options.resize);
        // Why a file is unusable is asked again; if it is usable now, the pack is not of it.
        let outcome = |(entry, path): (&Entry, &&Path)| match entry.alpha {
            Some(alpha) => Some(Ok(alpha)),
            None => decode_file(path, shape, resize, &mut vec![0; kind.image_len]).err().map(Err),
        };
        let outcomes: Outcomes = pack.entries.iter().zip(&self.files).map(outcome).collect::<Option<_>>()?;
        let entries = pack.entries.clone();
        let bytes = kind.image_len as u64 * kind.images as u64;
        if bytes > *cache {
            return Some((Images { shape, resize, store: ImageStore::Pack(pack), entries }, outcomes));
        }
        let mut pixels = zeroed("images", &[kind.images, kind.image_len]).ok()?;
        let chunk = (CHUNK / kind.image_len).max(1);
        let whole = pixels.par_chunks_mut(chunk * kind.image_len).enumerate().all(|(number, pixels)| {
            let images = pixels.len() / kind.image_len;
            self.options.advance(images);
            let read = pack.read(number * chunk, pixels).is_ok();
            let entries = &entries[number * chunk..][..images];
            read && pixels.chunks_exact(kind.image_len).zip(entries).all(|(p, e)| e.alpha.is_none() || e.is_of(p))
        });
        if !whole {
            return None;
        }
        *cache -= bytes;
        Some((Images { shape, resize, store: ImageStore::Memory(pixels), entries }, outcomes))
    }

    /// The images out of their pack, else decoded and, if packs are kept, packed.
    pub fn load(&self, cache: &mut u64) -> Result<(Images, Outcomes), DataError> {
        if let Some(found) = self.packed(cache) {
            return Ok(found);
        }
        let (shape, resize) = (self.shape(), self.options.resize);
        let image_len: usize = shape.iter().product();
        let bytes = image_len as u64 * self.files.len() as u64;
        let in_memory = bytes <= *cache;
        let place = self.pack();
        // A folder that cannot be written to is no reason to train nothing.
        let mut writer = place.as_ref().and_then(|(path, kind)| Writer::create(path, *kind).ok());
        let chunk = (CHUNK / image_len).min(self.files.len()).max(1);
        let mut pixels: Vec<u8> =
            zeroed("decoded images", &[if in_memory { self.files.len() } else { chunk }, image_len])?;
        let (mut entries, mut outcomes) = (vec![], vec![]);
        for (number, files) in self.files.chunks(chunk).enumerate() {
            let at = if in_memory { number * chunk * image_len } else { 0 };
            let pixels = &mut pixels[at..][..files.len() * image_len];
            let decoded: Vec<_> =
                pixels.par_chunks_mut(image_len).zip(files).map(|(out, path)| self.decode(path, shape, out)).collect();
            for ((outcome, entry), pixels) in decoded.into_iter().zip(pixels.chunks_exact(image_len)) {
                if writer.as_mut().is_some_and(|writer| writer.add(&entry, pixels).is_err()) {
                    writer = None;
                }
                entries.push(entry);
                outcomes.push(outcome);
            }
        }
        let kept = writer.is_some_and(|writer| writer.finish().is_ok());
        let store = match place.filter(|_| kept && !in_memory).and_then(|(path, kind)| Pack::open(&path, kind)) {
            _ if in_memory => ImageStore::Memory(pixels),
            Some(pack) => ImageStore::Pack(pack),
            None => ImageStore::Files,
        };
        *cache -= if in_memory { bytes } else { 0 };
        Ok((Images { shape, resize, store, entries }, outcomes))
    }

    fn decode(&self, path: &Path, shape: [usize; 3], out: &mut [u8]) -> (Result<Alpha, DataError>, Entry) {
        let outcome = decode_file(path, shape, self.options.resize, out);
        self.options.advance(1);
        let entry = match outcome {
            Ok(alpha) => Entry::of(out, shape[2], alpha),
            Err(_) => Entry::unusable(shape[2]),
        };
        (outcome, entry)
    }
}

impl Images {
    /// Whether reading one only copies.
    pub fn in_memory(&self) -> bool {
        matches!(self.store, ImageStore::Memory(_))
    }

    /// Sum and sum of squares of each channel of an image.
    pub fn sums(&self, place: usize) -> &[u64] {
        &self.entries[place].sums
    }

    /// Writes the pixels of image `place`, which `path` is the file of.
    pub fn write(&self, place: usize, path: &Path, out: &mut [u8]) -> Result<(), DataError> {
        let decode = |out: &mut [u8]| decode_file(path, self.shape, self.resize, out).map(|_| ());
        match &self.store {
            ImageStore::Memory(pixels) => {
                out.copy_from_slice(&pixels[place * out.len()..][..out.len()]);
                Ok(())
            }
            ImageStore::Pack(pack) => match pack.read(place, out) {
                Ok(()) if self.entries[place].is_of(out) => Ok(()),
                // What is damaged is taken from where it came.
                Ok(()) | Err(_) => decode(out),
            },
            ImageStore::Files => decode(out),
        }
    }
}
