//! End to end: training, what it leaves behind, and going on with it.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, expect_error, idx_data, image_folders, names, program, rows, trained};

/// The files of a run of two epochs or more.
const FILES: [&str; 17] = [
    ".lock",
    "args.toml",
    "checkpoint.previous.safetensors",
    "checkpoint.safetensors",
    "confusion_matrix.png",
    "confusion_matrix_normalized.png",
    "events.out.tfevents.chiaro",
    "report.html",
    "results.csv",
    "results.json",
    "results.png",
    "train.log",
    "train_batch0.jpg",
    "train_batch1.jpg",
    "train_batch2.jpg",
    "val_batch0.jpg",
    "weights",
];

#[test]
fn a_run_leaves_settings_metrics_and_weights() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    assert_eq!(names(&run), FILES);
    let config = common::record(&run);
    assert_eq!(config["settings"]["epochs"], 2);
    assert_eq!(config["settings"]["model"], "small-cnn");
    let named = config["settings"]["data"].as_str().expect("a path");
    assert_eq!(Path::new(named), data.canonicalize().expect("there"));
    assert_eq!(config["data"]["image_shape"], serde_json::json!([8, 8, 1]));
    assert_eq!(config["data"]["classes"], serde_json::json!(common::CLASSES));
    let rows = rows(&run);
    assert_eq!(rows.iter().map(|row| (row[0], row[1])).collect::<Vec<_>>(), [(1.0, 6.0), (2.0, 12.0)]);
    assert!(rows[1][2] < rows[0][2], "the training loss falls: {rows:?}");
    assert!(rows.iter().all(|row| (0.0..=1.0).contains(&row[3]) && (0.0..=1.0).contains(&row[5])));
}

#[test]
fn the_tiny_task_is_learnt() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "8", "--batch-size", "8"];
    let (out, _) = expect(0, &[&args[..], &["--out", arg(&run)]].concat());
    let best = rows(&run).iter().map(|row| row[5]).fold(0.0, f64::max);
    assert!(best >= 0.9, "{best}: {out}");
}

#[test]
fn a_piped_run_prints_one_line_an_epoch_and_no_bars() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let run = root.path().join("run");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "3", "--out", arg(&run)];
    let (out, err) = expect(0, &args);
    for epoch in 1..=3 {
        let lines = out.lines().filter(|line| line.starts_with(&format!("epoch {epoch}: loss "))).count();
        assert_eq!(lines, 1, "{out}");
    }
    for text in ["total ", "steps: ", "device: ", "memory: ", "first step after ", "best test accuracy "] {
        assert_eq!(out.lines().filter(|line| line.starts_with(text)).count(), 1, "{text}: {out}");
    }
    assert!(!out.contains(['\r', '\u{1b}']) && err.is_empty(), "{out}{err}");
}

#[test]
fn a_run_that_goes_on_ends_like_one_that_was_never_interrupted() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, whole) = trained(root.path());
    // In the middle of the first epoch, at its end, and in the middle of the second.
    for steps in ["2", "6", "9"] {
        let run = root.path().join(steps);
        let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "2", "--batch-size", "8"];
        let interrupt = ["--out", arg(&run), "--interrupt-after", steps];
        let (out, _) = expect(130, &[&args[..], &interrupt].concat());
        assert!(out.contains(&format!("--resume {}", run.display())), "{out}");
        expect(0, &["train", "--resume", arg(&run)]);
        assert_eq!(names(&run), FILES);
        for file in ["weights/best.safetensors", "weights/last.safetensors", "results.json"] {
            let read = |folder: &Path| fs::read(folder.join(file)).expect("read");
            assert!(read(&run) == read(&whole), "{file} differs after an interruption at step {steps}");
        }
        for (a, b) in rows(&run).iter().flatten().zip(rows(&whole).iter().flatten()) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{a} {b} after an interruption at step {steps}");
        }
        assert_eq!(rows(&run).len(), 2);
    }
}

