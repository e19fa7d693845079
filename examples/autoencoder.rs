//! Anomaly detection: an autoencoder learns to write down one kind of digit in 16 numbers and to draw it again from them; what it draws
//! badly is of another kind. It never sees another digit in training, and no threshold is chosen by those of the test.
//!
//! Known value: an area under the ROC curve above 0.95. Tutorials tell the accuracy at a threshold that they chose on the test
//! images themselves; the area needs none.
//!
//! `cargo run --release --example autoencoder -- [--device NAME] [digit] [epochs]`

use std::error::Error;
use std::path::Path;

use chiaro::DType;
use chiaro::data::shuffled;
use chiaro::graph::{Reduction, Shared, Var};
use chiaro::nn::{Activation, Adam, Context, Linear, OwnStep, Sequential};
use chiaro::train::Learner;

mod digits;
mod drawing;
mod start;

use digits::{Digits, PIXELS};

const BATCH: usize = 50;

/// Down to 16 numbers and up again.
fn network() -> Sequential {
    let dense = |net: Sequential, name, width| net.named(name, Linear::new(width));
    let down = dense(Sequential::new(), "down1", 128).then(Activation::Relu);
    let code = dense(down, "code", 16).then(Activation::Relu);
    dense(dense(code, "up1", 128).then(Activation::Relu), "up2", PIXELS)
}

fn training() -> chiaro::nn::Result<OwnStep> {
    OwnStep::training(&[("digits", &[BATCH, PIXELS], DType::F32)], Adam::default(), |ctx, given| {
        let drawn = ctx.call("net", &network(), given[0])?;
        let loss = ctx.graph().bce_with_logits(drawn, given[0], None, Reduction::Mean)?;
        ctx.graph().output("loss", loss)?;
        Ok(loss)
    })
}

/// How badly each digit is drawn, and what is drawn.
fn asking() -> chiaro::nn::Result<OwnStep> {
    OwnStep::asking(&[("digits", &[BATCH, PIXELS], DType::F32)], |ctx: &mut Context<'_>, given: &[Var]| {
        let logits = ctx.call("net", &network(), given[0])?;
        let g = ctx.graph();
        let drawn = g.sigmoid(logits)?;
        let wrong = g.sub(drawn, given[0])?;
        let square = g.square(wrong)?;
        let error = g.mean(square, &[1], false)?;
        g.output("error", error)?;
        g.output("drawn", drawn)
    })
}

/// The area under the ROC curve: the probability that an anomaly has the larger score, by ranks (ties count half).
pub fn auroc(scores: &[(f64, bool)]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won, mut at) = (0.0, 0.0, 0);
    while at < sorted.len() {
        let tied = sorted[at..].iter().take_while(|(score, _)| *score == sorted[at].0).count();
        let anomalies = sorted[at..at + tied].iter().filter(|(_, anomaly)| *anomaly).count() as f64;
        won += anomalies * (below + 0.5 * (tied as f64 - anomalies));
        below += tied as f64 - anomalies;
        at += tied;
    }
    won / (below * (sorted.len() as f64 - below))
}

/// Trains on digits of one kind, draws what it makes of others, and gives the area for the test digits.
pub fn run(
    device: &Shared,
    digit: i32,
    epochs: usize,
    images: [usize; 2],
    picture: &Path,
) -> Result<f64, Box<dyn Error>> {
    let [train, test] = digits::open(images[0], images[1])?;
    let train = train.only(digit);
    println!("{} digits {digit} to learn, {} digits to test", train.len(), test.len());
    let mut learner = Learner::new(device, training()?, 1)?;
    for epoch in 0..epochs {
        let mut sum = 0.0;
        for batch in shuffled(train.len(), 1, epoch as u64).chunks_exact(BATCH) {
            let [pixels, _] = train.batch(batch, &[PIXELS]).ok_or("rows of pixels")?;
            learner.step(&[pixels], 1e-3)?;
            sum += learner.read("loss")?[0];
        }
        if (epoch + 1) % (epochs / 4).max(1) == 0 {
            println!("epoch {}: loss {:.4}", epoch + 1, sum / (train.len() / BATCH) as f64);
        }
    }
    let mut asker = Learner::new(device, asking()?, 0)?;
    let (mut scores, mut shown) = (vec![], vec![]);
    for batch in (0..test.len()).collect::<Vec<_>>().chunks_exact(BATCH) {
        let [pixels, _] = test.batch(batch, &[PIXELS]).ok_or("rows of pixels")?;
        let answers = asker.ask(&[pixels])?;
        for (row, (&at, error)) in batch.iter().zip(&answers[0]).enumerate() {
            scores.push((*error, test.labels[at] != digit));
            if shown.len() < 20 {
                shown.push(pair(&test, at, &answers[1][row * PIXELS..(row + 1) * PIXELS], *error));
            }
        }
    }
    let area = auroc(&scores);
    println!("area under the ROC curve: {area:.4}; above 0.95 is known");
    let pictures: Vec<_> = shown.into_iter().flatten().collect();
    drawing::pictures(
        picture,
        &format!("digits, and as the network that knows {digit} draws them (error x 1000)"),
        10,
        &pictures,
    )?;
    asker.close()?;
    learner.close()?;
    Ok(area)
}

/// A digit and what was drawn of it.
fn pair(test: &Digits, at: usize, drawn: &[f64], error: f64) -> [(Vec<f64>, String); 2] {
    let seen = test.image(at).iter().map(|&v| f64::from(v)).collect();
    [(seen, test.labels[at].to_string()), (drawn.to_vec(), format!("{:.1}", 1000.0 * error))]
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("autoencoder.rs"))?;
    let (digit, epochs) = (start::number(&arguments, 0, "a digit", 0)?, start::count(&arguments, 1, "epochs", 20)?);
    if digit > 9 {
        return Err(format!("{digit} is no digit").into());
    }
    run(&device.share(), digit as i32, epochs, [60_000, 10_000], "autoencoder.png".as_ref())?;
    Ok(())
}
