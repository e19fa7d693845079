//! The splits of a data set: by their names, one without the others, and a part of one.

mod common;

use std::fs;
use std::sync::Arc;

use chiaro_data::{DataError, Dataset, Holdout, OpenOptions, Progress, Split, class_counts, open, open_split};
use common::{Folder, encode, flat_rgb, idx_folder, image_folder, labels, pixels};
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
    assert!(
        error.to_string().contains("no training images: there is no folder train or training; what is there: val"),
        "{error}"
    );

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
fn folders_of_splits_have_several_names_in_any_case() {
    for (train, val) in [("train", "val"), ("Train", "valid"), ("TRAIN", "Validation"), ("training", "DEV")] {
        let folder = image_folder();
        fs::rename(folder.path().join("train"), folder.path().join(train)).unwrap();
        fs::rename(folder.path().join("val"), folder.path().join(val)).unwrap();
        let sets = open(folder.path(), &OpenOptions::default()).unwrap();
        assert_eq!((sets.split, sets.train.len(), sets.eval.len(), sets.held_out), (Split::Val, 4, 2, false));
        assert_eq!(val.parse::<Split>(), Ok(Split::Val));
    }
    assert!("nonesuch".parse::<Split>().unwrap_err().contains("train, val and test"));
}

#[test]
fn two_folders_of_one_split_are_refused() {
    let folder = image_folder();
    folder.write("Valid/red/1.png", b"");
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap().to_string();
    assert!(
        error.contains("Valid and ")
            && error.ends_with("are both names of validation images: move them into one folder"),
        "{error}"
    );
}

/// Ten images of each of two classes straight below the folder, each of its own colour.
fn undivided() -> Folder {
    let folder = Folder::new();
    for (class, first) in [("cat", 0), ("dog", 100)] {
        for i in 0..10 {
            folder.write(
                &format!("{class}/a{}/{i}_x.png", i / 5),
                &encode(flat_rgb(3, 3, [first + i, 0, 0]), ImageFormat::Png),
            );
        }
    }
    folder
}

/// What tells the images of a set apart.
fn colours(set: &dyn Dataset) -> Vec<u8> {
    (0..set.len()).map(|i| pixels(set, i)[0]).collect()
}

#[test]
fn class_folders_alone_are_divided_and_evaluated_as_they_were() {
    let folder = undivided();
    let options = OpenOptions::default();
    let sets = open(folder.path(), &options).unwrap();
    assert_eq!((sets.split, sets.held_out), (Split::Val, true));
    assert_eq!(sets.train.classes(), ["cat", "dog"]);
    assert_eq!((class_counts(&*sets.train), class_counts(&*sets.eval)), (vec![8, 8], vec![2, 2]));
    let mut all = [colours(&*sets.train), colours(&*sets.eval)].concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).chain(100..110).collect::<Vec<u8>>());
    for (split, whole) in [(None, &sets.eval), (only(Split::Val), &sets.eval), (only(Split::Train), &sets.train)] {
        let opened = open_split(folder.path(), split, &options).unwrap();
        assert_eq!(colours(&*opened.set), colours(&**whole), "{split:?}");
        assert!(!opened.undivided);
    }
    let error = open_split(folder.path(), only(Split::Test), &options).err().unwrap().to_string();
    assert!(
        error.ends_with("no test images: the folders are of classes, not of splits; what is there: train"),
        "{error}"
    );

    let other = OpenOptions { holdout: Some(Holdout { seed: 1, ..Holdout::default() }), ..options.clone() };
    assert_ne!(colours(&*open(folder.path(), &other).unwrap().eval), colours(&*sets.eval));
    // Who held nothing out of it sees all of it.
    let whole = open_split(folder.path(), None, &OpenOptions { holdout: None, ..options }).unwrap();
    assert_eq!((whole.set.len(), whole.undivided), (20, true));
}

