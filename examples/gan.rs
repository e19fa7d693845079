//! A generative adversarial network on MNIST (DCGAN, arXiv:1511.06434): a generator draws digits from noise, a discriminator tells them from
//! real ones. Two optimizers with states of their own, one loop, one graph: each step has both losses, and both gradients are of
//! the networks as they were before it.
//!
//! Tutorials that make the generator's loss log(1 - D(G(z))) small stop learning where the discriminator is sure; here, as the
//! paper says, -log D(G(z)) is. Those that apply batch norm to real and drawn digits together tell the discriminator which is
//! which; ours normalises each batch by itself. Those that put a single unit behind two convolutions sum up what patches of 10x10 pixels
//! look like: every stroke that is drawn is right, and few digits are. With a hidden dense layer in both networks (as InfoGAN has them,
//! arXiv:1606.03657) the whole is looked at: with twice the channels, after 1,500 steps 78 % of what is drawn is
//! recognised, without such layers some 40 %.
//! Digits are drawn by an average of the generator's weights over the last steps.
//!
//! Known value: of the digits that it draws, a classifier trained here (on real digits alone) recognises 80 %: it gives one class more
//! than 0.9. Of the real test digits it recognises some 97 %, of noise none to speak of.
//!
//! `cargo run --release --example gan -- [--device NAME] [steps]`

use std::error::Error;
use std::path::Path;

use chiaro::data::shuffled;
use chiaro::graph::{self, CrossEntropyOptions, Elementwise, Reduction, Shared};
use chiaro::nn::{
    Activation, Adam, Aim, Average, BatchNorm2d, Context, Conv2d, ConvTranspose2d, Declare, Dropout, Flatten, Init,
    Linear, Map, MaxPool2d, Module, Optimizers, OwnStep, PARAMS, ParameterGroup, Sequential, average_of,
};
use chiaro::train::Learner;
use chiaro::{Backend, DType, Tensor, Var};

mod digits;
mod drawing;
mod start;

use digits::{Digits, PIXELS, SIDE};

const BATCH: usize = 64;
const NOISE: usize = 64;
/// Channels of images of 7x7 in both networks; half as many at 14x14.
const WIDTH: usize = 32;
/// Units of the dense layer that sees a digit as a whole.
const HIDDEN: usize = 256;
/// Weights start as in the paper.
const START: Init = Init::Normal { std: 0.02 };
/// What the average of the weights keeps of itself in a step.
const KEEP: f64 = 0.995;
/// It falls in the last three quarters of the run.
const RATE: f64 = 1e-3;
/// How many times as high the generator's is.
const KEEPS_UP: f64 = 1.5;
/// Share of the discriminator's features that are dropped.
const DROPPED: f64 = 0.2;

/// Numbers as pixels of 7x7.
struct Picture;

impl Module for Picture {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> graph::Result<Vec<usize>> {
        match *x {
            [n, features] if features % 49 == 0 => Ok(vec![n, 7, 7, features / 49]),
            _ => Err(declare.error("picture", &[x], "takes [N,49 C]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> graph::Result<Var> {
        let &[n, features] = ctx.shape(x) else {
            return Err(ctx.shape_error("picture", &[ctx.shape(x)], "takes [N,49 C]".into()));
        };
        ctx.graph().reshape(x, &[n, 7, 7, features / 49])
    }

    fn kind(&self) -> &'static str {
        "Picture"
    }
}

/// Batch norm that keeps no running statistics: of each batch by itself.
struct BatchAlone;

impl Module for BatchAlone {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> graph::Result<Vec<usize>> {
        let Some(&channels) = x.last() else {
            return Err(declare.error("batch norm", &[x], "takes [N,H,W,C]".into()));
        };
        declare.parameter("weight", &[channels], Init::ONES)?;
        declare.parameter("bias", &[channels], Init::ZEROS)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> graph::Result<Var> {
        let (scale, shift) = (ctx.parameter("weight")?, ctx.parameter("bias")?);
        Ok(ctx.graph().batch_norm(x, scale, shift, 1e-5)?.0)
    }

