//! The small network trained on 4,000 real digits and tested on the rest.

use crate::numbers::order;
use crate::report::Report;
use crate::training::{Begun, SMALL, Training};
use anyhow::{Context, Result, ensure};
use chiaro::nn::{EvalStep, METRICS, Metrics, Precision};
use chiaro::{Backend, DType, Tensor};
use std::path::Path;
use std::time::Instant;

const TRAINED: usize = 4000;
const EPOCHS: usize = 3;
const PIXELS: usize = 28 * 28;
/// Images in a step of the test.
const TEST_BATCH: usize = 100;

struct Digits {
    pixels: Vec<f32>,
    labels: Vec<i32>,
}

impl Digits {
    /// A little-endian count, the pixels of all images, their labels.
    fn load(path: &Path) -> Result<Digits> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}; see README.md", path.display()))?;
        let (count, rest) = bytes.split_first_chunk().context("the file is empty")?;
        let n = u32::from_le_bytes(*count) as usize;
        ensure!(n > TRAINED && rest.len() == n * (PIXELS + 1), "{} does not hold {n} digits", path.display());
        let (pixels, labels) = rest.split_at(n * PIXELS);
        let pixels = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        Ok(Digits { pixels, labels: labels.iter().map(|&l| i32::from(l)).collect() })
    }

    fn batch(&self, of: &[usize]) -> Result<(Tensor, Vec<i32>)> {
        let pixels = of.iter().flat_map(|&i| &self.pixels[i * PIXELS..(i + 1) * PIXELS]).copied().collect();
        Ok((SMALL.images(pixels)?, of.iter().map(|&i| self.labels[i]).collect()))
    }
}

/// Trains three epochs and reports the accuracy on the digits that were not trained on.
pub fn run(backend: &mut dyn Backend, data: &Path, precision: Precision, report: &Report) -> Result<()> {
    let digits = Digits::load(data)?;
    let mut training = Training::start(backend, Begun::new(&SMALL, precision)?)?;
    let (start, mut step) = (Instant::now(), 0);
    for epoch in 0..EPOCHS {
        for of in order(TRAINED, epoch as u32).chunks_exact(SMALL.batch) {
            let (images, labels) = digits.batch(of)?;
            training.step(&mut training.inputs(images, labels)?, step)?;
            step += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    report.accuracy(EPOCHS, test(training.backend, &digits)?, seconds)
}

fn test(backend: &mut dyn Backend, digits: &Digits) -> Result<f64> {
    let eval = EvalStep::build(&SMALL.model()?, TEST_BATCH)?;
    let plan = backend.compile(&eval.graph)?;
    let len = eval.graph.arenas().iter().find(|a| a.name == METRICS).map_or(0, |a| a.len);
    backend.write_arena(METRICS, &Tensor::zeros([len], DType::F32))?;
    let tested: Vec<usize> = (TRAINED..digits.labels.len()).collect();
    for of in tested.chunks(TEST_BATCH) {
        let (images, labels) = digits.batch(of)?;
        let labels = Tensor::i32([labels.len()], labels).context("a vector")?;
        backend.run(plan, &eval.padded(&images, &labels).context("a batch of digits")?)?;
    }
    let metrics = Metrics::from_arena(&backend.read_arena(METRICS)?, 2).context("the metrics' arena")?;
    Ok(metrics.mean(0))
}
