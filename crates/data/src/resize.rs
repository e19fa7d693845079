//! Resizing and channel conversion of 8-bit images, `[H, W, C]`.

use std::borrow::Cow;

/// Which source samples make one destination sample, and how much of each.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Triangle-filter taps along one axis. When shrinking the triangle widens with the ratio, so that
/// every source sample counts (no aliasing); when growing this is plain bilinear interpolation.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f64 / to as f64;
    let support = ratio.max(1.0);
    (0..to)
        .map(|i| {
            let center = (i as f64 + 0.5) * ratio;
            let first = (center - support).floor().max(0.0) as usize;
            let last = ((center + support).ceil() as usize).min(from);
            let raw: Vec<f64> =
                (first..last).map(|j| (1.0 - ((j as f64 + 0.5 - center) / support).abs()).max(0.0)).collect();
            let sum: f64 = raw.iter().sum();
            let weights = raw.iter().map(|w| (w / sum) as f32).collect();
            Taps { first, weights }
        })
        .collect()
}

/// Resizes `image` of `from` = [H, W] to `to` = [H, W] with an antialiased triangle filter.
/// The aspect ratio is not kept.
pub(crate) fn resize(image: &[u8], from: [usize; 2], to: [usize; 2], channels: usize, out: &mut [u8]) {
    if from == to {
        out.copy_from_slice(image);
        return;
    }
    let row_len = from[1] * channels;
    let columns = taps(from[1], to[1]);
    // Rows first: whole rows add up in long contiguous runs, and the slow strided pass along a row
    // is left with only as many rows as come out.
    let mut row = vec![0f32; row_len];
    for (out_row, vertical) in out.chunks_exact_mut(to[1] * channels).zip(taps(from[0], to[0])) {
        row.fill(0.0);
        for (y, weight) in (vertical.first..).zip(&vertical.weights) {
            let source = &image[y * row_len..][..row_len];
            for (sum, &value) in row.iter_mut().zip(source) {
                *sum += f32::from(value) * weight;
            }
        }
        for (pixel, taps) in out_row.chunks_exact_mut(channels).zip(&columns) {
            let samples = &row[taps.first * channels..];
            for (channel, value) in pixel.iter_mut().enumerate() {
                let weighted = samples.iter().skip(channel).step_by(channels);
                let sum: f32 = weighted.zip(&taps.weights).map(|(s, w)| s * w).sum();
                *value = (sum + 0.5) as u8;
            }
        }
    }
}

/// Grey to RGB by repeating, RGB to grey by BT.709 luma; other pairs must be equal.
pub(crate) fn convert_channels(image: &[u8], from: usize, to: usize) -> Cow<'_, [u8]> {
    match (from, to) {
        (1, 3) => Cow::Owned(image.iter().flat_map(|&grey| [grey; 3]).collect()),
        (3, 1) => Cow::Owned(image.as_chunks().0.iter().map(luma).collect()),
        _ => Cow::Borrowed(image),
    }
}

pub(crate) fn luma(&[red, green, blue]: &[u8; 3]) -> u8 {
    let sum = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    ((sum + 5000) / 10000) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(image: &[u8], from: [usize; 2], to: [usize; 2], channels: usize) -> Vec<u8> {
        let mut out = vec![0; to[0] * to[1] * channels];
        resize(image, from, to, channels, &mut out);
        out
    }

    #[test]
    fn halving_weighs_neighbours_by_a_triangle() {
        // Worked by hand: width 4 to 2, centre 1 and 3, weights 1/4 3/4 3/4 1/4 over what exists:
        // (3*0 + 3*70 + 140) / 7 and (70 + 3*140 + 3*210) / 7.
        assert_eq!(resized(&[0, 70, 140, 210], [1, 4], [1, 2], 1), [50, 160]);
        assert_eq!(resized(&[0, 70, 140, 210], [4, 1], [2, 1], 1), [50, 160]);
    }

    #[test]
    fn growing_interpolates_linearly_and_clamps_at_the_edge() {
        assert_eq!(resized(&[0, 100], [1, 2], [1, 4], 1), [0, 25, 75, 100]);
    }

    #[test]
    fn flat_colours_stay_exact_at_any_ratio() {
        for (from, to) in [([7, 5], [3, 4]), ([3, 4], [64, 33]), ([99, 1], [1, 9])] {
            let image = [255, 0, 17].repeat(from[0] * from[1]);
            let expected = [255, 0, 17].repeat(to[0] * to[1]);
            assert_eq!(resized(&image, from, to, 3), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn grey_survives_a_round_trip_through_rgb() {
        let grey: Vec<u8> = (0..=255).collect();
        let rgb = convert_channels(&grey, 1, 3).into_owned();
        assert_eq!(rgb.len(), 768);
        assert_eq!(convert_channels(&rgb, 3, 1).as_ref(), grey);
        assert_eq!(convert_channels(&[255, 0, 0], 3, 1).as_ref(), [54]);
    }
}
