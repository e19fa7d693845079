//! Image folders: every kind of file that decodes, and every one that does not.

mod common;

use std::path::{Path, PathBuf};

use chiaro_data::{Channels, DataError, Dataset, ImageFolder, OpenOptions, Resize, class_counts, decode_file, open};
use common::{Folder, busy_jpeg, encode, flat_rgb, image_folder, labels, pixels};
use image::{GrayAlphaImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba, RgbaImage};

fn decoded(path: &Path, shape: [usize; 3]) -> Result<Vec<u8>, DataError> {
    let mut out = vec![0; shape.iter().product()];
    decode_file(path, shape, Resize::Squash, &mut out).map(|_| out)
}

/// Whether every pixel of `image` is within `by` of `colour` (JPEG is lossy).
fn is_flat(image: &[u8], colour: [u8; 3], by: u8) -> bool {
    let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= by;
    image.len().is_multiple_of(3) && image.iter().zip(colour.iter().cycle()).all(near)
}

#[test]
fn folders_are_classes_and_sizes_become_one() {
    let folder = image_folder();
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.layout.name(), "class folders");
    assert_eq!(sets.train.classes(), ["blue", "red"]);
    // Sides of 30, 30, 7 and 7 pixels.
    assert_eq!(sets.train.image_shape(), [30, 30, 3]);
    assert_eq!(labels(&*sets.train), [0, 0, 1, 1]);
    assert_eq!(labels(&*sets.eval), [0, 1]);
    let colours = [[0, 0, 255], [0, 0, 200], [250, 0, 0], [100, 0, 0]];
    for (i, colour) in colours.into_iter().enumerate() {
        assert!(is_flat(&pixels(&*sets.train, i), colour, 3), "image {i}");
    }
    assert!(sets.notes.skipped.is_empty() && sets.notes.ignored.is_empty());
}

#[test]
fn cached_and_lazy_folders_give_the_same_pixels() {
    let folder = image_folder();
    folder.write("train/blue/busy.jpg", &busy_jpeg());
    let mut options = OpenOptions { size: Some([9, 14]), channels: Some(Channels::Grey), ..OpenOptions::default() };
    let cached = open(folder.path(), &options).unwrap();
    // Room for the training images alone: 5 of 9*14 bytes.
    options.cache_bytes = 5 * 9 * 14;
    let half = open(folder.path(), &options).unwrap();
    assert!(half.train.in_memory() && !half.eval.in_memory());
    options.cache_bytes -= 1;
    let lazy = open(folder.path(), &options).unwrap();
    assert!(cached.train.in_memory() && !lazy.train.in_memory());
    assert_eq!(lazy.train.image_shape(), [9, 14, 1]);
    assert_eq!(lazy.train.len(), 5);
    for i in 0..5 {
        assert_eq!(pixels(&*cached.train, i), pixels(&*lazy.train, i), "image {i}");
    }
}

