//! What is refused before it costs memory or waits for ever: images too large, files too large, and what is no file.

mod common;

use chiaro_data::{DataError, OpenOptions, Resize, decode_file, open};
use common::{Folder, idx_folder, image_folder};

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(name);
    sum.update(content);
    [&(content.len() as u32).to_be_bytes(), name.as_slice(), content, &sum.sum().to_be_bytes()].concat()
}

/// A PNG of this many pixels with nothing in it.
fn hollow_png(width: u32, height: u32, bits: u8, color: u8) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([bits, color, 0, 0, 0]);
    let parts = [b"\x89PNG\r\n\x1A\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", b""), chunk(b"IEND", b"")];
    parts.concat()
}

/// A JPEG with this frame marker and size whose scan is empty.
fn hollow_jpeg(frame: u8, [width, height]: [u16; 2]) -> Vec<u8> {
    let ([h1, h0], [w1, w0]) = (height.to_be_bytes(), width.to_be_bytes());
    let mut bytes = vec![0xFF, 0xD8, 0xFF, frame, 0, 17, 8, h1, h0, w1, w0, 3];
    bytes.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    bytes.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0xFF, 0xD9]);
    bytes
}

#[test]
fn an_image_that_would_take_too_much_memory_is_refused_by_its_header_alone() {
    let folder = Folder::new();
    let cases = [
        ("one bit a pixel", hollow_png(24_000, 24_000, 1, 0), true),
        ("one bit, small enough", hollow_png(23_000, 23_000, 1, 0), false),
        ("16 bits and alpha", hollow_png(9_000, 9_000, 16, 6), true),
        ("16 bits and alpha, small enough", hollow_png(6_000, 6_000, 16, 6), false),
        ("baseline", hollow_jpeg(0xC0, [65_500, 65_500]), true),
        ("baseline, small enough", hollow_jpeg(0xC0, [8_000, 8_000]), false),
        // Three samples a pixel, of two bytes until all scans are there.
        ("progressive", hollow_jpeg(0xC2, [9_000, 9_000]), true),
        ("progressive, small enough", hollow_jpeg(0xC2, [5_000, 5_000]), false),
    ];
    for (what, bytes, refused) in cases {
        let path = folder.write("image", &bytes);
        let error = decode_file(&path, [8, 8, 3], Resize::Squash, &mut [0; 192]).unwrap_err();
        let too_large = matches!(error, DataError::ImageTooLarge { limit: 0x2000_0000, .. });
        assert_eq!(too_large, refused, "{what}: {error}");
        assert!(refused || matches!(error, DataError::CorruptImage { .. }), "{what}: {error}");
    }
}

#[test]
fn a_folder_is_opened_without_its_images_that_are_too_large() {
    let folder = image_folder();
    folder.write("train/red/huge.png", &hollow_png(24_000, 24_000, 1, 0));
    let sets = open(folder.path(), &OpenOptions::default()).unwrap();
    let [error] = sets.notes.skipped.as_slice() else { panic!("{:?}", sets.notes) };
    let text = error.to_string();
    assert!(text.ends_with("huge.png: too large: decoding its 24000x24000 pixels takes 576.0 MB, and 536.9 MB is the most; make it smaller"), "{text}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_unopened() {
    let folder = idx_folder();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut out = [0; 192];
    for (path, kind) in [(pipe.as_path(), "a pipe"), ("/dev/zero".as_ref(), "a device"), (folder.path(), "a folder")] {
        let error = decode_file(path, [8, 8, 3], Resize::Squash, &mut out).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: is {kind}, not a file", path.display()));
    }
    // A data set of which one file is a pipe.
    for name in ["train-images-idx3-ubyte", "classes.txt"] {
        let _ = std::fs::remove_file(folder.path().join(name));
        std::os::unix::fs::symlink(&pipe, folder.path().join(name)).unwrap();
        let error = open(folder.path(), &OpenOptions::default()).err().unwrap();
        assert!(error.to_string().ends_with(&format!("{name}: is a pipe, not a file")), "{error}");
        std::fs::remove_file(folder.path().join(name)).unwrap();
        folder.write("train-images-idx3-ubyte", &common::idx(&[3, 2, 3], &[0; 18]));
    }
}

#[test]
fn a_file_larger_than_any_image_is_refused_unread() {
    let folder = Folder::new();
    let path = folder.write("large.jpg", b"\xFF\xD8\xFF");
    // A hole: it takes no place on the disk.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
    let error = decode_file(&path, [8, 8, 3], Resize::Squash, &mut [0; 192]).unwrap_err();
    assert!(matches!(error, DataError::FileTooLarge { bytes: 0x4000_0000, .. }), "{error}");
}

#[test]
fn a_batch_that_no_memory_can_hold_is_an_error() {
    use chiaro_data::{Loader, LoaderOptions};
    let sets = open(idx_folder().path(), &OpenOptions::default()).unwrap();
    for size in [1 << 40, 1 << 62] {
        let loader = Loader::new(sets.train.clone(), LoaderOptions::evaluation(size)).unwrap();
        let error = loader.epoch(0, 0).unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("no memory for a batch of images: "), "{error}");
    }
}
