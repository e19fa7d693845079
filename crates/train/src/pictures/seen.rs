//! Images as the network sees them, brought back from the device that prepares them.

use chiaro_graph::{Data, PlanId, Tensor};
use chiaro_nn::{ImageStep, StepKey};

use crate::error::Result;
use crate::lease;
use crate::trainer::Trainer;

/// Images of a training step that are shown at most, half of them from its beginning and half from its end, which are mixed with each
/// other.
const SHOWN: usize = 16;
/// Images that are brought back at once.
const AT_ONCE: usize = 32;

/// Some images of a training step: which of the set they are, and their pixels in RGB.
pub(crate) struct SeenStep {
    pub rows: Vec<usize>,
    pub images: Vec<Vec<u8>>,
}

impl Trainer {
    /// Some images of each of the first steps of the run, with the random changes that training makes.
    pub(crate) fn training_images(&mut self, steps: usize) -> Result<Vec<SeenStep>> {
        let options = &self.present_step().options;
        let (n, input) = (options.batch, options.images.clone());
        let places: Vec<usize> =
            (0..n).filter(|place| n <= SHOWN || place.min(&(n - 1 - place)) < &(SHOWN / 2)).collect();
        let step = ImageStep::build(&input, places.len(), self.info.image)?;
        let plan = self.backend.compile(&step.graph)?;
        let made = self.of_steps(steps, &step, plan, &places, n);
        lease::release(&mut *self.backend, plan, &step.graph);
        made
    }

    fn of_steps(
        &mut self,
        steps: usize,
        step: &ImageStep,
        plan: PlanId,
        places: &[usize],
        n: usize,
    ) -> Result<Vec<SeenStep>> {
        let mut all = vec![];
        for (number, batch) in self.feed.epoch(0, 0)?.take(steps).enumerate() {
            let batch = batch?;
            let key = StepKey { seed: self.config.seed, step: number as u64, epoch: 0, rows: &batch.rows };
            let inputs = step.inputs_of(rows_of(&batch.images, places), &key, places, n);
            let images = self.brought_back(plan, &inputs)?;
            all.push(SeenStep { rows: places.iter().map(|&place| batch.rows[place]).collect(), images });
        }
        Ok(all)
    }

    /// Images of the set that epochs are evaluated on, in RGB.
    pub(crate) fn evaluated_images(&mut self, rows: &[usize]) -> Result<Vec<Vec<u8>>> {
        let batch = rows.len().min(AT_ONCE);
        if batch == 0 {
            return Ok(vec![]);
        }
        let step = ImageStep::build(self.evaluator.images(), batch, self.info.image)?;
        let plan = self.backend.compile(&step.graph)?;
        let made = rows.chunks(batch).try_fold(vec![], |mut all, part| {
            // The last ones are fewer: filled up with the first.
            let filled: Vec<usize> = (0..batch).map(|i| *part.get(i).unwrap_or(&rows[0])).collect();
            let inputs = step.inputs(self.evaluator.some_images(&filled)?, &StepKey::default());
            all.extend(self.brought_back(plan, &inputs)?.into_iter().take(part.len()));
            Ok(all)
        });
        lease::release(&mut *self.backend, plan, &step.graph);
        made
    }

    fn brought_back(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<Vec<Vec<u8>>> {
        self.backend.run(plan, inputs)?;
        let images = self.backend.read(plan, 0)?;
        let values = images.as_f32().unwrap_or(&[]);
        let pixels: usize = self.info.image.iter().product();
        Ok(values.chunks_exact(pixels).map(|image| rgb(image, &self.info.mean, &self.info.std)).collect())
    }
}

/// These rows of a tensor of images: of their numbers, or of their packed pixels.
fn rows_of(images: &Tensor, places: &[usize]) -> Tensor {
    let row: usize = images.shape()[1..].iter().product();
    let shape = [&[places.len()], &images.shape()[1..]].concat();
    let picked = match images.data() {
        Data::I32(numbers) => Tensor::i32(shape, places.iter().map(|&place| numbers[place]).collect()),
        Data::U32(words) => {
            let words = places.iter().flat_map(|&place| words[place * row..(place + 1) * row].iter().copied());
            Tensor::new(shape, Data::U32(words.collect()))
        }
        // Images come as numbers or packed.
        Data::F32(_) | Data::F16(_) | Data::Bool(_) => None,
    };
    picked.unwrap_or_else(|| images.clone())
}

/// Normalised values of an image `[H,W,C]` as they were before, in RGB: one channel is grey, and what is beyond the third is left out.
fn rgb(values: &[f32], mean: &[f32], std: &[f32]) -> Vec<u8> {
    let channels = mean.len();
    let byte = |pixel: &[f32], c: usize| ((pixel[c] * std[c] + mean[c]) * 255.0).round().clamp(0.0, 255.0) as u8;
    let colours = |pixel: &[f32]| [0, 1, 2].map(|c| byte(pixel, if channels < 3 { 0 } else { c }));
    values.chunks_exact(channels).flat_map(colours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_values_become_the_bytes_that_they_were() {
        let (mean, std) = ([0.5, 0.25, 0.1], [0.2, 0.3, 0.5]);
        let bytes: Vec<u8> = (0..=254).step_by(2).flat_map(|v| [v, 255 - v, v / 2]).collect();
        let values: Vec<f32> =
            bytes.iter().enumerate().map(|(i, &v)| (f32::from(v) / 255.0 - mean[i % 3]) / std[i % 3]).collect();
        assert_eq!(rgb(&values, &mean, &std), bytes);
        assert_eq!(rgb(&[0.0, 9.0], &[0.5], &[0.2]), [128, 128, 128, 255, 255, 255], "grey, and no more than white");
        assert_eq!(rgb(&[0.0, 0.0], &[0.0, 1.0], &[1.0, 1.0]), [0, 0, 0], "the first of two channels");
    }
}