#[test]
fn corrupt_images_are_named_and_skipped_or_refused() {
    let folder = image_folder();
    let whole = busy_jpeg();
    folder.write("train/blue/0-cut.jpg", &whole[..whole.len() * 2 / 3]);
    folder.write("train/red/1-text.png", b"not an image");
    folder.write("val/red/a-empty.jpg", b"");
    for cache_bytes in [1 << 30, 0] {
        let mut options = OpenOptions { cache_bytes, ..OpenOptions::default() };
        let sets = open(folder.path(), &options).unwrap();
        assert_eq!(labels(&*sets.train), [0, 0, 1, 1]);
        // The good ones moved up in place of the skipped.
        assert!(is_flat(&pixels(&*sets.train, 0), [0, 0, 255], 3));
        assert!(is_flat(&pixels(&*sets.train, 3), [100, 0, 0], 0));
        assert!(is_flat(&pixels(&*sets.eval, 1), [55, 0, 0], 0));
        let skipped: Vec<String> = sets.notes.skipped.iter().map(|e| e.to_string()).collect();
        assert_eq!(skipped.len(), 3, "{skipped:?}");
        assert!(skipped[0].contains("0-cut.jpg: corrupt image: truncated"), "{skipped:?}");
        assert!(skipped[1].contains("1-text.png: corrupt image: "), "{skipped:?}");
        assert!(skipped[2].contains("a-empty.jpg: corrupt image: the file is empty"));

        options.strict = true;
        let refused = open(folder.path(), &options).err().unwrap();
        assert!(
            matches!(&refused, DataError::CorruptImage { path, .. } if path.ends_with("blue/0-cut.jpg")),
            "{refused}"
        );
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_corrupt() {
    let folder = Folder::new();
    let whole = busy_jpeg();
    let path = folder.write("a.jpg", &whole);
    decoded(&path, [8, 8, 3]).unwrap();
    for kept in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        folder.write("a.jpg", &whole[..kept]);
        let error = decoded(&path, [8, 8, 3]).unwrap_err();
        assert!(matches!(error, DataError::CorruptImage { .. }), "{kept}: {error}");
        assert!(!error.to_string().contains('\n'), "one line: {error:?}");
    }
}

#[test]
fn a_png_cut_inside_its_pixels_or_with_a_bad_checksum_is_corrupt() {
    let folder = Folder::new();
    let image = image::GrayImage::from_fn(50, 50, |x, y| Luma([(x * 37 + y * y * 11) as u8]));
    let whole = encode(image, ImageFormat::Png);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &flipped] {
        let path = folder.write("a.png", bytes);
        let error = decoded(&path, [8, 8, 3]).unwrap_err();
        assert!(matches!(error, DataError::CorruptImage { .. }), "{error}");
    }
}

#[test]
fn alpha_sixteen_bits_grey_and_cmyk_decode() {
    let folder = Folder::new();
    let png = |image: image::DynamicImage| encode(image, ImageFormat::Png);
    let rgba = RgbaImage::from_pixel(5, 4, Rgba([10, 20, 30, 0]));
    let grey_alpha = GrayAlphaImage::from_pixel(5, 4, LumaA([90, 128]));
    let rgb16 = ImageBuffer::from_pixel(5, 4, Rgb([0xFFFFu16, 0x8080, 0x0000]));
    let grey16 = ImageBuffer::from_pixel(5, 4, Luma([0x4040u16]));
    let grey_jpeg = encode(image::GrayImage::from_pixel(9, 9, Luma([130])), ImageFormat::Jpeg);
    let cases = [
        // All clear, so that white is seen; and half of 90 on half of white.
        (png(rgba.into()), [255, 255, 255]),
        (png(grey_alpha.into()), [172, 172, 172]),
        (png(rgb16.into()), [255, 128, 0]),
        (png(grey16.into()), [64, 64, 64]),
        (grey_jpeg, [130, 130, 130]),
        // (1 - 1/2) (1 - 1/2) of white.
        (cmyk_jpeg(), [64, 64, 64]),
    ];
    for (i, (bytes, colour)) in cases.into_iter().enumerate() {
        let path = folder.write("image", &bytes);
        let image = decoded(&path, [3, 3, 3]).unwrap();
        assert!(is_flat(&image, colour, 1), "case {i}: {image:?}");
    }
}

/// The smallest JPEG of four components: 8x8, every coefficient 0, so that all inks are one half.
fn cmyk_jpeg() -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
    bytes.extend(b"Adobe\0\x64\0\0\0\0\0");
    bytes.extend([0xFF, 0xDB, 0, 67, 0]);
    bytes.extend([1; 64]);
    bytes.extend([0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4]);
    bytes.extend((1..=4).flat_map(|component| [component, 0x11, 0]));
    for table in [0x00, 0x10] {
        // One code, the bit 0, for the symbol 0: no difference, end of block.
        bytes.extend([0xFF, 0xC4, 0, 20, table, 1]);
        bytes.extend([0; 16]);
    }
    bytes.extend([0xFF, 0xDA, 0, 14, 4]);
    bytes.extend((1..=4).flat_map(|component| [component, 0]));
    bytes.extend([0, 63, 0, 0x00, 0xFF, 0xD9]);
    bytes
}

