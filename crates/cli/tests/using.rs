//! End to end: evaluating, predicting, and the commands that only tell.

mod common;

use std::fs;

use common::{CLASSES, arg, expect, image_file, image_folders, trained};

#[test]
fn eval_repeats_the_accuracy_of_the_best_epoch_class_by_class() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let best = common::column(&run, "metrics/accuracy_top1").into_iter().fold(0.0, f64::max);
    let (out, _) = expect(0, &["eval", arg(&run), "--device", "cpu"]);
    assert!(out.contains(&format!("accuracy {:.2} %", best * 100.0)), "{best} {out}");
    for class in CLASSES {
        let row = out.lines().find(|line| line.starts_with(class)).expect("a row for each class");
        assert_eq!(row.split_whitespace().nth(1), Some("6"), "{row}");
    }
    let matrix: Vec<u64> = out
        .lines()
        .skip_while(|line| !line.starts_with("confusion"))
        .skip(2)
        .flat_map(|row| row.split_whitespace().skip(2).map(|n| n.parse::<u64>().expect("a count")).collect::<Vec<_>>())
        .collect();
    assert_eq!(matrix.len(), 9, "{out}");
    assert_eq!(matrix.iter().sum::<u64>(), 18);
    let right = matrix[0] + matrix[4] + matrix[8];
    assert_eq!(right, (best * 18.0).round() as u64);
    for part in ["calibration error ", "precision", "recall", "AUROC", "\nmean ", "\nweighted "] {
        assert!(out.contains(part), "{part} is not in {out}");
    }
}

#[test]
fn eval_of_one_split_opens_no_other_and_writes_what_it_says_of_each_image() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run, table) = (root.path().join("data"), root.path().join("run"), root.path().join("p.csv"));
    image_folders(&data);
    fs::rename(data.join("val"), data.join("test")).expect("moved");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    expect(0, &[&args[..], &["--model", "small-cnn", "--out", arg(&run)]].concat());
    fs::write(data.join("train/rows/broken.png"), "no picture").expect("written");
    let eval = ["eval", arg(&run), "--device", "cpu", "--strict", "--split"];
    let (out, _) = expect(0, &[&eval[..], &["test", "--predictions", arg(&table)]].concat());
    common::expect_error(1, &[&eval[..], &["train"]].concat(), &["broken.png"]);
    let text = fs::read_to_string(&table).expect("a table");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 12);
    // The probability of each class, of which the largest is that of what is said.
    let head: Vec<&str> = text.lines().take(1).flat_map(|line| line.split(',')).collect();
    let of = |row: &[&str], name: &str| {
        head.iter().position(|cell| *cell == format!("p({name})")).map(|i| row[i].to_string())
    };
    assert!(rows.iter().all(|row| row.len() == 9 && of(row, row[2]).as_deref() == Some(row[3])), "{text}");
    assert!(rows.iter().all(|row| of(row, row[1]).as_deref() == Some(row[4])), "{text}");
    assert!(
        rows.iter().all(|row| row[0].contains(&format!("/test/{}/", row[1])) && (row[1] == row[2]) == (row[5] == "1"))
    );
    let right = rows.iter().filter(|row| row[5] == "1").count();
    assert!(out.contains(&format!("accuracy {:.2} %", right as f64 / 0.12)), "{right} {out}");
    let wrong = 12 - right;
    assert!(wrong == 0 || out.contains(&format!("worst of {wrong} mistakes:")), "{out}");
}

#[test]
fn runs_are_listed_and_compared_by_the_settings_that_differ() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, one) = trained(root.path());
    let two = root.path().join("two");
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "3", "--batch-size", "8", "--lr", "0.01"];
    expect(0, &[&args[..], &["--out", arg(&two)]].concat());
    let (out, _) = expect(0, &["compare", arg(&one), arg(&two)]);
    let row = |name: &str| -> Vec<String> {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {out}"));
        line[name.len()..].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_string).collect()
    };
    assert_eq!(row("lr")[1], "0.01");
    assert_eq!(row("epochs done"), ["2 of 2", "3 of 3"]);
    assert!(row("best")[1].starts_with("accuracy "), "{out}");
    assert!(!out.contains("batch_size"), "{out}");
    assert!(out.contains("accuracy by epoch: * ") && out.lines().count() > 20, "{out}");
    let plot = root.path().join("curves.svg");
    expect(0, &["compare", arg(&one), arg(&two), "--plot", arg(&plot)]);
    assert_eq!(fs::read_to_string(&plot).expect("a picture").matches("<polyline").count(), 2);
    let (out, _) = expect(0, &["runs", arg(root.path())]);
    assert!(out.lines().count() == 3 && out.contains("small-cnn"), "{out}");
    common::expect_error(2, &["runs", arg(&data)], &["there is no run in "]);
    common::expect_error(2, &["compare", arg(&one), arg(&data)], &["args.toml"]);
}

