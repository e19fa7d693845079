//! End to end: features of pictures, pictures that are alike, and what speaks for a class.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{CLASSES, arg, expect, expect_error, image_file, image_folders};

/// A run of this model on 8x8 images, and pictures of each class, two of them the same.
fn run_of(model: &str, root: &Path) -> (PathBuf, PathBuf) {
    let (data, run, pictures) = (root.join("data"), root.join("run"), root.join("pictures"));
    image_folders(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--size", "8", "--epochs", "1", "--batch-size", "6"];
    expect(0, &[&args[..], &["--model", model, "--out", arg(&run)]].concat());
    fs::create_dir_all(&pictures).expect("made");
    for (class, name) in CLASSES.iter().enumerate() {
        for i in 0..3 {
            image_file(&pictures.join(format!("{name}{i}.png")), class, 777 + i);
        }
    }
    fs::copy(pictures.join("rows1.png"), pictures.join("twin.png")).expect("copied");
    (run, pictures)
}

fn with<'a>(command: &'a str, run: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, arg(run), "--device", "cpu"], more].concat()
}

#[test]
fn features_are_the_same_as_csv_and_as_safetensors() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, pictures) = run_of("small-cnn", root.path());
    let (out, _) = expect(0, &with("embed", &run, &[arg(&pictures)]));
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0][0], rows[0][1]), (11, "file", "f0"));
    let file = root.path().join("f.safetensors");
    expect(0, &with("embed", &run, &[arg(&pictures), "--out", arg(&file)]));
    let bytes = fs::read(&file).expect("a file");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("safetensors");
    let names = metadata.metadata().as_ref().expect("names")["files"].clone();
    let names: Vec<String> = serde_json::from_str(&names).expect("JSON");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let features = tensors.tensor("features").expect("features");
    assert_eq!(features.shape(), [10, rows[0].len() - 1]);
    let values: Vec<f32> = features.data().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    for (i, row) in rows[1..].iter().enumerate() {
        assert_eq!(row[0], names[i]);
        for (j, cell) in row[1..].iter().enumerate() {
            assert_eq!(cell.parse::<f32>().expect("a number"), values[i * (row.len() - 1) + j]);
        }
    }
    expect_error(2, &with("embed", &run, &[arg(&pictures), "--out", "f.bin"]), &["f.bin", ".safetensors"]);
    let wrong = with("embed", &run, &[arg(&pictures), "--layer", "layer9"]);
    expect_error(2, &wrong, &["no layer \"layer9\"", "chiaro summary"]);
}

#[test]
fn the_nearest_picture_is_the_one_that_is_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, pictures) = run_of("resnet20", root.path());
    let (out, _) = expect(0, &with("embed", &run, &[arg(&pictures), "--nearest", "2"]));
    assert_eq!(out.lines().count(), 10, "{out}");
    let twin = out.lines().find(|line| line.split(": ").next().expect("a name").ends_with("twin.png")).expect("a line");
    assert!(twin.split_once(": ").expect("a name").1.contains("rows1.png 1.0000, "), "{twin}");
    let (table, query) = (root.path().join("near.csv"), pictures.join("rows1.png"));
    let asked = with("embed", &run, &[arg(&pictures), "--query", arg(&query), "--nearest", "3", "--out", arg(&table)]);
    expect(0, &asked);
    let text = fs::read_to_string(&table).expect("a table");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!((rows.len(), rows[0]), (4, "file,rank,near,similarity"));
    // Its twin is the nearest; it is not among its own neighbours, though it lies in the folder.
    assert!(rows[1].contains("twin.png,1.0") && !rows[2..].iter().any(|row| row.contains(",1.0")), "{text}");
    expect_error(1, &with("embed", &run, &[arg(&pictures), "--query", "nowhere.png"]), &["nowhere.png"]);
}

#[test]
fn explain_draws_the_picture_and_the_heat_over_it() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, pictures) = run_of("vit-tiny", root.path());
    let (one, heat) = (pictures.join("columns0.png"), root.path().join("heat"));
    let (out, err) = expect(0, &with("explain", &run, &[arg(&one), "--out", arg(&heat), "--class", "checks"]));
    assert!(out.contains("checks explained in ") && err.contains("has 2x2 places"), "{out}{err}");
    let drawn = image::open(heat.join("columns0.png")).expect("a picture").to_rgb8();
    assert_eq!(drawn.dimensions(), (2 * 320 + 3 * 8, 320 + 16 + 3 * 8));
    // On the left the picture is grey as it is.
    assert!((8..328).all(|x| drawn.get_pixel(x, 100).0.windows(2).all(|pair| pair[0] == pair[1])));
    // Two pictures of one name get a file each, and folders are looked through.
    let other = root.path().join("other");
    fs::create_dir_all(&other).expect("made");
    fs::copy(&one, other.join("columns0.png")).expect("copied");
    expect(0, &with("explain", &run, &[arg(&one), arg(&other), "--out", arg(&heat)]));
    assert!(heat.join("columns0-2.png").exists());
    // A picture in the same folder stays.
    let own = fs::read(&one).expect("read");
    expect(0, &with("explain", &run, &[arg(&one), "--out", arg(&pictures)]));
    assert!(fs::read(&one).expect("read") == own && pictures.join("columns0-2.png").exists());
    let wrong = with("explain", &run, &[arg(&one), "--out", arg(&heat), "--class", "cats"]);
    expect_error(2, &wrong, &["no class \"cats\"; it has "]);
}

#[test]
fn a_model_without_places_cannot_be_explained_and_says_so() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, pictures) = run_of("mlp", root.path());
    let heat = root.path().join("heat");
    expect_error(2, &with("explain", &run, &[arg(&pictures), "--out", arg(&heat)]), &["no map of features"]);
}
