//! CIFAR-10's binary layout: records of a label byte and three 32x32 planes, red, green, blue.

use std::path::{Path, PathBuf};

use crate::dataset::check_labels;
use crate::memory::zeroed;
use crate::{DataError, InMemory, Split, names, regular};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;

/// The largest file.
const MOST_BYTES: u64 = 4 << 30;
/// The file of class names.
const CLASS_FILE: &str = "batches.meta.txt";

/// The files of a split; there is no validation split.
pub(crate) fn files(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => {
            &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"]
        }
        Split::Val => &[],
        Split::Test => &["test_batch.bin"],
    }
}

/// Opens one split.
pub(crate) fn open_split(folder: &Path, split: Split) -> Result<InMemory, DataError> {
    let list = folder.join(CLASS_FILE);
    let classes = names::read_list(&list)?;
    let paths: Vec<PathBuf> = files(split).iter().map(|name| folder.join(name)).collect();
    let records = count(&paths)?;
    let mut pixels = zeroed("the pixels of CIFAR-10's files", &[records, 3 * PLANE])?;
    let mut labels = Vec::new();
    let mut images = pixels.chunks_exact_mut(3 * PLANE);
    for path in paths {
        let bytes = regular::read(&path, MOST_BYTES)?;
        let before = labels.len();
        for (record, image) in bytes.chunks_exact(RECORD).zip(&mut images) {
            labels.push(u32::from(record[0]));
            let (red, others) = record[1..].split_at(PLANE);
            let (green, blue) = others.split_at(PLANE);
            let planes = red.iter().zip(green).zip(blue);
            let places = image.as_chunks_mut::<3>().0.iter_mut();
            places.zip(planes).for_each(|(pixel, ((&red, &green), &blue))| *pixel = [red, green, blue]);
        }
        check_labels(&path, &labels[before..], classes.len(), &format!(" in {CLASS_FILE}"))?;
    }
    InMemory::new(pixels, labels, [SIDE, SIDE, 3], classes)
}

/// The records of a split's files. There is no header, so a damaged file shows by a part of a record at its end, or by having
/// more or fewer records than most of the others.
fn count(paths: &[PathBuf]) -> Result<usize, DataError> {
    let mut sizes = Vec::new();
    for path in paths {
        sizes.push(std::fs::metadata(path).map_err(|e| DataError::io(path, e))?.len());
    }
    let record = RECORD as u64;
    let alike = |size: u64| sizes.iter().filter(|&&other| other == size).count();
    // Of sizes that are equally frequent the larger: files are cut more often than they grow.
    let whole = sizes.iter().filter(|&size| size % record == 0 && *size > 0);
    let usual = whole.copied().max_by_key(|&size| (alike(size), size)).unwrap_or(record);
    match paths.iter().zip(&sizes).find(|(_, size)| **size != usual) {
        None => Ok(paths.len() * (usual / record) as usize),
        Some((path, &found)) if found > usual => {
            Err(DataError::TrailingBytes { path: path.clone(), expected: usual, found })
        }
        Some((path, &found)) => Err(DataError::Truncated { path: path.clone(), expected: usual, found }),
    }
}
