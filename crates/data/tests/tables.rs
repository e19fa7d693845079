//! Tables of paths and labels, as other programs write them.

mod common;

use std::collections::BTreeSet;

use chiaro_data::{Dataset, Holdout, OpenOptions, Split, open, open_split};
use common::{Folder, encode, flat_rgb, labels, pixels};
use image::ImageFormat;

/// A folder of ten images, each of its own colour.
fn images() -> Folder {
    let folder = Folder::new();
    (0..10).for_each(|i| {
        drop(folder.write(&format!("pictures/{i}.png"), &encode(flat_rgb(3, 3, [i, 0, 0]), ImageFormat::Png)))
    });
    folder
}

fn colours(set: &dyn Dataset) -> Vec<u8> {
    (0..set.len()).map(|i| pixels(set, i)[0]).collect()
}

/// A table with these rows for the ten images.
fn table(header: &str, row: impl Fn(usize) -> String) -> Vec<u8> {
    (0..10).fold(header.to_string(), |text, i| text + &format!("pictures/{i}.png{}\n", row(i))).into_bytes()
}

fn refusal(folder: &Folder, name: &str) -> String {
    open(&folder.path().join(name), &OpenOptions::default()).err().expect("refused").to_string()
}

#[test]
fn a_table_names_paths_labels_and_splits() {
    let folder = images();
    let split = |i: usize| ["train", "Valid", "test"][if i < 6 { 0 } else { 1 + i % 2 }];
    folder.write("all.csv", &table("image,class,split\n", |i| format!(",{},{}", ["dog", "cat"][i % 2], split(i))));
    let sets = open(&folder.path().join("all.csv"), &OpenOptions::default()).unwrap();
    assert_eq!((sets.layout.name(), sets.split, sets.held_out), ("a table of labels", Split::Val, false));
    assert_eq!(sets.train.classes(), ["cat", "dog"]);
    assert_eq!((labels(&*sets.train), colours(&*sets.eval)), (vec![1, 0, 1, 0, 1, 0], vec![6, 8]));
    assert!(sets.train.values(0).is_empty());
    let test = open_split(&folder.path().join("all.csv"), Some(Split::Test), &OpenOptions::default()).unwrap();
    assert_eq!(colours(&*test.set), [7, 9]);
}

#[test]
fn a_table_without_splits_or_header_is_divided() {
    let folder = images();
    // As a spreadsheet writes it: a mark of its encoding, quotes, line ends of Windows.
    let rows = table("\u{FEFF}", |i| format!(",\"{}\"\r", 8 + i % 3));
    folder.write("labels.csv", &rows);
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    // Numbers in their order, not as words.
    assert_eq!(sets.train.classes(), ["8", "9", "10"]);
    assert_eq!((sets.train.len(), sets.eval.len(), sets.held_out), (7, 3, true));
}

#[test]
fn a_table_for_each_split_shares_its_classes() {
    let folder = images();
    folder.write("train.csv", b"path,label\npictures/0.png,a\npictures/1.png,b\npictures/2.png,c\n");
    folder.write("val.csv", b"path,label\npictures/3.png,c\n");
    folder.write("Test.tsv", b"label\tpath\na\tpictures/4.png\n");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((sets.train.len(), labels(&*sets.eval), colours(&*sets.eval)), (3, vec![2], vec![3]));
    let test = open_split(folder.path(), Some(Split::Test), &OpenOptions::default()).unwrap();
    assert_eq!((labels(&*test.set), colours(&*test.set)), (vec![0], vec![4]));
}

#[test]
fn several_labels_are_values_of_every_class() {
    let folder = images();
    folder.write("cells.csv", &table("file,tags\n", |i| format!(",{}", ["sea", "sea|sky", "sky;tree"][i % 3])));
    folder.write("columns.csv", &table("file,sea,sky,tree\n", |i| [",1,0,0", ",1,1,0", ",0,1,1"][i % 3].to_string()));
    for name in ["cells.csv", "columns.csv"] {
        let sets =
            open_split(&folder.path().join(name), None, &OpenOptions { holdout: None, ..OpenOptions::default() })
                .unwrap();
        assert_eq!((sets.set.classes(), sets.set.len()), (&["sea", "sky", "tree"].map(String::from)[..], 10));
        let shown: Vec<&[f32]> = (0..3).map(|i| sets.set.values(i)).collect();
        assert_eq!(shown, [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], "{name}");
    }
    // Nothing may be shown where each class has a column.
    folder.write("none.csv", &table("file,sea,sky\n", |i| format!(",{},0", i % 2)));
    let set =
        open_split(&folder.path().join("none.csv"), None, &OpenOptions { holdout: None, ..OpenOptions::default() })
            .unwrap()
            .set;
    assert_eq!(set.values(0), [0.0, 0.0]);
}

