//! IDX files: what is read, and what is refused.

mod common;

use std::path::Path;

use chiaro_data::{Channels, DataError, Normalize, OpenOptions, open};
use common::{Folder, gzip, idx, idx_folder, labels, pixels};

fn open_err(folder: &Folder) -> DataError {
    match open(folder.path(), &OpenOptions::default()) {
        Ok(_) => panic!("opened"),
        Err(e) => e,
    }
}

/// The error's message with the folder's path taken out.
fn message(folder: &Folder, error: &DataError) -> String {
    let path = format!("{}/", folder.path().display());
    error.to_string().replace('\\', "/").replace(&path, "")
}

#[test]
fn four_plain_files_open() {
    let folder = idx_folder();
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.layout.name(), "IDX");
    assert_eq!(sets.train.image_shape(), [2, 3, 1]);
    assert_eq!(labels(&*sets.train), [5, 0, 4]);
    assert_eq!(labels(&*sets.eval), [7, 2]);
    assert_eq!(pixels(&*sets.train, 2), [12, 13, 14, 15, 16, 17]);
    assert_eq!(sets.train.classes()[9], "9");
}

#[test]
fn names_with_dots_and_gz_open_and_content_decides_on_gzip() {
    let folder = Folder::new();
    let (images, labels_file) = (idx(&[1, 1, 2], &[8, 9]), idx(&[1], &[3]));
    folder.write("train-images.idx3-ubyte", &gzip(&images)); // packed, without the ending
    folder.write("train-labels-idx1-ubyte.gz", &labels_file); // plain, with it
    folder.write("t10k-images.idx3-ubyte.gz", &gzip(&images));
    folder.write("t10k-labels.idx1-ubyte", &labels_file);
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(pixels(&*sets.train, 0), [8, 9]);
    assert_eq!(labels(&*sets.eval), [3]);
}

#[test]
fn class_names_come_from_a_file() {
    let folder = idx_folder();
    let names: Vec<String> = (0..47).map(|i| format!("class {i}")).collect();
    folder.write("classes.txt", (names.join("\r\n") + "\n").as_bytes());
    folder.write("train-labels-idx1-ubyte", &idx(&[3], &[46, 0, 4]));
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.eval.classes(), names);
    assert_eq!(labels(&*sets.train), [46, 0, 4]);
    folder.write("classes.txt", b"\n");
    assert!(matches!(open_err(&folder), DataError::BadClassList { .. }));
}

#[test]
fn size_and_channels_can_be_asked_for_with_or_without_a_cache() {
    let folder = idx_folder();
    let mut options = OpenOptions { size: Some([4, 3]), channels: Some(Channels::Rgb), ..OpenOptions::default() };
    let cached = open(folder.path(), &options).unwrap();
    options.cache_bytes = 0;
    let lazy = open(folder.path(), &options).unwrap();
    assert!(cached.train.in_memory() && !lazy.train.in_memory());
    assert_eq!(lazy.eval.image_shape(), [4, 3, 3]);
    assert_eq!(labels(&*lazy.train), [5, 0, 4]);
    let image = pixels(&*lazy.train, 1);
    assert_eq!(image, pixels(&*cached.train, 1));
    assert_eq!(image[..9], [6, 6, 6, 7, 7, 7, 8, 8, 8]);
    assert_eq!(image[27..], [9, 9, 9, 10, 10, 10, 11, 11, 11]);
    for size in [[0, 5], [5, 5000]] {
        options.size = Some(size);
        let refused = open(folder.path(), &options).err();
        assert!(matches!(refused, Some(DataError::Invalid { .. })), "{size:?}");
    }
}

#[test]
fn every_fault_of_a_file_is_named() {
    let images = "train-images-idx3-ubyte";
    let labels = "train-labels-idx1-ubyte";
    let mut doubles = idx(&[3, 2, 3], &[0; 18]);
    doubles[2] = 0x0E;
    const HINTED: &str = "label 10 of image 2 is out of range: there are 10 classes, 0 to 9; for others put their names, \
                          one a line, into classes.txt";
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (images, doubles, "wrong magic number 0x00000e03, expected 0x00000803"),
        (labels, idx(&[3, 1, 1], &[0; 3]), "wrong magic number 0x00000803, expected 0x00000801"),
        (images, idx(&[3, 2, 3], &[0; 17]), "truncated: expected 34 bytes, found 33"),
        (images, idx(&[3, 2, 3], &[])[..9].into(), "truncated: expected 16 bytes, found 9"),
        (images, vec![], "truncated: expected 16 bytes, found 0"),
        (labels, idx(&[3], &[0; 4]), "too long: expected 11 bytes, found 12 or more"),
        (labels, idx(&[3], &[1, 2, 10]), HINTED),
        (images, idx(&[3, 0, 3], &[]), "bad header: sizes [3, 0, 3]"),
        (images, idx(&[u32::MAX; 3], &[]), "bad header: sizes [4294967295, 4294967295, 4294967295]"),
    ];
    for (name, bytes, expected) in cases {
        let folder = idx_folder();
        folder.write(name, &bytes);
        let error = open_err(&folder);
        assert_eq!(message(&folder, &error), format!("{name}: {expected}"));
    }
}