#[test]
fn exif_orientation_is_respected() {
    // Left half white, right half black; orientation 6 says to turn it clockwise.
    let image = image::GrayImage::from_fn(32, 32, |x, _| Luma([if x < 16 { 255 } else { 0 }]));
    let plain = encode(image, ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01".to_vec();
    exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]);
    let segment = [&[0xFF, 0xE1, 0, exif.len() as u8 + 2], exif.as_slice()].concat();
    let turned = [&plain[..2], &segment, &plain[2..]].concat();
    let folder = Folder::new();
    let quarters = |bytes: &[u8]| {
        let path = folder.write("a.jpg", bytes);
        let image = decoded(&path, [32, 32, 1]).unwrap();
        [(4, 4), (4, 28), (28, 4), (28, 28)].map(|(y, x)| image[y * 32 + x] > 128)
    };
    assert_eq!(quarters(&plain), [true, false, true, false]);
    assert_eq!(quarters(&turned), [true, true, false, false]);
}

#[test]
fn classes_must_agree_between_the_splits() {
    let folder = image_folder();
    folder.write("val/green/z.png", &encode(flat_rgb(2, 2, [0; 3]), ImageFormat::Png));
    std::fs::remove_dir_all(folder.path().join("val/red")).unwrap();
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    let DataError::ClassesDiffer { path, extra, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((path, extra), (folder.path().join("val"), vec!["green".to_string()]));
}

#[test]
fn a_split_may_lack_a_class_and_its_images_keep_theirs() {
    let folder = image_folder();
    std::fs::remove_dir_all(folder.path().join("val/blue")).unwrap();
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(sets.eval.classes(), ["blue", "red"]);
    assert_eq!(class_counts(&*sets.eval), [0, 1]);
}

#[test]
fn an_empty_folder_of_validation_images_counts_as_none_and_is_told() {
    let folder = image_folder();
    std::fs::remove_dir_all(folder.path().join("val")).unwrap();
    folder.write("val/red/notes.txt", b"");
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    assert!(sets.held_out && sets.train.len() + sets.eval.len() == 4);
    let told = sets.notes.layout.unwrap();
    assert_eq!(told, format!("no image lies in {}: it counts as not there", folder.path().join("val").display()));
}

#[test]
fn missing_and_empty_folders_are_named() {
    let folder = image_folder();
    folder.write("val/green/.hidden", b"");
    folder.write("train/green/notes.txt", b"");
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    let green = folder.path().join("train/green");
    assert!(matches!(&error, DataError::EmptyClass { path } if *path == green), "{error}");

    let folder = Folder::new();
    for class in ["red", "blue"] {
        folder.write(&format!("train/{class}/bad.png"), b"bad");
        folder.write(&format!("val/{class}/bad.png"), b"bad");
    }
    let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
    let train = folder.path().join("train");
    assert!(matches!(&error, DataError::EmptySplit { path, .. } if *path == train), "{error}");
}

#[test]
fn other_files_are_listed_and_hidden_ones_passed_over() {
    let folder = image_folder();
    folder.write("train/notes.txt", b"");
    folder.write("train/red/photo.heic", b"");
    folder.write("train/red/.DS_Store", b"");
    folder.write("train/.cache/x.png", b"");
    let (set, notes) = ImageFolder::open(&folder.path().join("train"), &OpenOptions::default()).unwrap();
    let expected: Vec<PathBuf> = vec![folder.path().join("train/red/photo.heic")];
    assert_eq!(notes.ignored, expected);
    assert_eq!(set.classes(), ["blue", "red"]);
    assert!(set.files()[0].ends_with("blue/a.jpg"));
}

#[test]
fn a_file_that_goes_away_later_is_an_error() {
    let folder = image_folder();
    let options = OpenOptions { cache_bytes: 0, ..OpenOptions::default() };
    let sets = open(folder.path(), &options).unwrap();
    std::fs::remove_file(folder.path().join("train/red/2.png")).unwrap();
    let mut out = vec![0; sets.train.image_shape().iter().product()];
    let error = sets.train.write_image(3, &mut out).unwrap_err();
    assert!(matches!(&error, DataError::Missing { path } if path.ends_with("red/2.png")));
    assert!(matches!(sets.train.write_image(4, &mut out), Err(DataError::Invalid { .. })));
    assert!(matches!(sets.train.write_image(0, &mut out[1..]), Err(DataError::Invalid { .. })));
}
