//! Changes of colours as one matrix: each new channel is a sum of the old ones and a constant.

use chiaro_graph::COLOUR_ONE;

/// Brightness of red, green and blue (ITU-R BT.601).
const BRIGHT: [f64; 3] = [0.299, 0.587, 0.114];

/// Rows of factors of the channels, and a summand in steps of 1 of 255. A grey image has the first row alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    rows: [[f64; 4]; 3],
    /// The grey that contrast goes around, from 0 to 255.
    middle: f64,
    channels: usize,
}

impl Colours {
    /// No change of images of this mean, by channel from 0 to 1.
    pub fn new(mean: &[f32]) -> Colours {
        let rows = std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }));
        let bright = |m: &[f32]| m.iter().zip(BRIGHT).map(|(m, b)| f64::from(*m) * b).sum::<f64>();
        let middle = if mean.len() == 3 { bright(mean) } else { mean.first().map_or(0.5, |m| f64::from(*m)) };
        Colours { rows, middle: 255.0 * middle, channels: mean.len() }
    }

    pub fn brightness(&mut self, factor: f64) {
        self.rows.iter_mut().flatten().for_each(|v| *v *= factor);
    }

    /// Away from the middle grey, or towards it.
    pub fn contrast(&mut self, factor: f64) {
        self.brightness(factor);
        self.rows.iter_mut().for_each(|row| row[3] += (1.0 - factor) * self.middle);
    }

    /// Away from the pixel's own grey, or towards it.
    pub fn saturation(&mut self, factor: f64) {
        if self.channels == 3 {
            self.mix(std::array::from_fn(|i| {
                std::array::from_fn(|j| (1.0 - factor) * BRIGHT[j] + if i == j { factor } else { 0.0 })
            }));
        }
    }

    /// Hue turned by a share of the circle, in YIQ.
    pub fn hue(&mut self, turn: f64) {
        if self.channels != 3 || turn == 0.0 {
            return;
        }
        let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
        // To YIQ (NTSC), and back by its inverse.
        let to = [BRIGHT, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]];
        let back = [[1.0, 0.956, 0.619], [1.0, -0.272, -0.647], [1.0, -1.106, 1.703]];
        let turned = [
            to[0],
            [0, 1, 2].map(|j| cos * to[1][j] - sin * to[2][j]),
            [0, 1, 2].map(|j| sin * to[1][j] + cos * to[2][j]),
        ];
        self.mix(std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| back[i][k] * turned[k][j]).sum())));
    }

    fn mix(&mut self, by: [[f64; 3]; 3]) {
        let rows = self.rows;
        self.rows = std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| by[i][k] * rows[k][j]).sum()));
    }

    /// As `Graph::sample_images` takes it, for images of so many channels; others than 1 and 3 are left alone.
    pub fn fixed(&self, channels: usize) -> Vec<i32> {
        let one = f64::from(COLOUR_ONE);
        let entry = |i: usize, j: usize| match channels {
            1 | 3 => (self.rows[i][if j == channels { 3 } else { j }] * one).round() as i32,
            _ => {
                if i == j {
                    COLOUR_ONE
                } else {
                    0
                }
            }
        };
        (0..channels).flat_map(|i| (0..=channels).map(move |j| entry(i, j))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(colours: &Colours, pixel: [f64; 3]) -> [f64; 3] {
        colours.rows.map(|row| row[3] + (0..3).map(|k| row[k] * pixel[k]).sum::<f64>())
    }

    #[test]
    fn a_whole_turn_of_hue_gives_the_colour_back_and_half_of_it_another_of_the_same_brightness() {
        let of = |turn: f64| {
            let mut colours = Colours::new(&[0.5; 3]);
            colours.hue(turn);
            seen(&colours, [200.0, 100.0, 50.0])
        };
        let (whole, half) = (of(1.0), of(0.5));
        assert!(whole.iter().zip([200.0, 100.0, 50.0]).all(|(a, b)| (a - b).abs() < 1.0), "{whole:?}");
        let bright = |p: [f64; 3]| p.iter().zip(BRIGHT).map(|(a, b)| a * b).sum::<f64>();
        assert!((bright(whole) - bright(half)).abs() < 1.0 && (half[0] - whole[0]).abs() > 50.0, "{half:?}");
    }

    #[test]
    fn contrast_keeps_the_middle_and_no_saturation_is_grey() {
        let mut colours = Colours::new(&[0.4; 3]);
        colours.contrast(0.3);
        assert!(seen(&colours, [102.0; 3]).iter().all(|v| (v - 102.0).abs() < 1e-3));
        let mut colours = Colours::new(&[0.4; 3]);
        colours.saturation(0.0);
        let [r, g, b] = seen(&colours, [10.0, 200.0, 30.0]);
        assert!((r - g).abs() < 1e-9 && (g - b).abs() < 1e-9 && (r - 123.81).abs() < 0.01, "{r}");
        assert_eq!(Colours::new(&[0.5]).fixed(1), [4096, 0]);
    }
}
