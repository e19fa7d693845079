//! From what a decoder gives to 8-bit grey or RGB, in the same memory.

use image::ColorType;

use crate::resize::luma;

/// Makes pixels of `color` 8-bit grey or RGB: alpha is dropped, 16 bits are rounded to 8. Gives the channels that are left;
/// `None` for samples of other widths.
pub(crate) fn narrow(pixels: &mut Vec<u8>, color: ColorType) -> Option<usize> {
    let channels = usize::from(color.channel_count());
    let kept = if color.has_color() { 3 } else { 1 };
    match usize::from(color.bytes_per_pixel()) / channels {
        1 if channels == kept => {}
        1 => keep(pixels, [channels, kept], 1, |sample| sample[0]),
        2 => keep(pixels, [channels, kept], 2, |sample| {
            let value = u32::from(u16::from_ne_bytes([sample[0], sample[1]]));
            // As 65535 is 255 * 257, this is value * 255 / 65535, rounded.
            ((value + 128) / 257) as u8
        }),
        _ => return None,
    }
    Some(kept)
}

/// Makes RGB grey.
pub(crate) fn make_grey(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 3;
    for i in 0..count {
        pixels[i] = luma(&[pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]]);
    }
    pixels.truncate(count);
}

/// Makes inks (cyan, magenta, yellow, black; 255 is all of one) the RGB of their print on white paper.
pub(crate) fn print_inks(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for i in 0..count {
        let white = 255 - u32::from(pixels[4 * i + 3]);
        for c in 0..3 {
            let left = 255 - u32::from(pixels[4 * i + c]);
            pixels[3 * i + c] = ((left * white + 127) / 255) as u8;
        }
    }
    pixels.truncate(3 * count);
}

/// Keeps some channels of each pixel, whose samples have `width` bytes. What is written never overtakes what is read.
fn keep(pixels: &mut Vec<u8>, [from, to]: [usize; 2], width: usize, value: impl Fn(&[u8]) -> u8) {
    let count = pixels.len() / (from * width);
    for i in 0..count {
        for c in 0..to {
            pixels[i * to + c] = value(&pixels[(i * from + c) * width..][..width]);
        }
    }
    pixels.truncate(count * to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_pixel_becomes_grey_or_rgb() {
        let wide = |values: &[u16]| values.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>();
        let cases = [
            (ColorType::L8, vec![7, 9], vec![7, 9]),
            (ColorType::La8, vec![7, 1, 9, 2], vec![7, 9]),
            (ColorType::Rgb8, vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 5, 6]),
            (ColorType::Rgba8, vec![1, 2, 3, 0, 4, 5, 6, 0], vec![1, 2, 3, 4, 5, 6]),
            // 128 is the last value that rounds to 0, 65407 the first that rounds to 255.
            (ColorType::L16, wide(&[128, 129, 65406, 65407]), vec![0, 1, 254, 255]),
            (ColorType::La16, wide(&[257, 5, 514, 5]), vec![1, 2]),
            (ColorType::Rgb16, wide(&[257, 0, 65535]), vec![1, 0, 255]),
            (ColorType::Rgba16, wide(&[257, 514, 771, 9, 0, 0, 257, 9]), vec![1, 2, 3, 0, 0, 1]),
        ];
        for (color, mut pixels, expected) in cases {
            let channels = narrow(&mut pixels, color).expect("8 or 16 bits");
            assert_eq!((pixels, channels), (expected, if color.has_color() { 3 } else { 1 }), "{color:?}");
        }
        assert_eq!(narrow(&mut vec![0; 12], ColorType::Rgb32F), None);
        let mut rgb = vec![255, 0, 0, 255, 255, 255];
        make_grey(&mut rgb);
        assert_eq!(rgb, [54, 255]);
    }
}
