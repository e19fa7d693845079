//! Sequences: a digit of MNIST read row by row, 28 steps of 28 pixels, by an LSTM, a GRU or a plain RNN; and a sine, of which 24 points
//! are shown and the next one is asked for.
//!
//! Known values: 97 % of the digits after a few epochs (tutorials of Keras and PyTorch), and for the sine the error of saying
//! the last point once more. Many tutorials scale a series by all its points, those to be predicted among them; the sine needs none.
//!
//! `cargo run --release --example sequences -- [--device NAME] [lstm|gru|rnn] [epochs] [images]`

use std::error::Error;
use std::path::Path;

use chiaro::data::shuffled;
use chiaro::graph::{CrossEntropyOptions, Reduction, Shared};
use chiaro::nn::{Adam, Cell, Init, Linear, OwnStep, Recurrent, Sequential};
use chiaro::train::Learner;
use chiaro::{DType, Tensor};

mod digits;
mod drawing;
mod start;

use digits::SIDE;

const BATCH: usize = 100;

fn reader(cell: Cell) -> Sequential {
    Sequential::new().named("read", Recurrent::new(cell, 96)).named("say", Linear::new(10))
}

fn reading(cell: Cell) -> chiaro::nn::Result<OwnStep> {
    let inputs = [("rows", &[BATCH, SIDE, SIDE][..], DType::F32), ("labels", &[BATCH], DType::I32)];
    OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let logits = ctx.call("net", &reader(cell), given[0])?;
        let loss = ctx.graph().cross_entropy(logits, given[1], &CrossEntropyOptions::default())?;
        ctx.graph().output("loss", loss)?;
        Ok(loss)
    })
}

fn saying(cell: Cell) -> chiaro::nn::Result<OwnStep> {
    OwnStep::asking(&[("rows", &[BATCH, SIDE, SIDE], DType::F32)], |ctx, given| {
        let logits = ctx.call("net", &reader(cell), given[0])?;
        let best = ctx.graph().argmax(logits, 1, false)?;
        ctx.graph().output("digit", best)
    })
}

/// The highest rate. A plain RNN's gradients are multiplied by its weights at every row: at the rate of the others it forgets what it has learnt.
fn fastest(cell: Cell) -> f64 {
    match cell {
        Cell::Rnn => 2e-3,
        Cell::Gru | Cell::Lstm => 4e-3,
    }
}

/// Trains on so many images, and gives the share of so many test images that are read rightly.
pub fn read_digits(device: &Shared, cell: Cell, epochs: usize, images: [usize; 2]) -> Result<f64, Box<dyn Error>> {
    let [train, test] = digits::open(images[0], images[1])?;
    let mut learner = Learner::new(device, reading(cell)?, 1)?;
    let mut asker = Learner::new(device, saying(cell)?, 0)?;
    let mut share = 0.0;
    for epoch in 0..epochs {
        // An eighth of the rate in the last third.
        let rate = if 3 * epoch >= 2 * epochs { fastest(cell) / 8.0 } else { fastest(cell) };
        let mut sum = 0.0;
        for batch in shuffled(train.len(), 1, epoch as u64).chunks_exact(BATCH) {
            learner.step(&train.batch(batch, &[SIDE, SIDE]).ok_or("rows of pixels")?, rate)?;
            sum += learner.read("loss")?[0];
        }
        let places: Vec<usize> = (0..test.len()).collect();
        let mut right = 0;
        for batch in places.chunks_exact(BATCH) {
            let [rows, _] = test.batch(batch, &[SIDE, SIDE]).ok_or("rows of pixels")?;
            let found = asker.ask(&[rows])?.remove(0);
            right += batch.iter().zip(found).filter(|(at, digit)| f64::from(test.labels[**at]) == *digit).count();
        }
        share = right as f64 / (test.len() / BATCH * BATCH) as f64;
        let loss = sum / (train.len() / BATCH) as f64;
        println!("{cell:?}, epoch {}: loss {loss:.4}, {:.2} % of the test digits", epoch + 1, 100.0 * share);
    }
    asker.close()?;
    learner.close()?;
    Ok(share)
}

/// Points that are shown before the next is asked for.
const SHOWN: usize = 24;
const WAVES: usize = 64;

