//! Exported files in 8 bits: ranges found on images of the run's own, and what it costs.

use chiaro_data::Dataset;
use chiaro_graph::{Backend, Tensor};
use chiaro_onnx::{Ranges, quantized, watched};

use crate::error::{Result, TrainError};
use crate::file_run::FileRun;
use crate::metrics::largest;
use crate::saved::Saved;
use crate::task::{MULTI_LABEL, softmax_at};

/// Images that ranges are found on, at most, and images that are judged.
const CALIBRATED: usize = 256;
const JUDGED: usize = 2000;
const BATCH: usize = 8;

/// A file in 8 bits.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The file.
    pub bytes: Vec<u8>,
    /// Images whose activations gave the ranges.
    pub calibrated: usize,
    /// Images that both files were asked about.
    pub judged: usize,
    /// Share of right answers of the file of floats.
    pub before: f64,
    /// The same of the file in 8 bits.
    pub after: f64,
    /// The largest difference of a probability between both, of any class of any image that was judged.
    pub difference: f64,
}

/// What a file answers to the images it is judged by.
struct Answers {
    /// The share that is right.
    right: f64,
    /// Probabilities of all classes of all images.
    probabilities: Vec<f32>,
}

impl Saved {
    /// A file of this model (see [`Saved::to_onnx`]) with its products in 8 bits. Ranges of activations are those of images of the
    /// set, which are spread over it; both files are asked about its images.
    ///
    /// # Errors
    /// If an image cannot be read, the set is empty, or the device fails.
    pub fn quantize(&self, bytes: &[u8], raw: bool, set: &dyn Dataset, backend: &mut dyn Backend) -> Result<Quantized> {
        if set.is_empty() {
            return Err(TrainError::setting("there is no image to find the ranges of activations on"));
        }
        let calibrating = spread(set.len(), CALIBRATED);
        let mut ranges = Ranges::new();
        let mut run = FileRun::new(backend, &watched(bytes).map_err(|e| self.fault(e))?, raw, self.info(), BATCH)?;
        for some in calibrating.chunks(BATCH) {
            let found = run.run(&pictures(set, some)?)?;
            for (name, tensor) in run.outputs.iter().zip(&found) {
                let range = ranges.entry(name.clone()).or_insert([f32::INFINITY, f32::NEG_INFINITY]);
                widen(range, tensor, some.len());
            }
        }
        run.end()?;
        let eight = quantized(bytes, &ranges).map_err(|e| self.fault(e))?;
        let judged = spread(set.len(), JUDGED);
        let before = self.answers(bytes, raw, set, &judged, backend)?;
        let after = self.answers(&eight, raw, set, &judged, backend)?;
        let pairs = before.probabilities.iter().zip(&after.probabilities);
        let difference = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        let (calibrated, judged) = (calibrating.len(), judged.len());
        Ok(Quantized { bytes: eight, calibrated, judged, before: before.right, after: after.right, difference })
    }

    /// What a file answers, and the share of images that it is right about: the class, or of several labels each.
    fn answers(
        &self,
        bytes: &[u8],
        raw: bool,
        set: &dyn Dataset,
        images: &[usize],
        backend: &mut dyn Backend,
    ) -> Result<Answers> {
        let (several, temperature) = (self.info().task == MULTI_LABEL, self.calibration().temperature);
        let mut probabilities = vec![];
        let mut run = FileRun::new(backend, bytes, raw, self.info(), BATCH)?;
        let mut right = 0.0;
        for some in images.chunks(BATCH) {
            let found = run.run(&pictures(set, some)?)?;
            let logits = found.first().map(Tensor::to_f64).unwrap_or_default();
            let classes = logits.len() / BATCH;
            for (row, &image) in logits.chunks(classes.max(1)).zip(some) {
                if several {
                    probabilities.extend(row.iter().map(|logit| (1.0 / (1.0 + (-logit / temperature).exp())) as f32));
                } else {
                    let row: Vec<f32> = row.iter().map(|&logit| logit as f32).collect();
                    probabilities.extend(softmax_at(&row, temperature).iter().map(|&p| p as f32));
                }
                right += if several {
                    let shown = set.values(image);
                    let same = row.iter().zip(shown).filter(|(logit, shown)| (**logit > 0.0) == (**shown > 0.5));
                    same.count() as f64 / classes as f64
                } else {
                    f64::from(u8::from(largest(row) == set.label(image) as usize))
                };
            }
        }
        run.end()?;
        Ok(Answers { right: right / images.len() as f64, probabilities })
    }
}

/// At most so many numbers, evenly spread.
fn spread(len: usize, most: usize) -> Vec<usize> {
    let count = len.min(most);
    (0..count).map(|i| i * len / count).collect()
}

fn pictures(set: &dyn Dataset, images: &[usize]) -> Result<Vec<Vec<u8>>> {
    let n = set.image_shape().iter().product();
    let one = |&image: &usize| {
        let mut pixels = vec![0; n];
        set.write_image(image, &mut pixels)?;
        Ok(pixels)
    };
    images.iter().map(one).collect()
}

/// Widens a range by the first rows of a tensor.
fn widen(range: &mut [f32; 2], tensor: &Tensor, rows: usize) {
    let all = tensor.to_f64();
    let row = all.len() / tensor.shape().first().copied().unwrap_or(1).max(1);
    for value in all.iter().take(rows * row).map(|&v| v as f32).filter(|v| v.is_finite()) {
        *range = [range[0].min(value), range[1].max(value)];
    }
}
