//! The op that makes a table of bytes for each image of a batch: what becomes of each value of its pixels. Some tables ask what the
//! image holds.

use crate::custom::{CustomOp, Elements, ElementsMut, TensorType};
use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::ops::sample_images::chosen_reads;

/// What [`Graph::tone_tables`] makes of an image's bytes, as its number and with what parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Same,
    /// Only so many of the highest bits are kept.
    Posterize(u8),
    /// Values from this on are inverted.
    Solarize(u8),
    /// Every value as often as any other, as far as that goes, channel by channel.
    Equalize,
    /// The darkest becomes 0 and the brightest 255, channel by channel.
    AutoContrast,
}

impl Tone {
    /// The pair of numbers by which the op knows it.
    pub fn numbers(self) -> [i32; 2] {
        match self {
            Tone::Same => [0, 0],
            Tone::Posterize(bits) => [1, 256 - (256 >> i32::from(bits.min(8)))],
            Tone::Solarize(from) => [2, i32::from(from)],
            Tone::Equalize => [3, 0],
            Tone::AutoContrast => [4, 0],
        }
    }
}

impl Graph {
    /// Tables u32 `[N,C,64]`, four bytes to a word, the first in the lowest, for [`Graph::sample_images`]: of the images `chosen` i32 `[N]` of
    /// `pixels` u32 `[S,words]` (as there), what `tone` i32 `[N,2]` says ([`Tone::numbers`]). Posterize, solarize, equalize and automatic contrast are
    /// those of Pillow's `ImageOps`. `source` is height, width and channels of the images.
    ///
    /// # Errors
    /// If types or extents do not fit, or fixed indices are outside.
    pub fn tone_tables(&mut self, pixels: Var, chosen: Var, tone: Var, source: [usize; 3]) -> Result<Var> {
        self.custom(ToneTables { source }, &[pixels, chosen, tone])
    }
}

#[derive(Clone, Copy, Debug)]
struct ToneTables {
    source: [usize; 3],
}

/// What the tables ask of a channel of an image.
struct Channel {
    least: u32,
    most: u32,
    /// Pixels of each value.
    counts: [u32; 256],
}

impl Channel {
    fn of(values: impl Iterator<Item = u8> + Clone) -> Channel {
        let mut counts = [0; 256];
        values.for_each(|v| counts[usize::from(v)] += 1);
        let held = |value: &usize| counts[*value] > 0;
        let (least, most) = ((0..256).find(held).unwrap_or(0) as u32, (0..256).rfind(held).unwrap_or(0) as u32);
        Channel { least, most, counts }
    }

    fn toned(&self, [kind, by]: [i32; 2], value: u32) -> u32 {
        match kind {
            1 => value & by as u32,
            2 if value as i32 >= by => 255 - value,
            3 => {
                let all: u32 = self.counts.iter().sum();
                let step = (all - self.counts[self.most as usize]) / 255;
                let below: u32 = self.counts[..value as usize].iter().sum();
                (step / 2 + below).checked_div(step).map_or(value, |v| v.min(255))
            }
            4 if self.most > self.least => {
                value.clamp(self.least, self.most).abs_diff(self.least) * 255 / (self.most - self.least)
            }
            _ => value,
        }
    }
}

impl ToneTables {
    fn words(&self) -> usize {
        self.source.iter().product::<usize>().div_ceil(4)
    }

    /// The tables of one image.
    fn tables(&self, words: &[u32], tone: [i32; 2], mut put: impl FnMut(usize, u32)) {
        let [height, width, channels] = self.source;
        for c in 0..channels {
            let byte = |at: usize| words[at / 4].to_le_bytes()[at % 4];
            let channel = Channel::of((0..height * width).map(|i| byte(i * channels + c)));
            for word in 0..64 {
                let value = |k: u32| channel.toned(tone, 4 * word as u32 + k) << (8 * k);
                put(64 * c + word, (0..4).map(value).sum());
            }
        }
    }
}

impl CustomOp for ToneTables {
    fn name(&self) -> &'static str {
        "tone_tables"
    }

    fn operands(&self) -> Vec<&'static str> {
        vec!["pixels", "chosen", "tone"]
    }

    fn infer(&self, operands: &[TensorType]) -> std::result::Result<TensorType, String> {
        let first = |i: usize| operands.get(i).and_then(|t| t.shape.first()).copied().unwrap_or(0);
        let (stored, n, words) = (first(0), first(1), self.words());
        let of = |shape: &[usize], dtype| TensorType { shape: shape.to_vec(), dtype };
        let wanted = [of(&[stored, words], DType::U32), of(&[n], DType::I32), of(&[n, 2], DType::I32)];
        if operands != wanted || stored == 0 || n == 0 || words == 0 {
            return Err(format!("for images of {:?} takes u32 [S,{words}], i32 [N] and i32 [N,2]", self.source));
        }
        Ok(of(&[n, self.source[2], 64], DType::U32))
    }

    fn indices(&self, operands: &[TensorType]) -> Vec<(usize, usize)> {
        vec![(1, operands[0].shape[0])]
    }

    fn reads(&self, operands: &[TensorType], result: &TensorType) -> Vec<usize> {
        chosen_reads(operands, result)
    }

    fn reference(&self, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64> {
        let [pixels, chosen, tone] = [0, 1, 2].map(|i| operands[i].1);
        let (words, stored) = (self.words(), operands[0].0.shape[0] as f64);
        let mut all = Vec::with_capacity(result.len());
        for (n, image) in chosen.iter().enumerate() {
            let image = image.clamp(0.0, stored - 1.0) as usize;
            let words: Vec<u32> = pixels[image * words..][..words].iter().map(|w| *w as u32).collect();
            self.tables(&words, [tone[2 * n] as i32, tone[2 * n + 1] as i32], |_, word| all.push(f64::from(word)));
        }
        all
    }

    fn pieces(&self, result: &TensorType) -> usize {
        result.shape[0]
    }

    fn compute(&self, operands: &[(&TensorType, Elements<'_>)], n: usize, result: ElementsMut<'_>) {
        let [(of, Elements::U32(pixels)), (_, Elements::I32(chosen)), (_, Elements::I32(tone))] = operands else {
            return;
        };
        if let ElementsMut::U32(out) = result {
            let words = self.words();
            let image = (chosen[n].max(0) as usize).min(of.shape[0] - 1);
            self.tables(&pixels[image * words..][..words], [tone[2 * n], tone[2 * n + 1]], |at, word| out[at] = word);
        }
    }

    fn wgsl(&self, operands: &[TensorType], _: &TensorType) -> String {
        let [height, width, channels] = self.source;
        let constants = [
            ("STORED", operands[0].shape[0]),
            ("WORDS", self.words()),
            ("PIXELS", height * width),
            ("CHANNELS", channels),
        ];
        let text: String = constants.iter().map(|(name, value)| format!("const {name}: u32 = {value}u;\n")).collect();
        text + include_str!("tone_tables.wgsl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spread_with_half_a_step_added_as_pillow_does() {
        // 256 pixels of each of four values: a step of (1024 - 256) / 255 = 3.
        let channel = Channel::of((0..4u8).flat_map(|v| [v; 256]));
        let toned = [0, 1, 2, 3].map(|value| channel.toned(Tone::Equalize.numbers(), value));
        assert_eq!(toned, [0, (1 + 256) / 3, (1 + 512) / 3, 255]);
        assert_ne!(toned[2], 512 / 3);
    }
}