#[test]
fn random_changes_are_recorded_and_go_on_after_an_interruption() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, plain) = trained(root.path());
    let (whole, cut) = (root.path().join("whole"), root.path().join("cut"));
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "2", "--batch-size", "8"];
    let args = [&args[..], &["--augment", "crop,flip"]].concat();
    expect(0, &[&args[..], &["--out", arg(&whole)]].concat());
    let config = |run: &Path| common::record(run);
    assert_eq!(config(&whole)["settings"]["augment"], "crop=0.125,flip=0.5");
    assert_eq!(config(&plain)["settings"]["augment"], "none");
    // Goes on where the images are elsewhere, which changes nothing.
    expect(130, &[&args[..], &["--out", arg(&cut), "--interrupt-after", "3"]].concat());
    expect(0, &["train", "--resume", arg(&cut), "--resident", "off"]);
    let weights = |run: &Path| fs::read(run.join("weights/last.safetensors")).expect("read");
    assert!(weights(&cut) == weights(&whole), "the weights differ after an interruption");
    assert!(weights(&plain) != weights(&whole), "the changes change nothing");
    expect_error(2, &["train", "--resume", arg(&cut), "--augment", "none"], &["--augment cannot be changed"]);
}

#[test]
fn cifar_images_are_changed_at_random_unless_told_otherwise() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("batches.meta.txt"), "a\nb\n").expect("written");
    // Records of a label and three planes of 32x32 pixels.
    let records: Vec<u8> =
        (0..4 * 3073usize).map(|i| if i % 3073 == 0 { (i / 3073 % 2) as u8 } else { i as u8 }).collect();
    for name in
        ["1", "2", "3", "4", "5"].map(|n| format!("data_batch_{n}.bin")).iter().chain([&"test_batch.bin".into()])
    {
        fs::write(data.join(name), &records).expect("written");
    }
    let usual = "crop=0.0625,reflect=1,altflip=1";
    for (name, more) in [(usual, &[][..]), ("none", &["--augment", "none"])] {
        let run = root.path().join(name);
        let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "1", "--model", "small-cnn"];
        expect(0, &[&args[..], more, &["--out", arg(&run)]].concat());
        let config = common::record(&run);
        let shown = config["settings"]["augment"].as_str().expect("words");
        let sorted = |text: &str| text.split(',').map(String::from).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(sorted(shown), sorted(name));
    }
}

#[test]
fn the_data_is_on_the_device_unless_told_otherwise() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let run = |name: &str, more: &[&str]| {
        let run = root.path().join(name);
        let args = ["train", "--device", "cpu", "--threads", "1", "--data", arg(&data), "--epochs", "1"];
        let (out, _) = expect(0, &[&args[..], more, &["--out", arg(&run)]].concat());
        let lines: Vec<String> = out.lines().filter(|line| line.starts_with("data ")).map(String::from).collect();
        assert_eq!(lines.len(), 1, "{out}");
        (lines[0].clone(), fs::read(run.join("weights/last.safetensors")).expect("read"))
    };
    let (device, host) = (run("device", &[]), run("host", &["--resident", "off"]));
    // 48 and 18 images of 64 pixels.
    assert_eq!(device.0, "data on the device: 4.2 kB");
    assert!(host.0.starts_with("data is uploaded batch by batch"), "{}", host.0);
    assert!(device.1 == host.1, "the weights differ");
}

#[test]
fn runs_from_before_a_setting_existed_go_on() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let path = run.join("args.toml");
    let text = fs::read_to_string(&path).expect("read");
    let is_new = |line: &&str| line.starts_with("augment = ") || line.starts_with("resident = ");
    assert_eq!(text.lines().filter(is_new).count(), 2, "{text}");
    let old: String = text.lines().filter(|line| !is_new(line)).map(|line| format!("{line}\n")).collect();
    fs::write(&path, old).expect("written");
    expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    assert_eq!(rows(&run).len(), 3);
}

#[test]
fn more_epochs_can_be_added_to_a_finished_run() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let (out, _) = expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    assert!(out.contains("epoch 3: ") && !out.contains("epoch 2: "), "{out}");
    assert_eq!(rows(&run).len(), 3);
}

