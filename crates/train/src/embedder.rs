//! The features that a trained model makes of pictures.

use chiaro_data::pictures::Picture;
use chiaro_graph::Backend;
use chiaro_nn::FeatureStep;

use crate::alone::at_once;
use crate::error::Result;
use crate::network::{Answers, Network};
use crate::saved::Saved;

/// A trained model on a device up to one of its layers.
pub struct Embedder {
    network: Network,
    features: usize,
}

impl Embedder {
    /// Compiles the model for batches of so many pictures and loads its weights. `layer` names the layer that gives the features
    /// (`layer4.1`); absent, they are what the last layer makes classes of. Whose the backend is: see
    /// [`Classifier::new`](crate::Classifier::new).
    ///
    /// # Errors
    /// If there is no such layer, the weights do not fit the model, or the device fails.
    pub fn new(backend: impl Backend + 'static, saved: &Saved, batch: usize, layer: Option<&str>) -> Result<Embedder> {
        let model = saved.model()?;
        let batch = at_once(&model, batch);
        let step = FeatureStep::build(&model, batch, &Network::input(saved)?, layer)?;
        let network = Network::new(backend, saved, &step.graph, batch)?;
        Ok(Embedder { network, features: step.features })
    }

    /// How many features a picture has.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The features of many pictures, batch by batch, while the next are decoded.
    ///
    /// # Errors
    /// If the system refuses threads to decode in.
    pub fn over(&mut self, pictures: &[Picture]) -> Result<Answers<'_, Vec<f32>>> {
        let width = self.features;
        Answers::new(&mut self.network, pictures, move |network, pixels| {
            let [features] = network.run(pixels, &[])?;
            let rows = features.as_f32().unwrap_or(&[]).chunks_exact(width);
            Ok(rows.take(pixels.len()).map(<[f32]>::to_vec).collect())
        })
    }
}

/// The `count` rows that point most in the direction of `row`, with the cosine of the angle between them, the nearest first. Row `but` is left out.
pub fn nearest(rows: &[Vec<f32>], row: &[f32], count: usize, but: Option<usize>) -> Vec<(usize, f64)> {
    let others = rows.iter().enumerate().filter(|(i, _)| Some(*i) != but);
    let mut ranked: Vec<(usize, f64)> = others.map(|(i, other)| (i, cosine(row, other))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(count);
    ranked
}

/// The cosine of the angle between two vectors; 0 where one of them is 0.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_in_the_same_direction_and_are_never_the_picture_itself() {
        let rows = [vec![1.0, 0.0], vec![3.0, 0.1], vec![-1.0, 0.0], vec![0.0, 0.0], vec![0.0, 2.0]];
        let found = nearest(&rows, &rows[0], 4, Some(0));
        assert_eq!(found.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1, 3, 4, 2]);
        assert!(found[0].1 > 0.999 && found[3].1 == -1.0, "{found:?}");
        assert_eq!(nearest(&rows, &rows[0], 1, None), [(0, 1.0)]);
    }
}