    fn kind(&self) -> &'static str {
        "BatchAlone"
    }
}

fn dense(units: usize) -> Linear {
    Linear { weight_init: START, ..Linear::new(units) }
}

fn generator() -> Sequential {
    let grow = |width| ConvTranspose2d { weight_init: START, ..ConvTranspose2d::new(width, 4) }.stride(2).padding(1);
    let plain = |units| Linear { bias: false, ..dense(units) };
    let whole = Sequential::new().named("fc1", plain(HIDDEN)).named("norm1", BatchNorm2d::new()).then(Activation::Relu);
    let small = whole.named("fc2", plain(49 * WIDTH)).then(Picture);
    let small = small.named("norm2", BatchNorm2d::new()).then(Activation::Relu);
    let grown = small.named("grow1", grow(WIDTH / 2).without_bias());
    let grown = grown.named("norm3", BatchNorm2d::new()).then(Activation::Relu);
    grown.named("grow2", grow(1)).then(Activation::Tanh)
}

fn discriminator() -> Sequential {
    let conv = |width| Conv2d::new(width, 4).stride(2).padding(1).weight_init(START);
    let leaky = || Map(Activation::LeakyRelu, vec![0.2]);
    let drop = Dropout { p: DROPPED };
    let seen = Sequential::new().named("conv1", conv(WIDTH / 2)).then(leaky()).then(drop);
    let seen = seen.named("conv2", conv(WIDTH)).named("norm1", BatchAlone).then(leaky()).then(drop);
    let whole = seen.named("flatten", Flatten).named("fc1", dense(HIDDEN)).named("norm2", BatchAlone).then(leaky());
    whole.named("fc2", dense(1))
}

/// One step of both networks.
fn training() -> chiaro::nn::Result<OwnStep> {
    let inputs = [("real", &[BATCH, SIDE, SIDE, 1][..], DType::F32), ("noise", &[BATCH, NOISE], DType::F32)];
    let adam = Adam { betas: [0.5, 0.999], ..Adam::default() };
    let of_generator =
        ParameterGroup::new("generator", |state| state.name.starts_with("generator."), adam).rate(KEEPS_UP);
    let optimizers = Optimizers::new(adam).with(of_generator).average(Average::Exponential { keep: KEEP });
    OwnStep::training_for(&inputs, optimizers, |ctx, given| {
        let drawn = ctx.call("generator", &generator(), given[1])?;
        // Pixels from -1 to 1, as those that are drawn.
        let real = ctx.graph().map_scalars(Elementwise::Mul, given[0], &[2.0])?;
        let real = ctx.graph().map_scalars(Elementwise::Sub, real, &[1.0])?;
        let on_real = ctx.call("discriminator", &discriminator(), real)?;
        let on_drawn = ctx.call("discriminator", &discriminator(), drawn)?;
        let g = ctx.graph();
        let (ones, zeros) = (g.full(&[BATCH, 1], 1.0, DType::F32)?, g.full(&[BATCH, 1], 0.0, DType::F32)?);
        let real = g.bce_with_logits(on_real, ones, None, Reduction::Mean)?;
        let fake = g.bce_with_logits(on_drawn, zeros, None, Reduction::Mean)?;
        let tells = g.add(real, fake)?;
        let fools = g.bce_with_logits(on_drawn, ones, None, Reduction::Mean)?;
        g.output("discriminator", tells)?;
        g.output("generator", fools)?;
        Ok(vec![Aim { loss: fools, of: "generator.".into() }, Aim { loss: tells, of: "discriminator.".into() }])
    })
}

/// What the generator draws, as pixels from 0 to 1. The other network is recorded too, so that both steps have the same parameters.
fn drawing_step() -> chiaro::nn::Result<OwnStep> {
    OwnStep::asking(&[("noise", &[BATCH, NOISE], DType::F32)], |ctx, given| {
        let drawn = ctx.call("generator", &generator(), given[0])?;
        let seen = ctx.call("discriminator", &discriminator(), drawn)?;
        let pixels = ctx.graph().map_scalars(Elementwise::Add, drawn, &[1.0])?;
        let pixels = ctx.graph().map_scalars(Elementwise::Mul, pixels, &[0.5])?;
        ctx.graph().output("drawn", pixels)?;
        ctx.graph().output("seen", seen)
    })
}

fn classifier() -> Sequential {
    let seen =
        Sequential::new().named("conv1", Conv2d::new(32, 3)).then(Activation::Relu).named("pool1", MaxPool2d::new(2));
    let seen = seen.named("conv2", Conv2d::new(64, 3)).then(Activation::Relu).named("pool2", MaxPool2d::new(2));
    seen.named("flatten", Flatten).named("fc", Linear::new(10))
}

/// Trains the classifier for some epochs, and gives a step that says how sure it is of each digit.
fn judge(device: &Shared, real: &Digits, epochs: usize) -> Result<[Learner; 2], Box<dyn Error>> {
    let image = [BATCH, SIDE, SIDE, 1];
    let inputs = [("digits", &image[..], DType::F32), ("labels", &[BATCH], DType::I32)];
    let step = OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let logits = ctx.call("net", &classifier(), given[0])?;
        ctx.graph().cross_entropy(logits, given[1], &CrossEntropyOptions::default())
    })?;
    let mut learner = Learner::new(device, step, 5)?;
    let steps = (epochs * (real.len() / BATCH)) as f64;
    for epoch in 0..epochs {
        for batch in shuffled(real.len(), 2, epoch as u64).chunks_exact(BATCH) {
            let rate = 3e-3 * (1.0 - learner.steps() as f64 / steps);
            learner.step(&real.batch(batch, &image[1..]).ok_or("pixels")?, rate)?;
        }
    }
    let asking = OwnStep::asking(&inputs[..1], |ctx, given| {
        let logits = ctx.call("net", &classifier(), given[0])?;
        let g = ctx.graph();
        let p = g.softmax(logits, 1, false)?;
        let most = g.reduce(graph::ReduceKind::Max, p, &[1], false)?;
        let which = g.argmax(logits, 1, false)?;
        g.output("most", most)?;
        g.output("which", which)
    })?;
    Ok([learner, Learner::new(device, asking, 0)?])
}

