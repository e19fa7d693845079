//! What a run leaves to be looked at: pictures, the page, events for programs, the log; and folders of before these names.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, idx_data, image_folders, names, trained};
use serde_json::Value;

/// The facts that a page shows.
fn facts(run: &Path) -> Value {
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    let (_, rest) = page.split_once("id=\"facts\">").expect("facts");
    serde_json::from_str(rest.split_once("</script>").expect("their end").0).expect("JSON")
}

#[test]
fn a_run_leaves_pictures_and_a_page_with_what_was_said_of_each_image() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("photos"), root.path().join("run"));
    image_folders(&data);
    let args = [
        "train",
        arg(&data),
        "--size",
        "24x16",
        "--model",
        "small-cnn",
        "--epochs",
        "2",
        "--batch-size",
        "6",
        "--device",
        "cpu",
    ];
    let (_, err) = expect(0, &[&args[..], &["--augment", "light,mixup=0.5", "--out", arg(&run)]].concat());
    assert!(!err.contains("could not be made"), "{err}");
    let pictures = ["results.png", "confusion_matrix.png", "confusion_matrix_normalized.png", "val_batch0.jpg"];
    for name in pictures.iter().chain(&["train_batch0.jpg", "train_batch1.jpg", "train_batch2.jpg"]) {
        let picture = image::open(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).to_rgb8();
        assert!(picture.width() > 200 && picture.height() > 200, "{name}");
        assert!(picture.pixels().any(|pixel| pixel.0 != [255; 3]), "{name} is empty");
    }
    let facts = facts(&run);
    assert_eq!(facts["run"]["measure"]["name"], "accuracy");
    assert_eq!(
        (facts["epochs"].as_array().map(Vec::len), facts["classes"].as_array().map(Vec::len)),
        (Some(2), Some(3))
    );
    assert_eq!(facts["counts"], serde_json::json!({ "train": [10, 10, 10], "eval": [4, 4, 4] }));
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).expect("read")).expect("JSON");
    assert_eq!(facts["results"], results);
    let counted = |rows: &Value| {
        rows.as_array()
            .expect("rows")
            .iter()
            .flat_map(|row| row.as_array().expect("a row").clone())
            .filter_map(|n| n.as_u64())
            .sum::<u64>()
    };
    assert_eq!(counted(&results["confusion"]), 12);
    let binned =
        results["reliability"].as_array().expect("bins").iter().filter_map(|bin| bin["images"].as_u64()).sum::<u64>();
    assert_eq!(binned, 12);
    // Every picture knows its file, and says what the table of predictions says.
    let table = root.path().join("said.csv");
    expect(0, &["eval", arg(&run), "--device", "cpu", "--predictions", arg(&table)]);
    let table = fs::read_to_string(&table).expect("a table");
    let all = facts["pictures"].as_array().expect("pictures");
    assert!(all.len() == 12, "all of so few: {}", all.len());
    for picture in all {
        let [name, label, said, src] =
            ["name", "label", "said", "src"].map(|key| picture[key].as_str().expect("a text"));
        assert!(src.starts_with("data:image/png;base64,"), "{src}");
        assert!(name.contains(label), "the folder is the class: {name} {label}");
        let row = table.lines().find(|row| row.contains(name)).unwrap_or_else(|| panic!("{name} in {table}"));
        assert!(row.contains(said), "{said}: {row}");
        assert_eq!(picture["right"].as_bool(), Some(label == said));
    }
    let wrong = all.iter().filter(|picture| picture["right"] == false).count();
    let mistakes = facts["mistakes"].as_array().expect("mistakes");
    assert_eq!(mistakes.len(), wrong);
    assert!(mistakes.iter().all(|mistake| mistake["heat"].is_string()), "{}", facts["no_heats"]);
}

