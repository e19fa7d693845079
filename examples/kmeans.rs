//! Clustering: k-means with the starts of k-means++, whole rounds or rounds over batches, on the iris table and on what a network makes of digits.
//! Distances, nearest centres and new centres are one graph, so that a round is one run on the device: new centres are a matrix
//! product of who belongs where with the points (`clusters/mod.rs`).
//!
//! Lessons cluster the pixels of digits, and find kinds of slant and thickness; here a small network that learnt other digits gives 64 numbers
//! of each, and clusters of those are kinds of digits. What a cluster is of is told by the digit that comes most in it: clusters have no
//! names, and their numbers say nothing.
//!
//! scikit-learn 1.9.1, the best of 50 starts: inertia 78.8514 with 3 clusters, of 62, 50 and 38 flowers. Of the embeddings, which hang on the training,
//! `benches/peers/kmeans_sklearn.py kmeans_embeddings.csv` tells it.
//!
//! `cargo run --release --example kmeans -- [--device NAME] [images]`

use std::error::Error;
use std::io::Write;
use std::path::Path;

use chiaro::data::shuffled;
use chiaro::graph::{self, CrossEntropyOptions, Shared};
use chiaro::nn::{Activation, Adam, Context, Linear, OwnStep};
use chiaro::train::Learner;
use chiaro::{DType, Var};

mod clusters;
mod digits;
mod drawing;
mod start;
mod tabular;

use clusters::{Clusters, Points};
use digits::{Digits, PIXELS};

const STARTS: u64 = 20;
const BATCH: usize = 50;
/// Numbers of an embedding.
const FEATURES: usize = 64;
/// Points of a round over a batch, and how often all are seen.
const SEEN: [usize; 2] = [250, 10];

/// The least inertia of several starts on the iris table, and how many flowers each cluster has, most first.
pub fn iris(device: &mut Shared, k: usize, picture: &Path) -> Result<(f64, Vec<usize>), Box<dyn Error>> {
    let points = Points::new(tabular::read("iris")?.rows)?;
    let found = points.lloyd(device, k, STARTS)?;
    let (inertia, sizes) = (found.inertia, found.sizes(k));
    println!("{k} clusters of {sizes:?} flowers, inertia {inertia:.4}; scikit-learn has 78.8514 with 3");
    let petal = |row: &[f64]| [row[2], row[3]];
    let span = |part: usize| drawing::span(points.rows.iter().map(|row| petal(row)[part]));
    let title = format!("iris: length and width of petals, {k} clusters, inertia {inertia:.2}");
    let mut chart = drawing::Chart::new([560, 560], &title, span(0), span(1));
    for (row, &cluster) in points.rows.iter().zip(&found.of) {
        chart.points([petal(row)], drawing::COLOURS[cluster % drawing::COLOURS.len()]);
    }
    for centre in found.centres.to_f64().chunks_exact(4) {
        chart.cross(petal(centre), [0; 3]);
    }
    chart.save(picture)?;
    Ok((inertia, sizes))
}

/// The numbers that a digit becomes.
fn embedded(ctx: &mut Context<'_>, pixels: Var) -> graph::Result<Var> {
    let hidden = ctx.call("fc1", &Linear::new(FEATURES), pixels)?;
    ctx.call("relu", &Activation::Relu, hidden)
}

/// Embeddings of the second digits by a network that learns the first.
pub fn embeddings(device: &Shared, [train, test]: [&Digits; 2]) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let inputs = [("pixels", &[BATCH, PIXELS][..], DType::F32), ("labels", &[BATCH], DType::I32)];
    let training = OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let hidden = embedded(ctx, given[0])?;
        let logits = ctx.call("fc2", &Linear::new(10), hidden)?;
        ctx.graph().cross_entropy(logits, given[1], &CrossEntropyOptions::default())
    })?;
    let asking = OwnStep::asking(&inputs[..1], |ctx, given| {
        let hidden = embedded(ctx, given[0])?;
        let logits = ctx.call("fc2", &Linear::new(10), hidden)?;
        ctx.graph().output("embedding", hidden)?;
        ctx.graph().output("logits", logits)
    })?;
    let mut learner = Learner::new(device, training, 1)?;
    let mut asker = Learner::new(device, asking, 0)?;
    for epoch in 0..3 {
        for batch in shuffled(train.len(), 1, epoch).chunks_exact(BATCH) {
            learner.step(&train.batch(batch, &[PIXELS]).ok_or("rows of pixels")?, 2e-3)?;
        }
    }
    let mut rows = vec![];
    for batch in (0..test.len()).collect::<Vec<_>>().chunks_exact(BATCH) {
        let [pixels, _] = test.batch(batch, &[PIXELS]).ok_or("rows of pixels")?;
        rows.extend(asker.ask(&[pixels])?[0].chunks_exact(FEATURES).map(<[f64]>::to_vec));
    }
    asker.close()?;
    learner.close()?;
    Ok(rows)
}

