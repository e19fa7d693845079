//! Decoded images kept on disk, so that the next run need not decode them: written once beside its place and renamed, each image
//! with a checksum, what each channel adds up to, and whether it can be used.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::Alpha;

/// How a file begins; the last digit is the version of its layout.
const MAGIC: &[u8; 8] = b"CHIARO01";
/// Where the index begins: behind magic, key, images, bytes of an image, channels and the checksum of the index.
const HEADER: u64 = 8 + 4 * 8 + 4;
/// Pixels begin at a multiple of this, which is one of every disk's blocks.
const ALIGNED: u64 = 4096;
/// The end of the names of packs, and of such as are not whole yet.
const EXTENSION: &str = "pack";
const PARTIAL: &str = "partial";
/// Nobody writes a pack for longer: such a file is what a process left that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);
/// The most bytes that all packs of a folder keep; what was used the longest ago goes first.
const MOST_KEPT: u64 = 32 << 30;

/// What a pack must be of to be of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Tells the files, their times, and how they are decoded.
    pub key: u64,
    pub images: usize,
    pub image_len: usize,
    pub channels: usize,
}

/// What is known of an image beside its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What became of its alpha; `None` where it cannot be decoded.
    pub alpha: Option<Alpha>,
    checksum: u32,
    /// Sum and sum of squares of each channel.
    pub sums: Vec<u64>,
}

impl Entry {
    pub fn unusable(channels: usize) -> Entry {
        Entry { alpha: None, checksum: 0, sums: vec![0; 2 * channels] }
    }

    pub fn of(pixels: &[u8], channels: usize, alpha: Alpha) -> Entry {
        let mut sums = vec![0u64; 2 * channels];
        for (channel, sums) in sums.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            for &value in pixels.iter().skip(channel).step_by(channels) {
                sums[0] += u64::from(value);
                sums[1] += u64::from(value) * u64::from(value);
            }
        }
        Entry { alpha: Some(alpha), checksum: crc32fast::hash(pixels), sums }
    }

    pub fn is_of(&self, pixels: &[u8]) -> bool {
        self.checksum == crc32fast::hash(pixels)
    }

    fn len(channels: usize) -> usize {
        1 + 4 + 16 * channels
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.push(match self.alpha {
            None => 0,
            Some(Alpha::None) => 1,
            Some(Alpha::OnWhite) => 2,
        });
        to.extend(self.checksum.to_le_bytes());
        self.sums.iter().for_each(|sum| to.extend(sum.to_le_bytes()));
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        let alpha = match bytes.first()? {
            0 => None,
            1 => Some(Alpha::None),
            2 => Some(Alpha::OnWhite),
            _ => return None,
        };
        let checksum = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
        let sums = bytes[5..].as_chunks().0.iter().map(|sum| u64::from_le_bytes(*sum)).collect();
        Some(Entry { alpha, checksum, sums })
    }
}

impl Kind {
    fn pixels_at(&self) -> u64 {
        (HEADER + (self.images * Entry::len(self.channels)) as u64).next_multiple_of(ALIGNED)
    }

    fn header(&self, index: &[u8]) -> Vec<u8> {
        let numbers = [self.key, self.images as u64, self.image_len as u64, self.channels as u64];
        let mut header = MAGIC.to_vec();
        numbers.iter().for_each(|number| header.extend(number.to_le_bytes()));
        header.extend(crc32fast::hash(index).to_le_bytes());
        header
    }
}

/// A pack that is being written. Dropped before it is finished, it is removed.
pub(crate) struct Writer {
    file: Option<BufWriter<File>>,
    partial: PathBuf,
    path: PathBuf,
    kind: Kind,
    index: Vec<u8>,
}

impl Writer {
    pub fn create(path: &Path, kind: Kind) -> io::Result<Writer> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
            make_room(folder, kind.pixels_at() + kind.images as u64 * kind.image_len as u64);
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let partial = path.with_extension(format!("{}-{number}.{PARTIAL}", std::process::id()));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
        file.seek(SeekFrom::Start(kind.pixels_at()))?;
        Ok(Writer { file: Some(file), partial, path: path.to_path_buf(), kind, index: vec![] })
    }

    /// Adds the next image.
    pub fn add(&mut self, entry: &Entry, pixels: &[u8]) -> io::Result<()> {
        entry.write(&mut self.index);
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(pixels))
    }

    /// Puts the pack into its place.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&self.kind.header(&self.index))?;
        file.write_all(&self.index)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&self.partial, &self.path)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Renamed it is not there any more, and what cannot be removed harms nobody.
        self.file = None;
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// A pack that was found.
#[derive(Debug)]
pub(crate) struct Pack {
    file: File,
    kind: Kind,
    pub entries: Vec<Entry>,
}

impl Pack {
    /// Opens a pack of this kind; `None` where there is none, or none that is whole.
    pub fn open(path: &Path, kind: Kind) -> Option<Pack> {
        let mut file = File::open(path).ok()?;
        let whole = kind.pixels_at() + kind.images as u64 * kind.image_len as u64;
        if file.metadata().ok()?.len() != whole {
            return None;
        }
        let mut head = vec![0; HEADER as usize];
        let mut index = vec![0; kind.images * Entry::len(kind.channels)];
        file.read_exact(&mut head).and_then(|()| file.read_exact(&mut index)).ok()?;
        if head != kind.header(&index) {
            return None;
        }
        let entries: Option<Vec<Entry>> = index.chunks_exact(Entry::len(kind.channels)).map(Entry::read).collect();
        // When it was used last, for those who make room. That it cannot be told harms nothing.
        let _ = file.set_modified(SystemTime::now());
        Some(Pack { file, kind, entries: entries? })
    }

    /// Reads the pixels of images from `first` on, as many as `out` has room for.
    pub fn read(&self, first: usize, out: &mut [u8]) -> io::Result<()> {
        read_at(&self.file, out, self.kind.pixels_at() + (first * self.kind.image_len) as u64)
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (out, at) = (&mut out[n..], at + n as u64),
        }
    }
    Ok(())
}

/// The place of a pack in a folder of packs, by a name that people recognise.
pub(crate) fn path_in(folder: &Path, root: &Path, key: u64) -> PathBuf {
    let name: String =
        root.file_name().unwrap_or_default().to_string_lossy().chars().filter(|c| c.is_alphanumeric()).collect();
    folder.join(format!("{}-{key:016x}.{EXTENSION}", name.chars().take(32).collect::<String>()))
}

/// Removes what killed processes left, and the packs that were used the longest ago, so that there is room for a new one.
fn make_room(folder: &Path, bytes: u64) {
    let mut packs = vec![];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
        let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let is = |end: &str| path.extension().is_some_and(|extension| extension == end);
        if is(PARTIAL) && used.elapsed().is_ok_and(|age| age > LEFT_BEHIND) {
            let _ = std::fs::remove_file(&path);
        } else if is(EXTENSION) {
            packs.push((used, about.len(), path));
        }
    }
    packs.sort();
    let mut kept = packs.iter().map(|(_, bytes, _)| bytes).sum::<u64>() + bytes;
    for (_, bytes, path) in packs {
        if kept <= MOST_KEPT {
            break;
        }
        // Whoever reads it goes on reading it.
        if std::fs::remove_file(path).is_ok() {
            kept -= bytes;
        }
    }
}
