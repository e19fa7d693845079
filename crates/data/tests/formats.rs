//! Files that Pillow and ImageMagick wrote, in every format, and images that Pillow resized: the same pixels come out
//! (`files/pillow.py` made them).

mod common;

use std::path::{Path, PathBuf};

use chiaro_data::{Alpha, Resize, decode_file};
use common::{Folder, encode};
use image::{DynamicImage, ImageFormat};

fn files(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/pillow").join(below)
}

/// The pixels of a PNG as they are.
fn pixels(path: &Path, channels: usize) -> ([usize; 2], Vec<u8>) {
    let image = image::open(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    let size = [image.height() as usize, image.width() as usize];
    let pixels = match channels {
        1 => image.into_luma8().into_raw(),
        3 => image.into_rgb8().into_raw(),
        _ => image.into_rgba8().into_raw(),
    };
    (size, pixels)
}

fn most_apart(found: &[u8], wanted: &[u8]) -> u8 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_format_gives_the_pixels_that_pillow_reads() {
    let mut names: Vec<PathBuf> = std::fs::read_dir(files("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.is_file());
    names.sort();
    assert!(names.len() >= 30, "{names:?}");
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        let ([height, width], wanted) = pixels(&files("read").join(format!("{name}.png")), 3);
        let mut found = vec![0; wanted.len()];
        let alpha = decode_file(&path, [height, width, 3], Resize::Squash, &mut found).unwrap();
        // Decoders of lossy formats round differently; CMYK is made RGB with other rounding.
        let lossy = name.ends_with(".jpg") || name == "lossy.webp";
        let most = if lossy { 5 } else { 1 };
        assert!(most_apart(&found, &wanted) <= most, "{name}: {} apart", most_apart(&found, &wanted));
        let clear = name.contains("alpha") || name.contains("clear");
        assert_eq!(alpha == Alpha::OnWhite, clear, "{name}");
        if name.starts_with("turned") {
            assert_eq!((height, width), (46, 34), "{name}");
        }
    }
}

#[test]
fn resized_images_are_those_of_pillow_within_one_of_255() {
    let mut seen = 0;
    for entry in std::fs::read_dir(files("resized")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap().to_string();
        let [policy, _, channels] = name.split('_').collect::<Vec<_>>()[..] else { continue };
        let (policy, channels): (Resize, usize) = (policy.parse().unwrap(), channels.parse().unwrap());
        let ([height, width], wanted) = pixels(&path, channels);
        let source = files("resized").join(format!("of_{channels}.png"));
        let mut found = vec![0; wanted.len()];
        decode_file(&source, [height, width, channels], policy, &mut found).unwrap();
        let (apart, most) = match channels {
            // Where next to nothing is seen, its colour is rounding alone; elsewhere both colour and alpha are rounded.
            4 => (seen_apart(&found, &wanted), 2),
            _ => (most_apart(&found, &wanted), 1),
        };
        assert!(apart <= most, "{name}: {apart} apart");
        seen += 1;
    }
    assert_eq!(seen, 45);
}

/// How far pixels are apart as they look on black, and in alpha.
fn seen_apart(found: &[u8], wanted: &[u8]) -> u8 {
    let on_black = |pixels: &[u8]| -> Vec<u8> {
        let seen = |p: &[u8; 4]| {
            [0, 1, 2, 3].map(|c| if c < 3 { (u32::from(p[c]) * u32::from(p[3]) / 255) as u8 } else { p[3] })
        };
        pixels.as_chunks::<4>().0.iter().flat_map(seen).collect()
    };
    most_apart(&on_black(found), &on_black(wanted))
}

#[test]
fn a_turned_image_is_cropped_and_letterboxed_as_one_that_lies_right() {
    let folder = Folder::new();
    let (turned, plain) = (files("turned.png"), files("read/turned.png.png"));
    for policy in Resize::ALL {
        let [mut one, mut other] = [vec![0; 20 * 13 * 3], vec![0; 20 * 13 * 3]];
        decode_file(&turned, [20, 13, 3], policy, &mut one).unwrap();
        decode_file(&plain, [20, 13, 3], policy, &mut other).unwrap();
        assert!(most_apart(&one, &other) <= 1, "{policy}");
    }
    drop(folder);
}

#[test]
fn what_is_cut_short_is_corrupt_in_every_format() {
    let folder = Folder::new();
    for name in ["plain.bmp", "lzw.tif", "lossless_alpha.webp", "lossy.webp", "plain.gif"] {
        let bytes = std::fs::read(files(name)).unwrap();
        let path = folder.write(name, &bytes[..bytes.len() / 2]);
        let error = decode_file(&path, [8, 8, 3], Resize::Squash, &mut [0; 192]).unwrap_err();
        assert!(error.to_string().contains(": corrupt image: "), "{name}: {error}");
    }
    let floats = DynamicImage::new_rgb32f(4, 4);
    let path = folder.write("floats.tif", &encode(floats, ImageFormat::Tiff));
    let error = decode_file(&path, [8, 8, 3], Resize::Squash, &mut [0; 192]).unwrap_err();
    assert!(error.to_string().ends_with("its pixels are Rgb32F, not of 8 or 16 bits"), "{error}");
}
