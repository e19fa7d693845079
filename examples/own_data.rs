//! A data set of one's own: shapes that are drawn when they are asked for, whatever their number, instead of being read.
//!
//! `cargo run --release --example own_data -- [device]`

use std::error::Error;
use std::sync::Arc;

use chiaro::data::{DataError, Dataset};
use chiaro::graph::Shared;
use chiaro::train::{Data, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Device, DeviceOptions};

const SIDE: usize = 16;

/// Grey images of a disc, a square or a triangle, of any size, place and brightness.
struct Shapes {
    count: usize,
    /// Other images for another number.
    seed: u64,
    classes: Vec<String>,
}

impl Shapes {
    fn new(count: usize, seed: u64) -> Arc<Shapes> {
        Arc::new(Shapes { count, seed, classes: ["disc", "square", "triangle"].map(String::from).to_vec() })
    }

    /// Number `which` in 0..1 that image `index` is drawn with: always the same, so that epochs see the same images.
    fn number(&self, index: usize, which: u64) -> f64 {
        let mut x = (index as u64) ^ (self.seed << 32) ^ (which << 56);
        // SplitMix64.
        x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        self.count
    }

    fn image_shape(&self) -> [usize; 3] {
        [SIDE, SIDE, 1]
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        (index % 3) as u32
    }

    /// Called by several threads at once, for any image in any order.
    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        let [size, x, y, light] = [0, 1, 2, 3].map(|which| self.number(index, which));
        let radius = 3.0 + 3.0 * size;
        let (x, y) = (6.0 + 4.0 * x, 6.0 + 4.0 * y);
        for (i, pixel) in out.iter_mut().enumerate() {
            let (dx, dy) = ((i % SIDE) as f64 - x, (i / SIDE) as f64 - y);
            let inside = match index % 3 {
                0 => dx.hypot(dy) < radius,
                1 => dx.abs().max(dy.abs()) < radius * 0.8,
                _ => dy < radius * 0.8 && dy > 2.0 * dx.abs() - radius,
            };
            *pixel = if inside { 100 + (light * 155.0) as u8 } else { (self.number(index * 256 + i, 4) * 60.0) as u8 };
        }
        Ok(())
    }
}

/// Trains, and gives the accuracy on shapes that were not trained on after each epoch.
pub fn run(device: Shared, epochs: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let data = Data::new(Shapes::new(1500, 1), Shapes::new(300, 2))?;
    let config = TrainConfig { epochs, ..TrainConfig::suited_to("", &data) };
    let mut trainer = Trainer::new(device, &model_for(&config, &data)?, &data, &config)?;
    trainer.fit(None, &mut (), &Stop::default())?;
    let accuracies: Vec<f64> = trainer.records().iter().map(|record| record.eval.get("accuracy")).collect();
    for (epoch, accuracy) in accuracies.iter().enumerate() {
        println!("epoch {}: accuracy {:.1} %", epoch + 1, accuracy * 100.0);
    }
    Ok(accuracies)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "auto".into());
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    println!("on {}", device.name());
    run(device.share(), 5).map(|_| ())
}