/// The share of digits that the judge is sure of, and the number of kinds among them.
fn recognised(judge: &mut Learner, batches: &[Tensor]) -> Result<(f64, usize), Box<dyn Error>> {
    let (mut sure, mut kinds) = (0, [false; 10]);
    for batch in batches {
        let answers = judge.ask(std::slice::from_ref(batch))?;
        for (_, which) in answers[0].iter().zip(&answers[1]).filter(|(most, _)| **most > 0.9) {
            sure += 1;
            kinds[*which as usize] = true;
        }
    }
    Ok((sure as f64 / (batches.len() * BATCH) as f64, kinds.iter().filter(|seen| **seen).count()))
}

fn noise(number: usize) -> Option<Tensor> {
    Tensor::f32([BATCH, NOISE], Init::Normal { std: 1.0 }.values(&[BATCH, NOISE], 11, number as u32))
}

/// Trains for so many steps, and gives digits that are then drawn, in batches.
fn drawings(device: &Shared, train: &Digits, steps: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut learner = Learner::new(device, training()?, 3)?;
    let mut drawer = Learner::new(device, drawing_step()?, 0)?;
    let per_epoch = train.len() / BATCH;
    let mut order = vec![];
    for number in 0..steps {
        let at = number % per_epoch * BATCH;
        if at == 0 {
            order = shuffled(train.len(), 1, (number / per_epoch) as u64);
        }
        let [real, _] = train.batch(&order[at..at + BATCH], &[SIDE, SIDE, 1]).ok_or("pixels")?;
        let left = 1.0 - number as f64 / steps as f64;
        learner.step(&[real, noise(number + 1000).ok_or("noise")?], RATE * (1.3 * left).min(1.0))?;
        if (number + 1) % (steps / 6).max(1) == 0 {
            let [tells, fools] = [learner.read("discriminator")?[0], learner.read("generator")?[0]];
            println!("step {}: discriminator {tells:.3}, generator {fools:.3}", number + 1);
        }
    }
    // From here on the weights are their average. Running statistics are averages already.
    let mut device = device.clone();
    let average = device.read_arena(&average_of(PARAMS))?;
    device.write_arena(PARAMS, &average)?;
    let mut drawn = vec![];
    for number in 0..DRAWN {
        let pixels = drawer.ask(&[noise(number).ok_or("noise")?])?.remove(0);
        drawn.push(pixels.into_iter().map(|v| v as f32).collect());
    }
    drawer.close()?;
    learner.close()?;
    Ok(drawn)
}

/// Batches that are drawn, and as many of real digits, for the judge.
const DRAWN: usize = 30;

/// Trains for so many steps on so many digits, draws a grid, and gives the share of the drawn digits that are recognised, and how many
/// kinds are among them.
pub fn run(device: &Shared, steps: usize, images: usize, picture: &Path) -> Result<(f64, usize), Box<dyn Error>> {
    let [train, test] = digits::open(images, DRAWN * BATCH)?;
    let drawn = drawings(device, &train, steps)?;
    let [trained, mut judge] = judge(device, &train, 2)?;
    let batch = |pixels: &[f32]| Tensor::f32([BATCH, SIDE, SIDE, 1], pixels.to_vec()).ok_or("pixels");
    let share = |judge: &mut Learner, all: &[Vec<f32>]| -> Result<(f64, usize), Box<dyn Error>> {
        recognised(judge, &all.iter().map(|pixels| batch(pixels)).collect::<Result<Vec<_>, _>>()?)
    };
    let real: Vec<Vec<f32>> = test.pixels.chunks_exact(BATCH * PIXELS).map(<[f32]>::to_vec).collect();
    let (of_real, _) = share(&mut judge, &real)?;
    let (of_drawn, kinds) = share(&mut judge, &drawn)?;
    println!(
        "recognised: {:.1} % of real digits, {:.1} % of those drawn ({kinds} kinds); 80 % are asked for",
        100.0 * of_real,
        100.0 * of_drawn
    );
    let grid: Vec<_> = drawn
        .concat()
        .chunks_exact(PIXELS)
        .take(64)
        .map(|p| (p.iter().map(|&v| f64::from(v)).collect(), String::new()))
        .collect();
    drawing::pictures(picture, &format!("drawn after {steps} steps"), 8, &grid)?;
    judge.close()?;
    trained.close()?;
    Ok((of_drawn, kinds))
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("gan.rs"))?;
    let steps = start::count(&arguments, 0, "steps", 3_000)?;
    run(&device.share(), steps, 60_000, "gan.png".as_ref())?;
    Ok(())
}