#[test]
fn an_image_that_is_not_there_is_skipped_and_told_of() {
    let folder = images();
    let rows = [table("path,label\n", |i| format!(",{}", i % 2)), b"pictures/gone.png,1\n".to_vec()].concat();
    folder.write("t.csv", &rows);
    let whole = OpenOptions { holdout: None, ..OpenOptions::default() };
    let opened = open_split(&folder.path().join("t.csv"), None, &whole).unwrap();
    assert_eq!((opened.set.len(), opened.notes.skipped.len()), (10, 1));
    assert!(opened.notes.skipped[0].to_string().ends_with("gone.png: no such file or folder"));
    let error = open_split(&folder.path().join("t.csv"), None, &OpenOptions { strict: true, ..whole }).err().unwrap();
    assert!(error.to_string().ends_with("gone.png: no such file or folder"), "{error}");
}

#[test]
fn what_is_wrong_with_a_table_is_told_with_its_line() {
    let folder = images();
    for (text, part) in [
        ("path,label\na.png,x\na.png,y\n", "line 3: "),
        (
            "path,label\na.png,x\na.png,y\n",
            "a.png is in line 2 already; several labels of one image go into one cell, as cat|dog",
        ),
        ("path,label\na.png,x\nb.png\n", "line 3"),
        ("path,label\na.png,x\nb.png,\n", "b.png has no label"),
        ("path,label,split\na.png,x,train\nb.png,y,later\n", "line 3: 'later' is no split"),
        ("a.png,x,y\n", "line 1: 3 columns without a header"),
        (
            "path,width\na.png,640\n",
            "line 2: '640' under 'width': without a column named 'label' each column is a class",
        ),
        ("path\na.png\n", "line 1: there is no column of labels"),
        ("path,label\n,x\n", "line 2: the path is empty"),
        ("path,label\n", "the table has no row"),
        ("path,label\na.png,x\nb.png,x\n", "a classifier needs two classes at least"),
    ] {
        folder.write("t.csv", text.as_bytes());
        let found = refusal(&folder, "t.csv");
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(refusal(&folder, "none.csv").ends_with("none.csv: no such file or folder"));
}

#[test]
fn a_folder_in_a_table_s_paths_is_a_group() {
    let folder = Folder::new();
    let mut rows = String::new();
    for i in 0..12u8 {
        let name = format!("pat{}/{i}.png", i / 3);
        folder.write(&name, &encode(flat_rgb(3, 3, [i, 0, 0]), ImageFormat::Png));
        rows += &format!("{name},{}\n", ["a", "b"][usize::from(i % 2)]);
    }
    folder.write("labels.csv", rows.as_bytes());
    let group_by = Some("/".parse().unwrap());
    let holdout = Some(Holdout { group_by, ..Holdout::default() });
    let sets = open(folder.path(), &OpenOptions { holdout, ..OpenOptions::default() }).unwrap();
    let patients = |set: &dyn Dataset| colours(set).iter().map(|colour| colour / 3).collect::<BTreeSet<u8>>();
    assert!(patients(&*sets.train).is_disjoint(&patients(&*sets.eval)), "{:?}", colours(&*sets.eval));
}

/// Two class folders of three images, in `train/` or straight in the folder.
fn class_folders(below: &str) -> Folder {
    let folder = Folder::new();
    for (class, i) in (0..6u8).map(|i| (["a", "b"][usize::from(i % 2)], i)) {
        folder.write(&format!("{below}{class}/{i}.png"), &encode(flat_rgb(3, 3, [i, 0, 0]), ImageFormat::Png));
    }
    folder
}

#[test]
fn a_table_of_something_else_leaves_class_folders_what_they_are() {
    let elsewhere = images();
    let outside = format!("file,label\n{}/pictures/0.png,x\n{0}/pictures/1.png,y\n", elsewhere.path().display());
    for (below, name, table) in [
        ("train/", "test.csv", "id,label\n1.png,a\n"),
        ("", "labels.csv", "id,width,height\n1.png,640,480\n"),
        ("", "train.csv", "id,width,height\n1.png,1,0\n"),
        ("", "labels.csv", &outside),
        ("", "train.csv", "file,label\n../x.png,a\n../y.png,b\n"),
    ] {
        let folder = class_folders(below);
        folder.write(name, table.as_bytes());
        let sets = open(folder.path(), &OpenOptions::default()).unwrap();
        assert_eq!((sets.train.classes().concat().as_str(), sets.train.len()), ("ab", 4), "{name}: {table}");
        let told = sets.notes.layout.expect("told");
        assert!(told.contains("not its table of labels"), "{told}");
    }
    // One of the folder's own images is taken, and told too.
    let folder = class_folders("");
    folder.write("labels.csv", b"a/0.png,x\nb/1.png,y\na/2.png,x\nb/3.png,y\n");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.train.classes(), ["x", "y"]);
    assert!(sets.notes.layout.is_some_and(|told| told.contains("its table of labels is used")));
}
