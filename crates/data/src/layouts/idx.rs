//! The IDX format of MNIST and its relatives: big-endian header, then raw bytes; gzip or plain.

use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{DiskLayout, Part, Piece, in_memory};
use crate::dataset::check_labels;
use crate::{DataError, InMemory, OpenOptions, Split, names, regular};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
const CLASS_FILE: &str = "classes.txt";

/// Memory that is reserved before anything is read.
const MOST_RESERVED: u64 = 64 << 20;

/// The largest file, and the most that one may unpack to.
const MOST_BYTES: u64 = 16 << 30;

/// The layout.
pub(crate) struct Idx;

impl DiskLayout for Idx {
    fn name(&self) -> &'static str {
        "IDX"
    }

    fn looked_for(&self) -> &'static str {
        "train-images-idx3-ubyte and its three companions (IDX, .gz or not)"
    }

    fn has(&self, folder: &Path, split: Split) -> bool {
        ["images", "labels"].iter().any(|kind| find(folder, split, kind).is_some())
    }

    fn missing(&self, split: Split) -> String {
        match split {
            Split::Val => "such data has none".to_string(),
            Split::Train | Split::Test => format!("{} is missing", file_name(split, "images")),
        }
    }

    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        in_memory(folder, pieces, options, |split| read_split(folder, split))
    }
}

/// What the names of a split's files begin with; there is no validation split.
fn stem(split: Split) -> Option<&'static str> {
    match split {
        Split::Train => Some("train"),
        Split::Val => None,
        Split::Test => Some("t10k"),
    }
}

/// The usual name of a split's file.
fn file_name(split: Split, kind: &str) -> String {
    let dimensions = if kind == "images" { 3 } else { 1 };
    format!("{}-{kind}-idx{dimensions}-ubyte[.gz]", stem(split).unwrap_or("val"))
}

/// The file of a split in `folder`, by any of its usual names.
fn find(folder: &Path, split: Split, kind: &str) -> Option<PathBuf> {
    let stem = stem(split)?;
    let dimensions = if kind == "images" { 3 } else { 1 };
    ["-", "."]
        .iter()
        .flat_map(|separator| ["", ".gz"].map(|end| format!("{stem}-{kind}{separator}idx{dimensions}-ubyte{end}")))
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}

/// Opens one split. Class names come from `classes.txt`, one a line, else they are 0 to 9.
fn read_split(folder: &Path, split: Split) -> Result<InMemory, DataError> {
    let locate = |kind: &str| {
        find(folder, split, kind).ok_or_else(|| DataError::Missing { path: folder.join(file_name(split, kind)) })
    };
    let (images_path, labels_path) = (locate("images")?, locate("labels")?);
    let list = folder.join(CLASS_FILE);
    let (classes, hint) = match list.exists() {
        true => (names::read_list(&list)?, format!(" in {CLASS_FILE}")),
        false => {
            let hint = format!(", 0 to 9; for others put their names, one a line, into {}", list.display());
            ((0..10).map(|digit| digit.to_string()).collect(), hint)
        }
    };
    let ([count, height, width], pixels) = read::<3>(&images_path, IMAGES_MAGIC)?;
    let ([labels_count], labels) = read::<1>(&labels_path, LABELS_MAGIC)?;
    if count != labels_count {
        return Err(DataError::CountMismatch { images_path, images: count, labels_path, labels: labels_count });
    }
    let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
    check_labels(&labels_path, &labels, classes.len(), &hint)?;
    InMemory::new(pixels, labels, [height, width, 1], classes)
}

/// Reads a file of `D` dimensions of unsigned bytes: its sizes and its content.
fn read<const D: usize>(path: &Path, magic: u32) -> Result<([usize; D], Vec<u8>), DataError> {
    let mut source = unpacked(path)?;
    let header_len = 4 + 4 * D as u64;
    let header = read_up_to(path, &mut source, header_len)?;
    let word = |i: usize| -> Option<u32> {
        let bytes = header.get(4 * i..4 * i + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if let Some(found) = word(0).filter(|&found| found != magic) {
        return Err(DataError::WrongMagic { path: path.to_path_buf(), expected: magic, found });
    }
    check_end(path, header_len, header.len() as u64)?;
    let sizes: [u32; D] = std::array::from_fn(|i| word(i + 1).unwrap_or(0));
    let content = sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)))
        .filter(|&bytes| bytes > 0 && bytes <= isize::MAX as u64)
        .ok_or_else(|| DataError::BadHeader { path: path.to_path_buf(), cause: format!("sizes {sizes:?}") })?;
    // One byte more than there should be, so that a longer file is noticed, and never more than
    // that, whatever a compressed file would unpack to.
    let bytes = read_up_to(path, &mut source, content.min(MOST_BYTES) + 1)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(DataError::FileTooLarge { path: path.to_path_buf(), bytes: content, limit: MOST_BYTES });
    }
    check_end(path, header_len + content, header_len + bytes.len() as u64)?;
    Ok((sizes.map(|size| size as usize), bytes))
}

fn check_end(path: &Path, expected: u64, found: u64) -> Result<(), DataError> {
    let path = path.to_path_buf();
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => Err(DataError::Truncated { path, expected, found }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(DataError::TrailingBytes { path, expected, found }),
    }
}

/// The file's content, unpacked if it starts like gzip (whatever its name).
fn unpacked(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let failed = |e| DataError::io(path, e);
    let mut file = BufReader::new(regular::open(path, MOST_BYTES)?.0);
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(match start.as_slice() {
        [0x1F, 0x8B] => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// At most `limit` bytes; fewer where the source ends, be it in the middle of compressed data.
fn read_up_to(path: &Path, source: &mut dyn Read, limit: u64) -> Result<Vec<u8>, DataError> {
    // Room for what is expected, but not for whatever a damaged header claims.
    let mut bytes = Vec::new();
    let no_memory = || DataError::no_memory(format!("reading {}", path.display()), limit);
    bytes.try_reserve(limit.min(MOST_RESERVED) as usize).map_err(|_| no_memory())?;
    match source.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) if e.kind() == ErrorKind::OutOfMemory => Err(no_memory()),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(bytes),
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
            Err(DataError::Gzip { path: path.to_path_buf(), cause: e.to_string() })
        }
        Err(e) => Err(DataError::io(path, e)),
    }
}
