//! The binary layouts of CIFAR-10 and CIFAR-100.

mod common;

use chiaro_data::{DataError, OpenOptions, open};
use common::{Folder, labels, pixels};

const NAMES: &str = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

/// A record whose red plane counts up, green is `label`, and blue counts down.
fn record(label: u8) -> Vec<u8> {
    let mut bytes = vec![label];
    bytes.extend((0..1024u32).map(|i| i as u8));
    bytes.extend([label; 1024]);
    bytes.extend((0..1024u32).map(|i| 255 - i as u8));
    bytes
}

fn cifar_folder() -> Folder {
    let folder = Folder::new();
    folder.write("batches.meta.txt", NAMES.as_bytes());
    for i in 1..=5 {
        let bytes = [record(i), record(9)].concat();
        folder.write(&format!("data_batch_{i}.bin"), &bytes);
    }
    folder.write("test_batch.bin", &record(7));
    folder
}

#[test]
fn planes_become_pixels_and_batches_follow_each_other() {
    let folder = cifar_folder();
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.layout.name(), "CIFAR-10");
    assert_eq!(sets.train.image_shape(), [32, 32, 3]);
    assert_eq!(labels(&*sets.train), [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
    assert_eq!(labels(&*sets.eval), [7]);
    assert_eq!(sets.train.classes()[6], "frog");
    assert_eq!(sets.train.classes().len(), 10);
    let image = pixels(&*sets.train, 4);
    assert_eq!(image[..6], [0, 3, 255, 1, 3, 254]);
    assert_eq!(image[32 * 3..][..3], [32, 3, 223]);
}

#[test]
fn every_fault_of_a_file_is_named() {
    let cases: [(&str, Option<Vec<u8>>, &str); 8] = [
        // A byte too many, and a whole record: of the five files this one is to blame.
        (
            "data_batch_3.bin",
            Some([record(1), record(1), vec![0]].concat()),
            "too long: expected 6146 bytes, found 6147 or more",
        ),
        ("data_batch_4.bin", Some(record(1).repeat(3)), "too long: expected 6146 bytes, found 9219 or more"),
        ("data_batch_3.bin", None, "no such file or folder"),
        ("batches.meta.txt", None, "no such file or folder"),
        ("data_batch_2.bin", Some(record(1)), "truncated: expected 6146 bytes, found 3073"),
        ("test_batch.bin", Some(record(1)[..3000].into()), "truncated: expected 3073 bytes, found 3000"),
        ("test_batch.bin", Some(vec![]), "truncated: expected 3073 bytes, found 0"),
        (
            "data_batch_5.bin",
            Some([record(1), record(10)].concat()),
            "label 10 of image 1 is out of range: there are 10 classes in batches.meta.txt",
        ),
    ];
    for (name, bytes, expected) in cases {
        let folder = cifar_folder();
        let path = match bytes {
            Some(bytes) => folder.write(name, &bytes),
            None => folder.path().join(name),
        };
        if expected.starts_with("no such") {
            std::fs::remove_file(&path).unwrap();
        }
        let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
        assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
    }
}

#[test]
fn a_list_of_classes_with_a_hole_is_refused() {
    let folder = cifar_folder();
    folder.write("batches.meta.txt", b"airplane\n\nbird\n");
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, DataError::BadClassList { .. }), "{error}");
}

/// A folder of CIFAR-100's files: three images to train on, two to test; each record has a coarse label before the fine one.
fn cifar_100_folder() -> Folder {
    let folder = Folder::new();
    let records =
        |labels: &[u8]| -> Vec<u8> { labels.iter().flat_map(|&fine| [&[200], &record(fine)[..]].concat()).collect() };
    folder.write("train.bin", &records(&[3, 0, 2]));
    folder.write("test.bin", &records(&[1, 3]));
    folder.write("fine_label_names.txt", b"apple\naquarium_fish\nbaby\nbear\n");
    folder.write("coarse_label_names.txt", b"aquatic_mammals\nfish\n");
    folder
}

#[test]
fn the_classes_of_cifar_100_are_its_fine_labels() {
    let folder = cifar_100_folder();
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((sets.layout.name(), sets.layout.crops_and_mirrors()), ("CIFAR-100", true));
    assert_eq!((labels(&*sets.train), labels(&*sets.eval)), (vec![3, 0, 2], vec![1, 3]));
    assert_eq!(sets.train.classes(), ["apple", "aquarium_fish", "baby", "bear"]);
    assert_eq!(pixels(&*sets.train, 2)[..6], [0, 2, 255, 1, 2, 254]);
}

#[test]
fn faults_of_cifar_100_are_named_and_its_common_names_alone_are_no_data_set() {
    let folder = cifar_100_folder();
    let whole = std::fs::read(folder.path().join("train.bin")).unwrap();
    folder.write("train.bin", &whole[..whole.len() - 1]);
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap().to_string();
    assert!(error.contains("train.bin: truncated"), "{error}");
    folder.write("train.bin", &whole);
    folder.write("fine_label_names.txt", b"apple\naquarium_fish\nbaby\n");
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap().to_string();
    assert!(error.contains("label 3 of image 0") && error.contains("fine_label_names.txt"), "{error}");
    std::fs::remove_file(folder.path().join("fine_label_names.txt")).unwrap();
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, DataError::UnknownLayout { .. }), "{error}");
}
