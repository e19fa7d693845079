//! Class folders: what is found in them, what their names are, and what is said of folders that are laid out otherwise.

mod common;

use std::fs;

use chiaro_data::{DataError, Dataset, ImageFolder, OpenOptions, class_counts, open};
use common::{Folder, encode, flat_rgb, idx_folder, image_folder, labels};
use image::ImageFormat;

fn png() -> Vec<u8> {
    encode(flat_rgb(2, 2, [1, 2, 3]), ImageFormat::Png)
}

fn refusal(folder: &Folder) -> String {
    let error = open(folder.path(), &OpenOptions::default()).err().expect("refused");
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn images_in_folders_of_a_class_folder_are_of_the_class() {
    let folder = image_folder();
    folder.write("train/blue/deep/deeper/1.png", &png());
    folder.write("train/blue/deep/2.jfif", &encode(flat_rgb(3, 3, [0; 3]), ImageFormat::Jpeg));
    folder.write("train/red/.hidden/3.png", &png());
    let (set, notes) = ImageFolder::open(&folder.path().join("train"), &OpenOptions::default()).unwrap();
    assert_eq!(set.classes(), ["blue", "red"]);
    assert_eq!(labels(&set), [0, 0, 0, 0, 1, 1]);
    assert_eq!(class_counts(&set), [4, 2]);
    assert!(notes.ignored.is_empty() && notes.stray.is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back_is_not_followed_for_ever() {
    use std::os::unix::fs::symlink;
    let folder = image_folder();
    let elsewhere = Folder::new();
    elsewhere.write("more/1.png", &png());
    symlink(folder.path().join("train/blue"), folder.path().join("train/blue/again")).unwrap();
    symlink(elsewhere.path(), folder.path().join("train/blue/elsewhere")).unwrap();
    let (set, notes) = ImageFolder::open(&folder.path().join("train"), &OpenOptions::default()).unwrap();
    assert_eq!(class_counts(&set), [3, 2]);
    assert_eq!(notes.ignored, [folder.path().join("train/blue/again")]);
}

#[cfg(unix)]
#[test]
fn links_make_no_image_one_of_two_classes() {
    use std::os::unix::fs::symlink;
    for (target, link, expected) in [
        (".", "self", "self is a link to a folder above it, not a class: remove it"),
        ("../..", "a/up", ""),
        ("../a", "b/sub", "a and b/sub are one folder, by a link, so that its images would be of two classes"),
        ("../b", "a/sub", "b and a/sub are one folder, by a link, so that its images would be of two classes"),
        ("a", "c", "a and c are one folder, by a link, so that its images would be of two classes"),
        ("/nowhere/at/all", "c", "c is a link to what is not there: mend or remove it"),
    ] {
        let folder = Folder::new();
        for i in 0..4 {
            folder.write(&format!("a/{i}.png"), &png());
            folder.write(&format!("b/{i}.png"), &png());
        }
        symlink(target, folder.path().join(link)).unwrap();
        match open(folder.path(), &OpenOptions::default()) {
            Ok(sets) => {
                assert_eq!((expected, sets.notes.ignored.len(), sets.train.len() + sets.eval.len()), ("", 1, 8))
            }
            Err(_) => assert_eq!(refusal(&folder).replace(&folder.path().display().to_string(), ""), expected),
        }
    }
}

#[test]
fn classes_are_known_by_images_at_any_depth_and_not_by_what_systems_leave() {
    let folder = Folder::new();
    for class in ["a", "b"] {
        for i in 0..4 {
            folder.write(&format!("{class}/1/2/3/4/5/6/7/{i}.png"), &png());
        }
    }
    folder.write("__MACOSX/a/._0.png", b"");
    folder.write("__MACOSX/1.png", b"");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((sets.train.classes(), sets.train.len() + sets.eval.len()), (&["a".into(), "b".into()][..], 8));
    fs::remove_dir_all(folder.path().join("b")).unwrap();
    let found = refusal(&folder);
    assert!(found.contains("no known data set here but one class only, in a, and a classifier needs two"), "{found}");
}

#[test]
fn images_beside_the_class_folders_are_told_of() {
    let folder = image_folder();
    folder.write("train/stray.png", &png());
    folder.write("train/notes.txt", b"");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.notes.stray, [folder.path().join("train/stray.png")]);
    assert!(sets.notes.ignored.is_empty());
}

#[test]
fn folders_laid_out_otherwise_are_told_what_to_do() {
    let straight = Folder::new();
    let nested = Folder::new();
    let below = Folder::new();
    for split in ["train", "val"] {
        straight.write(&format!("{split}/1.png"), &png());
        straight.write(&format!("{split}/2.png"), &png());
        for class in ["cat", "dog"] {
            nested.write(&format!("{split}/pets/{class}/1.png"), &png());
            below.write(&format!("pets/{split}/{class}/1.png"), &png());
        }
    }
    let cases = [
        (
            &straight,
            "train: 2 images lie straight in it; each belongs into a folder named as its class, as in train/cat/1.jpg",
        ),
        (
            &nested,
            "train: 'pets' is the only class folder, and a classifier needs two at least; if the folders in it are the classes ('cat', 'dog'), move them a level up",
        ),
        (&below, "no known data set here but in pets: name that folder; looked for "),
    ];
    for (folder, expected) in cases {
        let found = refusal(folder);
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn one_class_alone_is_refused() {
    let folder = image_folder();
    for split in ["train", "val"] {
        fs::remove_dir_all(folder.path().join(split).join("blue")).unwrap();
    }
    assert_eq!(refusal(&folder), "train: 'red' is the only class folder, and a classifier needs two at least");
}

#[test]
fn other_formats_are_named() {
    let folder = image_folder();
    folder.write("train/blue/photo.jpg", b"\0\0\0\x1Cftypheic\0\0\0\0");
    folder.write("train/red/page.jpg", b"<!DOCTYPE html><title>404</title>");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    let skipped: Vec<String> = sets.notes.skipped.iter().map(ToString::to_string).collect();
    assert!(
        skipped[0].ends_with("photo.jpg holds HEIC, which chiaro does not read yet; convert it to PNG or JPEG"),
        "{skipped:?}"
    );
    assert!(skipped[1].ends_with("page.jpg: corrupt image: it holds a web page (HTML)"), "{skipped:?}");
}

#[test]
fn names_are_composed_and_sorted_as_composed() {
    let folder = Folder::new();
    // One split comes from a file system that writes an é as two characters.
    for (split, name) in [("train", "\u{E9}cru"), ("val", "e\u{301}cru")] {
        for class in [name, "azure", "zinc"] {
            folder.write(&format!("{split}/{class}/1.png"), &png());
        }
    }
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.train.classes(), ["azure", "zinc", "\u{E9}cru"]);
    assert_eq!(sets.eval.classes(), sets.train.classes());

    folder.write("train/e\u{301}cru/2.png", &png());
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    assert!(matches!(&error, DataError::SameClassTwice { name, .. } if name == "\u{E9}cru"), "{error}");
}

// Other systems have no such names.
#[cfg(target_os = "linux")]
#[test]
fn a_class_folder_whose_name_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = image_folder();
    let name = std::ffi::OsStr::from_bytes(b"caf\xE9");
    fs::create_dir(folder.path().join("train").join(name)).unwrap();
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    assert!(matches!(&error, DataError::NameNotUtf8 { path } if path.ends_with(name)), "{error}");
}

#[test]
fn a_list_of_names_says_each_once() {
    let folder = idx_folder();
    for (text, expected) in [
        ("a\nb\nb\nd\ne\nf\ng\nh".as_bytes(), "lines 2 and 3 both say 'b'"),
        ("caf\u{E9}\ncafe\u{301}".as_bytes(), "lines 1 and 2 both say 'caf\u{E9}'"),
        (b"caf\xE9\nb", "it is not in UTF-8"),
    ] {
        folder.write("classes.txt", text);
        let found = refusal(&folder);
        assert_eq!(found, format!("classes.txt: bad list of classes: {expected}"));
    }
    folder.write("classes.txt", "\u{FEFF}a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\n".as_bytes());
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.train.classes(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
}
