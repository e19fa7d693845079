//! A small Transformer that reads digits: each of the 28 rows is a token, which a dense layer and a learnt vector for its place turn into 64
//! numbers; two blocks of attention (`EncoderBlock`, the one of the vision transformers) and the mean over all tokens say which digit it is.
//!
//! Tutorials that leave the places out have a network that cannot tell a digit from its rows in another order: attention and
//! mean know no order. `-- no-places` shows what it costs.
//!
//! Known value: 97 % after a few epochs. The block's values and gradients are PyTorch's `TransformerEncoderLayer`'s (tests/sequences.rs).
//!
//! `cargo run --release --example attention -- [--device NAME] [no-places] [epochs] [images]`

use std::error::Error;
use std::path::Path;

use chiaro::data::shuffled;
use chiaro::graph::{self, CrossEntropyOptions, Shared};
use chiaro::nn::{Adam, Context, Declare, EncoderBlock, Init, LayerNorm, Linear, Module, OwnStep, Places, Sequential};
use chiaro::train::Learner;
use chiaro::{DType, Var};

mod digits;
mod drawing;
mod start;

use digits::SIDE;

const BATCH: usize = 100;
const FEATURES: usize = 64;

/// The mean over the tokens: `[N,T,D]` to `[N,D]`.
struct MeanToken;

impl Module for MeanToken {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> graph::Result<Vec<usize>> {
        match *x {
            [n, _, features] => Ok(vec![n, features]),
            _ => Err(declare.error("mean token", &[x], "takes tokens [N,T,D]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> graph::Result<Var> {
        ctx.graph().mean(x, &[1], false)
    }

    fn kind(&self) -> &'static str {
        "MeanToken"
    }
}

fn network(places: bool) -> Sequential {
    let mut net = Sequential::new().named("embed", Linear::new(FEATURES));
    if places {
        net = net.named("places", Places { init: Init::Normal { std: 0.1 } });
    }
    for name in ["block1", "block2"] {
        let block = EncoderBlock { hidden: 2 * FEATURES, ..EncoderBlock::new(FEATURES, 4) };
        net = net.named(name, block.layers());
    }
    net.named("norm", LayerNorm { eps: 1e-5 }).then(MeanToken).named("say", Linear::new(10))
}

fn training(places: bool) -> chiaro::nn::Result<OwnStep> {
    let inputs = [("rows", &[BATCH, SIDE, SIDE][..], DType::F32), ("labels", &[BATCH], DType::I32)];
    OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let logits = ctx.call("net", &network(places), given[0])?;
        let loss = ctx.graph().cross_entropy(logits, given[1], &CrossEntropyOptions::default())?;
        ctx.graph().output("loss", loss)?;
        Ok(loss)
    })
}

fn asking(places: bool) -> chiaro::nn::Result<OwnStep> {
    OwnStep::asking(&[("rows", &[BATCH, SIDE, SIDE], DType::F32)], |ctx, given| {
        let logits = ctx.call("net", &network(places), given[0])?;
        let best = ctx.graph().argmax(logits, 1, false)?;
        ctx.graph().output("digit", best)
    })
}

/// Trains, draws digits with what was said of them, and gives the share of the test digits that are read rightly.
pub fn run(
    device: &Shared,
    places: bool,
    epochs: usize,
    images: [usize; 2],
    picture: &Path,
) -> Result<f64, Box<dyn Error>> {
    let [train, test] = digits::open(images[0], images[1])?;
    let mut learner = Learner::new(device, training(places)?, 1)?;
    let mut asker = Learner::new(device, asking(places)?, 0)?;
    let (mut share, mut shown) = (0.0, vec![]);
    for epoch in 0..epochs {
        let rate = if 3 * epoch >= 2 * epochs { 3e-4 } else { 2e-3 };
        let mut sum = 0.0;
        for batch in shuffled(train.len(), 1, epoch as u64).chunks_exact(BATCH) {
            learner.step(&train.batch(batch, &[SIDE, SIDE]).ok_or("rows of pixels")?, rate)?;
            sum += learner.read("loss")?[0];
        }
        let (mut right, mut wrong) = (0, vec![]);
        for batch in (0..test.len()).collect::<Vec<_>>().chunks_exact(BATCH) {
            let [rows, _] = test.batch(batch, &[SIDE, SIDE]).ok_or("rows of pixels")?;
            for (&at, said) in batch.iter().zip(asker.ask(&[rows])?.remove(0)) {
                match f64::from(test.labels[at]) == said {
                    true => right += 1,
                    false => wrong.push((
                        test.image(at).iter().map(|&v| f64::from(v)).collect(),
                        format!("{} not {said}", test.labels[at]),
                    )),
                }
            }
        }
        (share, shown) = (right as f64 / (test.len() / BATCH * BATCH) as f64, wrong);
        let loss = sum / (train.len() / BATCH) as f64;
        println!("epoch {}: loss {loss:.4}, {:.2} % of the test digits", epoch + 1, 100.0 * share);
    }
    println!("{:.2} %; 97 % are known", 100.0 * share);
    shown.truncate(30);
    drawing::pictures(picture, "the first that were read wrongly", 10, &shown)?;
    asker.close()?;
    learner.close()?;
    Ok(share)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, mut arguments) = start::device(include_str!("attention.rs"))?;
    let given = arguments.len();
    arguments.retain(|word| word != "no-places");
    let places = arguments.len() == given;
    let (epochs, images) = (start::count(&arguments, 0, "epochs", 6)?, start::count(&arguments, 1, "images", 20_000)?);
    run(&device.share(), places, epochs, [images, 10_000], "attention.png".as_ref())?;
    Ok(())
}
