//! The targets of all images of a data set, from which those of batches are picked.

use chiaro_graph::{Data, Tensor};

use crate::error::{Result, TrainError};

/// Targets of images, one row each.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// Extents of one; none for a number.
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Whole(Vec<i32>),
    Real(Vec<f32>),
}

impl Targets {
    /// Whole numbers: one for each image, in the set's order.
    pub fn labels(labels: Vec<i32>) -> Targets {
        Targets { shape: vec![], values: Values::Whole(labels) }
    }

    /// As many f32 for each image, `width` of them, in the set's order.
    ///
    /// # Errors
    /// If they are not rows of that width.
    pub fn rows(width: usize, values: Vec<f32>) -> Result<Targets> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(TrainError::setting(format!("{} numbers are no targets of {width} each", values.len())));
        }
        Ok(Targets { shape: vec![width], values: Values::Real(values) })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match &self.values {
            Values::Whole(values) => values.len() / self.width(),
            Values::Real(values) => values.len() / self.width(),
        }
    }

    fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The target of an image.
    pub fn row(&self, image: usize) -> Vec<f64> {
        let range = image * self.width()..(image + 1) * self.width();
        match &self.values {
            Values::Whole(values) => values[range].iter().map(|v| f64::from(*v)).collect(),
            Values::Real(values) => values[range].iter().map(|v| f64::from(*v)).collect(),
        }
    }

    /// The targets of these images as a step takes them; those from `valid` on are all `filler`.
    pub(crate) fn of(&self, images: &[usize], valid: usize, filler: f64) -> Result<Tensor> {
        let shape = [&[images.len()], &self.shape[..]].concat();
        let width = self.width();
        let picked = |i: usize| images[i / width] * width + i % width;
        let places = 0..images.len() * width;
        let data = match &self.values {
            Values::Whole(values) => {
                Data::I32(places.map(|i| if i / width < valid { values[picked(i)] } else { filler as i32 }).collect())
            }
            Values::Real(values) => {
                Data::F32(places.map(|i| if i / width < valid { values[picked(i)] } else { filler as f32 }).collect())
            }
        };
        Tensor::new(shape.clone(), data).ok_or_else(|| TrainError::setting(format!("targets of shape {shape:?}")))
    }

    /// CRC-32 of all of them in their order.
    pub(crate) fn checksum(&self) -> String {
        let mut sum = crc32fast::Hasher::new();
        match &self.values {
            Values::Whole(values) => values.iter().for_each(|v| sum.update(&v.to_le_bytes())),
            Values::Real(values) => values.iter().for_each(|v| sum.update(&v.to_le_bytes())),
        }
        format!("{:08x}", sum.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_a_batch_are_picked_and_filled_up() {
        let labels = Targets::labels(vec![5, 6, 7]).of(&[2, 0, 0], 2, -100.0).expect("labels");
        assert_eq!((labels.shape(), labels.as_i32()), (&[3][..], Some(&[7, 5, -100][..])));
        let rows = Targets::rows(2, vec![0.0, 1.0, 2.0, 3.0]).expect("rows").of(&[1, 0], 1, -1.0).expect("rows");
        assert_eq!((rows.shape(), rows.as_f32()), (&[2, 2][..], Some(&[2.0, 3.0, -1.0, -1.0][..])));
        assert!(Targets::rows(2, vec![0.0; 3]).is_err());
    }
}
