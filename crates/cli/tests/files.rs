//! End to end: splits, what is left out of folders, files that are none, and names that a terminal would obey.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, expect_error, image_file, image_folders, trained};

/// A run of one epoch on image folders, of which the test images beside the others are all of one class; gives the run.
fn trained_on_folders(root: &Path) -> (String, String) {
    let (data, run) = (root.join("data"), root.join("run"));
    image_folders(&data);
    for class in ["rows", "columns", "checks"] {
        fs::create_dir_all(data.join("test").join(class)).expect("made");
    }
    for i in 0..5 {
        image_file(&data.join(format!("test/rows/{i}.png")), 0, 900 + i);
    }
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    let (out, _) = expect(0, &[&args[..], &["--model", "small-cnn", "--out", arg(&run)]].concat());
    assert!(out.contains("30 training and 12 validation images"), "{out}");
    assert!(out.contains("training images a class: checks 10, columns 10, rows 10"), "{out}");
    assert!(out.contains(", val loss ") && out.contains("best val accuracy "), "{out}");
    (arg(&data).to_string(), arg(&run).to_string())
}

#[test]
fn a_split_is_evaluated_by_its_name_and_the_others_are_not_opened() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained_on_folders(root.path());
    fs::remove_dir_all(Path::new(&data).join("train")).expect("removed");
    let (out, _) = expect(0, &["eval", &run, "--device", "cpu"]);
    assert!(out.contains("small-cnn on 12 validation images of "), "{out}");
    let (out, err) = expect(0, &["eval", &run, "--device", "cpu", "--split", "test"]);
    assert!(out.contains("small-cnn on 5 test images of "), "{out}");
    assert!(err.contains("warning: there is no test image of 2 classes: checks, columns"), "{err}");
    let missing = ["no training images", "there is no folder train or training", "val and test"];
    expect_error(1, &["eval", &run, "--device", "cpu", "--split", "train"], &missing);
    expect_error(2, &["eval", &run, "--split", "all"], &["'all' is no split"]);
}

#[test]
fn what_is_left_out_is_told_by_name_ending_and_cause() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    image_folders(&data);
    for name in ["rows/a.heic", "rows/b.HEIC", "checks/notes"] {
        fs::write(data.join("train").join(name), "").expect("written");
    }
    fs::write(data.join("train/rows/2.jpg"), b"\0\0\0\x1Cftypheic\0\0\0\0").expect("written");
    image_file(&data.join("train/stray.png"), 0, 1);
    for i in 0..4 {
        fs::write(data.join(format!("val/rows/{i}.png")), "no image").expect("written");
        fs::remove_file(data.join(format!("val/rows/{i}.jpg"))).ok();
    }
    let out = root.path().join("run");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    let (_, err) = expect(0, &[&args[..], &["--model", "small-cnn", "--out", arg(&out)]].concat());
    for part in [
        "left out 3 files not named as images (2 .heic, 1 without an ending); convert images to PNG or JPEG to use them:",
        "rows/a.heic",
        "skipped 5 unreadable images (--strict refuses them):",
        "2.jpg holds HEIC, which chiaro does not read yet; convert it to PNG or JPEG",
        "left out 1 image beside the class folders",
        "stray.png",
        "warning: there is no validation image of 1 class: rows",
    ] {
        assert!(err.contains(part), "{part:?} is not in: {err}");
    }
}

#[test]
fn one_class_is_refused_and_so_is_one_whose_images_alone_are_readable() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    image_folders(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--model", "small-cnn"];
    for class in ["rows", "checks"] {
        for file in fs::read_dir(data.join("train").join(class)).expect("a folder") {
            fs::write(file.expect("a file").path(), "no image").expect("written");
        }
    }
    expect_error(1, &args, &["all 10 training images are of the class 'columns'", "two classes"]);
    for split in ["train", "val"] {
        for class in ["rows", "checks"] {
            fs::remove_dir_all(data.join(split).join(class)).expect("removed");
        }
    }
    expect_error(1, &args, &["'columns' is the only class folder"]);
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_wherever_a_file_is_meant() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let pipe = root.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    expect_error(1, &["predict", arg(&run), arg(&pipe), "--device", "cpu"], &["pipe: is a pipe, not a file"]);
    expect_error(1, &["predict", arg(&run), "/dev/zero", "--device", "cpu"], &["/dev/zero: is a device, not a file"]);
    let checkpoint = run.join("checkpoint.safetensors");
    fs::remove_file(&checkpoint).expect("removed");
    std::os::unix::fs::symlink(&pipe, &checkpoint).expect("linked");
    let resume = ["train", "--resume", arg(&run), "--epochs", "3", "--device", "cpu"];
    // The run goes on from the checkpoint before.
    let (_, notes) = expect(0, &resume);
    assert!(notes.contains("checkpoint.safetensors is not usable") && notes.contains("not a file"), "{notes}");
}

#[cfg(unix)]
#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    image_folders(&data);
    for split in ["train", "val"] {
        fs::rename(data.join(split).join("rows"), data.join(split).join("\u{1b}[31mrows")).expect("renamed");
    }
    fs::write(data.join("train/checks/\u{1b}]0;title\u{7}.png"), "no image").expect("written");
    let run = root.path().join("run");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    let (trained, notes) = expect(0, &[&args[..], &["--model", "small-cnn", "--out", arg(&run)]].concat());
    let (evaluated, _) = expect(0, &["eval", arg(&run), "--device", "cpu"]);
    let (_, error) = expect(1, &["predict", arg(&run), "\u{1b}[2J", "--device", "cpu"]);
    for text in [trained, notes, evaluated, error] {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
        assert!(text.contains(r"\u{1b}"), "{text}");
    }
}
