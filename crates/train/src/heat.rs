//! A heat map over a picture: which places of it speak for a class.

use chiaro_data::Colour;

/// How much of the hottest place is colour.
const COVER: f32 = 0.65;
/// From cold to hot: blue, cyan, yellow, red.
const HEAT: [Colour; 4] = [[0, 0, 160], [0, 200, 220], [255, 230, 0], [220, 0, 0]];

/// A picture of `size` = [H, W], RGB, under the heat of a map from 0 to 1 of its own size `places`.
pub fn covered(pixels: &[u8], size: [usize; 2], map: &[f32], places: [usize; 2]) -> Vec<u8> {
    let heat = enlarged(map, places, size);
    let pixels = pixels.as_chunks::<3>().0.iter().zip(heat);
    let mixed = pixels.flat_map(|(pixel, heat)| {
        let (colour, share) = (coloured(heat), COVER * heat);
        std::array::from_fn::<u8, 3, _>(|i| {
            (f32::from(pixel[i]) * (1.0 - share) + f32::from(colour[i]) * share).round() as u8
        })
    });
    mixed.collect()
}

/// Divided by its largest number, where that is above 0.
pub(crate) fn scaled(map: &[f32]) -> Vec<f32> {
    let most = map.iter().copied().fold(0.0, f32::max);
    map.iter().map(|value| if most > 0.0 { value / most } else { 0.0 }).collect()
}

/// The colour of a heat from 0 to 1.
fn coloured(heat: f32) -> Colour {
    let place = heat.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let from = (place as usize).min(HEAT.len() - 2);
    let share = place - from as f32;
    std::array::from_fn(|i| {
        (f32::from(HEAT[from][i]) * (1.0 - share) + f32::from(HEAT[from + 1][i]) * share).round() as u8
    })
}

/// A map of one size in another, linear between the middles of its places.
fn enlarged(map: &[f32], [h, w]: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    let at = |i: usize, from: usize, to: usize| {
        let place = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, from as f32 - 1.0);
        let low = place as usize;
        (low, (low + 1).min(from - 1), place - low as f32)
    };
    let value = |y: usize, x: usize| {
        let ((top, bottom, down), (left, right, along)) = (at(y, h, height), at(x, w, width));
        let row = |y: usize| map[y * w + left] * (1.0 - along) + map[y * w + right] * along;
        row(top) * (1.0 - down) + row(bottom) * down
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| value(y, x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_enlarged_between_the_middles_of_its_places() {
        let large = enlarged(&[0.0, 1.0], [1, 2], [2, 8]);
        assert_eq!(large[..8], large[8..]);
        let row = [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0];
        assert!(large.iter().zip(row.iter().chain(&row)).all(|(a, b)| (a - b).abs() < 1e-6), "{large:?}");
    }

    #[test]
    fn heat_goes_from_blue_to_red_and_no_heat_leaves_the_picture() {
        assert_eq!([coloured(0.0), coloured(1.0)], [HEAT[0], HEAT[3]]);
        let covered = covered(&[9; 2 * 3], [1, 2], &[0.0, 1.0], [1, 2]);
        assert_eq!(covered[..3], [9; 3]);
        assert!(covered[3] > 140 && covered[4] < 10, "{covered:?}");
    }
}
