//! End to end: predicting many pictures, named in every way, written in every form.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{CLASSES, arg, expect, expect_error, image_file, trained};

/// A run, and a folder with pictures in folders, 40 that can be read and one that cannot.
fn pictures(root: &Path) -> (PathBuf, PathBuf) {
    let (_, run) = trained(root);
    let folder = root.join("camera");
    for i in 0..40 {
        let day = folder.join(format!("day {}", i % 3));
        fs::create_dir_all(&day).expect("made");
        image_file(&day.join(format!("{i:02}.{}", if i % 2 == 0 { "jpg" } else { "png" })), i % 3, i);
    }
    fs::write(folder.join("day 0/broken.jpg"), "no picture").expect("written");
    fs::write(folder.join("day 0/notes.txt"), "no picture").expect("written");
    (run, folder)
}

fn predict<'a>(run: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["predict", arg(run), "--device", "cpu"], more].concat()
}

#[test]
fn a_folder_is_looked_through_and_what_cannot_be_read_is_told_and_left_out() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, folder) = pictures(root.path());
    let (out, err) = expect(1, &predict(&run, &[arg(&folder)]));
    assert_eq!(out.lines().count(), 40, "{out}");
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("broken.jpg"), "{err}");
    let names: Vec<&str> = out.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert!(names.is_sorted(), "{names:?}");
    // A picture's answer is its own, whatever it was in one batch with.
    let one = folder.join("day 1/16.jpg");
    let (alone, _) = expect(0, &predict(&run, &[arg(&one)]));
    assert!(out.contains(alone.trim_end()), "{alone}\n{out}");
}

#[test]
fn patterns_that_the_shell_left_are_expanded() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, folder) = pictures(root.path());
    let pattern = format!("{}/**/*[02468].jpg", folder.display());
    let (out, _) = expect(0, &predict(&run, &[&pattern]));
    assert_eq!(out.lines().count(), 20, "{out}");
    expect_error(1, &predict(&run, &[&format!("{}/*.jpeg", folder.display())]), &["*.jpeg", "nothing"]);
    expect_error(1, &predict(&run, &[&format!("{}/[", folder.display())]), &["no pattern"]);
    expect_error(1, &predict(&run, &["nowhere.jpg"]), &["nowhere.jpg", "no such file"]);
}

#[test]
fn a_list_on_the_standard_input_names_pictures_by_lines_or_zeros() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, folder) = pictures(root.path());
    let files: Vec<String> = (0..3)
        .map(|i| folder.join(format!("day {i}/0{i}.{}", ["jpg", "png", "jpg"][i])).display().to_string())
        .collect();
    for (list, code, count) in [(files.join("\n"), 0, 3), (files.join("\0") + "\0", 0, 3), (String::new(), 2, 0)] {
        let mut child = common::program()
            .args(predict(&run, &["-"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        child.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), count);
    }
}

#[test]
fn csv_and_json_lines_hold_the_same_as_text() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, folder) = pictures(root.path());
    let (table, lines) = (root.path().join("p.csv"), root.path().join("p.jsonl"));
    let picture = folder.join("day 2/02.jpg");
    let (text, _) = expect(0, &predict(&run, &[arg(&picture), "--top", "2"]));
    let (out, err) = expect(0, &predict(&run, &[arg(&picture), "--top", "2", "--out", arg(&table)]));
    assert!(out.is_empty() && err.contains("1 picture: "), "{out}{err}");
    expect(0, &predict(&run, &[arg(&picture), "--top", "2", "--out", arg(&lines)]));
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&lines).expect("a file")).expect("JSON");
    let said = json["predictions"].as_array().expect("a list");
    assert_eq!(json["file"].as_str(), Some(arg(&picture)));
    assert_eq!(said.len(), 2);
    let table = fs::read_to_string(&table).expect("a file");
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("file,class,probability,class_2,probability_2"));
    let cells: Vec<&str> = rows.next().expect("a row").split(',').collect();
    for (i, guess) in said.iter().enumerate() {
        let (class, probability) =
            (guess["class"].as_str().expect("a name"), guess["probability"].as_f64().expect("a number"));
        assert!(CLASSES.contains(&class));
        assert_eq!(cells[1 + 2 * i], class);
        assert!((cells[2 + 2 * i].parse::<f64>().expect("a number") - probability).abs() < 1e-6);
        assert!(text.contains(&format!("{class} {:.2} %", probability * 100.0)), "{text}");
    }
    expect_error(2, &predict(&run, &[arg(&picture), "--out", "p.json"]), &["jsonl"]);
    expect_error(
        2,
        &predict(&run, &[arg(&picture), "--out", "p.xyz"]),
        &["p.xyz ends with none of .txt, .csv", "--format"],
    );
}

#[test]
fn data_sets_in_one_file_are_predicted_by_their_numbers() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = trained(root.path());
    let (out, _) = expect(0, &predict(&run, &[arg(&data), "--format", "csv", "--top", "1"]));
    assert_eq!(out.lines().count(), 1 + common::COUNTS[1], "{out}");
    assert!(out.lines().nth(1).expect("a row").starts_with(&format!("{}/test#0,", data.display())), "{out}");
}

#[test]
fn the_contact_sheet_has_each_picture_in_its_place() {
    let root = tempfile::tempdir().expect("a folder");
    let (run, folder) = pictures(root.path());
    let sheet = root.path().join("sheet.png");
    let black = folder.join("black.png");
    image::RgbImage::new(30, 30).save(&black).expect("saved");
    let pattern = format!("{}/day 1/*.png", folder.display());
    expect(0, &predict(&run, &[arg(&black), &pattern, "--sheet", arg(&sheet)]));
    let drawn = image::open(&sheet).expect("a picture").to_rgb8();
    // Eight pictures, of which the first is black; text stands below it.
    assert_eq!(drawn.width(), 8 * 136 + 8);
    assert!((0..128).all(|i| drawn.get_pixel(8 + i, 8 + i).0 == [0; 3]));
    let below = (8..136).flat_map(|x| (138..146).map(move |y| (x, y)));
    assert!(below.filter(|&(x, y)| drawn.get_pixel(x, y).0 != [255; 3]).count() > 50);
    expect_error(1, &predict(&run, &[arg(&black), "--sheet", "/no/where.png"]), &["cannot write /no/where.png"]);
    expect_error(2, &predict(&run, &[arg(&black), "--sheet", "s.jpg"]), &["drawn as a PNG: name it s.png"]);
}
