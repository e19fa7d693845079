//! MNIST's digits as the worked examples take them: pixels from 0 to 1, in memory.
#![allow(dead_code, reason = "each example uses some of it")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use chiaro::Tensor;
use chiaro::data::{Dataset, OpenOptions, shuffled};
use chiaro::train::Data;

/// Height and width.
pub const SIDE: usize = 28;
/// Pixels of a digit.
pub const PIXELS: usize = SIDE * SIDE;

/// Digits with what they are of.
pub struct Digits {
    /// Pixels, a digit after the other.
    pub pixels: Vec<f32>,
    /// 0 to 9.
    pub labels: Vec<i32>,
}

/// So many training and test images, spread over the set; all where there are not so many.
pub fn open(train: usize, test: usize) -> Result<[Digits; 2], Box<dyn Error>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"));
    let data = Data::open(folder, &OpenOptions { holdout: None, ..OpenOptions::default() })?;
    Ok([of(&data.train, train)?, of(&data.eval, test)?])
}

/// Images of the largest batch that an example takes.
const LEAST: usize = 100;

fn of(set: &Arc<dyn Dataset>, count: usize) -> Result<Digits, Box<dyn Error>> {
    if count < LEAST {
        return Err(format!("{count} images do not fill a batch; take {LEAST} at least").into());
    }
    let mut digits = Digits { pixels: vec![], labels: vec![] };
    let mut image = vec![0u8; PIXELS];
    for at in shuffled(set.len(), 7, 0).into_iter().take(count) {
        set.write_image(at, &mut image)?;
        digits.pixels.extend(image.iter().map(|&pixel| f32::from(pixel) / 255.0));
        digits.labels.push(set.label(at) as i32);
    }
    Ok(digits)
}

impl Digits {
    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The pixels of one.
    pub fn image(&self, at: usize) -> &[f32] {
        &self.pixels[at * PIXELS..(at + 1) * PIXELS]
    }

    /// Those of one class.
    pub fn only(&self, label: i32) -> Digits {
        let chosen = (0..self.len()).filter(|&at| self.labels[at] == label).collect::<Vec<_>>();
        Digits {
            pixels: chosen.iter().flat_map(|&at| self.image(at)).copied().collect(),
            labels: vec![label; chosen.len()],
        }
    }

    /// A batch of those at these places: pixels in this shape, and labels.
    pub fn batch(&self, places: &[usize], shape: &[usize]) -> Option<[Tensor; 2]> {
        let pixels = places.iter().flat_map(|&at| self.image(at)).copied().collect();
        let labels = places.iter().map(|&at| self.labels[at]).collect();
        Some([Tensor::f32([&[places.len()], shape].concat(), pixels)?, Tensor::i32([places.len()], labels)?])
    }
}
