//! Small files and folders for the tests, made on the spot.
#![allow(dead_code)] // Each test program uses a part of it.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Rgb, RgbImage};

/// A folder of its own for a test, removed at its end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, making the folders on its way; gives its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// An IDX file of bytes: magic, sizes, content.
pub fn idx(sizes: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(content);
    bytes
}

/// The four files of a data set like MNIST: 3 training and 2 test images of 2x3 pixels, counted
/// through; labels 5, 0, 4 and 7, 2.
pub fn idx_folder() -> Folder {
    let folder = Folder::new();
    let pixels: Vec<u8> = (0..18).collect();
    folder.write("train-images-idx3-ubyte", &idx(&[3, 2, 3], &pixels));
    folder.write("train-labels-idx1-ubyte", &idx(&[3], &[5, 0, 4]));
    folder.write("t10k-images-idx3-ubyte", &idx(&[2, 2, 3], &pixels[..12]));
    folder.write("t10k-labels-idx1-ubyte", &idx(&[2], &[7, 2]));
    folder
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn encode(image: impl Into<image::DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn flat_rgb(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

/// A JPEG with enough going on that cutting it anywhere loses pixels.
pub fn busy_jpeg() -> Vec<u8> {
    let image = GrayImage::from_fn(64, 48, |x, y| image::Luma([(x * 37 + y * y * 11) as u8]));
    encode(image, ImageFormat::Jpeg)
}

/// Two classes; `train/` has 2 images of each, `val/` one: flat colours, JPEG and PNG, any size.
pub fn image_folder() -> Folder {
    let folder = Folder::new();
    let jpeg = |colour| encode(flat_rgb(40, 30, colour), ImageFormat::Jpeg);
    let png = |colour| encode(flat_rgb(7, 90, colour), ImageFormat::Png);
    folder.write("train/blue/b.png", &png([0, 0, 200]));
    folder.write("train/blue/a.jpg", &jpeg([0, 0, 255]));
    folder.write("train/red/1.JPEG", &jpeg([250, 0, 0]));
    folder.write("train/red/2.png", &png([100, 0, 0]));
    folder.write("val/blue/x.png", &png([0, 0, 77]));
    folder.write("val/red/y.png", &png([55, 0, 0]));
    folder
}

/// The pixels of one image.
pub fn pixels(set: &dyn chiaro_data::Dataset, index: usize) -> Vec<u8> {
    let mut out = vec![0; set.image_shape().iter().product()];
    set.write_image(index, &mut out).unwrap();
    out
}

pub fn labels(set: &dyn chiaro_data::Dataset) -> Vec<u32> {
    (0..set.len()).map(|i| set.label(i)).collect()
}
