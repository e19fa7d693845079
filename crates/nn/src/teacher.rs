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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::named;
    use chiaro_cpu::reference::Reference;
    use chiaro_graph::{Backend, Tensor};

    /// By hand, at T = 2: outputs [2 ln 3, 0] are the probabilities [3/4, 1/4] and [0, 0] are [1/2, 1/2]. The two rows' divergences are
    /// 3/4 ln 3/2 + 1/4 ln 1/2 and 1/2 ln 2/3 + 1/2 ln 2, together (ln 3)/4: their mean times T² is (ln 3)/2. Its gradient by the
    /// student's outputs is T² (p - q) / T / rows = p - q.
    #[test]
    fn the_loss_at_a_temperature_is_the_mean_divergence_times_its_square() {
        let high = 2.0 * 3f32.ln();
        let mut graph = Graph::new();
        let outputs = graph.input("outputs", &[2, 2], chiaro_graph::DType::F32).expect("an input");
        let table = |numbers: [f32; 4]| Tensor::f32([2, 2], numbers.to_vec()).expect("a tensor");
        let taught = graph.constant(table([high, 0.0, 0.0, 0.0])).expect("a constant");
        let own = graph.constant(vector(vec![2.0])).expect("a constant");
        let own = graph.mean(own, &[0], false).expect("a number");
        let model = named("mlp").expect("known").build(2, [4, 4, 1]).expect("fits");
        let arenas = ["a", "b"].map(String::from);
        let teacher = Teacher { model: Arc::new(model), weight: 0.25, temperature: 2.0, channels: None, arenas };
        let loss = teacher.with_loss(&mut graph, own, outputs, taught).expect("recorded");
        let gradient = graph.grad(loss, None, &[outputs]).expect("has one")[0];
        graph.output("loss", loss).expect("an output");
        graph.output("gradient", gradient).expect("an output");
        let mut backend = Reference::new();
        let plan = backend.compile(&graph).expect("compiles");
        backend.run(plan, &[table([0.0, 0.0, high, 0.0])]).expect("a step");
        let close = |found: Vec<f64>, want: &[f64]| {
            assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {want:?}");
        };
        close(backend.read(plan, 0).expect("read").to_f64(), &[0.75 * 2.0 + 0.25 * 3f64.ln() / 2.0]);
        close(backend.read(plan, 1).expect("read").to_f64(), &[-0.25, 0.25, 0.25, -0.25].map(|g| g * 0.25));
    }
}
