//! End to end on a task that is not learnt to 100 %, so that the best epoch is one of several, ties come up, and batches are not full.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{NOISY, arg, expect, expect_error, noisy_data, rows, write_idx};

const EPOCHS: usize = 12;

/// A run on noisy data; gives the folders of data and run, and what it printed.
fn noisy(root: &Path, more: &[&str]) -> (PathBuf, PathBuf, String) {
    let (data, run) = (root.join("data"), root.join("run"));
    noisy_data(&data);
    let epochs = EPOCHS.to_string();
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", &epochs, "--batch-size", "8"];
    let (out, _) = expect(0, &[&args[..], more, &["--out", arg(&run)]].concat());
    (data, run, out)
}

/// The epoch of the highest accuracy in the table, of equal ones that of the lowest loss, and that accuracy.
fn best(run: &Path) -> (usize, f64) {
    let rows = rows(run);
    let first = (1..rows.len()).fold(0, |best, at| if beats(&rows[at], &rows[best]) { at } else { best });
    (first + 1, rows[first][5])
}

/// Whether an epoch is better than another.
fn beats(row: &[f64], other: &[f64]) -> bool {
    row[5] > other[5] || (row[5] == other[5] && row[4] < other[4])
}

/// What a file of weights tells of itself.
fn told(weights: &Path, key: &str) -> String {
    let bytes = fs::read(weights).expect("read");
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..end]).expect("JSON");
    header["__metadata__"][format!("extra.{key}")].as_str().expect("told").to_string()
}

#[test]
fn the_epoch_that_is_told_is_the_best_and_the_one_in_the_file() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run, out) = noisy(root.path(), &[]);
    let (epoch, accuracy) = best(&run);
    assert!(accuracy < 1.0, "the task is not to be learnt whole: {out}");
    let line = format!("best test accuracy {:.2} % in epoch {epoch}; saved in {}", accuracy * 100.0, run.display());
    assert!(out.contains(&line), "{line}: {out}");
    assert_eq!(told(&run.join("weights/best.safetensors"), "epoch"), epoch.to_string());
    assert_eq!(told(&run.join("weights/last.safetensors"), "epoch"), EPOCHS.to_string());
    let (eval, _) = expect(0, &["eval", arg(&run), "--device", "cpu"]);
    assert!(eval.contains(&format!("accuracy {:.2} %", accuracy * 100.0)), "{eval}");
    // Marked are the epochs that were better than all before them.
    let marked: Vec<bool> = out.lines().filter(|l| l.starts_with("epoch ")).map(|l| l.contains("(best)")).collect();
    let rows = rows(&run);
    let mut best = 0;
    for (at, marked) in marked.into_iter().enumerate() {
        assert_eq!(marked, at == 0 || beats(&rows[at], &rows[best]), "epoch {}: {out}", at + 1);
        best = if marked { at } else { best };
    }
    // A finished run tells the same, also without its table, which it makes again.
    let table = fs::read(run.join("results.csv")).expect("read");
    fs::remove_file(run.join("results.csv")).expect("removed");
    let (out, _) = expect(0, &["train", "--resume", arg(&run)]);
    assert!(out.contains(&line) && out.contains("all 12 epochs are done"), "{out}");
    assert_eq!(fs::read(run.join("results.csv")).expect("read"), table);
}

#[test]
fn images_that_fill_no_batch_are_told_and_those_of_the_last_evaluated_batch_counted() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run, out) = noisy(root.path(), &[]);
    let line = "steps: 6 an epoch, of 8 images each; 2 more fill no batch and are left out, others in each epoch";
    assert!(out.lines().any(|l| l == line), "{out}");
    for row in rows(&run) {
        // Of 48 images trained on and 21 evaluated, a whole number is right.
        for (share, images) in [(row[3], 48.0), (row[5], NOISY[1] as f64)] {
            let right = share * images;
            assert!((right - right.round()).abs() < 1e-9, "{share} of {images}");
        }
    }
    // Evaluated in other batches, the same images give the same numbers.
    let shown = |folder: &Path| {
        let (out, _) = expect(0, &["eval", arg(folder), "--data", arg(&data), "--device", "cpu"]);
        let line = |start: &str| out.lines().find(|l| l.starts_with(start)).expect("a line").to_string();
        (line("loss "), line("small-cnn on 21 "))
    };
    let alone = root.path().join("alone.safetensors");
    fs::copy(run.join("weights/best.safetensors"), &alone).expect("copied");
    assert_eq!(shown(&run), shown(&alone));
}

