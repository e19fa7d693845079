//! What a trained model says of pictures.

use std::path::Path;
use std::sync::Arc;

use chiaro_data::pictures::Picture;
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::{EvalStep, Model, Views};

use crate::alone::at_once;
use crate::error::{Result, TrainError};
use crate::network::{Answers, Network, Pixels};
use crate::saved::Saved;
use crate::task::{Guess, Task};

/// A trained model on a device, ready for pictures.
pub struct Classifier {
    network: Network,
    step: EvalStep,
    classes: Vec<String>,
    task: Arc<dyn Task>,
    /// What outputs are divided by before they are read as probabilities.
    temperature: f64,
    /// The probability of the first guess below which an image is of no known class.
    unknown_below: Option<f64>,
    /// Stands in the place of the targets.
    nothing: Tensor,
}

/// How a classifier is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassifierOptions {
    /// The views of each picture whose outputs are averaged.
    pub views: Views,
    /// Pictures that it looks at in one step: one alone takes the time of all.
    pub batch: usize,
}

impl Default for ClassifierOptions {
    /// One picture at a time, as it is.
    fn default() -> Self {
        ClassifierOptions { views: Views::One, batch: 1 }
    }
}

impl Classifier {
    /// Compiles the model for one image and loads its weights. The classifier owns the backend; a
    /// [`Shared`](chiaro_graph::Shared) one can be used beside it, but not with a trainer that goes on: the weights of all on one
    /// device are in the same arenas, so those loaded here overwrite the trainer's, and its steps change the classifier's. Give
    /// the classifier a device of its own.
    ///
    /// # Errors
    /// If the weights do not fit the model, it was trained for a task that is not known here, or the device fails.
    pub fn new(backend: impl Backend + 'static, saved: &Saved) -> Result<Classifier> {
        Classifier::with(backend, saved, ClassifierOptions::default())
    }

    /// The same for many pictures at a time, or several views of each.
    ///
    /// # Errors
    /// Those of [`Classifier::new`].
    pub fn with(backend: impl Backend + 'static, saved: &Saved, options: ClassifierOptions) -> Result<Classifier> {
        Classifier::made(backend, saved, &saved.model()?, saved.task()?, options)
    }

    /// The same for a model or a task of one's own.
    ///
    /// # Errors
    /// Those of [`Classifier::new`].
    pub fn of_model(
        backend: impl Backend + 'static,
        saved: &Saved,
        model: &Model,
        task: Arc<dyn Task>,
    ) -> Result<Classifier> {
        Classifier::made(backend, saved, model, task, ClassifierOptions::default())
    }

    fn made(
        backend: impl Backend + 'static,
        saved: &Saved,
        model: &Model,
        task: Arc<dyn Task>,
        ClassifierOptions { views, batch }: ClassifierOptions,
    ) -> Result<Classifier> {
        let batch = at_once(model, batch);
        let step = EvalStep::with_views(model, batch, &Network::input(saved)?, &*task, views)?;
        let spec = task.target(model.classes);
        let shape = [&[batch], &spec.shape[..]].concat();
        let filler = vec![spec.filler; shape.iter().product()];
        let nothing = Tensor::from_f64(shape, spec.dtype, &filler);
        let nothing = nothing.ok_or_else(|| TrainError::setting(format!("a target of shape {:?}", spec.shape)))?;
        let network = Network::new(backend, saved, &step.graph, batch)?;
        let (classes, temperature) = (saved.info().classes.clone(), saved.calibration().temperature);
        Ok(Classifier { network, step, classes, task, temperature, unknown_below: None, nothing })
    }

    /// Says from here on that an image is unknown ([`Classifier::is_unknown`]) where its first guess has a lower probability than this.
    pub fn unknown_below(&mut self, probability: Option<f64>) {
        self.unknown_below = probability;
    }

    /// Whether guesses, the most probable first, are of an image of no known class.
    pub fn is_unknown(&self, guesses: &[Guess]) -> bool {
        self.unknown_below.is_some_and(|below| Guess::are_unknown(guesses, below))
    }

    /// What the model says of an image file of any size, resized as those it was trained on: of a classification its classes, the most probable first.
    ///
    /// # Errors
    /// If the file cannot be decoded or the device fails.
    pub fn classify(&mut self, file: &Path) -> Result<Vec<Guess>> {
        let pixels = self.network.prepared(&Picture::file(file.to_path_buf()))?;
        self.classify_pixels(&pixels)
    }

    /// The same of an image in memory, 8-bit pixels `[H, W, C]` as the model takes them.
    ///
    /// # Errors
    /// If they are more or fewer, or the device fails.
    pub fn classify_pixels(&mut self, pixels: &[u8]) -> Result<Vec<Guess>> {
        let mut asked = asking(&self.task, self.temperature, &self.classes, &self.nothing);
        let answers = asked(&mut self.network, &[pixels.to_vec()])?;
        answers.into_iter().next().ok_or_else(|| TrainError::setting("no answer"))
    }

    /// What the model says of many pictures, batch by batch, while the next are decoded.
    ///
    /// # Errors
    /// If the system refuses threads to decode in.
    pub fn over(&mut self, pictures: &[Picture]) -> Result<Answers<'_, Vec<Guess>>> {
        let asked = asking(&self.task, self.temperature, &self.classes, &self.nothing);
        Answers::new(&mut self.network, pictures, asked)
    }

    /// The step's graph and declarations.
    pub fn step(&self) -> &EvalStep {
        &self.step
    }
}

/// Asks about a batch of pictures.
fn asking<'c>(
    task: &'c Arc<dyn Task>,
    temperature: f64,
    classes: &'c [String],
    nothing: &'c Tensor,
) -> impl FnMut(&mut Network, &[Pixels]) -> Result<Vec<Vec<Guess>>> + 'c {
    move |network, pictures| {
        let [outputs] = network.run(pictures, std::slice::from_ref(nothing))?;
        let width = outputs.shape().last().copied().unwrap_or(1);
        let rows: Vec<f64> = outputs.to_f64().into_iter().map(|output| output / temperature).collect();
        Ok(rows.chunks_exact(width).take(pictures.len()).map(|row| task.predict(row, classes)).collect())
    }
}
