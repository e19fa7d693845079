//! The splits of a data set: by their names, one without the others, and a part of one.

mod common;

use std::fs;
use std::sync::Arc;

use chiaro_data::{DataError, OpenOptions, Progress, Split, open, open_split};
use common::{encode, flat_rgb, idx_folder, image_folder, labels, pixels};
use image::ImageFormat;

fn only(split: Split) -> Option<Split> {
    Some(split)
}

#[test]
fn validation_images_are_watched_and_test_images_kept_for_the_end() {
    let folder = image_folder();
    for class in ["blue", "red"] {
        for i in 0..3 {
            folder.write(&format!("test/{class}/{i}.png"), &encode(flat_rgb(3, 3, [9, i, 9]), ImageFormat::Png));
        }
    }
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((sets.split, sets.eval.len()), (Split::Val, 2));
    for (asked, split, images) in [
        (None, Split::Val, 2),
        (only(Split::Val), Split::Val, 2),
        (only(Split::Test), Split::Test, 6),
        (only(Split::Train), Split::Train, 4),
    ] {
        let opened = open_split(folder.path(), asked, &OpenOptions::default()).unwrap();
        assert_eq!((opened.split, opened.set.len(), opened.layout.name()), (split, images, "class folders"));
    }
}

#[test]
fn a_split_is_opened_without_the_others() {
    let folder = image_folder();
    fs::remove_dir_all(folder.path().join("train")).unwrap();
    let opened = open_split(folder.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(labels(&*opened.set), [0, 1]);
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    assert!(error.to_string().contains("no training images: there is no folder train; what is there: val"), "{error}");

    let folder = idx_folder();
    let whole = open(folder.path(), &OpenOptions::default()).unwrap();
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let opened = open_split(folder.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!((opened.split, labels(&*opened.set)), (Split::Test, labels(&*whole.eval)));
    let error = open_split(folder.path(), only(Split::Val), &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, DataError::NoSplit { split: Split::Val, .. }), "{error}");
    assert!(error.to_string().ends_with("no validation images: such data has none; what is there: test"), "{error}");
}

#[test]
fn validation_folders_have_three_names() {
    for name in ["val", "valid", "validation"] {
        let folder = image_folder();
        fs::rename(folder.path().join("val"), folder.path().join(name)).unwrap();
        assert_eq!(open(folder.path(), &OpenOptions::default()).unwrap().split, Split::Val);
        assert_eq!(name.parse::<Split>(), Ok(Split::Val));
    }
    assert!("nonesuch".parse::<Split>().unwrap_err().contains("train, val and test"));
}

#[test]
fn a_limit_opens_no_more_than_it_says() {
    let folder = image_folder();
    // By their places, the first and the third of four are taken.
    folder.write("train/blue/b.png", b"bad");
    folder.write("train/red/2.png", b"bad");
    let progress = Arc::new(Progress::default());
    let options =
        OpenOptions { limit: Some(2), strict: true, progress: Some(Arc::clone(&progress)), ..OpenOptions::default() };
    let sets = open(folder.path(), &options).unwrap();
    assert_eq!((labels(&*sets.train), labels(&*sets.eval)), (vec![0, 1], vec![0, 1]));
    assert_eq!(progress.now(), ("decoded", 4, 4));

    let options = OpenOptions { limit: Some(2), size: Some([4, 4]), ..OpenOptions::default() };
    let folder = idx_folder();
    let sets = open(folder.path(), &options).unwrap();
    assert_eq!((labels(&*sets.train), labels(&*sets.eval)), (vec![5, 0], vec![7, 2]));
    let whole = open(folder.path(), &OpenOptions { limit: None, ..options }).unwrap();
    assert_eq!(pixels(&*sets.train, 1), pixels(&*whole.train, 1));
    assert!(open(folder.path(), &OpenOptions { limit: Some(0), ..OpenOptions::default() }).is_err());
}