#[test]
fn a_folder_with_a_run_is_not_overwritten() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    let before = fs::read(run.join("weights/last.safetensors")).expect("read");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "1", "--out", arg(&run)];
    expect_error(2, &args, &["holds a run already", "--resume"]);
    assert!(fs::read(run.join("weights/last.safetensors")).expect("read") == before);
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_what_was_saved_stays() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let before = fs::read(run.join("weights/best.safetensors")).expect("read");
    let checkpoint = fs::read(run.join("checkpoint.safetensors")).expect("read");
    // A folder in the place of the file: refused to every user, also where tests run as root.
    fs::remove_file(run.join("weights/last.safetensors")).expect("removed");
    fs::create_dir(run.join("weights/last.safetensors")).expect("made");
    fs::write(run.join("weights/last.safetensors/in the way"), "").expect("written");
    expect_error(1, &["train", "--resume", arg(&run), "--epochs", "3"], &["cannot write", "weights/last.safetensors"]);
    assert_eq!(rows(&run).len(), 2, "the table is as it was");
    assert!(fs::read(run.join("checkpoint.safetensors")).expect("read") == checkpoint);
    let best = fs::read(run.join("weights/best.safetensors")).expect("read");
    assert!(best.len() == before.len());
    fs::remove_dir_all(run.join("weights/last.safetensors")).expect("removed");
    let (out, _) = expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    assert!(out.contains("epoch 3: ") && rows(&run).len() == 3, "{out}");
    assert_eq!(names(&run), FILES);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_with_a_hint() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let run = root.path().join("run");
    let settings = ["--lr", "1e30", "--warmup", "0", "--optimizer", "sgd", "--model", "lenet5", "--size", "32"];
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "2", "--out", arg(&run)];
    let remedy = format!("chiaro train --resume {} --lr 1e29", run.display());
    expect_error(1, &[&args[..], &settings].concat(), &["not finite in epoch 1", "clipped to norm 1", &remedy]);
    // No epoch has ended, so the advice begins the run again.
    let (out, err) = expect(0, &["train", "--resume", arg(&run), "--lr", "0.01", "--clip", "1"]);
    assert!(err.contains("it starts over") && out.contains("epoch 1: "), "{out}{err}");
    assert_eq!(rows(&run).len(), 2);
}

#[test]
fn several_seeds_are_runs_of_their_own_with_their_mean_and_deviation() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, runs) = (root.path().join("data"), root.path().join("runs"));
    image_folders(&data);
    let args = ["train", arg(&data), "--size", "8", "--epochs", "2", "--batch-size", "6", "--device", "cpu"];
    let (out, _) = expect(0, &[&args[..], &["--seeds", "2", "--seed", "5", "--out", arg(&runs)]].concat());
    assert_eq!(names(&runs), ["seed-5", "seed-6"]);
    let score = |seed: &str| -> f64 {
        let text = fs::read_to_string(runs.join(seed).join("results.json")).expect("results");
        let results: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        results["scores"]["accuracy"].as_f64().expect("a number")
    };
    let (a, b) = (score("seed-5"), score("seed-6"));
    let (mean, off) = ((a + b) / 2.0, (a - b).abs() / 2f64.sqrt());
    let told = format!("accuracy {:.2} ± {:.2} %", mean * 100.0, off * 100.0);
    assert!(
        out.lines().last().is_some_and(|line| line.starts_with("2 seeds: loss ") && line.contains(&told)),
        "{told} {out}"
    );
    // A seed alone is the same run.
    let alone = root.path().join("alone");
    expect(0, &[&args[..], &["--seed", "6", "--out", arg(&alone)]].concat());
    let best = |run: &Path| fs::read(run.join("weights/best.safetensors")).expect("weights");
    assert!(best(&alone) == best(&runs.join("seed-6")) && best(&alone) != best(&runs.join("seed-5")));
}

#[test]
fn seeds_go_on_where_they_were_interrupted() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, runs, whole) = (root.path().join("data"), root.path().join("runs"), root.path().join("whole"));
    image_folders(&data);
    let args =
        ["train", arg(&data), "--size", "8", "--epochs", "2", "--batch-size", "6", "--device", "cpu", "--seeds", "2"];
    let into =
        |out: &Path, more: &[&str]| [&args[..], &["--out", out.to_str().expect("UTF-8")], more].concat().join("\n");
    let call = |code, words: &str| expect(code, &words.split('\n').collect::<Vec<_>>()).0;
    let last = |out: &str| out.lines().last().map(str::to_string);
    let wanted = call(0, &into(&whole, &[]));
    let cut = call(130, &into(&runs, &["--interrupt-after", "1"]));
    assert!(cut.contains(&format!("go on with all seeds by the same command with --out {}", runs.display())), "{cut}");
    assert_eq!(names(&runs), ["seed-0"]);
    let on = call(0, &into(&runs, &[]));
    assert_eq!((names(&runs), last(&on)), (vec!["seed-0".to_string(), "seed-1".into()], last(&wanted)));
    let again = call(0, &into(&runs, &["--threads", "1"]));
    assert_eq!((again.matches("done before, in ").count(), last(&again)), (2, last(&wanted)));
    let other = into(&runs, &["--lr", "0.5"]);
    expect_error(2, &other.split('\n').collect::<Vec<_>>(), &["seed-0 holds a run with --lr ", "another folder"]);
}

