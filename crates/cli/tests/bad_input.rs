//! End to end: every wrong input ends in one message that names it, and exit code 1 (the machine's or the data's fault) or 2 (the
//! command line's).

mod common;

use std::fs;

use common::{arg, expect, expect_error, idx_data, image_file, image_folders, trained};

fn train_args<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--device", "cpu", "--epochs", "1", "--data", data], more].concat()
}

#[test]
fn data_that_is_missing_unknown_or_truncated() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    let more = ["--out", arg(&out)];
    expect_error(1, &train_args(arg(&data), &more), &[arg(&data), "no such file or folder"]);
    fs::create_dir(&data).expect("made");
    expect_error(1, &train_args(arg(&data), &more), &["no known data set", "train-images-idx3-ubyte"]);
    idx_data(&data);
    let images = data.join("train-images-idx3-ubyte");
    let whole = fs::read(&images).expect("read");
    fs::write(&images, &whole[..whole.len() - 10]).expect("written");
    expect_error(1, &train_args(arg(&data), &more), &["train-images-idx3-ubyte", "truncated"]);
    fs::remove_file(&images).expect("removed");
    expect_error(1, &train_args(arg(&data), &more), &["train-images-idx3-ubyte", "no such file"]);
    assert!(!out.exists(), "no run folder is left of a run that could not start");
}

#[test]
fn corrupt_images_are_named_and_counted_or_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    image_folders(&data);
    let bad = data.join("train/rows/1.jpg");
    let whole = fs::read(&bad).expect("read");
    fs::write(&bad, &whole[..whole.len() / 2]).expect("written");
    let args = train_args(arg(&data), &["--size", "8", "--model", "small-cnn", "--out", arg(&out)]);
    expect_error(1, &[&args[..], &["--strict"]].concat(), &["1.jpg", "corrupt image"]);
    let (text, err) = expect(0, &args);
    assert!(err.contains("skipped 1 unreadable image ") && err.contains("1.jpg"), "{err}");
    assert!(text.contains("29 training and 12 validation images"), "{text}");
}

#[test]
fn names_and_numbers_of_the_command_line() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let cases: [(&[&str], &[&str]); 11] = [
        (&["--model", "resnet999"], &["resnet999", "resnet20", "small-cnn"]),
        (&["--lr", "-1"], &["--lr", "above 0"]),
        (&["--lr", "NaN"], &["--lr", "above 0"]),
        (&["--batch-size", "0"], &["--batch-size", "at least 1"]),
        (&["--limit", "0"], &["limit"]),
        (&["--label-smoothing", "1.5"], &["--label-smoothing", "below 1"]),
        (&["--clip", "0"], &["clip"]),
        (&["--warmup", "9"], &["--warmup", "from 0 to 1 epochs"]),
        (&["--augment", "crop,none"], &["--augment", "none"]),
        (&["--warmup", "0.5", "--schedule", "onecycle"], &["--warmup", "onecycle"]),
        (&["--momentum", "0.5", "--optimizer", "adam"], &["--momentum", "sgd"]),
    ];
    for (option, parts) in cases {
        let given = [option, &["--out", arg(&out)]].concat();
        // Of the two spellings, only this one lets a value start with a dash.
        let joined = format!("{}={}", given[0], given[1]);
        expect_error(2, &train_args(arg(&data), &[&[joined.as_str()], &given[2..]].concat()), parts);
    }
    let device = ["train", "--device", "warp-drive", "--data", arg(&data), "--out", arg(&out)];
    expect_error(2, &device, &["warp-drive", "cpu", "reference"]);
    expect_error(2, &["verify", "--model", "nonesuch"], &["nonesuch", "resnet18"]);
    expect_error(2, &["summary", "nonesuch"], &["nonesuch", "resnet18"]);
    expect_error(2, &["bench", "--device", "cpu", "--filter", "no such row"], &["no such row"]);
    expect_error(2, &["bench", "--filter", "matmul", "--profile", arg(&out)], &["--profile", "one row", "matmul 256"]);
    expect_error(2, &["bench", "--limit=-1"], &["--limit", "-1"]);
    // What the parser itself refuses.
    for args in [&["train", "--size", "0"][..], &["train", "--epochs", "few"], &["conquer"], &["predict"]] {
        let (_, err) = expect(2, args);
        assert!(err.starts_with("error: "), "{err}");
    }
    assert!(!out.exists());
}

#[test]
fn shapes_that_do_not_fit() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let more = ["--size", "4", "--model", "tutorial-cnn", "--out", arg(&out)];
    expect_error(1, &train_args(arg(&data), &more), &["conv2", "4"]);
    let more = ["--batch-size", "49", "--out", arg(&out)];
    expect_error(2, &train_args(arg(&data), &more), &["48 images", "49"]);
}

#[test]
fn runs_and_weights_that_are_none() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    let nowhere = root.path().join("nowhere");
    for command in [&["eval", arg(&nowhere)][..], &["train", "--resume", arg(&nowhere)]] {
        expect_error(2, command, &["nowhere", "no such folder"]);
    }
    expect_error(2, &["train", "--resume", arg(&data)], &["args.toml"]);
    expect_error(2, &["train", "--resume", arg(&run), "--batch-size", "4"], &["--batch-size", "cannot be changed"]);
    let weights = run.join("weights/best.safetensors");
    let whole = fs::read(&weights).expect("read");
    fs::write(&weights, &whole[..whole.len() - 100]).expect("written");
    expect_error(1, &["eval", arg(&run), "--device", "cpu"], &["weights/best.safetensors", "truncated"]);
    fs::write(run.join("args.toml"), "{ not TOML").expect("written");
    expect_error(1, &["train", "--resume", arg(&run)], &["args.toml"]);
}

#[test]
fn files_that_cannot_be_classified_are_named_and_the_others_done() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let [good, text, missing] = ["good.png", "text.png", "missing.png"].map(|name| root.path().join(name));
    image_file(&good, 1, 3);
    fs::write(&text, "no image at all").expect("written");
    let (out, err) = expect(1, &["predict", arg(&run), arg(&text), arg(&missing), arg(&good), "--device", "cpu"]);
    assert!(out.contains("good.png: "), "{out}");
    assert!(err.contains("text.png: corrupt image") && err.contains("missing.png: no such file"), "{err}");
}

#[test]
fn data_of_other_classes() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let other = root.path().join("other");
    idx_data(&other);
    fs::write(other.join("classes.txt"), "red\ngreen\nblue").expect("written");
    expect_error(1, &["eval", arg(&run), "--data", arg(&other), "--device", "cpu"], &["red", "rows"]);
}