/// The share of points whose digit is the one that comes most in their cluster.
fn share_of_kind(found: &Clusters, labels: &[i32], k: usize) -> f64 {
    let mut counts = vec![[0usize; 10]; k];
    found.of.iter().zip(labels).for_each(|(&cluster, &label)| counts[cluster][label as usize] += 1);
    let most: usize = counts.iter().map(|of| of.iter().max().copied().unwrap_or(0)).sum();
    most as f64 / found.of.len() as f64
}

/// Clusters embeddings of so many digits; the inertia of whole rounds and of rounds over batches, and the share of digits that lie
/// among their kind, of embeddings and of pixels.
pub fn digits_by_kind(device: &mut Shared, images: usize, root: &Path) -> Result<[f64; 4], Box<dyn Error>> {
    let [train, test] = digits::open(4 * images, images)?;
    let points = Points::new(embeddings(device, [&train, &test])?)?;
    save(&points.rows, &root.join("kmeans_embeddings.csv"))?;
    let labels = &test.labels[..points.rows.len()];
    let whole = points.lloyd(device, 10, STARTS)?;
    let parts = points.mini_batch(device, 10, STARTS, SEEN)?;
    println!(
        "{} embeddings of digits in 10 clusters: inertia {:.2}, and {:.2} by batches of {}",
        points.rows.len(),
        whole.inertia,
        parts.inertia,
        SEEN[0]
    );
    let pixels = (0..labels.len()).map(|at| test.image(at).iter().map(|&v| f64::from(v)).collect()).collect();
    let plain = Points::new(pixels)?.lloyd(device, 10, 3)?;
    let [of_embeddings, of_pixels] = [&whole, &plain].map(|found| share_of_kind(found, labels, 10));
    println!(
        "digits among their kind: {:.1} % by embeddings, {:.1} % by pixels",
        100.0 * of_embeddings,
        100.0 * of_pixels
    );
    draw(&whole, &test, &root.join("kmeans_digits.png"))?;
    Ok([whole.inertia, parts.inertia, of_embeddings, of_pixels])
}

/// A row of digits of each cluster.
fn draw(found: &Clusters, test: &Digits, picture: &Path) -> Result<(), Box<dyn Error>> {
    const EACH: usize = 10;
    let members = |cluster: usize| (0..found.of.len()).filter(move |&at| found.of[at] == cluster).take(EACH);
    let shown = |at: usize, cluster| {
        (test.image(at).iter().map(|&v| f64::from(v)).collect(), format!("{cluster}: a {}", test.labels[at]))
    };
    let blank = |_| (vec![1.0; PIXELS], String::new());
    let row = |cluster| {
        let there = members(cluster).map(move |at| shown(at, cluster));
        there.chain((members(cluster).count()..EACH).map(blank))
    };
    let all: Vec<_> = (0..10).flat_map(row).collect();
    drawing::pictures(picture, "digits of each cluster, a row each, and what they are", EACH, &all)
}

/// Writes points for other programs.
fn save(rows: &[Vec<f64>], file: &Path) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for row in rows {
        writeln!(out, "{}", row.iter().map(f64::to_string).collect::<Vec<_>>().join(","))?;
    }
    println!("embeddings in {}", file.display());
    Ok(out.flush()?)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("kmeans.rs"))?;
    let mut device = device.share();
    iris(&mut device, 3, "kmeans_iris.png".as_ref())?;
    digits_by_kind(&mut device, start::count(&arguments, 0, "images", 5000)?, "".as_ref())?;
    Ok(())
}
