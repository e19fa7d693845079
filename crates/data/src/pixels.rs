//! From what a decoder gives to 8-bit grey, RGB or RGBA, in the same memory.

use image::ColorType;

/// Makes pixels of `color` 8-bit grey, RGB or, where there is alpha, RGBA: 16 bits are rounded to 8. Gives their channels; `None`
/// for samples of other widths.
pub(crate) fn narrow(pixels: &mut Vec<u8>, color: ColorType) -> Option<usize> {
    let channels = usize::from(color.channel_count());
    match usize::from(color.bytes_per_pixel()) / channels {
        1 => {}
        2 => halve(pixels),
        _ => return None,
    }
    if channels != 2 {
        return Some(channels);
    }
    *pixels = pixels.as_chunks().0.iter().flat_map(|&[grey, alpha]| [grey, grey, grey, alpha]).collect();
    Some(4)
}

/// Rounds 16-bit samples to 8 bits. What is written never overtakes what is read.
fn halve(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 2;
    for i in 0..count {
        let value = u32::from(u16::from_ne_bytes([pixels[2 * i], pixels[2 * i + 1]]));
        // As 65535 is 255 * 257, this is value * 255 / 65535, rounded.
        pixels[i] = ((value + 128) / 257) as u8;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_pixel_becomes_8_bits_of_grey_rgb_or_rgba() {
        let wide = |values: &[u16]| values.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>();
        let cases = [
            (ColorType::L8, vec![7, 9], vec![7, 9]),
            (ColorType::La8, vec![7, 1, 9, 2], vec![7, 7, 7, 1, 9, 9, 9, 2]),
            (ColorType::Rgb8, vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 5, 6]),
            (ColorType::Rgba8, vec![1, 2, 3, 0, 4, 5, 6, 0], vec![1, 2, 3, 0, 4, 5, 6, 0]),
            // 128 is the last value that rounds to 0, 65407 the first that rounds to 255.
            (ColorType::L16, wide(&[128, 129, 65406, 65407]), vec![0, 1, 254, 255]),
            (ColorType::La16, wide(&[257, 771, 514, 0]), vec![1, 1, 1, 3, 2, 2, 2, 0]),
            (ColorType::Rgb16, wide(&[257, 0, 65535]), vec![1, 0, 255]),
            (ColorType::Rgba16, wide(&[257, 514, 771, 1028]), vec![1, 2, 3, 4]),
        ];
        for (color, mut pixels, expected) in cases {
            let channels = narrow(&mut pixels, color).expect("8 or 16 bits");
            let kept = if color.has_alpha() { 4 } else { usize::from(color.channel_count()) };
            assert_eq!((pixels, channels), (expected, kept), "{color:?}");
        }
        assert_eq!(narrow(&mut vec![0; 12], ColorType::Rgb32F), None);
    }
}
