//! End to end: looking a data set over, and the images that are kept for the next run.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{arg, expect, expect_error, program};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

/// A picture with edges, of which each number gives another.
fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(120, 90, |x, y| {
        let cell = (x / 11 + 1) * 7919 + (y / 9 + 1) * 104_729 + number * 15_485_863;
        let value = (cell.wrapping_mul(2_654_435_761) >> 24) as u8;
        Rgb([value, value / 2 + 40, 255 - value])
    })
}

fn save(image: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    image.save(path).expect("saved");
}

/// Photos of two classes in two splits, and one of each fault among them.
fn faulty(root: &Path) -> PathBuf {
    let photos = root.join("photos");
    for i in 0..6 {
        save(&picture(i), &photos.join(format!("train/{}/{i}.png", ["cat", "dog"][i as usize % 2])));
        save(&picture(100 + i), &photos.join(format!("val/cat/{i}.png")));
    }
    fs::copy(photos.join("train/cat/0.png"), photos.join("val/cat/copy.png")).expect("copied");
    // The same in another format, a little smaller and lighter; and of another class.
    let smaller = image::imageops::resize(&picture(2), 110, 82, image::imageops::FilterType::Triangle);
    save(&image::imageops::brighten(&smaller, 6), &photos.join("train/dog/again.jpg"));
    save(&image::imageops::blur(&picture(77), 9.0), &photos.join("train/dog/blurred.png"));
    save(&RgbImage::from_pixel(80, 80, Rgb([9, 9, 9])), &photos.join("train/dog/blank.png"));
    fs::write(photos.join("train/dog/broken.jpg"), "no image").expect("written");
    fs::write(photos.join("train/dog/notes.txt"), "").expect("written");
    photos
}

