//! Words. First, feelings: a GRU over embeddings tells whether a review is meant well, beside a bag of words, logistic regression on which
//! words there are. The reviews are composed on the spot, with denials and with clauses that outweigh others, which a bag cannot
//! see. Second, neighbours: skip-gram with negative sampling (arXiv:1310.4546) on Alice's Adventures in Wonderland.
//!
//! Tutorials fill sequences up with zeros and let the network read on over them, so that its last state has seen mostly filling; here the state
//! after the last word counts (`Recurrent::within`). And they draw negatives evenly; here by frequency to the power 0.75, as
//! the paper has it.
//!
//! `cargo run --release --example words -- [--device NAME] [words whose neighbours to print]`

use std::error::Error;
use std::path::Path;

use chiaro::data::shuffled;
use chiaro::graph::{self, Reduction, Shared};
use chiaro::nn::{Adam, Cell, Context, Embedding, Init, Linear, OwnInput, OwnStep, Recurrent, Sequential};
use chiaro::train::Learner;
use chiaro::{DType, Tensor, Var};

mod drawing;
mod start;
mod text;

use text::{Draws, Vocabulary};

const BATCH: usize = 50;
/// Words of the longest review.
const TIME: usize = 16;

/// Reviews as numbers.
struct Reviews {
    words: Vec<Vec<i32>>,
    well: Vec<bool>,
}

impl Reviews {
    fn of(reviews: &[(Vec<String>, bool)], vocabulary: &Vocabulary) -> Reviews {
        let numbers =
            |words: &Vec<String>| words.iter().take(TIME).map(|word| vocabulary.number(word) as i32).collect();
        Reviews {
            words: reviews.iter().map(|(w, _)| numbers(w)).collect(),
            well: reviews.iter().map(|r| r.1).collect(),
        }
    }

    /// Words filled up with zeros, lengths, and what is meant, of a batch.
    fn sequences(&self, places: &[usize]) -> Option<[Tensor; 3]> {
        let filled = places.iter().flat_map(|&at| (0..TIME).map(move |t| self.words[at].get(t).copied().unwrap_or(0)));
        let lengths = places.iter().map(|&at| self.words[at].len() as i32).collect();
        Some([
            Tensor::i32([places.len(), TIME], filled.collect())?,
            Tensor::i32([places.len()], lengths)?,
            self.meant(places)?,
        ])
    }

    /// Which words there are, and what is meant.
    fn bags(&self, places: &[usize], width: usize) -> Option<[Tensor; 2]> {
        let mut bags = vec![0.0; places.len() * width];
        for (row, &at) in places.iter().enumerate() {
            self.words[at].iter().for_each(|&word| bags[row * width + word as usize] = 1.0);
        }
        Some([Tensor::f32([places.len(), width], bags)?, self.meant(places)?])
    }

    fn meant(&self, places: &[usize]) -> Option<Tensor> {
        Tensor::f32([places.len(), 1], places.iter().map(|&at| f32::from(u8::from(self.well[at]))).collect())
    }
}

const SEQUENCES: [(&str, &[usize], DType); 3] =
    [("words", &[BATCH, TIME], DType::I32), ("lengths", &[BATCH], DType::I32), ("well", &[BATCH, 1], DType::F32)];

/// The logit of a review that is meant well.
fn reading(ctx: &mut Context<'_>, given: &[Var], words: usize) -> graph::Result<Var> {
    let vectors = ctx.call("embed", &Embedding::new(words, 16).padding(0), given[0])?;
    let state = ctx.call("read", &Recurrent::new(Cell::Gru, 24).within(given[1]), vectors)?;
    ctx.call("say", &Linear::new(1), state)
}

/// The share of reviews of which the sign of the logits tells what is meant.
fn share_right(logits: &[f64], well: &[bool]) -> f64 {
    logits.iter().zip(well).filter(|(logit, well)| (**logit > 0.0) == **well).count() as f64 / logits.len() as f64
}

