//! A training loop of one's own with a loss of one's own: focal loss (arXiv:1708.02002), which looks at what is still wrong, on
//! images of which nine in ten are of one class.
//!
//! `cargo run --release --example own_loop -- [device]`

use std::error::Error;
use std::sync::Arc;

use chiaro::data::{Dataset, InMemory, Loader, LoaderOptions, Normalize};
use chiaro::graph::{CrossEntropyOptions, Elementwise, Reduction, Shared};
use chiaro::nn::{
    AdamW, Augment, Classification, EvalStep, ImageInput, Objective, PixelInput, TargetSpec, TrainOptions, TrainStep,
    models,
};
use chiaro::{Backend, Device, DeviceOptions, Graph, Tensor, Var};

/// Cross-entropy of a row times (1 - p)^2, p being the probability of its label.
#[derive(Debug)]
struct Focal;

// ANCHOR: loss
impl Objective for Focal {
    fn target(&self, outputs: usize) -> TargetSpec {
        Classification::default().target(outputs)
    }

    fn loss(&self, graph: &mut Graph, logits: Var, labels: Var) -> chiaro::nn::Result<Var> {
        let each = CrossEntropyOptions { reduction: Reduction::None, ..CrossEntropyOptions::default() };
        // Of each row, -log p; 0 where a row only fills up the batch.
        let entropy = graph.cross_entropy(logits, labels, &each)?;
        let negative = graph.unary(Elementwise::Neg, entropy)?;
        let p = graph.unary(Elementwise::Exp, negative)?;
        let one = graph.scalar(1.0, chiaro::DType::F32)?;
        let wrong = graph.sub(one, p)?;
        let weight = graph.unary(Elementwise::Square, wrong)?;
        let focal = graph.mul(weight, entropy)?;
        let (sum, rows) = (graph.sum_all(focal)?, self.counted(graph, logits, labels)?);
        Ok(graph.div(sum, rows)?)
    }

    /// Right answers.
    fn sums(&self, graph: &mut Graph, logits: Var, labels: Var) -> chiaro::nn::Result<Vec<Var>> {
        Classification::default().sums(graph, logits, labels)
    }
}
// ANCHOR_END: loss

/// Images of 8x8 pixels, one in ten with a bright cross at a place of its own.
fn crosses(count: usize, seed: usize) -> Result<Arc<dyn Dataset>, Box<dyn Error>> {
    let rare = |image: usize| image.is_multiple_of(10);
    let pixel = |image: usize, i: usize| {
        let (row, column, at) = (i / 8, i % 8, 2 + (image / 10) % 4);
        let bright = rare(image) && (row == at || column == 7 - at);
        ((i * 7919 + (image + seed) * 104_729) % 97 + if bright { 25 } else { 0 }) as u8
    };
    let pixels = (0..count).flat_map(|image| (0..64).map(move |i| pixel(image, i))).collect();
    let labels = (0..count).map(|image| u32::from(rare(image))).collect();
    Ok(Arc::new(InMemory::new(pixels, labels, [8, 8, 1], vec!["noise".into(), "cross".into()])?))
}

const BATCH: usize = 32;

/// Trains, and gives the loss of the first and the last epoch and the share of crosses that are found.
pub fn run(mut device: Shared, epochs: usize) -> Result<[f64; 3], Box<dyn Error>> {
    let (train, test) = (crosses(640, 0)?, crosses(320, 5000)?);
    let normalize = Normalize::measure(&*train)?;
    let (mean, std) = (normalize.mean().to_vec(), normalize.std().to_vec());
    let input = ImageInput::Pixels(PixelInput { mean, std, augment: Augment::default(), resident: None });

    // The step is one graph: forward, loss, gradients, update.
    // ANCHOR: step
    let model = models::by_name("small-cnn", 2, [8, 8, 1])?;
    let options = TrainOptions {
        images: input.clone(),
        objective: Arc::new(Focal),
        ..TrainOptions::new(BATCH, AdamW::default())
    };
    let step = TrainStep::build(&model, options)?;
    let plan = device.compile(&step.graph)?;
    for (arena, values) in step.initial_arenas(1) {
        device.write_arena(&arena, &values)?;
    }
    // ANCHOR_END: step

    // ANCHOR: loop
    let loader = Loader::new(Arc::clone(&train), LoaderOptions::training(BATCH, 1))?;
    let (mut number, mut losses) = (0, vec![]);
    for epoch in 0..epochs {
        let (mut sum, batches) = (0.0, loader.batches());
        for batch in loader.epoch(epoch as u64, 0)? {
            let batch = batch?;
            let images = chiaro::graph::Data::U32(batch.pixels.clone());
            let images = Tensor::new([BATCH, batch.pixels.len() / BATCH], images).ok_or("packed pixels")?;
            let labels = Tensor::i32([BATCH], batch.labels.clone()).ok_or("a label each")?;
            // The rate is this loop's own matter: high at first, a tenth of it in the second half.
            let rate = if epoch < epochs / 2 { 0.01 } else { 0.001 };
            device.run(plan, &step.inputs(images, labels, 1, number, rate))?;
            sum += device.read(plan, 0)?.to_f64()[0];
            number += 1;
        }
        losses.push(sum / batches as f64);
        println!("epoch {}: focal loss {:.6}", epoch + 1, losses[epoch]);
    }
    // ANCHOR_END: loop
    let found = found(&mut device, &model, &input, &test)?;
    println!("{:.1} % of the crosses are found", found * 100.0);
    Ok([losses[0], losses[epochs - 1], found])
}

/// The share of crosses among some images that the model takes for crosses.
fn found(
    device: &mut dyn Backend,
    model: &chiaro::nn::Model,
    input: &ImageInput,
    test: &Arc<dyn Dataset>,
) -> Result<f64, Box<dyn Error>> {
    let eval = EvalStep::with_input(model, BATCH, input, &Focal)?;
    let plan = device.compile(&eval.graph)?;
    let (mut crosses, mut found) = (0, 0);
    for batch in Loader::new(Arc::clone(test), LoaderOptions::evaluation(BATCH))?.epoch(0, 0)? {
        let batch = batch?;
        let images = chiaro::graph::Data::U32(batch.pixels.clone());
        let images = Tensor::new([BATCH, batch.pixels.len() / BATCH], images).ok_or("packed pixels")?;
        let labels = Tensor::i32([BATCH], batch.labels.clone()).ok_or("a label each")?;
        device.run(plan, &[images, labels])?;
        let logits = device.read(plan, 0)?.to_f64();
        let rows = logits.chunks_exact(2).zip(&batch.labels).take(batch.valid).filter(|(_, label)| **label == 1);
        for (logits, _) in rows {
            crosses += 1;
            found += usize::from(logits[1] > logits[0]);
        }
    }
    Ok(found as f64 / crosses as f64)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "auto".into());
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    println!("on {}", device.name());
    run(device.share(), 8).map(|_| ())
}