#[test]
fn a_run_that_ends_before_its_average_begins_says_so() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    image_folders(&data);
    let args = ["train", arg(&data), "--size", "8", "--batch-size", "6", "--device", "cpu", "--time-limit", "0.00001"];
    let swa = |last, out: &str| {
        expect(0, &[&args[..], &["--epochs", "3", "--swa", last, "--out", arg(&root.path().join(out))]].concat()).0
    };
    let told = "ended after epoch 1: another would go beyond the time limit (--time-limit)";
    assert!(swa("2", "before").contains(&format!("{told}; no weights were averaged yet (--swa)")));
    assert!(swa("3", "within").contains(&format!("{told}\n")));
}

#[test]
fn seeds_behind_the_last_one_are_refused() {
    expect_error(
        2,
        &["train", "--seeds", "2", "--seed", &u64::MAX.to_string()],
        &["no 2 seeds from 18446744073709551615"],
    );
}

#[test]
fn a_teacher_is_found_from_any_folder_and_missed_with_what_to_do() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    let student = root.path().join("student");
    let args = ["train", arg(&data), "--device", "cpu", "--epochs", "1", "--batch-size", "8", "--teacher", "run"];
    let output = program().args(args).args(["--out", "student"]).current_dir(root.path()).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let resumed = ["train", "--resume", arg(&student), "--epochs"];
    expect(0, &[&resumed[..], &["2"]].concat());
    assert_eq!(rows(&student).len(), 2);
    fs::rename(&run, root.path().join("elsewhere")).expect("renamed");
    let told = ["--teacher: ", "run: no such folder", "put its teacher back there"];
    expect_error(2, &[&resumed[..], &["3"]].concat(), &told);
}

#[test]
fn a_batch_size_that_is_left_to_the_memory_is_told_and_kept() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    image_folders(&data);
    let args = ["train", arg(&data), "--size", "8", "--epochs", "1", "--device", "cpu", "--out", arg(&run)];
    let (out, _) = expect(0, &[&args[..], &["--batch-size", "auto"]].concat());
    assert!(out.contains("batch size: 8, whose step takes "), "{out}");
    let config = common::record(&run);
    assert_eq!(config["settings"]["batch_size"], 8);
    expect(0, &["train", "--resume", arg(&run), "--epochs", "2"]);
}

#[test]
fn a_model_from_a_file_is_kept_with_its_weights() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run, net) = (root.path().join("data"), root.path().join("run"), root.path().join("net.toml"));
    image_folders(&data);
    let layers = "[[layers]]\nname = \"conv\"\ntype = \"conv\"\nchannels = 8\n[[layers]]\ntype = \"relu\"\n\
                  [[layers]]\ntype = \"global-avg-pool\"\n[[layers]]\nname = \"fc\"\ntype = \"dense\"\nunits = \"classes\"\n";
    fs::write(&net, layers).expect("written");
    let args = ["train", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6", "--device", "cpu"];
    let (out, _) = expect(0, &[&args[..], &["--model", arg(&net), "--out", arg(&run)]].concat());
    assert!(out.contains("fc ") && out.contains("8x8x8"), "{out}");
    let (out, _) = expect(0, &["summary", arg(&net)]);
    assert!(out.contains("32x32x8"), "{out}");
    // What the file says later is of no matter to the run.
    fs::remove_file(&net).expect("removed");
    expect(0, &["train", "--resume", arg(&run), "--epochs", "2"]);
    expect(0, &["eval", arg(&run), "--device", "cpu"]);
    fs::write(&net, "[[layers]]\ntype = \"conf\"").expect("written");
    expect_error(2, &[&args[..], &["--model", arg(&net)]].concat(), &["net.toml, line 2", "\"conf\""]);
    expect_error(1, &[&args[..], &["--model", "none.toml"]].concat(), &["none.toml"]);
}

#[test]
fn models_are_measured_on_request() {
    let (out, _) = expect(0, &["models", "lenet5", "--measure", "--device", "cpu", "--batch", "2"]);
    let row = out.lines().find(|line| line.starts_with("lenet5")).expect("a row");
    let fields: Vec<f64> = row.split_whitespace().skip(4).map(|field| field.parse().expect("a number")).collect();
    assert!(fields.len() == 2 && fields.iter().all(|speed| *speed > 0.0), "{out}");
    let (plain, _) = expect(0, &["models", "lenet5"]);
    assert!(!plain.contains("trains/s") && plain.lines().count() == 3, "{plain}");
}
