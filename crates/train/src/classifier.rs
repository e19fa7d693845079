//! What a trained model says of image files.

use std::path::Path;
use std::sync::Arc;

use chiaro_data::{Normalize, Resize, decode_file};
use chiaro_graph::{Backend, PlanId, Tensor};
use chiaro_nn::{EvalStep, ImageInput, Model, Views};

use crate::data::resize_of;
use crate::error::{Result, TrainError};
use crate::lease::Lease;
use crate::saved::Saved;
use crate::task::{Guess, Task};

/// A trained model on a device, ready for one image after the other.
pub struct Classifier {
    backend: Lease,
    step: EvalStep,
    plan: PlanId,
    shape: [usize; 3],
    resize: Resize,
    normalize: Normalize,
    classes: Vec<String>,
    task: Arc<dyn Task>,
    /// Stands in the place of a target.
    nothing: Tensor,
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
        Classifier::of_model(backend, saved, &saved.model()?, saved.task()?)
    }

    /// The same by the averaged outputs of several views of each image.
    ///
    /// # Errors
    /// Those of [`Classifier::new`].
    pub fn with_views(backend: impl Backend + 'static, saved: &Saved, views: Views) -> Result<Classifier> {
        Classifier::made(backend, saved, &saved.model()?, saved.task()?, views)
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
        Classifier::made(backend, saved, model, task, Views::One)
    }

    fn made(
        backend: impl Backend + 'static,
        saved: &Saved,
        model: &Model,
        task: Arc<dyn Task>,
        views: Views,
    ) -> Result<Classifier> {
        let step = EvalStep::with_views(model, 1, &ImageInput::Normalized, &*task, views)?;
        let spec = task.target(model.classes);
        let width = spec.shape.iter().product();
        let filler = vec![spec.filler; width];
        let nothing = Tensor::from_f64([&[1], &spec.shape[..]].concat(), spec.dtype, &filler);
        let nothing = nothing.ok_or_else(|| TrainError::setting(format!("a target of shape {:?}", spec.shape)))?;
        let mut backend = Lease::new(backend);
        let plan = backend.compile(&step.graph)?;
        backend.hold(plan, &step.graph);
        saved.load_into(&mut *backend, &step.graph)?;
        let info = saved.info();
        let normalize = Normalize::new(info.mean.clone(), info.std.clone())?;
        Ok(Classifier {
            backend,
            step,
            plan,
            shape: info.image,
            resize: resize_of(info)?,
            normalize,
            classes: info.classes.clone(),
            task,
            nothing,
        })
    }

    /// What the model says of an image file of any size, resized as those it was trained on: of a classification its classes, the most probable first.
    ///
    /// # Errors
    /// If the file cannot be decoded or the device fails.
    pub fn classify(&mut self, file: &Path) -> Result<Vec<Guess>> {
        let mut pixels = vec![0; self.shape.iter().product()];
        decode_file(file, self.shape, self.resize, &mut pixels)?;
        self.classify_pixels(&pixels)
    }

    /// The same of an image in memory, 8-bit pixels `[H, W, C]` as the model takes them.
    ///
    /// # Errors
    /// If they are more or fewer, or the device fails.
    pub fn classify_pixels(&mut self, pixels: &[u8]) -> Result<Vec<Guess>> {
        let wanted: usize = self.shape.iter().product();
        if pixels.len() != wanted {
            let (found, shape) = (pixels.len(), self.shape);
            return Err(TrainError::setting(format!("{found} bytes are no image of {shape:?}, which has {wanted}")));
        }
        let mut values = vec![0.0; pixels.len()];
        self.normalize.apply(pixels, &mut values);
        let [h, w, c] = self.shape;
        let image = Tensor::f32([1, h, w, c], values);
        let inputs = image
            .map(|image| [image, self.nothing.clone()])
            .ok_or_else(|| TrainError::setting(format!("an image of shape {:?}", self.shape)))?;
        self.backend.run(self.plan, &inputs)?;
        let logits = self.backend.read(self.plan, 0)?;
        Ok(self.task.predict(&logits.to_f64(), &self.classes))
    }

    /// The step's graph and declarations.
    pub fn step(&self) -> &EvalStep {
        &self.step
    }
}