#[test]
fn groups_by_folder_stay_together() {
    let folder = undivided();
    let group_by = Some("/".parse().unwrap());
    let options = OpenOptions { holdout: Some(Holdout { group_by, ..Holdout::default() }), ..OpenOptions::default() };
    let sets = open(folder.path(), &options).unwrap();
    let mut held_out = colours(&*sets.eval);
    held_out.sort_unstable();
    let first: Vec<u8> = (0..5).chain(100..105).collect();
    let second: Vec<u8> = (5..10).chain(105..110).collect();
    assert!(held_out == first || held_out == second, "{held_out:?}");
}

#[test]
fn test_images_are_never_looked_at_where_others_can_be_held_out() {
    let folder = undivided();
    let root = Folder::new();
    fs::rename(folder.path(), root.path().join("Train")).unwrap();
    fs::create_dir(folder.path()).unwrap();
    root.write("test/cat/1.png", b"bad");
    let options = OpenOptions { strict: true, ..OpenOptions::default() };
    let sets = open(root.path(), &options).unwrap();
    assert_eq!((sets.split, sets.held_out, sets.eval.len()), (Split::Val, true, 4));
    // Of published sets the test images are evaluated on, unless others are asked for.
    let folder = idx_folder();
    assert_eq!(open(folder.path(), &options).unwrap().split, Split::Test);
    let asked = OpenOptions { holdout: Some(Holdout { share: Some(0.5), ..Holdout::default() }), ..options };
    let error = open(folder.path(), &asked).err().unwrap().to_string();
    assert!(error.contains("a class needs two of them at least"), "{error}");
    folder.write("train-labels-idx1-ubyte", &common::idx(&[3], &[5, 5, 5]));
    let sets = open(folder.path(), &asked).unwrap();
    assert_eq!((sets.split, sets.train.len(), sets.eval.len()), (Split::Val, 1, 2));
    // What has validation images needs no others.
    let error = open(image_folder().path(), &asked).err().unwrap().to_string();
    assert!(error.contains("has validation images of its own"), "{error}");
    let group_by = Some("_".parse().unwrap());
    let grouped = OpenOptions { holdout: Some(Holdout { group_by, ..Holdout::default() }), ..OpenOptions::default() };
    let error = open(image_folder().path(), &grouped).err().unwrap().to_string();
    assert!(error.contains("has validation images of its own") && error.contains("--group-by"), "{error}");
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

#[test]
fn a_class_that_is_called_as_a_split_is_one_beside_other_classes() {
    let data = Folder::new();
    for class in ["train", "bus", "test"] {
        for i in 0..6 {
            data.write(&format!("{class}/{i}.png"), &png());
        }
    }
    let opened = open(data.path(), &OpenOptions::default()).unwrap();
    assert_eq!(opened.train.classes(), ["bus", "test", "train"]);
    assert_eq!(opened.layout.name(), "class folders without splits");
    // Without another class nobody can tell; with class folders they are splits.
    let alone = Folder::new();
    alone.write("train/1.png", &png());
    alone.write("test/1.png", &png());
    let error = open(alone.path(), &OpenOptions::default()).err().unwrap().to_string();
    assert!(error.contains("is a class and not the training images, give it another name"), "{error}");
}

#[test]
fn images_whose_names_lack_the_part_to_group_by_are_told() {
    let data = Folder::new();
    for (class, i) in [("a", 0), ("a", 1), ("a", 2), ("b", 3), ("b", 4), ("b", 5)] {
        let name = if i == 2 { "alone".to_string() } else { format!("p{i}_1") };
        data.write(&format!("{class}/{name}.png"), &png());
    }
    let holdout = Some(Holdout { group_by: Some("_".parse().unwrap()), ..Holdout::default() });
    let opened = open(data.path(), &OpenOptions { holdout, ..OpenOptions::default() }).unwrap();
    assert_eq!(opened.notes.ungrouped, ["a/alone.png"]);
}

fn png() -> Vec<u8> {
    encode(flat_rgb(3, 3, [9; 3]), ImageFormat::Png)
}
