//! The IDX format of MNIST and its relatives: big-endian header, then raw bytes; gzip or plain.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::dataset::check_labels;
use crate::{DataError, InMemory};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
const CLASS_FILE: &str = "classes.txt";

/// Memory that is reserved before anything is read.
const MOST_RESERVED: u64 = 64 << 20;

/// The two splits' file name stems.
pub(crate) const SPLITS: [&str; 2] = ["train", "t10k"];

/// The file of a split in `folder`, by any of its usual names.
pub(crate) fn find(folder: &Path, split: &str, kind: &str) -> Option<PathBuf> {
    let dimensions = if kind == "images" { 3 } else { 1 };
    ["-", "."]
        .iter()
        .flat_map(|separator| ["", ".gz"].map(|end| format!("{split}-{kind}{separator}idx{dimensions}-ubyte{end}")))
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Opens one split. Class names come from `classes.txt`, one a line, else they are 0 to 9.
pub(crate) fn open_split(folder: &Path, split: &str) -> Result<InMemory, DataError> {
    let locate = |kind: &str, dimensions: u32| {
        find(folder, split, kind).ok_or_else(|| DataError::Missing {
            path: folder.join(format!("{split}-{kind}-idx{dimensions}-ubyte[.gz]")),
        })
    };
    let images_path = locate("images", 3)?;
    let labels_path = locate("labels", 1)?;
    let classes = classes(folder)?;
    let ([count, height, width], pixels) = read::<3>(&images_path, IMAGES_MAGIC)?;
    let ([labels_count], labels) = read::<1>(&labels_path, LABELS_MAGIC)?;
    if count != labels_count {
        return Err(DataError::CountMismatch { images_path, images: count, labels_path, labels: labels_count });
    }
    let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
    check_labels(&labels_path, &labels, classes.len())?;
    InMemory::new(pixels, labels, [height, width, 1], classes)
}

fn classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let path = folder.join(CLASS_FILE);
    if path.is_file() {
        return read_class_names(&path);
    }
    Ok((0..10).map(|digit| digit.to_string()).collect())
}

/// Class names, one a line; empty lines at the end are left out.
pub(crate) fn read_class_names(path: &Path) -> Result<Vec<String>, DataError> {
    let text = std::fs::read_to_string(path).map_err(|e| DataError::io(path, e))?;
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_string()).collect();
    let bad = |cause: &str| Err(DataError::BadClassList { path: path.to_path_buf(), cause: cause.to_string() });
    if names.is_empty() {
        return bad("it is empty");
    }
    if names.iter().any(String::is_empty) {
        return bad("it has an empty line between names");
    }
    Ok(names)
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
    let bytes = read_up_to(path, &mut source, content + 1)?;
    check_end(path, header_len + content, header_len + bytes.len() as u64)?;
    Ok((sizes.map(|size| size as usize), bytes))
}

fn check_end(path: &Path, expected: u64, found: u64) -> Result<(), DataError> {
    let path = path.to_path_buf();
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => Err(DataError::Truncated { path, expected, found }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(DataError::TrailingBytes { path, expected }),
    }
}

/// The file's content, unpacked if it starts like gzip (whatever its name).
fn unpacked(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let failed = |e| DataError::io(path, e);
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
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
    let mut bytes = Vec::with_capacity(limit.min(MOST_RESERVED) as usize);
    match source.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(bytes),
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
            Err(DataError::Gzip { path: path.to_path_buf(), cause: e.to_string() })
        }
        Err(e) => Err(DataError::io(path, e)),
    }
}
