//! RandAugment and TrivialAugment: which changes there are, and how strong each of them can be.

use super::Policy;
use super::draws::{Drawn, Stream};
use super::geometry::Matrix;
use chiaro_graph::Tone;

/// The changes to choose from. Sharpness is the difference to a mean of weights 1 2 1.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    AutoContrast,
    Equalize,
    Rotate,
    Solarize,
    Saturation,
    Posterize,
    Contrast,
    Brightness,
    Sharpness,
    ShearRows,
    ShearColumns,
    ShiftRows,
    ShiftColumns,
}

const ALL: [Change; 14] = [
    Change::Nothing,
    Change::AutoContrast,
    Change::Equalize,
    Change::Rotate,
    Change::Solarize,
    Change::Saturation,
    Change::Posterize,
    Change::Contrast,
    Change::Brightness,
    Change::Sharpness,
    Change::ShearRows,
    Change::ShearColumns,
    Change::ShiftRows,
    Change::ShiftColumns,
];

/// The largest magnitude of RandAugment, as its paper has it.
pub(super) const LARGEST_MAGNITUDE: f64 = 30.0;

/// First of the random blocks of policies.
const BLOCK: u32 = 16;

/// The largest strengths of a policy.
struct Largest {
    degrees: f64,
    /// Tangent.
    shear: f64,
    /// Share of the side.
    shift: f64,
    factor: f64,
    /// Bits that are left at full strength.
    bits: f64,
}

impl Policy {
    /// Changes an image as the policy has it. Of several changes of tones the last stays.
    pub(super) fn draw(self, stream: &Stream, image: &mut Strength<'_>) {
        match self {
            Policy::None => {}
            Policy::Rand { changes, magnitude } => {
                let largest = Largest { degrees: 30.0, shear: 0.3, shift: 150.0 / 331.0, factor: 0.9, bits: 4.0 };
                for i in 0..changes.min(16) as u32 {
                    let [which, sign, ..] = stream.four(BLOCK + i);
                    image.change(chosen(which), magnitude / LARGEST_MAGNITUDE, sign < 0.5, &largest);
                }
            }
            Policy::Trivial => {
                let largest = Largest { degrees: 135.0, shear: 0.99, shift: 1.0, factor: 0.99, bits: 2.0 };
                let [which, sign, magnitude, _] = stream.four(BLOCK);
                image.change(chosen(which), magnitude, sign < 0.5, &largest);
            }
        }
    }
}

fn chosen(u: f64) -> Change {
    ALL[((u * ALL.len() as f64) as usize).min(ALL.len() - 1)]
}

/// An image being changed.
pub(super) struct Strength<'a> {
    pub drawn: &'a mut Drawn,
    pub size: [usize; 2],
}

impl Strength<'_> {
    /// Makes a change of a strength from 0 to 1, in one of two directions.
    fn change(&mut self, change: Change, strength: f64, back: bool, largest: &Largest) {
        let signed = if back { -strength } else { strength };
        let factor = 1.0 + signed * largest.factor;
        let shear = (signed * largest.shear).atan().to_degrees();
        let shift = signed * largest.shift;
        let mut moved = |turn: f64, shear: [f64; 2], shift: [f64; 2]| {
            self.drawn.place = self.drawn.place.then(Matrix::affine(self.size, turn, shear, shift));
        };
        match change {
            Change::Nothing => {}
            Change::AutoContrast => self.drawn.tone = Tone::AutoContrast,
            Change::Equalize => self.drawn.tone = Tone::Equalize,
            Change::Rotate => moved(signed * largest.degrees, [0.0; 2], [0.0; 2]),
            Change::Solarize => self.drawn.tone = Tone::Solarize((255.0 * (1.0 - strength)).round() as u8),
            Change::Saturation => self.drawn.colours.saturation(factor),
            Change::Posterize => {
                self.drawn.tone = Tone::Posterize((8.0 - strength * (8.0 - largest.bits)).round() as u8);
            }
            Change::Contrast => self.drawn.colours.contrast(factor),
            Change::Brightness => self.drawn.colours.brightness(factor),
            Change::Sharpness => self.drawn.blur = [1.0, 1.0 - factor],
            Change::ShearRows => moved(0.0, [shear, 0.0], [0.0; 2]),
            Change::ShearColumns => moved(0.0, [0.0, shear], [0.0; 2]),
            Change::ShiftRows => moved(0.0, [0.0; 2], [shift, 0.0]),
            Change::ShiftColumns => moved(0.0, [0.0; 2], [0.0, shift]),
        }
    }
}
