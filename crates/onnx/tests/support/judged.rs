//! Files for the judges (`cargo xtask judges`): a model as ONNX, pictures, and this program's logits of them.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, PlanId, Tensor};
use chiaro_nn::{EvalStep, Model, Sgd, Summary, TrainOptions, TrainStep, models, pack_arena, unpack_arena};
use chiaro_onnx::{ExportOptions, export};

use super::pictures::Pictures;

/// How many pictures each model is asked about; absent, as many as [`OPERATIONS`] allow.
const IMAGES: &str = "CHIARO_JUDGE_IMAGES";
/// Operations that a model is asked for where nobody tells a number: of small models 1,000 pictures are looked at, of others fewer.
const OPERATIONS: u64 = 100_000_000_000;
/// Pictures at a time.
const BATCH: usize = 20;
/// The classes' mean of the pictures, by the largest logit before.
const HEIGHT: f32 = 2.0;
/// Least difference of a logit between two pictures, by the largest, at which statistics of norms stay as they were drawn.
const APART: f32 = 1e-3;
/// Pictures by which the head is balanced.
const BALANCED: usize = 60;

/// Steps by which norms measure their statistics.
const MEASURED: usize = 10;

/// Gives norms the statistics of pictures: with drawn ones of others than the weights, networks of many thin layers hardly differ between
/// two pictures. No weight moves.
fn measure_statistics(model: &Model, weights: &mut BTreeMap<String, Tensor>) {
    let step = TrainStep::build(model, TrainOptions::new(BATCH, Sgd::default())).expect("a step");
    if step.graph.find_arena("buffers").is_none() {
        return;
    }
    let mut backend = Cpu::new(Some(2)).expect("a CPU");
    let plan = backend.compile(&step.graph).expect("compiles");
    for (arena, values) in step.initial_arenas(0) {
        backend.write_arena(&arena, &values).expect("written");
    }
    let params = pack_arena(&step.graph, "params", |name| weights.get(name)).expect("all weights");
    backend.write_arena("params", &params).expect("written");
    let pictures = Pictures::of(model.image[2]);
    let mut after = |start: f32| {
        let shape = backend.read_arena("buffers").expect("statistics").shape().to_vec();
        let filled = Tensor::f32(shape.clone(), vec![start; shape.iter().product()]).expect("an arena");
        backend.write_arena("buffers", &filled).expect("written");
        for number in 0..MEASURED {
            let images = channels_last(model, &planes(&pictures, model, number * BATCH, BATCH));
            let labels = Tensor::i32([BATCH], vec![0; BATCH]).expect("labels");
            backend.run(plan, &step.inputs(images, labels, 0, number as u64, 0.0)).expect("a step");
        }
        backend.read_arena("buffers").expect("statistics")
    };
    // What is left of the start, whatever share a norm takes of each batch, is the difference of these.
    let (of_0, of_1) = (after(0.0), after(1.0));
    let pairs = of_0.as_f32().expect("floats").iter().zip(of_1.as_f32().expect("floats"));
    let means = pairs.map(|(zero, one)| zero / (1.0 - (one - zero)).max(1e-3)).collect();
    let measured = Tensor::f32(of_0.shape().to_vec(), means).expect("an arena");
    weights.extend(unpack_arena(&step.graph, "buffers", &measured).expect("an arena"));
}

/// Some pictures from a number on, `[N,C,H,W]`.
fn planes(pictures: &Pictures, model: &Model, start: usize, count: usize) -> Vec<f32> {
    let [h, w, c] = model.image;
    let order = (start..start + count).flat_map(|n| (0..c).flat_map(move |k| (0..h * w).map(move |p| (n, k, p))));
    order.map(|(n, k, p)| pictures.pixel(n, k, [p / w, p % w], [h, w])).collect()
}

/// The same as this program takes them.
fn channels_last(model: &Model, planes: &[f32]) -> Tensor {
    let [h, w, c] = model.image;
    let batch = planes.len() / (h * w * c);
    let order = (0..batch).flat_map(|n| (0..h * w).flat_map(move |p| (0..c).map(move |k| (n * c + k) * h * w + p)));
    Tensor::f32([batch, h, w, c], order.map(|at| planes[at]).collect()).expect("images")
}

/// A model on the CPU, and the pictures that it is asked about.
struct Asked<'m> {
    model: &'m Model,
    step: EvalStep,
    backend: Cpu,
    plan: PlanId,
    pictures: Pictures,
    batch: usize,
}