/// A step that trains what gives a logit, and one that asks it. The last input is what is meant.
fn steps(
    inputs: &[OwnInput<'_>],
    logit: impl Fn(&mut Context<'_>, &[Var]) -> graph::Result<Var>,
) -> chiaro::nn::Result<[OwnStep; 2]> {
    let last = inputs.len() - 1;
    let training = OwnStep::training(inputs, Adam::default(), |ctx, given| {
        let logit = logit(ctx, given)?;
        ctx.graph().bce_with_logits(logit, given[last], None, Reduction::Mean)
    })?;
    let asking = OwnStep::asking(&inputs[..last], |ctx, given| {
        let logit = logit(ctx, given)?;
        ctx.graph().output("logit", logit)
    })?;
    Ok([training, asking])
}

/// Trains on the first reviews in batches as they are made of places; the share of the second ones that are then read rightly.
fn share_read(
    device: &Shared,
    [training, asking]: [OwnStep; 2],
    [train, test]: [&Reviews; 2],
    epochs: usize,
    batch: impl Fn(&Reviews, &[usize]) -> Option<Vec<Tensor>>,
) -> Result<f64, Box<dyn Error>> {
    let mut learner = Learner::new(device, training, 1)?;
    let mut asker = Learner::new(device, asking, 0)?;
    for epoch in 0..epochs {
        for places in shuffled(train.words.len(), 1, epoch as u64).chunks_exact(BATCH) {
            learner.step(&batch(train, places).ok_or("a batch")?, 0.01)?;
        }
    }
    let places: Vec<usize> = (0..test.words.len()).collect();
    let mut logits = vec![];
    for places in places.chunks_exact(BATCH) {
        let mut inputs = batch(test, places).ok_or("a batch")?;
        inputs.pop();
        logits.extend(asker.ask(&inputs)?.remove(0));
    }
    asker.close()?;
    learner.close()?;
    Ok(share_right(&logits, &test.well))
}

/// Trains both on so many reviews; the shares of others that they read rightly: of the bag of words, and of the network.
pub fn feelings(device: &Shared, reviews: usize, epochs: usize, picture: &Path) -> Result<[f64; 2], Box<dyn Error>> {
    let mut draws = Draws::new(1);
    let mut compose = |count| {
        (0..count).map(|_| text::review(&mut draws)).map(|(r, well)| (text::words(&r), well)).collect::<Vec<_>>()
    };
    let (train, test) = (compose(reviews), compose(500));
    let vocabulary = Vocabulary::of(train.iter().flat_map(|(words, _)| words), 1);
    println!(
        "{} reviews of {} words, such as: {} ({})",
        train.len(),
        vocabulary.words.len(),
        train[0].0.join(" "),
        if train[0].1 { "well" } else { "ill" }
    );
    let (train, test) = (Reviews::of(&train, &vocabulary), Reviews::of(&test, &vocabulary));
    let width = vocabulary.len();

    let of_bag = {
        let inputs = [("bag", &[BATCH, width][..], DType::F32), ("well", &[BATCH, 1], DType::F32)];
        let steps =
            steps(&inputs, |ctx, given| ctx.call("bag", &Sequential::new().named("say", Linear::new(1)), given[0]))?;
        share_read(device, steps, [&train, &test], epochs, |of, places| Some(of.bags(places, width)?.to_vec()))?
    };
    let steps = steps(&SEQUENCES, |ctx, given| reading(ctx, given, width))?;
    let of_network =
        share_read(device, steps, [&train, &test], epochs, |of, places| Some(of.sequences(places)?.to_vec()))?;
    println!("read rightly: {:.1} % by the bag of words, {:.1} % by the GRU", 100.0 * of_bag, 100.0 * of_network);
    drawing::bars(
        picture,
        "reviews read rightly, in %",
        &[("bag of words".into(), 100.0 * of_bag), ("GRU".into(), 100.0 * of_network)],
    )?;
    Ok([of_bag, of_network])
}

/// Pairs of a word and one near it, and words that are drawn, in a step.
const PAIRS: usize = 256;
const NEGATIVES: usize = 5;
const WINDOW: usize = 4;
const FEATURES: usize = 32;

/// The loss of skip-gram: log σ of the products of pairs that there are, log σ of minus those that are drawn.
fn pairing(words: usize) -> chiaro::nn::Result<OwnStep> {
    let inputs = [("word", &[PAIRS][..], DType::I32), ("near", &[PAIRS, 1 + NEGATIVES], DType::I32)];
    OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let small = Init::Uniform { bound: 0.5 / FEATURES as f64 };
        let word = ctx.call("word", &Embedding { init: small, ..Embedding::new(words, FEATURES) }, given[0])?;
        let near = ctx.call("near", &Embedding { init: small, ..Embedding::new(words, FEATURES) }, given[1])?;
        let g = ctx.graph();
        let word = g.reshape(word, &[PAIRS, 1, FEATURES])?;
        let products = g.mul(word, near)?;
        let products = g.sum(products, &[2], false)?;
        let places = g.iota(1 + NEGATIVES)?;
        let first = g.equal(places, 0.0)?;
        let there = g.cast(first, DType::F32)?;
        let there = g.broadcast_to(there, &[PAIRS, 1 + NEGATIVES])?;
        let sum = g.bce_with_logits(products, there, None, Reduction::Sum)?;
        let loss = g.mul(sum, 1.0 / PAIRS as f64)?;
        g.output("loss", loss)?;
        Ok(loss)
    })
}

/// Vectors of words.
pub struct Vectors {
    vocabulary: Vocabulary,
    /// Of length 1 each.
    vectors: Vec<Vec<f64>>,
}

impl Vectors {
    /// The cosine between two words; `None` if one of them is not known.
    pub fn cosine(&self, one: &str, other: &str) -> Option<f64> {
        let [one, other] = [one, other].map(|word| Some(self.vocabulary.number(word)).filter(|n| *n > 0));
        Some(self.vectors[one?].iter().zip(&self.vectors[other?]).map(|(a, b)| a * b).sum())
    }