#[test]
fn a_header_that_promises_gigabytes_costs_nothing() {
    let folder = idx_folder();
    let claim = idx(&[1 << 20, 1 << 10, 1 << 10], &[1, 2, 3]);
    folder.write("train-images-idx3-ubyte", &gzip(&claim));
    let error = open_err(&folder);
    assert!(matches!(error, DataError::Truncated { expected, found: 19, .. } if expected == (1 << 40) + 16), "{error}");
}

#[test]
fn cut_and_corrupt_gzip_are_told_apart() {
    let folder = idx_folder();
    let noise: Vec<u8> = (0..6000u32).map(|i| (i.wrapping_mul(i).wrapping_mul(2654435761) >> 13) as u8).collect();
    let packed = gzip(&idx(&[3, 40, 50], &noise));
    folder.write("train-images-idx3-ubyte", &packed[..packed.len() / 2]);
    let error = open_err(&folder);
    let cut = |found: u64| found > 16 && found < 6016;
    assert!(matches!(error, DataError::Truncated { expected: 6016, found, .. } if cut(found)), "{error}");
    let mut flipped = packed.clone();
    let checksum = packed.len() - 8;
    flipped[checksum] ^= 1;
    folder.write("train-images-idx3-ubyte", &flipped);
    let error = open_err(&folder);
    assert!(matches!(error, DataError::Gzip { .. }), "{error}");
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let folder = idx_folder();
    folder.write("train-labels-idx1-ubyte", &idx(&[2], &[1, 2]));
    assert_eq!(
        message(&folder, &open_err(&folder)),
        "train-images-idx3-ubyte has 3 images but train-labels-idx1-ubyte has 2 labels"
    );

    let folder = idx_folder();
    folder.write("t10k-images-idx3-ubyte", &idx(&[2, 3, 3], &[0; 18]));
    let error = open_err(&folder);
    assert!(matches!(error, DataError::ShapesDiffer { train: [2, 3], test: [3, 3], .. }), "{error}");

    let folder = idx_folder();
    std::fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert_eq!(message(&folder, &open_err(&folder)), "t10k-labels-idx1-ubyte[.gz]: no such file or folder");
}

#[test]
fn an_empty_or_missing_folder_tells_what_was_looked_for() {
    let folder = Folder::new();
    let error = open_err(&folder);
    assert!(matches!(error, DataError::UnknownLayout { .. }), "{error}");
    for name in ["train-images-idx3-ubyte", "data_batch_1.bin", "train/"] {
        assert!(error.to_string().contains(name), "{name} in {error}");
    }
    let missing = folder.path().join("nowhere");
    let error = open(&missing, &OpenOptions::default()).err().unwrap();
    assert!(matches!(&error, DataError::Missing { path } if *path == missing), "{error}");
}

#[test]
fn the_mnist_of_the_repository_is_read_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let sets = open(&folder, &OpenOptions::default()).unwrap();
    assert_eq!((sets.train.len(), sets.eval.len()), (60_000, 10_000));
    assert_eq!(sets.train.image_shape(), [28, 28, 1]);
    assert_eq!(labels(&*sets.train)[..5], [5, 0, 4, 1, 9]);
    assert_eq!(labels(&*sets.eval)[..5], [7, 2, 1, 0, 4]);
    let first: u64 = pixels(&*sets.train, 0).into_iter().map(u64::from).sum();
    assert_eq!(first, 27_525);
    let normalize = Normalize::measure(&*sets.train).unwrap();
    let near = |value: f32, published: f32| (value - published).abs() < 5e-5;
    assert!(near(normalize.mean()[0], 0.1307), "{normalize:?}");
    assert!(near(normalize.std()[0], 0.3081), "{normalize:?}");
}
