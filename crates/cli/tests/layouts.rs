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
    let accuracy = *common::column(&run, "metrics/accuracy_top1").last().expect("an epoch");
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
    // Without --fold each is held out in turn.
    let all = root.path().join("all");
    let args = ["train", arg(&data), "--device", "cpu", "--model", "small-cnn", "--size", "8", "--epochs", "1"];
    let (out, _) = expect(0, &[&args[..], &["--batch-size", "6", "--folds", "3", "--out", arg(&all)]].concat());
    assert!(out.contains("held out: fold 3 of 3") && out.contains("\n3 folds: loss "), "{out}");
    assert!((1..=3).all(|fold| all.join(format!("fold-{fold}/weights/last.safetensors")).exists()));
    expect_error(2, &[&args[..], &["--folds", "3", "--seeds", "2"]].concat(), &["choose one fold with --fold"]);
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

/// The pixels of an image with a bar along one side, wider than high.
fn wide_image(path: &Path, left: bool) {
    let image = image::GrayImage::from_fn(32, 16, |x, _| image::Luma([if (x < 8) == left { 255 } else { 0 }]));
    image.save(path).expect("saved");
}

#[test]
fn a_model_crops_as_it_was_trained_to_and_weights_tell_how() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("photos");
    class_folders(&data);
    let mut said = vec![];
    for policy in ["squash", "crop", "letterbox"] {
        let run = root.path().join(policy);
        trained_on(&data, &run, &["--resize", policy, "--channels", "1"]);
        let weights = fs::read(run.join("weights/last.safetensors")).expect("read");
        let text = String::from_utf8_lossy(&weights[..4096.min(weights.len())]).into_owned();
        assert!(text.contains(&format!("\"resize\":\"{policy}\"")) && text.contains("\"image\":\"[8,8,1]\""), "{text}");
        let image = root.path().join("wide.png");
        wide_image(&image, true);
        let alone = root.path().join(format!("{policy}.safetensors"));
        fs::copy(run.join("weights/last.safetensors"), &alone).expect("copied");
        said.push(expect(0, &["predict", arg(&alone), arg(&image), "--device", "cpu"]).0);
    }
    // The same training pictures, which are square, gave the same weights: only the wide image is seen otherwise.
    assert!(said[0] != said[1] && said[1] != said[2] && said[0] != said[2], "{said:?}");
}

#[test]
fn a_table_of_several_labels_is_learnt_as_such() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("photos"), root.path().join("run"));
    class_folders(&data);
    let row = |(class, name): (usize, &str)| {
        let label = |i: usize| if i.is_multiple_of(3) { format!("{name}|odd") } else { name.to_string() };
        (0..10).map(|i| format!("{name}/s{}_{i}.png,{}\n", i % 2, label(i + class))).collect::<String>()
    };
    let rows: String = CLASSES.into_iter().enumerate().map(row).collect();
    let table = data.join("labels.csv");
    fs::write(&table, format!("path,labels\n{rows}")).expect("written");
    let args = [
        "train",
        arg(&table),
        "--device",
        "cpu",
        "--size",
        "8",
        "--model",
        "small-cnn",
        "--epochs",
        "1",
        "--batch-size",
        "4",
    ];
    let (out, _) = expect(0, &[&args[..], &["--out", arg(&run)]].concat());
    assert!(out.contains("task: multi-label\n") && out.contains(" map "), "{out}");
    expect_error(2, &[&args[..], &["--task", "classification"]].concat(), &["--task multi-label learns"]);
}
