//! What is found in a data set whose splits have other classes, and which images are taken for the same.

mod common;

use chiaro_data::{Audit, Place, Progress, Resize, decode_file};
use common::{Folder, encode, flat_rgb};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture with edges; each number gives another.
fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(100, 70, |x, y| {
        let cell = (x / 9 + 1) * 7919 + (y / 8 + 1) * 104_729 + number * 15_485_863;
        let value = (cell.wrapping_mul(2_654_435_761) >> 24) as u8;
        Rgb([value, value / 2 + 40, 255 - value])
    })
}

fn names(groups: &[Vec<Place>]) -> Vec<Vec<&str>> {
    groups.iter().map(|group| group.iter().map(|place| place.name.rsplit('/').next().unwrap_or("")).collect()).collect()
}

#[test]
fn classes_that_one_split_alone_has_are_counted_under_their_names() {
    let folder = Folder::new();
    for (number, name) in
        ["train/a/1", "train/c/2", "val/a/3", "val/b/4", "val/b/5", "test/c/6"].into_iter().enumerate()
    {
        folder.write(&format!("{name}.png"), &encode(picture(number as u32), ImageFormat::Png));
    }
    let audit = Audit::of(folder.path(), &Progress::default()).unwrap();
    assert_eq!(audit.classes, ["a", "c", "b"]);
    let counts: Vec<&[usize]> = audit.splits.iter().map(|split| split.counts.as_slice()).collect();
    assert_eq!(counts, [&[1, 1, 0], &[1, 0, 2], &[0, 1, 0]]);
    assert!(audit.exact.is_empty() && audit.near.is_empty() && audit.blank.is_empty());
    assert_eq!(audit.sizes, Some([[70, 100]; 3]));
}

#[test]
fn copies_are_told_from_images_that_only_look_alike_and_those_from_others() {
    let folder = Folder::new();
    let one = picture(1);
    let smaller = image::imageops::resize(&one, 77, 54, image::imageops::FilterType::CatmullRom);
    let other = image::imageops::flip_horizontal(&one);
    folder.write("a/1.png", &encode(one.clone(), ImageFormat::Png));
    folder.write("a/2.png", &encode(one.clone(), ImageFormat::Png));
    folder.write("b/3.jpg", &encode(smaller, ImageFormat::Jpeg));
    folder.write("b/4.bmp", &encode(one, ImageFormat::Bmp));
    folder.write("b/5.png", &encode(other, ImageFormat::Png));
    // All blank images look the same, which says nothing.
    folder.write("b/6.png", &encode(flat_rgb(60, 60, [5, 5, 5]), ImageFormat::Png));
    folder.write("b/7.png", &encode(flat_rgb(80, 60, [5, 5, 5]), ImageFormat::Png));
    let audit = Audit::of(folder.path(), &Progress::default()).unwrap();
    assert_eq!(names(&audit.exact), [["1.png", "2.png"]]);
    assert_eq!(names(&audit.near), [["1.png", "3.jpg", "4.bmp"]]);
    assert_eq!((audit.leaks().count(), audit.conflicts().count(), audit.blank.len()), (0, 1, 2));
}

#[test]
fn channels_are_measured_as_training_measures_them() {
    let folder = Folder::new();
    let mut all = vec![];
    for (number, name) in ["a/1.png", "a/2.png", "b/3.png"].into_iter().enumerate() {
        let path = folder.write(name, &encode(DynamicImage::from(picture(number as u32)), ImageFormat::Png));
        let mut pixels = vec![0; 64 * 64 * 3];
        decode_file(&path, [64, 64, 3], Resize::Squash, &mut pixels).unwrap();
        all.extend(pixels);
    }
    let [mean, deviation] = Audit::of(folder.path(), &Progress::default()).unwrap().channels.unwrap();
    for channel in 0..3 {
        let values: Vec<f64> = all.iter().skip(channel).step_by(3).map(|&v| f64::from(v) / 255.0).collect();
        let center = values.iter().sum::<f64>() / values.len() as f64;
        let spread = (values.iter().map(|v| (v - center).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!((mean[channel] - center).abs() < 1e-9 && (deviation[channel] - spread).abs() < 1e-9);
    }
}