#[test]
fn what_is_wrong_with_a_data_set_is_found() {
    let root = tempfile::tempdir().expect("a folder");
    let photos = faulty(root.path());
    let sheet = root.path().join("sheet.png");
    let (out, _) = expect(0, &["data", arg(&photos), "--json", "--sheet", arg(&sheet)]);
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(found["splits"]["train"]["classes"], serde_json::json!({"cat": 3, "dog": 6}));
    assert_eq!(
        found["splits"]["val"]["classes"],
        serde_json::json!({"cat": 7}).as_object().map_or(Value::Null, |some| {
            let mut all = some.clone();
            all.insert("dog".to_string(), 0.into());
            Value::Object(all)
        })
    );
    let names = |groups: &Value| -> Vec<Vec<String>> {
        let name = |place: &Value| {
            place["name"].as_str().expect("a name").rsplit_once("photos/").expect("a path").1.to_string()
        };
        groups
            .as_array()
            .expect("groups")
            .iter()
            .map(|group| group.as_array().expect("a group").iter().map(name).collect())
            .collect()
    };
    let copies = [["train/cat/0.png", "val/cat/copy.png"]];
    let alike = [["train/cat/2.png", "train/dog/again.jpg"]];
    assert_eq!(
        (names(&found["exact"]), names(&found["leaks"])),
        (copies.map(|g| g.map(String::from).to_vec()).to_vec(), copies.map(|g| g.map(String::from).to_vec()).to_vec())
    );
    assert_eq!(names(&found["near"]), alike.map(|g| g.map(String::from).to_vec()).to_vec());
    assert_eq!(names(&found["conflicts"]), alike.map(|g| g.map(String::from).to_vec()).to_vec());
    let one = |key: &str| found[key][0]["name"].as_str().expect("a name").to_string();
    assert!(one("blank").ends_with("blank.png") && one("blurred").ends_with("blurred.png"), "{found}");
    assert_eq!(
        (found["blank"].as_array().map(Vec::len), found["blurred"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    assert!(found["unreadable"][0].as_str().expect("a cause").contains("broken.jpg: corrupt image"));
    assert!(found["ignored"][0].as_str().expect("a name").ends_with("notes.txt"));
    assert_eq!(found["missing"], serde_json::json!(["dog has no validation image"]));
    assert!(found["mean"][0].as_f64().is_some_and(|mean| (0.2..0.8).contains(&mean)));

    let drawn = image::open(&sheet).expect("a picture").into_rgb8();
    assert!(drawn.width() > 900 && drawn.height() > 200, "{:?}", drawn.dimensions());
    // The first picture of the first class stands below its name.
    assert!(drawn.pixels().any(|pixel| *pixel == Rgb([0; 3])) && drawn.get_pixel(50, 64) != &Rgb([255; 3]));

    let (out, _) = expect(0, &["data", arg(&photos)]);
    for part in [
        "layout: class folders",
        "cat           3         7",
        "unreadable: 1",
        "groups of the same image: 1",
        "is tested on what it has learnt: 1",
        "blank: 1",
        "blurred, it seems: 1",
        "dog has no validation image",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    expect_error(1, &["data", arg(&root.path().join("nowhere"))], &["nowhere", "no such file or folder"]);
    expect_error(1, &["train", "nonesuch"], &["nonesuch: no such file or folder", "mnist, fashion-mnist, cifar10"]);
}

#[test]
fn sets_in_memory_are_looked_over_too() {
    let root = tempfile::tempdir().expect("a folder");
    common::idx_data(root.path());
    let (out, _) = expect(0, &["data", arg(root.path())]);
    assert!(out.contains("layout: IDX") && out.contains("compared byte by byte alone"), "{out}");
    let total = out.lines().find(|line| line.starts_with("total ")).expect("a total");
    assert_eq!(total.split_whitespace().collect::<Vec<_>>(), ["total", "48", "18"]);
}

#[test]
fn the_second_run_reads_the_images_that_the_first_kept() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, cache) = (root.path().join("photos"), root.path().join("cache"));
    for i in 0..20 {
        save(&picture(i), &data.join(format!("{}/{i}.bmp", ["a", "b"][i as usize % 2])));
    }
    let run = |name: &str, more: &[&str]| {
        let out = root.path().join(name);
        let args = [
            "train",
            arg(&data),
            "--device",
            "cpu",
            "--size",
            "8",
            "--model",
            "small-cnn",
            "--epochs",
            "1",
            "--batch-size",
            "4",
        ];
        let output =
            program().env("CHIARO_CACHE_DIR", &cache).args(args).args(more).args(["--out", arg(&out)]).output();
        let output = output.expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(" % waiting for data), "), "{text}");
        fs::read(out.join("weights/last.safetensors")).expect("weights")
    };
    let first = run("first", &[]);
    let packs = common::names(&cache.join("images"));
    assert!(packs.len() == 1 && packs[0].starts_with("photos-") && packs[0].ends_with(".pack"), "{packs:?}");
    // Overwritten with other pixels, same size and time: who reads the pack cannot see it.
    let path = data.join("a/0.bmp");
    let (before, time) =
        (fs::read(&path).expect("read"), fs::metadata(&path).and_then(|m| m.modified()).expect("a time"));
    picture(1000).save_with_format(&path, ImageFormat::Bmp).expect("saved");
    assert_eq!(fs::metadata(&path).expect("there").len(), before.len() as u64);
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("set");
    assert!(run("second", &[]) == first);
    assert!(run("third", &["--data-cache", "off"]) != first);
    let own = root.path().join("own");
    run("fourth", &["--data-cache", arg(&own)]);
    assert_eq!(common::names(&own).len(), 1);
}

#[test]
fn a_published_set_that_is_not_here_is_told_where_it_would_lie() {
    let root = tempfile::tempdir().expect("a folder");
    for command in [&["train", "fashion-mnist", "--offline"][..], &["data", "cifar10", "--offline"]] {
        let output = program().env("CHIARO_CACHE_DIR", root.path()).current_dir(root.path()).args(command).output();
        let output = output.expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("--offline downloads nothing") && text.contains(arg(root.path())), "{text}");
    }
    // Once there, a name is a folder.
    let place = root.path().join("sets/mnist");
    common::idx_data(&place);
    for (from, to) in [
        ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"),
        ("train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"),
        ("t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"),
    ] {
        fs::rename(place.join(from), place.join(to)).expect("moved");
    }
    let output = program()
        .env("CHIARO_CACHE_DIR", root.path())
        .current_dir(root.path())
        .args(["data", "mnist", "--offline"])
        .output();
    let output = output.expect("the program runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains("layout: IDX"), "{output:?}");
}
