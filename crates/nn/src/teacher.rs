//! A trained model whose outputs another one learns beside the targets (Hinton et al. 2015).

use std::fmt;
use std::sync::Arc;

use crate::arena::vector;
use crate::context::{Context, Mode};
use crate::error::{NnError, Result};
use crate::models::Model;
use chiaro_graph::{Elementwise, Graph, ReduceKind, Var};

/// The path and the names of states of a teacher within a step's graph begin so.
pub const TEACHER: &str = "teacher";

/// A trained model whose outputs the step's model learns beside the targets. Its weights are arenas of the step, for whoever compiles it
/// to write: they are never saved with it, and not trained.
#[derive(Clone)]
pub struct Teacher {
    /// The model; it takes the same images and has as many outputs.
    pub model: Arc<Model>,
    /// Its part of the loss, from 0 to 1.
    pub weight: f64,
    /// What both models' outputs are divided by before they are compared.
    pub temperature: f64,
    /// Factor and shift of each channel, from the images as the step's model takes them to those that the teacher takes; absent: the same.
    pub channels: Option<[Vec<f32>; 2]>,
    /// Names of the arenas of its parameters and of its statistics.
    pub arenas: [String; 2],
}

impl fmt::Debug for Teacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Teacher { model, weight, temperature, .. } = self;
        write!(f, "Teacher {{ model: {:?}, weight: {weight}, temperature: {temperature} }}", model.name)
    }
}

impl Teacher {
    pub(crate) fn check(&self, student: &Model) -> Result<()> {
        let Teacher { model, weight, temperature, .. } = self;
        let wrong = |text: String| Err(NnError::Option(text));
        if !((0.0..=1.0).contains(weight) && *temperature > 0.0 && temperature.is_finite()) {
            return wrong(format!("a teacher of weight {weight} at temperature {temperature}"));
        }
        if (model.image, model.classes) != (student.image, student.classes) {
            return wrong(format!(
                "the teacher takes images of {:?} and has {} outputs, the model {:?} and {}: they must be the same",
                model.image, model.classes, student.image, student.classes
            ));
        }
        Ok(())
    }

    /// The teacher's outputs for images as the student takes them, f32 `[N,outputs]`.
    pub(crate) fn record(&self, graph: &mut Graph, images: Var) -> Result<Var> {
        let mut images = images;
        if let Some([factor, shift]) = &self.channels {
            let [factor, shift] = [factor, shift].map(|numbers| graph.constant(vector(numbers.clone())));
            images = graph.mul(images, factor?)?;
            images = graph.add(images, shift?)?;
        }
        let mut ctx = Context::new(graph, Mode::Eval, None).of_arenas(&self.arenas);
        Ok(ctx.call(TEACHER, &*self.model.module, images)?)
    }

    /// (1 - weight) loss + weight T² KL(teacher, student) at the temperature T, the mean over the rows: the factor T² keeps the
    /// gradient's size where T is another.
    pub(crate) fn with_loss(&self, graph: &mut Graph, loss: Var, student: Var, teacher: Var) -> Result<Var> {
        let cooled = [1.0 / self.temperature];
        let [student, teacher] = [student, teacher].map(|logits| graph.map_scalars(Elementwise::Mul, logits, &cooled));
        let (student, teacher) = (student?, teacher?);
        let (ours, theirs) = (graph.softmax(student, -1, true)?, graph.softmax(teacher, -1, true)?);
        let p = graph.softmax(teacher, -1, false)?;
        let off = graph.sub(theirs, ours)?;
        let parts = graph.mul(p, off)?;
        let rows = graph.reduce(ReduceKind::Sum, parts, &[1], false)?;
        let mean = graph.mean(rows, &[0], false)?;
        let part = graph.map_scalars(Elementwise::Mul, mean, &[self.weight * self.temperature * self.temperature])?;
        let own = graph.map_scalars(Elementwise::Mul, loss, &[1.0 - self.weight])?;
        Ok(graph.add(own, part)?)
    }
}
