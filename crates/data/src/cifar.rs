//! CIFAR-10's binary layout: records of a label byte and three 32x32 planes, red, green, blue.

use std::path::{Path, PathBuf};

use crate::dataset::check_labels;
use crate::idx::read_class_names;
use crate::{DataError, InMemory};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;

/// The five files of training images.
pub(crate) const TRAIN_FILES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
/// The file of test images.
pub(crate) const TEST_FILE: &str = "test_batch.bin";
/// The file of class names.
pub(crate) const CLASS_FILE: &str = "batches.meta.txt";

/// Opens the training and the test set.
pub(crate) fn open(folder: &Path) -> Result<(InMemory, InMemory), DataError> {
    let classes = read_class_names(&folder.join(CLASS_FILE))?;
    let train = TRAIN_FILES.map(|name| folder.join(name));
    let test = [folder.join(TEST_FILE)];
    Ok((read(&train, &classes)?, read(&test, &classes)?))
}

fn read(paths: &[PathBuf], classes: &[String]) -> Result<InMemory, DataError> {
    check_sizes(paths)?;
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for path in paths {
        let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
        let before = labels.len();
        pixels.reserve(bytes.len() / RECORD * 3 * PLANE);
        for record in bytes.chunks_exact(RECORD) {
            labels.push(u32::from(record[0]));
            let (red, others) = record[1..].split_at(PLANE);
            let (green, blue) = others.split_at(PLANE);
            let planes = red.iter().zip(green).zip(blue);
            pixels.extend(planes.flat_map(|((&red, &green), &blue)| [red, green, blue]));
        }
        check_labels(path, &labels[before..], classes.len())?;
    }
    InMemory::new(pixels, labels, [SIDE, SIDE, 3], classes.to_vec())
}

/// The files have no header, so a cut one shows by ending inside a record or by being shorter than
/// the other files of its split.
fn check_sizes(paths: &[PathBuf]) -> Result<(), DataError> {
    let mut sizes = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
        sizes.push(metadata.len());
    }
    let record = RECORD as u64;
    let longest = sizes.iter().max().map_or(0, |&size| size);
    let expected = longest.div_ceil(record).max(1) * record;
    match paths.iter().zip(sizes).find(|(_, size)| *size != expected) {
        None => Ok(()),
        Some((path, found)) => Err(DataError::Truncated { path: path.clone(), expected, found }),
    }
}
