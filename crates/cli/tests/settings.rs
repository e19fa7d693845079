//! The settings as options: each reaches the run's record by its name, and by other programs' spellings.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, expect_error, idx_data};
use serde_json::{Value, json};

/// The settings that a run of these options records.
fn recorded(root: &Path, data: &Path, options: &[&str]) -> Value {
    let run = root.join("run");
    let args = ["train", "--data", arg(data), "--out", arg(&run)];
    expect(0, &[&args[..], options].concat());
    let config: Value = serde_json::from_slice(&fs::read(run.join("config.json")).expect("read")).expect("JSON");
    fs::remove_dir_all(&run).expect("removed");
    config["settings"].clone()
}

#[test]
fn every_option_reaches_the_record_by_its_own_and_by_other_spellings() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let own = "--device cpu --size 12 --resize letterbox --channels 3 --strict --limit 40 --task classification --model lenet5 --epochs 1 --batch-size 7 \
               --optimizer nesterov --lr 0.02 --momentum 0.5 --weight-decay 0.25 --schedule step --warmup 0.5 \
               --label-smoothing 0.125 --clip 3 --clip-value 0.5 --precision f32 --seed 9 --augment flip --resident off \
               --data-threads 2 --data-cache off --report-every 2 --folds 4 --fold 2";
    let others = own
        .replace("--size", "--imgsz")
        .replace("--batch-size", "--batch")
        .replace("--optimizer", "--opt")
        .replace("--lr", "--lr0")
        .replace("--schedule", "--sched")
        .replace("--warmup", "--warmup-epochs")
        .replace("--label-smoothing", "--smoothing")
        .replace("--clip ", "--clip-grad ")
        .replace("--augment", "--aug")
        .replace("--data-threads", "--workers");
    let wanted = json!({
        "size": [12, 12], "resize": "letterbox", "channels": 3, "strict": true, "limit": 40, "task": "classification", "model": "lenet5", "epochs": 1,
        "batch_size": 7, "optimizer": "nesterov", "lr": 0.02, "momentum": 0.5, "weight_decay": 0.25, "schedule": "step",
        "warmup_epochs": 0.5, "label_smoothing": 0.125, "clip": 3.0, "clip_value": 0.5, "precision": "f32", "seed": 9,
        "augment": "flip=0.5", "resident": "off", "device": "cpu", "data_threads": 2, "data_cache": "off", "report_every": 2,
        "folds": 4, "fold": 2, "val_share": null, "group_by": null,
    });
    for options in [own, &others] {
        let mut settings = recorded(root.path(), &data, &options.split_whitespace().collect::<Vec<_>>());
        let fields = settings.as_object_mut().expect("settings");
        assert!(fields.remove("data").is_some());
        assert_eq!(settings, wanted, "{options}");
    }
}

#[test]
fn what_is_not_given_suits_the_data_and_what_is() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let settings = recorded(root.path(), &data, &["--device", "cpu", "--epochs", "1", "--optimizer", "sgd"]);
    let some =
        ["model", "batch_size", "lr", "weight_decay", "warmup_epochs", "clip"].map(|name| settings[name].clone());
    assert_eq!(json!(some), json!(["small-cnn", 8, 0.05, 5e-4, 0.25, null]));
}

#[test]
fn options_that_mean_nothing_or_cannot_change_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "1", "--out", arg(&run)];
    let with = |more: &[&'static str]| [&args[..], more].concat();
    let smoothed = with(&["--task", "multi-label", "--label-smoothing", "0.1"]);
    expect_error(2, &smoothed, &["--label-smoothing means nothing with --task multi-label"]);
    expect_error(2, &with(&["--task", "multi-label"]), &["image 0 has the values []", "multi-label needs 0 or 1"]);
    assert!(!run.exists());
    expect(0, &args);
    expect_error(
        2,
        &["train", "--resume", arg(&run), "--sched", "step"],
        &["--schedule cannot be changed", "--clip-value"],
    );
    let (_, err) = expect(0, &["train", "--resume", arg(&run), "--epochs", "2", "--clip-value", "0.5"]);
    assert!(err.contains("clip_value is 0.5 from here on, unset before"), "{err}");
}
