//! Which places of a picture speak for a class, as a trained model sees them: Grad-CAM.

use std::sync::Arc;

use chiaro_data::pictures::Picture;
use chiaro_graph::{Backend, Data, Tensor};
use chiaro_nn::{GradCamStep, MapOf};

use crate::alone::at_once;
use crate::error::{Result, TrainError};
use crate::heat::scaled;
use crate::metrics::largest;
use crate::network::{Answers, Network, Pixels};
use crate::saved::Saved;
use crate::task::{Guess, Task};

/// Places a side that a map must have to be chosen: fewer point at nothing.
pub(crate) const LEAST_SIDE: usize = 4;

/// A trained model with the step of Grad-CAM (arXiv:1610.02391) on a device.
pub struct Explainer {
    network: Network,
    batch: usize,
    task: Arc<dyn Task>,
    /// What outputs are divided by before they are read as probabilities.
    temperature: f64,
    names: Vec<String>,
    /// Of the model.
    outputs: usize,
    size: [usize; 2],
    layer: String,
}

/// What speaks for a class in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The class that is explained.
    pub class: usize,
    /// What the model says of the picture, as [`Classifier`](crate::Classifier) tells it.
    pub guesses: Vec<Guess>,
    /// How much each place speaks for it, rows of `size[1]`: from 0 to 1, which the largest is where any is above 0.
    pub map: Vec<f32>,
    /// Height and width of the map.
    pub size: [usize; 2],
}

impl Explainer {
    /// Compiles the model with its gradient for batches of so many pictures and loads its weights. `layer` names the layer whose
    /// map is shown; absent, it is the last of 4 places a side at least, or the last of all. Whose the backend is: see [`Classifier::new`](crate::Classifier::new).
    ///
    /// # Errors
    /// If the model has no map of features or no such layer, the weights do not fit, or the device fails.
    pub fn new(backend: impl Backend + 'static, saved: &Saved, batch: usize, layer: Option<&str>) -> Result<Explainer> {
        let model = saved.model()?;
        let batch = at_once(&model, batch);
        let map = layer.map_or(MapOf::Side(LEAST_SIDE), MapOf::Layer);
        let step = GradCamStep::build(&model, batch, &Network::input(saved)?, map)?;
        let network = Network::new(backend, saved, &step.graph, batch)?;
        let (task, names) = (saved.task()?, saved.info().classes.clone());
        let temperature = saved.calibration().temperature;
        let (outputs, size, layer) = (model.classes, step.size, step.layer);
        Ok(Explainer { network, batch, task, temperature, names, outputs, size, layer })
    }

    /// The layer whose map is shown, and the map's height and width.
    pub fn map(&self) -> (&str, [usize; 2]) {
        (&self.layer, self.size)
    }

    /// What speaks in each picture for this class, or for the one with the highest output.
    ///
    /// # Errors
    /// If there is no such class, or the system refuses threads to decode in.
    pub fn over(&mut self, pictures: &[Picture], class: Option<usize>) -> Result<Answers<'_, Explanation>> {
        if let Some(class) = class.filter(|&class| class >= self.outputs) {
            return Err(TrainError::setting(format!("class {class} of a model of {}", self.outputs)));
        }
        let (batch, outputs, size) = (self.batch, self.outputs, self.size);
        let (task, names, temperature) = (&self.task, &self.names, self.temperature);
        Answers::new(&mut self.network, pictures, move |network, pixels| {
            let logits = logits(network, pixels, &vec![0; batch])?;
            let best: Vec<usize> = logits.chunks_exact(outputs).map(largest).collect();
            let chosen: Vec<i32> = best.iter().map(|&best| class.unwrap_or(best) as i32).collect();
            let [_, maps] = network.run(pixels, &[labels(&chosen)?])?;
            let maps = maps.as_f32().unwrap_or(&[]).chunks_exact(size[0] * size[1]);
            let explained =
                maps.zip(logits.chunks_exact(outputs)).take(pixels.len()).enumerate().map(|(i, (map, row))| {
                    let row: Vec<f64> = row.iter().map(|&logit| f64::from(logit) / temperature).collect();
                    let guesses = task.predict(&row, names);
                    Explanation { class: chosen[i] as usize, guesses, map: scaled(map), size }
                });
            Ok(explained.collect())
        })
    }
}

fn logits(network: &mut Network, pixels: &[Pixels], classes: &[i32]) -> Result<Vec<f32>> {
    let [logits] = network.run(pixels, &[labels(classes)?])?;
    Ok(logits.as_f32().unwrap_or(&[]).to_vec())
}

fn labels(classes: &[i32]) -> Result<Tensor> {
    let tensor = Tensor::new([classes.len()], Data::I32(classes.to_vec()));
    tensor.ok_or_else(|| TrainError::setting("classes of a batch"))
}