    /// The words nearest to one, the nearest first.
    pub fn nearest(&self, word: &str, count: usize) -> Vec<String> {
        let mut others: Vec<(&String, f64)> = self
            .vocabulary
            .words
            .iter()
            .filter(|other| *other != word)
            .filter_map(|other| Some((other, self.cosine(word, other)?)))
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        others.into_iter().take(count).map(|(other, _)| other.clone()).collect()
    }
}

/// What skip-gram draws pairs from.
struct Text {
    vocabulary: Vocabulary,
    /// The words in their order, as numbers.
    kept: Vec<usize>,
    /// Each word as often as it is to be drawn beside those that are there.
    table: Vec<usize>,
    draws: Draws,
}

impl Text {
    /// Alice's Adventures in Wonderland.
    fn open() -> Result<Text, Box<dyn Error>> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/text/alice.txt");
        let all = text::words(&std::fs::read_to_string(path).map_err(|cause| format!("{path}: {cause}"))?);
        let vocabulary = Vocabulary::of(all.iter(), 8);
        let mut draws = Draws::new(5);
        // Frequent words are left out as often as the paper says, so that they do not fill every window.
        let kept: Vec<usize> = all
            .iter()
            .map(|word| vocabulary.number(word))
            .filter(|&number| {
                let share = number.checked_sub(1).map_or(0.0, |at| vocabulary.counts[at] as f64 / all.len() as f64);
                number > 0 && draws.share() < (1e-3 / share).sqrt()
            })
            .collect();
        let known = vocabulary.words.len();
        println!("{} words, {known} of which come 8 times or more; {} stand in windows", all.len(), kept.len());
        let table = vocabulary
            .counts
            .iter()
            .enumerate()
            .flat_map(|(at, &count)| std::iter::repeat_n(at + 1, (count as f64).powf(0.75).ceil() as usize))
            .collect();
        Ok(Text { vocabulary, kept, table, draws })
    }

    /// Words, and beside each one that stands near it and others that are drawn.
    fn pairs(&mut self) -> Option<[Tensor; 2]> {
        let (mut words, mut near) = (vec![], vec![]);
        let Text { kept, table, draws, .. } = self;
        for _ in 0..PAIRS {
            let at = draws.below(kept.len());
            let distance = 1 + draws.below(WINDOW);
            let other =
                if draws.below(2) == 0 { at.saturating_sub(distance) } else { (at + distance).min(kept.len() - 1) };
            words.push(kept[at] as i32);
            near.push(kept[other] as i32);
            near.extend((0..NEGATIVES).map(|_| table[draws.below(table.len())] as i32));
        }
        Some([Tensor::i32([PAIRS], words)?, Tensor::i32([PAIRS, 1 + NEGATIVES], near)?])
    }
}

/// Learns vectors from Alice's Adventures in Wonderland in so many steps; the losses of the first and the last steps, and the vectors.
pub fn neighbours(device: &Shared, steps: usize) -> Result<([f64; 2], Vectors), Box<dyn Error>> {
    let mut text = Text::open()?;
    let rows = text.vocabulary.len();
    let mut learner = Learner::new(device, pairing(rows)?, 1)?;
    let (mut first, mut last) = (0.0, 0.0);
    for number in 0..steps {
        learner.step(&text.pairs().ok_or("words")?, if 2 * number < steps { 0.01 } else { 0.003 })?;
        if number < 20 {
            first += learner.read("loss")?[0] / 20.0;
        } else if number + 20 >= steps {
            last += learner.read("loss")?[0] / 20.0;
        }
    }
    println!("skip-gram: loss {first:.3} at first, {last:.3} at last");
    let vectors = vectors_of(device, rows)?;
    learner.close()?;
    Ok(([first, last], Vectors { vocabulary: text.vocabulary, vectors }))
}

/// The vector that was learnt for each word, of length 1.
fn vectors_of(device: &Shared, rows: usize) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let asking = OwnStep::asking(&[("all", &[rows], DType::I32)], |ctx, given| {
        let word = ctx.call("word", &Embedding::new(rows, FEATURES), given[0])?;
        let near = ctx.call("near", &Embedding::new(rows, FEATURES), given[0])?;
        ctx.graph().output("word", word)?;
        ctx.graph().output("near", near)
    })?;
    let mut asker = Learner::new(device, asking, 0)?;
    let flat = asker.ask(&[Tensor::i32([rows], (0..rows as i32).collect()).ok_or("words")?])?.remove(0);
    asker.close()?;
    let unit = |vector: &[f64]| {
        let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-9);
        vector.iter().map(|v| v / length).collect()
    };
    Ok(flat.chunks_exact(FEATURES).map(unit).collect())
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, asked) = start::device(include_str!("words.rs"))?;
    let device = device.share();
    feelings(&device, 3000, 12, "words.png".as_ref())?;
    let (_, vectors) = neighbours(&device, 6000)?;
    let usual = ["king", "hatter", "mock", "rabbit", "she", "little"].map(String::from);
    for word in if asked.is_empty() { &usual[..] } else { &asked } {
        println!("  {word}: {}", vectors.nearest(word, 6).join(", "));
    }
    Ok(())
}
