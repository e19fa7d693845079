//! What the end-to-end tests share: tiny data sets, and running the built binary.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Side of the tiny images.
pub const SIDE: usize = 8;
/// Training and test images of the tiny sets.
pub const COUNTS: [usize; 2] = [48, 18];
/// Their classes.
pub const CLASSES: [&str; 3] = ["rows", "columns", "checks"];

/// The program. It keeps nothing between runs: what another test, or the user, left in the cache folder must make no
/// difference.
pub fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chiaro"));
    program.env("CHIARO_CACHE_DIR", "off");
    program
}

/// Runs the program with these arguments.
pub fn chiaro(args: &[&str]) -> Output {
    program().args(args).output().expect("the program runs")
}

/// Standard output and error of a run with this exit code.
pub fn expect(code: i32, args: &[&str]) -> (String, String) {
    let output = chiaro(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "chiaro {args:?}\n{out}\n{err}");
    assert!(!err.contains("panicked"), "chiaro {args:?}\n{err}");
    (out, err)
}

/// The single error line of a run that fails with this exit code, which must contain each of `parts`.
pub fn expect_error(code: i32, args: &[&str], parts: &[&str]) {
    let (_, err) = expect(code, args);
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one message: {err}");
    for part in parts {
        assert!(errors[0].contains(part), "{part:?} is not in: {}", errors[0]);
    }
}

/// Names of a folder's files.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The columns of a run's table that do not depend on the clock.
pub const COLUMNS: [&str; 7] =
    ["epoch", "step", "train/loss", "train/accuracy_top1", "val/loss", "metrics/accuracy_top1", "lr/pg0"];

/// [`COLUMNS`] of a run's table, row by row.
pub fn rows(run: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(run.join("results.csv")).expect("a table");
    let head: Vec<&str> = text.lines().next().expect("a first line").split(',').collect();
    let places = COLUMNS.map(|name| head.iter().position(|column| *column == name).expect("a column"));
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        places.iter().map(|&place| fields[place].parse().expect("a number")).collect()
    };
    text.lines().skip(1).map(row).collect()
}

/// One of [`COLUMNS`] of a run's table.
pub fn column(run: &Path, name: &str) -> Vec<f64> {
    let place = COLUMNS.iter().position(|column| *column == name).expect("a column");
    rows(run).iter().map(|row| row[place]).collect()
}

/// What a run recorded: `settings`, and what it found of its `data`.
pub fn record(run: &Path) -> serde_json::Value {
    let text = fs::read_to_string(run.join("args.toml")).expect("read");
    let mut settings: toml::Table = toml::from_str(&text).expect("TOML");
    let data = settings.remove("run").expect("a table of facts");
    serde_json::json!({ "settings": settings, "data": data })
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

/// An image of a class: stripes along rows, along columns, or checks, with noise that depends on `number`.
pub fn pixels(class: usize, number: usize) -> Vec<u8> {
    let bright = |i: usize| {
        let (row, column) = (i / SIDE, i % SIDE);
        match class {
            0 => row % 2 == 0,
            1 => column % 2 == 0,
            _ => (row / 2 + column / 2) % 2 == 0,
        }
    };
    let noise = |i: usize| ((i * 7919 + number * 104_729) % 97) as u8;
    (0..SIDE * SIDE).map(|i| if bright(i) { 150 + noise(i) } else { noise(i) }).collect()
}

/// Writes a data set in IDX files.
pub fn idx_data(folder: &Path) {
    write_idx(folder, COUNTS, |i| i % 3);
}

/// Training and test images of the noisy set: neither fills batches of 8.
pub const NOISY: [usize; 2] = [50, 21];

/// Writes a data set that no model gets all of: every fifth image has a wrong label.
pub fn noisy_data(folder: &Path) {
    write_idx(folder, NOISY, |i| if i % 5 == 4 { (i + 1) % 3 } else { i % 3 });
}

/// Images of the classes in turn, labelled as `label` says of their numbers.
pub fn write_idx(folder: &Path, counts: [usize; 2], label: impl Fn(usize) -> usize) {
    fs::create_dir_all(folder).expect("made");
    fs::write(folder.join("classes.txt"), CLASSES.join("\n")).expect("written");
    for (split, count) in ["train", "t10k"].iter().zip(counts) {
        let head = |magic: u32, sizes: &[usize]| {
            let sizes = sizes.iter().flat_map(|&size| (size as u32).to_be_bytes());
            magic.to_be_bytes().into_iter().chain(sizes).collect::<Vec<u8>>()
        };
        let mut images = head(0x0803, &[count, SIDE, SIDE]);
        let mut labels = head(0x0801, &[count]);
        for i in 0..count {
            images.extend(pixels(i % 3, i + 1000 * split.len()));
            labels.push(label(i) as u8);
        }
        fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).expect("written");
        fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).expect("written");
    }
}

/// Writes one image file, its format told by its name.
pub fn image_file(path: &Path, class: usize, number: usize) {
    let image = image::GrayImage::from_raw(SIDE as u32, SIDE as u32, pixels(class, number)).expect("enough pixels");
    // Larger than the model's input, so that it is resized.
    let image = image::imageops::resize(&image, 32, 32, image::imageops::FilterType::Nearest);
    image.save(path).expect("saved");
}

/// Writes a data set of image folders.
pub fn image_folders(folder: &Path) {
    for (split, count) in [("train", 10), ("val", 4)] {
        for (class, name) in CLASSES.iter().enumerate() {
            let folder = folder.join(split).join(name);
            fs::create_dir_all(&folder).expect("made");
            for i in 0..count {
                let extension = if i % 2 == 0 { "png" } else { "jpg" };
                image_file(&folder.join(format!("{i}.{extension}")), class, i + 100 * split.len());
            }
        }
    }
}

/// A run of two epochs on the tiny IDX data; gives the folders of data and run.
pub fn trained(root: &Path) -> (PathBuf, PathBuf) {
    let (data, run) = (root.join("data"), root.join("run"));
    idx_data(&data);
    let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "2", "--batch-size", "8"];
    expect(0, &[&args[..], &["--out", arg(&run)]].concat());
    (data, run)
}

/// Whether a software adapter is here; where CHIARO_REQUIRE_GPU is set, it must be.
pub fn software_adapter() -> bool {
    let (out, _) = expect(0, &["devices", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let found = all["adapters"].as_array().expect("a list").iter().any(|a| a["kind"] == "software");
    assert!(found || std::env::var_os("CHIARO_REQUIRE_GPU").is_none(), "CHIARO_REQUIRE_GPU is set, but: {out}");
    if !found {
        eprintln!("there is no software Vulkan adapter, so nothing was checked on it");
    }
    found
}
