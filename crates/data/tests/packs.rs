//! Packs of decoded images: the next opening reads them, whatever changes or is damaged makes them anew, and sets beyond memory
//! are read from them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use chiaro_data::{Channels, Dataset, Holdout, Normalize, OpenOptions, Resize, Split, open, open_split};
use common::{Folder, busy_jpeg, encode, flat_rgb, image_folder, pixels};
use image::ImageFormat;

fn options(packs: &Folder) -> OpenOptions {
    OpenOptions { pack_dir: Some(packs.path().join("data")), size: Some([8, 8]), ..OpenOptions::default() }
}

fn packs(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("data")).map(|all| all.map(|entry| entry.unwrap().path()).collect());
    let mut packs: Vec<PathBuf> = entries.unwrap_or_default();
    packs.sort();
    packs
}

/// Makes a file another of the same size and time, which a pack cannot notice: whoever still sees the old pixels read the pack.
fn change_unseen(path: &Path, colour: [u8; 3]) {
    let before = fs::metadata(path).unwrap();
    let mut bytes = encode(flat_rgb(7, 90, colour), ImageFormat::Png);
    bytes.resize(before.len() as usize, 0);
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

fn all(set: &dyn Dataset) -> Vec<Vec<u8>> {
    (0..set.len()).map(|i| pixels(set, i)).collect()
}

#[test]
fn the_second_opening_reads_the_packs_and_decodes_nothing() {
    let (folder, kept) = (image_folder(), Folder::new());
    let first = open(folder.path(), &options(&kept)).unwrap();
    assert_eq!(packs(&kept).len(), 2);
    assert!(packs(&kept).iter().all(|path| path.extension().is_some_and(|end| end == "pack")));
    change_unseen(&folder.path().join("train/blue/b.png"), [1, 2, 3]);
    for cache_bytes in [1 << 30, 0] {
        let second = open(folder.path(), &OpenOptions { cache_bytes, ..options(&kept) }).unwrap();
        assert_eq!(second.train.in_memory(), cache_bytes > 0);
        assert_eq!((all(&*first.train), all(&*first.eval)), (all(&*second.train), all(&*second.eval)));
        assert_eq!(Normalize::measure(&*first.train).unwrap(), Normalize::measure(&*second.train).unwrap());
    }
    assert_eq!(packs(&kept).len(), 2);
    let without = open(folder.path(), &OpenOptions { pack_dir: None, ..options(&kept) }).unwrap();
    assert_ne!(all(&*first.train), all(&*without.train));
}

#[test]
fn what_packs_hang_on_makes_others() {
    let (folder, kept) = (image_folder(), Folder::new());
    let open = |options: &OpenOptions| open(folder.path(), options).unwrap();
    open(&options(&kept));
    for other in [
        OpenOptions { size: Some([9, 8]), ..options(&kept) },
        OpenOptions { channels: Some(Channels::Grey), ..options(&kept) },
        OpenOptions { resize: Resize::Crop, ..options(&kept) },
    ] {
        let before = packs(&kept).len();
        open(&other);
        assert_eq!(packs(&kept).len(), before + 2);
    }
    let before = packs(&kept).len();
    folder.write("train/blue/b.png", &encode(flat_rgb(3, 3, [9, 9, 9]), ImageFormat::Png));
    let sets = open(&options(&kept));
    assert_eq!(packs(&kept).len(), before + 1);
    assert_eq!(pixels(&*sets.train, 1), [9; 192]);
}

#[test]
fn a_damaged_pack_is_made_anew() {
    let (folder, kept) = (image_folder(), Folder::new());
    folder.write("train/blue/busy.jpg", &busy_jpeg());
    let first = open(folder.path(), &options(&kept)).unwrap();
    let train = packs(&kept).into_iter().find(|path| path.to_string_lossy().contains("train")).unwrap();
    let whole = fs::read(&train).unwrap();
    // In the key, in the index, in the pixels, and at its end.
    for place in [9, 50, whole.len() - 300, whole.len()] {
        let mut bad = whole.clone();
        match bad.get_mut(place) {
            Some(byte) => *byte ^= 0x10,
            None => bad.truncate(place - 1),
        }
        fs::write(&train, &bad).unwrap();
        // From the disk only what is asked for is looked at, and taken from its file where it is damaged.
        let lazy = open(folder.path(), &OpenOptions { cache_bytes: 0, ..options(&kept) }).unwrap();
        assert_eq!(all(&*first.train), all(&*lazy.train), "{place}");
        fs::write(&train, &bad).unwrap();
        let second = open(folder.path(), &options(&kept)).unwrap();
        assert_eq!(all(&*first.train), all(&*second.train), "{place}");
        assert!(fs::read(&train).unwrap() == whole, "{place}");
    }
}

#[test]
fn images_that_cannot_be_decoded_are_told_of_again() {
    let (folder, kept) = (image_folder(), Folder::new());
    folder.write("train/blue/0-text.png", b"not an image");
    let told = |options: &OpenOptions| {
        let sets = open(folder.path(), options).unwrap();
        assert_eq!(sets.train.len(), 4);
        sets.notes.skipped.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let first = told(&options(&kept));
    assert_eq!((first.len(), &told(&options(&kept))), (1, &first));
    assert!(open(folder.path(), &OpenOptions { strict: true, ..options(&kept) }).is_err());
}

#[test]
fn a_folder_that_is_divided_has_one_pack_for_all_its_folds() {
    let (folder, kept) = (Folder::new(), Folder::new());
    for i in 0..20 {
        folder
            .write(&format!("{}/{i}.png", ["a", "b"][i % 2]), &encode(flat_rgb(3, 3, [i as u8; 3]), ImageFormat::Png));
    }
    // A part alone decodes no more than itself.
    let part = open_split(folder.path(), Some(Split::Val), &options(&kept)).unwrap();
    assert_eq!(part.set.len(), 4);
    let small = packs(&kept);
    assert_eq!(small.len(), 1);
    for seed in 0..3 {
        let holdout = Some(Holdout { seed, ..Holdout::default() });
        let sets = open(folder.path(), &OpenOptions { holdout, ..options(&kept) }).unwrap();
        assert_eq!((sets.train.len(), sets.eval.len()), (16, 4));
        let mut colours: Vec<u8> =
            [all(&*sets.train), all(&*sets.eval)].concat().iter().map(|image| image[0]).collect();
        colours.sort_unstable();
        assert_eq!(colours, (0..20).collect::<Vec<u8>>());
    }
    assert_eq!(packs(&kept).len(), 2);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_keeps_nothing_and_does_no_harm() {
    let (folder, kept) = (image_folder(), Folder::new());
    fs::write(kept.path().join("data"), b"a file in the way").unwrap();
    let sets = open(folder.path(), &options(&kept)).unwrap();
    assert_eq!(sets.train.len(), 4);
}