impl Asked<'_> {
    fn of(model: &Model, batch: usize) -> Asked<'_> {
        let step = EvalStep::build(model, batch).expect("a step");
        let mut backend = Cpu::new(Some(2)).expect("a CPU");
        let plan = backend.compile(&step.graph).expect("compiles");
        Asked { model, step, backend, plan, pictures: Pictures::of(model.image[2]), batch }
    }

    fn take(&mut self, weights: &BTreeMap<String, Tensor>) {
        for arena in ["params", "buffers"] {
            if self.step.graph.find_arena(arena).is_some() {
                let flat = pack_arena(&self.step.graph, arena, |name| weights.get(name)).expect("all weights");
                self.backend.write_arena(arena, &flat).expect("written");
            }
        }
    }

    /// Logits of the pictures from this on, and the pictures `[N,C,H,W]`.
    fn logits(&mut self, start: usize) -> (Vec<f32>, Vec<f32>) {
        let first = planes(&self.pictures, self.model, start, self.batch);
        let x = channels_last(self.model, &first);
        let labels = Tensor::i32([self.batch], vec![0; self.batch]).expect("labels");
        self.backend.run(self.plan, &[x, labels]).expect("runs");
        (self.backend.read(self.plan, 0).expect("logits").as_f32().expect("floats").to_vec(), first)
    }

    /// How much the first logit differs between the first pictures, by its size.
    fn spread(&mut self) -> f32 {
        let (logits, _) = self.logits(0);
        let column = || logits.iter().step_by(self.model.classes);
        let (low, high) = column().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        (high - low) / column().fold(1e-3, |m: f32, v| m.max(v.abs()))
    }

    /// Moves the biases of the last layer so that each class has the same mean over some pictures: of drawn weights one class is
    /// otherwise before all others in every picture, and a judge would compare nothing but that.
    fn balance(&mut self, weights: &mut BTreeMap<String, Tensor>, images: usize) {
        let Some(bias) = head_bias(self.model) else { return };
        // Some heads cut off what is below 0, so that a second round changes a little.
        let mut height = None;
        for _ in 0..2 {
            self.take(weights);
            let starts = (0..images.min(BALANCED)).step_by(self.batch);
            let rows: Vec<f32> = starts.flat_map(|start| self.logits(start).0).collect();
            let classes = self.model.classes;
            let height = *height.get_or_insert(HEIGHT * rows.iter().fold(0.0f32, |m, v| m.max(v.abs())));
            let mean = |k: usize| {
                let column = rows.iter().skip(k).step_by(classes);
                column.clone().sum::<f32>() / column.count() as f32
            };
            let old = weights[&bias].as_f32().expect("floats");
            let new = (0..classes).map(|k| old[k] + height - mean(k)).collect();
            let moved = Tensor::f32(weights[&bias].shape().to_vec(), new).expect("a bias");
            weights.insert(bias.clone(), moved);
        }
    }
}

/// The bias of the last layer: of the states that follow the number of classes that of one axis.
fn head_bias(model: &Model) -> Option<String> {
    let more = models::named(&model.name).ok()?.build(model.classes + 1, model.image).ok()?;
    let shapes = more.declared().states.iter().map(|state| (&state.name, &state.shape)).collect::<BTreeMap<_, _>>();
    let states = model.declared().states.iter();
    let follows = states.filter(|state| state.shape == [model.classes] && shapes[&state.name] == &[model.classes + 1]);
    follows.map(|state| state.name.clone()).next()
}

/// Leaves a model's file, pictures and logits, plain floats, under this path without an ending.
pub fn leave(path: &Path, model: &Model, weights: &BTreeMap<String, Tensor>, options: &ExportOptions) {
    let asked =
        std::env::var(IMAGES).ok().map(|text| text.parse::<usize>().unwrap_or_else(|_| panic!("{IMAGES}={text}")));
    let usual = (OPERATIONS / Summary::of(model).flops().max(1)).clamp(4, 1000) as usize;
    let batch = asked.unwrap_or(usual).clamp(1, BATCH);
    let images = asked.unwrap_or(usual).next_multiple_of(batch);
    let mut weights = weights.clone();
    let mut on_cpu = Asked::of(model, batch);
    on_cpu.take(&weights);
    if on_cpu.spread() < APART {
        measure_statistics(model, &mut weights);
    }
    on_cpu.balance(&mut weights, images);
    on_cpu.take(&weights);
    let (mut given, mut logits) = (vec![], vec![]);
    for start in (0..images).step_by(batch) {
        let (found, pictures) = on_cpu.logits(start);
        given.extend(pictures.into_iter().flat_map(f32::to_le_bytes));
        logits.extend(found.into_iter().flat_map(f32::to_le_bytes));
    }
    let bytes = export(model, &weights, options).expect("written");
    for (ending, content) in [("onnx", &bytes), ("images", &given), ("logits", &logits)] {
        std::fs::write(format!("{}.{ending}", path.display()), content).expect("written");
    }
    std::fs::write(format!("{}.kind", path.display()), on_cpu.pictures.kind()).expect("written");
}
