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
    let config = common::record(&run);
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
               --data-threads 2 --data-cache off --report-every 2 --histograms 3 --folds 4 --fold 2 --gamma 0.5 --decay-epochs 0.5 --layer-decay 0.75 --bias-lr 2 \
               --freeze conv1 --thaw 0.5 --accumulate 2 --ema 0.5 --patience 3 --time-limit 60 --loss focal --focal-gamma 1.5 \
               --class-weights balanced --sampling balanced --recompute --head-lr 2.5 --norms still";
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
        .replace("--data-threads", "--workers")
        .replace("--gamma", "--decay-rate")
        .replace("--accumulate", "--grad-accum-steps")
        .replace("--ema", "--model-ema-decay")
        .replace("--recompute", "--grad-checkpointing");
    let wanted: Value = serde_json::from_str(
        r#"{"size": [12, 12], "resize": "letterbox", "channels": 3, "strict": true, "limit": 40, "task": "classification", "model": "lenet5", "epochs": 1,
        "batch_size": 7, "optimizer": "nesterov", "lr": 0.02, "momentum": 0.5, "weight_decay": 0.25, "schedule": "step",
        "warmup_epochs": 0.5, "label_smoothing": 0.125, "clip": 3.0, "clip_value": 0.5, "precision": "f32", "seed": 9,
        "augment": "flip=0.5", "resident": "off", "device": "cpu", "data_threads": 2, "data_cache": "off", "report_every": 2, "histograms": 3,
        "folds": 4, "fold": 2, "val_share": null, "group_by": null, "gamma": 0.5, "decay_epochs": 0.5, "layer_decay": 0.75,
        "bias_lr": 2.0, "freeze": "conv1", "thaw": 0.5, "accumulate": 2, "ema": 0.5, "patience": 3, "time_limit": 60.0,
        "loss": "focal", "focal_gamma": 1.5, "class_weights": "balanced", "milestones": null, "power": 2.0, "lr_patience": 3,
        "swa": null, "lookahead": null, "dropout": null, "drop_path": null, "huber_delta": 1.0, "init": null, "sampling": "balanced", "teacher": null, "distill_weight": 0.5, "distill_temperature": 2.0,
        "progressive": null, "recompute": true, "head_lr": 2.5, "norms": "still", "new_head": false}"#,
    )
    .expect("JSON");
    for options in [own, &others] {
        let mut settings = recorded(root.path(), &data, &options.split_whitespace().collect::<Vec<_>>());
        let fields = settings.as_object_mut().expect("settings");
        assert!(fields.remove("data").is_some());
        // What is unset has no line.
        let set = wanted.as_object().expect("settings").iter().filter(|(_, value)| !value.is_null());
        let set: serde_json::Map<String, Value> = set.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(settings, Value::Object(set), "{options}");
    }
}

#[test]
fn options_that_exclude_those_reach_the_record_too() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let runs = [
        (
            "--schedule multistep --milestones 0.25,0.5 --model mlp --dropout 0.25 --swa 1",
            json!([[0.25, 0.5], 0.25, 1, 1.0]),
        ),
        (
            "--sched multistep --decay-milestones 1 --model mlp --drop 0 --loss huber --huber-delta 0.5",
            json!([[1.0], 0.0, null, 0.5]),
        ),
        ("--progressive 6:0.5,8:1 --model resnet20", json!([null, null, null, 1.0])),
    ];
    for (options, wanted) in runs {
        let options: Vec<&str> =
            "--device cpu --epochs 1".split_whitespace().chain(options.split_whitespace()).collect();
        let settings = recorded(root.path(), &data, &options);
        let some = ["milestones", "dropout", "swa", "huber_delta"].map(|name| settings[name].clone());
        assert_eq!(json!(some), wanted, "{options:?}");
        let sizes = if options.contains(&"--progressive") { json!("6x6:0.5,8x8:1") } else { json!(null) };
        assert_eq!(settings["progressive"], sizes);
    }
}

#[test]
fn settings_of_other_schedules_losses_and_models_are_refused_with_what_takes_them() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    for (options, part) in [
        (["--power", "3"], "--power means nothing here: only --schedule polynomial takes it"),
        (["--gamma", "0.5"], "only --schedule step or multistep or exponential or plateau takes it"),
        (["--focal-gamma", "1"], "only --loss focal takes it"),
        (["--thaw", "0.5"], "--thaw means nothing without --freeze"),
        (["--freeze", "nonesuch"], "\"nonesuch\" is no part of the model; its parts are conv1, bn1"),
        (["--accumulate", "9999"], "the weights would never change"),
        (["--dropout", "0.1"], "no dropout layer"),
        (["--drop-path", "0.1"], "no residual branch that can be dropped"),
        (["--new-head", "--strict"], "--new-head means nothing without weights to begin with"),
        (["--swa", "9"], "--swa must be from 0 to 1 epochs"),
        (["--class-weights", "1,2"], "2 numbers, but there are"),
        (["--distill-weight", "0.5"], "mean nothing without --teacher"),
        (["--progressive", "14:0.5"], "14x14"),
        (["--init", "nonesuch.safetensors"], "nonesuch.safetensors"),
    ] {
        let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "1", "--out", arg(&run)];
        let args = [&args[..], &options].concat();
        expect_error(2, &args, &[part]);
        assert!(!run.join("args.toml").exists(), "{options:?} left a run");
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
    let huber = with(&["--task", "multi-label", "--loss", "huber"]);
    expect_error(2, &huber, &["--loss huber means nothing with --task multi-label"]);
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