fn wave() -> Sequential {
    Sequential::new().named("read", Recurrent::new(Cell::Lstm, 24)).named("say", Linear::new(1))
}

/// Windows of sines of any phase and frequency, `[WAVES,SHOWN,1]`, and the point behind each.
fn windows(seed: u64) -> Option<[Tensor; 2]> {
    let random = Init::Uniform { bound: 1.0 }.values(&[WAVES, 2], seed, 0);
    let point = |wave: usize, t: usize| {
        let (phase, frequency) = (3.2 * random[2 * wave], 0.3 + 0.1 * random[2 * wave + 1]);
        (phase + frequency * t as f32).sin()
    };
    let shown = (0..WAVES * SHOWN).map(|i| point(i / SHOWN, i % SHOWN)).collect();
    Some([
        Tensor::f32([WAVES, SHOWN, 1], shown)?,
        Tensor::f32([WAVES, 1], (0..WAVES).map(|w| point(w, SHOWN)).collect())?,
    ])
}

/// Trains on sines, draws others, and gives the root of the mean squared error on these, and that of saying the last point again.
pub fn follow_a_sine(device: &Shared, steps: usize, picture: &Path) -> Result<[f64; 2], Box<dyn Error>> {
    let inputs = [("shown", &[WAVES, SHOWN, 1][..], DType::F32), ("next", &[WAVES, 1], DType::F32)];
    let step = OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let next = ctx.call("net", &wave(), given[0])?;
        ctx.graph().mse_loss(next, given[1], Reduction::Mean)
    })?;
    let mut learner = Learner::new(device, step, 1)?;
    let ask = OwnStep::asking(&inputs[..1], |ctx, given| {
        let next = ctx.call("net", &wave(), given[0])?;
        ctx.graph().output("next", next)
    })?;
    let mut asker = Learner::new(device, ask, 0)?;
    for number in 0..steps {
        let rate = if number * 2 < steps { 0.01 } else { 0.002 };
        learner.step(&windows(number as u64 + 1).ok_or("points")?, rate)?;
    }
    let [shown, next] = windows(0).ok_or("points")?;
    let found = asker.ask(std::slice::from_ref(&shown))?.remove(0);
    let (shown, next) = (shown.to_f64(), next.to_f64());
    let root =
        |of: &dyn Fn(usize) -> f64| ((0..WAVES).map(|w| (of(w) - next[w]).powi(2)).sum::<f64>() / WAVES as f64).sqrt();
    let errors = [root(&|w| found[w]), root(&|w| shown[w * SHOWN + SHOWN - 1])];
    println!("a sine's next point: error {:.4}; of saying the last point again {:.4}", errors[0], errors[1]);
    let mut chart = drawing::Chart::new(
        [640, 400],
        "three sines, the next point and what was said",
        [0.0, SHOWN as f64],
        [-1.1, 1.1],
    );
    for wave in 0..3 {
        let points = (0..SHOWN).map(|t| [t as f64, shown[wave * SHOWN + t]]).collect::<Vec<_>>();
        chart.curve(&points, drawing::COLOURS[wave]);
        chart.points([[SHOWN as f64, next[wave]]], drawing::COLOURS[wave]);
        chart.points([[SHOWN as f64, found[wave]]], [0; 3]);
    }
    chart.save(picture)?;
    asker.close()?;
    learner.close()?;
    Ok(errors)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("sequences.rs"))?;
    let device = device.share();
    let cell = match arguments.first().map_or("lstm", String::as_str) {
        "lstm" => Cell::Lstm,
        "gru" => Cell::Gru,
        "rnn" => Cell::Rnn,
        other => return Err(format!("unknown cell {other:?}; known are lstm, gru, rnn").into()),
    };
    // A plain RNN needs more of both.
    let [usual, many] = if cell == Cell::Rnn { [20, 60_000] } else { [6, 20_000] };
    let (epochs, images) =
        (start::count(&arguments, 1, "epochs", usual)?, start::count(&arguments, 2, "images", many)?);
    follow_a_sine(&device, 600, "sequences.png".as_ref())?;
    let share = read_digits(&device, cell, epochs, [images, 10_000])?;
    println!("{:.2} % of the test digits; 97 % are known", 100.0 * share);
    Ok(())
}
