//! End to end: how data lies on disk, and what is trained and evaluated on of it.

mod common;

use std::fs;
use std::path::Path;

use common::{CLASSES, arg, expect, expect_error, image_file, image_folders};

/// A folder for each class with ten images of two series each, and nothing else.
fn class_folders(folder: &Path) {
    for (class, name) in CLASSES.iter().enumerate() {
        fs::create_dir_all(folder.join(name)).expect("made");
        (0..10).for_each(|i| image_file(&folder.join(name).join(format!("s{}_{i}.png", i % 2)), class, i));
    }
}

/// Trains on a folder for an epoch; what is said of the data.
fn trained_on(folder: &Path, run: &Path, more: &[&str]) -> String {
    let args = ["train", arg(folder), "--device", "cpu", "--size", "8", "--model", "small-cnn", "--epochs", "1"];
    let (out, _) = expect(0, &[&args[..], &["--batch-size", "4", "--out", arg(run)], more].concat());
    out.lines().find(|line| line.starts_with("data: ")).expect("a line on the data").to_string()
}

#[test]
fn class_folders_alone_train_and_the_same_images_are_evaluated_on() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("photos"), root.path().join("run"));
    class_folders(&data);
    let line = trained_on(&data, &run, &[]);
    assert!(line.ends_with("24 training and 6 validation images, held out: 20 % of each class by seed 0"), "{line}");
    let table = fs::read_to_string(run.join("metrics.csv")).expect("a table");
    let accuracy: f64 = table.lines().last().and_then(|row| row.split(',').nth(5)?.parse().ok()).expect("an accuracy");
    let (out, _) = expect(0, &["eval", arg(&run), "--device", "cpu"]);
    assert!(out.starts_with("small-cnn on 6 validation images"), "{out}");
    assert!(out.contains(&format!("accuracy {:.2} %", accuracy * 100.0)), "{accuracy} {out}");
    // Of another folder nothing was held out.
    let other = root.path().join("others");
    class_folders(&other);
    let (out, _) = expect(0, &["eval", arg(&run), "--device", "cpu", "--data", arg(&other)]);
    assert!(out.starts_with("small-cnn on 30 images of "), "{out}");
}

#[test]
fn what_is_held_out_is_a_share_a_fold_or_whole_groups() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("photos");
    class_folders(&data);
    for (name, more, expected) in [
        (
            "a",
            &["--val-share", "0.5"][..],
            "15 training and 15 validation images, held out: 50 % of each class by seed 0",
        ),
        ("b", &["--folds", "5", "--fold", "2"], "24 training and 6 validation images, held out: fold 2 of 5 by seed 0"),
        (
            "c",
            &["--group-by", "_", "--seed", "3"],
            "15 training and 15 validation images, held out: 20 % of each class by seed 3, in groups by '_'",
        ),
    ] {
        let line = trained_on(&data, &root.path().join(name), more);
        assert!(line.ends_with(expected), "{line}");
    }
    for (more, part) in [
        (&["--folds", "3", "--fold", "4"][..], "there is no fold 4 of 3"),
        (&["--folds", "3", "--val-share", "0.5"], "exclude each other"),
        (&["--fold", "2"], "--fold means nothing without --folds"),
    ] {
        expect_error(2, &[&["train", arg(&data)], more].concat(), &[part]);
    }
    let split = root.path().join("split");
    image_folders(&split);
    expect_error(1, &["train", arg(&split), "--folds", "3"], &["has validation images of its own"]);
    let images = data.join("rows");
    expect_error(
        1,
        &["train", arg(&images)],
        &["images straight in it: each belongs into a folder named as its class"],
    );
    expect(2, &["train", arg(&data), "--data", arg(&data)]);
}
