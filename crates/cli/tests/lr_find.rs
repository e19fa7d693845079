//! End to end: looking for a learning rate.

mod common;

use std::fs;

use common::{arg, expect, expect_error, image_folders};

#[test]
fn a_rate_is_suggested_with_the_command_that_trains_with_it() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, picture) = (root.path().join("data"), root.path().join("rates.svg"));
    image_folders(&data);
    let args = ["lr-find", arg(&data), "--size", "8", "--batch-size", "6", "--device", "cpu", "--steps", "120"];
    let (out, _) = expect(0, &[&args[..], &["--plot", arg(&picture)]].concat());
    let command = out.lines().find_map(|line| line.strip_prefix("train with it: chiaro ")).expect("a command");
    assert!(command.contains(" --size 8 --batch-size 6 --device cpu --lr "), "{command}");
    let rate: f64 = command.rsplit_once(' ').expect("a rate").1.parse().expect("a number");
    assert!((1e-5..1.0).contains(&rate), "{rate}");
    let svg = fs::read_to_string(picture).expect("drawn");
    assert!(svg.starts_with("<svg") && svg.contains("polyline"), "{svg}");
    let run = root.path().join("run");
    let words: Vec<&str> = command.split(' ').collect();
    let (out, _) = expect(0, &[&words[..], &["--epochs", "1", "--out", arg(&run)]].concat());
    assert!(out.contains("epoch 1"), "{out}");
}

#[test]
fn ranges_that_are_none_are_refused() {
    expect_error(2, &["lr-find", "--from", "1", "--to", "0.1"], &["from 1 to 0.1"]);
    expect_error(2, &["lr-find", "--steps", "3"], &["3 steps are too few"]);
}