#[test]
fn the_end_tells_what_to_do_next() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run, out) = noisy(root.path(), &[]);
    let last: Vec<&str> = out.lines().rev().take(4).collect();
    let report = run.join("report.html");
    assert!(report.is_file());
    assert_eq!(last[3], format!("curves, mistakes and measures of each class: {}", report.display()));
    assert_eq!(last[2], format!("evaluate it with: chiaro eval {}", run.display()));
    assert_eq!(last[1], format!("classify images with: chiaro predict {} FILES", run.display()));
    assert_eq!(last[0], format!("use it elsewhere with: chiaro export {}", run.display()));
}

#[test]
fn validation_images_are_called_so() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    common::image_folders(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    let (out, _) = expect(0, &[&args[..], &["--out", arg(&run)]].concat());
    for part in ["30 training and 12 validation images", ", val loss ", ", val accuracy ", "best val accuracy "] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("test"), "{out}");
    // Without them some would be held out of the training images, which are then others.
    fs::rename(data.join("val"), data.join("test")).expect("renamed");
    expect_error(1, &["train", "--resume", arg(&run), "--epochs", "2"], &["24 training images", "trained on 30"]);
}

#[test]
fn a_finished_run_is_not_shortened() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run, _) = noisy(root.path(), &[]);
    let all = || {
        [run.clone(), run.join("weights")]
            .into_iter()
            .flat_map(|of| common::names(&of).into_iter().map(move |name| of.join(name)))
    };
    let files = || all().filter(|path| path.is_file()).map(|path| fs::read(path).expect("read"));
    let before: Vec<Vec<u8>> = files().skip(1).collect();
    expect_error(2, &["train", "--resume", arg(&run), "--epochs", "3"], &["12 epochs already", "3"]);
    assert!(files().skip(1).eq(before), "only the lock may have changed");
}

#[test]
fn changed_data_and_settings_are_told_or_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run, _) = noisy(root.path(), &[]);
    let more = ["train", "--resume", arg(&run), "--epochs", "13"];
    write_idx(&data, [30, 21], |i| i % 3);
    expect_error(1, &more, &["30 training images", "trained on 50"]);
    write_idx(&data, NOISY, |i| i % 3);
    expect_error(1, &more, &["labels"]);
    noisy_data(&data);
    let config = fs::read_to_string(run.join("args.toml")).expect("read");
    let edited = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        fs::write(run.join("args.toml"), config.replace(from, to)).expect("written");
    };
    edited("weight_decay = 0.01", "weight_decay = 0.5");
    expect_error(2, &more, &["weight_decay is 0.5", "made with 0.01", "args.toml"]);
    edited("\nlr = 0.003", "\nlr = 0.001");
    let (_, err) = expect(0, &more);
    assert!(err.contains("note: lr is 0.001 from here on, 0.003 before"), "{err}");
    assert!(err.contains("note: epochs is 13 from here on, 12 before"), "{err}");
    assert_eq!(rows(&run).len(), 13);
}

#[test]
fn a_damaged_checkpoint_is_told_in_one_line_and_the_run_ends_as_if_it_were_whole() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run, _) = noisy(root.path(), &[]);
    let weights =
        || ["best", "last"].map(|name| fs::read(run.join(format!("weights/{name}.safetensors"))).expect("read"));
    let before = weights();
    let path = run.join("checkpoint.safetensors");
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("written");
    let (out, err) = expect(0, &["train", "--resume", arg(&run)]);
    let notes: Vec<&str> = err.lines().collect();
    assert_eq!(notes.len(), 1, "{err}");
    assert!(notes[0].contains("is damaged") && notes[0].contains("of 11 epochs"), "{err}");
    assert!(out.contains("epoch 12: ") && !out.contains("epoch 11: "), "{out}");
    assert!(weights() == before, "the twelfth epoch was done again");
}

#[test]
fn damaged_weights_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run, _) = noisy(root.path(), &[]);
    let path = run.join("weights/best.safetensors");
    let mut bytes = fs::read(&path).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 128;
    fs::write(&path, bytes).expect("written");
    let image = root.path().join("a.png");
    common::image_file(&image, 0, 5);
    expect_error(1, &["eval", arg(&run), "--device", "cpu"], &["best.safetensors is damaged", "checksum"]);
    expect_error(1, &["predict", arg(&run), arg(&image), "--device", "cpu"], &["best.safetensors is damaged"]);
}