#[test]
fn programs_are_told_of_a_run_line_by_line_and_the_log_has_what_the_terminal_had() {
    let root = tempfile::tempdir().expect("a folder");
    let [data, run, events] = ["data", "run", "events.jsonl"].map(|name| root.path().join(name));
    idx_data(&data);
    let args = ["train", arg(&data), "--device", "cpu", "--epochs", "2", "--batch-size", "8", "--out", arg(&run)];
    let (first, _) = expect(130, &[&args[..], &["--events", arg(&events), "--interrupt-after", "8"]].concat());
    let (second, _) = expect(0, &["train", "--resume", arg(&run), "--events", arg(&events)]);
    let text = fs::read_to_string(&events).expect("events");
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |name: &str| told.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(of("begin").iter().map(|event| event["epochs_done"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1)]);
    assert_eq!(of("epoch").iter().map(|event| event["epoch"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(
        of("end").iter().map(|event| event["how"].as_str()).collect::<Vec<_>>(),
        [Some("interrupted"), Some("finished")]
    );
    assert!(of("epoch").iter().all(|event| event["val"]["accuracy"].is_f64() && event["time"].is_f64()));
    let log = fs::read_to_string(run.join("train.log")).expect("a log");
    for line in first.lines().chain(second.lines()) {
        assert!(log.lines().any(|logged| logged == line), "{line}: {log}");
    }
    assert_eq!(log.lines().filter(|line| line.contains(": chiaro 0.1.0 train ")).count(), 2, "{log}");
    assert!(log.contains("--interrupt-after 8"), "{log}");
    let wrong = root.path().join("nowhere/events.jsonl");
    common::expect_error(1, &[&args[..8], &["--events", arg(&wrong)]].concat(), &["cannot write", "nowhere"]);
}

#[test]
fn what_cannot_be_drawn_is_told_and_the_run_goes_on() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    // Folders in the place of files.
    for name in ["results.png", "report.html", "events.out.tfevents.chiaro", "train.log"] {
        fs::remove_file(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        fs::create_dir(run.join(name)).expect("made");
    }
    let (out, err) = expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    assert!(out.contains("epoch 3: ") && out.contains("evaluate it with"), "{out}");
    for name in [
        "results.png could not be made",
        "report.html could not be made",
        "the file for TensorBoard could not be made",
        "train.log",
    ] {
        assert!(
            err.lines().filter(|line| line.starts_with("note: ") && line.contains(name)).count() >= 1,
            "{name}: {err}"
        );
    }
}

#[test]
fn a_run_of_before_todays_names_is_read_and_goes_on_under_them() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let record = common::record(&run);
    let old = serde_json::json!({ "chiaro": "0.1.0", "device": "CPU", "settings": record["settings"], "data": record["data"] });
    let rows = common::rows(&run);
    let mut table =
        "epoch,step,train_loss,train_accuracy,eval_loss,eval_accuracy,learning_rate,seconds,images_per_second\n"
            .to_string();
    for row in &rows {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        table += &format!("{},1.000,100.0\n", cells.join(","));
    }
    let kept = ["checkpoint.safetensors", "checkpoint.previous.safetensors", "results.json"];
    for name in names(&run).iter().filter(|name| !kept.contains(&name.as_str()) && *name != "weights") {
        fs::remove_file(run.join(name)).expect("removed");
    }
    for name in ["best.safetensors", "last.safetensors"] {
        fs::rename(run.join("weights").join(name), run.join(name)).expect("renamed");
    }
    fs::remove_dir(run.join("weights")).expect("empty");
    fs::write(run.join("config.json"), old.to_string()).expect("written");
    fs::write(run.join("metrics.csv"), table).expect("written");
    let before = names(&run);
    let (out, _) = expect(0, &["runs", arg(root.path())]);
    assert!(out.contains("2/2"), "{out}");
    expect(0, &["eval", arg(&run), "--device", "cpu"]);
    expect(0, &["eval", arg(&run.join("best.safetensors")), "--device", "cpu"]);
    assert_eq!(names(&run), before, "reading changes nothing");
    expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    let now = names(&run);
    assert!(!now.iter().any(|name| before.contains(name) && !kept.contains(&name.as_str())), "{now:?}");
    assert_eq!(common::rows(&run)[..2], rows);
    assert_eq!(common::record(&run)["settings"]["epochs"], 3);
    expect(0, &["eval", arg(&run.join("weights/best.safetensors")), "--device", "cpu"]);
}

#[test]
fn a_run_that_is_trained_is_watched_from_elsewhere_until_it_ends() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let mut training = common::program();
    training.args(["train", "--resume", arg(&run), "--epochs", "6"]).stdout(std::process::Stdio::piped());
    let mut training = training.spawn().expect("started");
    let out = std::io::BufReader::new(training.stdout.take().expect("piped"));
    let mut lines = std::io::BufRead::lines(out).map(|line| line.expect("a line"));
    assert!(lines.any(|line| line.starts_with("epoch 3: ")));
    let (seen, _) = expect(0, &["watch", arg(&run)]);
    drop(lines);
    training.wait().expect("ended");
    for epoch in 1..=6 {
        assert_eq!(seen.lines().filter(|line| line.starts_with(&format!("epoch {epoch}/6: "))).count(), 1, "{seen}");
    }
    assert!(seen.lines().last().is_some_and(|line| line.starts_with("the run has ended; best accuracy ")), "{seen}");
}

#[test]
fn completions_and_man_pages_know_the_options() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let (out, _) = expect(0, &["completions", shell]);
        assert!(out.contains("batch-size") && out.contains("lr-find"), "{shell}");
    }
    let root = tempfile::tempdir().expect("a folder");
    expect(0, &["man", arg(root.path())]);
    let page = fs::read_to_string(root.path().join("chiaro-train.1")).expect("a page");
    assert!(page.contains("batch\\-size") && root.path().join("chiaro.1").is_file(), "{page}");
}