#[test]
fn weights_alone_are_enough_to_predict_and_to_evaluate_on_named_data() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    let alone = root.path().join("alone.safetensors");
    fs::copy(run.join("weights/last.safetensors"), &alone).expect("copied");
    let (out, _) = expect(0, &["eval", arg(&alone), "--data", arg(&data), "--device", "cpu"]);
    assert!(out.contains("small-cnn on 18 test images"), "{out}");
    common::expect_error(2, &["eval", arg(&alone), "--device", "cpu"], &["--data"]);
    let image = root.path().join("a.png");
    image_file(&image, 0, 5);
    let (out, _) = expect(0, &["predict", arg(&alone), arg(&image), "--device", "cpu"]);
    assert!(out.starts_with(&format!("{}: ", image.display())), "{out}");
}

#[test]
fn predict_gives_the_classes_of_files_with_probabilities() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    image_folders(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "8", "--batch-size", "6"];
    expect(0, &[&args[..], &["--model", "small-cnn", "--out", arg(&run)]].concat());
    let mut right = 0;
    for (class, name) in CLASSES.iter().enumerate() {
        let image = root.path().join(format!("{name}.jpg"));
        image_file(&image, class, 777);
        let (out, _) = expect(0, &["predict", arg(&run), arg(&image), "--top", "3", "--device", "cpu"]);
        let (_, guesses) = out.trim_end().split_once(": ").expect("name and classes");
        let guesses: Vec<(&str, f64)> = guesses
            .split(", ")
            .filter_map(|guess| guess.strip_suffix(" %")?.rsplit_once(' '))
            .map(|(name, percent)| (name, percent.parse().expect("a number")))
            .collect();
        assert_eq!(guesses.len(), 3, "{out}");
        assert!((guesses.iter().map(|(_, p)| p).sum::<f64>() - 100.0).abs() < 0.1, "{out}");
        assert!(guesses.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{out}");
        right += usize::from(guesses[0].0 == *name);
    }
    assert!(right >= 2, "{right} of 3 classes were told");
}

#[test]
fn an_image_below_the_threshold_is_unknown() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let image = root.path().join("a.png");
    image_file(&image, 0, 5);
    let predict = |below: &str| {
        let (out, _) = expect(0, &["predict", arg(&run), arg(&image), "--unknown-below", below, "--device", "cpu"]);
        out.contains(": unknown, ")
    };
    assert!(predict("1") && !predict("0"));
    // The weights of the end of a run without a best tell none.
    let last = run.join("weights/last.safetensors");
    let auto = ["predict", arg(&last), arg(&image), "--unknown-below", "auto", "--device", "cpu"];
    common::expect_error(1, &auto, &["last.safetensors tells no probability", "give a number"]);
    expect(2, &["predict", arg(&run), arg(&image), "--unknown-below", "50"]);
}

#[test]
fn devices_tell_the_cpu_and_what_would_be_chosen() {
    let (out, _) = expect(0, &["devices"]);
    assert!(out.starts_with("cpu ") && out.contains("\nchosen: "), "{out}");
    let (out, _) = expect(0, &["devices", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(all["cpu"]["cores"].as_u64().expect("a number") >= 1);
    assert!(all["adapters"].is_array() && all["why"].is_string());
    let chosen = all["chosen"].as_str().expect("a name");
    assert!(chosen == "cpu" || chosen.starts_with("gpu:"), "{chosen}");
}

#[test]
fn models_and_their_summaries_are_listed() {
    let (out, _) = expect(0, &["models"]);
    assert!(out.lines().any(|line| line.starts_with("resnet20 ")), "{out}");
    let (out, _) = expect(0, &["summary", "resnet20"]);
    assert!(out.lines().any(|line| line.starts_with("total") && line.contains("272,474")), "{out}");
    let (out, _) = expect(0, &["summary", "tutorial-cnn", "--size", "64x64", "--channels", "3"]);
    assert!(out.contains("12544"), "{out}");
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let (out, _) = expect(0, &["summary", arg(&run)]);
    assert!(out.starts_with("small-cnn on 8x8x1") && out.contains("memory in 32 bits: weights "), "{out}");
    common::expect_error(2, &["summary", arg(&run), "--classes", "7"], &["a run has its own"]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    use std::process::Stdio;
    let mut child =
        common::program().args(["models"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
