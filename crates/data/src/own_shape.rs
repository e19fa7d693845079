//! The shape that small pictures have by themselves, so that they are neither enlarged nor given colours for nothing.

use std::path::Path;

use crate::decode::{Decoded, decode};
use crate::listing::Listing;
use crate::{Channels, OpenOptions};

/// The side of photos, and of pictures whose own nobody has asked for.
pub(crate) const MOST: usize = 64;
/// The least side that is chosen: networks for small pictures halve them three times, and look at 3x3 pixels after that.
const LEAST: usize = 28;
/// So many files are looked at.
const SAMPLE: usize = 64;
/// Files of more bytes hold no picture of 64x64, whose pixels take at most 32 KiB.
const SMALL_FILE: u64 = 64 << 10;

/// The options with the shape that suits these files, where none was asked for: the median of the shorter sides, 28 at least and
/// 64 at most, and one channel where all are smaller than 64 pixels and without a colour. Some 64 files, spread evenly, are
/// looked at.
pub(crate) fn shaped(options: &OpenOptions, listing: &Listing) -> OpenOptions {
    let mut options = options.clone();
    if options.size.is_none() || options.channels.is_none() {
        let (side, channels) = suited(listing.files.iter().map(|(path, _)| path.as_path()));
        (options.size, options.channels) = (options.size.or(Some([side; 2])), options.channels.or(Some(channels)));
    }
    options
}

fn suited<'p>(files: impl ExactSizeIterator<Item = &'p Path>) -> (usize, Channels) {
    let (every, mut sides, mut grey) = (files.len().div_ceil(SAMPLE).max(1), vec![], true);
    for path in files.step_by(every) {
        let is_small = std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= SMALL_FILE);
        match is_small.then(|| decode(path)) {
            Some(Ok(picture)) => {
                sides.push(picture.size[0].min(picture.size[1]));
                grey = grey && is_grey(&picture);
            }
            // It will be told when it is opened.
            Some(Err(_)) => {}
            None => sides.push(MOST),
        }
    }
    sides.sort_unstable();
    let median = sides.get(sides.len() / 2).copied().unwrap_or(MOST);
    let grey = grey && sides.last().is_some_and(|&largest| largest < MOST);
    (median.clamp(LEAST, MOST), if grey { Channels::Grey } else { Channels::Rgb })
}

/// Whether no pixel has a colour.
fn is_grey(picture: &Decoded) -> bool {
    match picture.channels {
        1 => true,
        channels => picture.pixels.chunks_exact(channels).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage, RgbImage};

    fn suited_to(name: &str, pictures: &[DynamicImage]) -> (usize, Channels) {
        let folder = std::env::temp_dir().join(format!("chiaro-own-shape-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let paths: Vec<_> = (0..pictures.len()).map(|i| folder.join(format!("{i}.png"))).collect();
        pictures.iter().zip(&paths).for_each(|(picture, path)| picture.save(path).expect("written"));
        let found = suited(paths.iter().map(|path| path.as_path()));
        std::fs::remove_dir_all(&folder).expect("removed");
        found
    }

    #[test]
    fn small_pictures_keep_their_side_and_those_without_colour_one_channel() {
        let grey = |w, h| DynamicImage::from(GrayImage::new(w, h));
        let colour = |w, h| DynamicImage::from(RgbImage::from_pixel(w, h, image::Rgb([1, 2, 1])));
        let without = |w, h| DynamicImage::from(RgbImage::from_pixel(w, h, image::Rgb([9, 9, 9])));
        assert_eq!(suited_to("digits", &[grey(28, 28), without(28, 40), grey(30, 28)]), (28, Channels::Grey));
        assert_eq!(suited_to("coloured", &[colour(32, 50), grey(48, 32), grey(20, 20)]), (32, Channels::Rgb));
        assert_eq!(suited_to("tiny", &[grey(8, 8)]), (28, Channels::Grey));
        // Grey photos are photos.
        assert_eq!(suited_to("photos", &[grey(300, 200), grey(64, 80), grey(40, 30)]), (64, Channels::Rgb));
        assert_eq!(suited_to("nothing", &[]), (64, Channels::Rgb));
    }
}
