//! The binary layouts of CIFAR-10 and CIFAR-100: records of one or two label bytes and three 32x32 planes, red, green, blue.

use std::path::{Path, PathBuf};

use super::{DiskLayout, Part, Piece, in_memory};
use crate::dataset::check_labels;
use crate::memory::zeroed;
use crate::{DataError, InMemory, OpenOptions, Split, names, regular};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// The largest file.
const MOST_BYTES: u64 = 4 << 30;
/// A layout of records: bytes of labels, then the planes.
pub(crate) struct Cifar {
    name: &'static str,
    looked_for: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    /// The file of class names, one a line.
    class_file: &'static str,
    /// Bytes of labels before the planes, of which the last is the class.
    label_bytes: usize,
    /// Whether the names of the files tell enough, so that a missing list of classes is a mistake to be told.
    telling: bool,
}

pub(crate) const CIFAR_10: Cifar = Cifar {
    name: "CIFAR-10",
    looked_for: "data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt (CIFAR-10)",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: &["test_batch.bin"],
    class_file: "batches.meta.txt",
    label_bytes: 1,
    telling: true,
};

/// Its records have a coarse and a fine label; the fine ones are the classes.
pub(crate) const CIFAR_100: Cifar = Cifar {
    name: "CIFAR-100",
    looked_for: "train.bin, test.bin and fine_label_names.txt (CIFAR-100)",
    train: &["train.bin"],
    test: &["test.bin"],
    class_file: "fine_label_names.txt",
    label_bytes: 2,
    telling: false,
};

impl DiskLayout for Cifar {
    fn name(&self) -> &'static str {
        self.name
    }

    fn looked_for(&self) -> &'static str {
        self.looked_for
    }

    fn has(&self, folder: &Path, split: Split) -> bool {
        let there = |name: &&str| folder.join(name).is_file();
        self.files(split).iter().any(there) && (self.telling || there(&self.class_file))
    }

    fn missing(&self, split: Split) -> String {
        match split {
            Split::Val => "such data has none".to_string(),
            Split::Train | Split::Test => format!("{} is missing", self.files(split).join(", ")),
        }
    }

    fn crops_and_mirrors(&self) -> bool {
        true
    }

    fn open(&self, folder: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        in_memory(folder, pieces, options, |split| self.read(folder, split))
    }
}

impl Cifar {
    /// The files of a split; there is no validation split.
    fn files(&self, split: Split) -> &'static [&'static str] {
        match split {
            Split::Train => self.train,
            Split::Val => &[],
            Split::Test => self.test,
        }
    }

    fn read(&self, folder: &Path, split: Split) -> Result<InMemory, DataError> {
        let classes = names::read_list(&folder.join(self.class_file))?;
        let paths: Vec<PathBuf> = self.files(split).iter().map(|name| folder.join(name)).collect();
        let record = self.label_bytes + 3 * PLANE;
        let records = count(&paths, record as u64)?;
        let mut pixels = zeroed("the pixels of CIFAR's files", &[records, 3 * PLANE])?;
        let mut labels = Vec::new();
        let mut images = pixels.chunks_exact_mut(3 * PLANE);
        for path in paths {
            let bytes = regular::read(&path, MOST_BYTES)?;
            let before = labels.len();
            for (record, image) in bytes.chunks_exact(record).zip(&mut images) {
                labels.push(u32::from(record[self.label_bytes - 1]));
                interleave(&record[self.label_bytes..], image);
            }
            check_labels(&path, &labels[before..], classes.len(), &format!(" in {}", self.class_file))?;
        }
        InMemory::new(pixels, labels, [SIDE, SIDE, 3], classes)
    }
}

/// Planes to pixels.
fn interleave(planes: &[u8], image: &mut [u8]) {
    let (red, others) = planes.split_at(PLANE);
    let (green, blue) = others.split_at(PLANE);
    let planes = red.iter().zip(green).zip(blue);
    let places = image.as_chunks_mut::<3>().0.iter_mut();
    places.zip(planes).for_each(|(pixel, ((&red, &green), &blue))| *pixel = [red, green, blue]);
}

/// The records, of so many bytes, of a split's files. There is no header, so a damaged file shows by a part of a record at its end, or by having
/// more or fewer records than most of the others.
fn count(paths: &[PathBuf], record: u64) -> Result<usize, DataError> {
    let mut sizes = Vec::new();
    for path in paths {
        sizes.push(std::fs::metadata(path).map_err(|e| DataError::io(path, e))?.len());
    }
    let alike = |size: u64| sizes.iter().filter(|&&other| other == size).count();
    // Of sizes that are equally frequent the larger: files are cut more often than they grow.
    let whole = sizes.iter().filter(|&size| size % record == 0 && *size > 0);
    let usual = whole.copied().max_by_key(|&size| (alike(size), size));
    // Where none is whole, the longest has lost the end of its last record.
    let usual =
        usual.unwrap_or(sizes.iter().max().map_or(record, |longest| longest.next_multiple_of(record).max(record)));
    match paths.iter().zip(&sizes).find(|(_, size)| **size != usual) {
        None => Ok(paths.len() * (usual / record) as usize),
        Some((path, &found)) if found > usual => {
            Err(DataError::TrailingBytes { path: path.clone(), expected: usual, found })
        }
        Some((path, &found)) => Err(DataError::Truncated { path: path.clone(), expected: usual, found }),
    }
}
