//! Logistic regression on the breast cancer table: features scaled by mean and deviation of the training rows alone (tutorials that
//! scale by all rows have looked at the test), sigmoid, binary cross-entropy with the same weight decay as scikit-learn's
//! `LogisticRegression` (C = 1), full batches with momentum. Every fifth row is for testing.
//!
//! scikit-learn 1.9.1 on the same rows: 113 of 113 right; the first three weights -0.27357, -0.20641,
//! -0.26444 (at its tolerance of 1e-12; at its usual one they differ in the second digit).
//!
//! `cargo run --release --example breast_cancer -- [--device NAME]`

use std::error::Error;
use std::path::Path;

use chiaro::graph::{ArenaRole, Initial, Reduction, Shared, Target};
use chiaro::{Backend, DType, Graph, Tensor};

mod drawing;
mod start;
mod tabular;

use tabular::scaler::Scaler;

const STEPS: usize = 2000;
const RATE: f64 = 0.5;
const MOMENTUM: f64 = 0.9;

fn scaled(rows: &[&[f64]], scaler: &Scaler) -> Option<Tensor> {
    Tensor::f32([rows.len(), scaler.mean.len()], rows.iter().flat_map(|row| scaler.scaled(row)).collect())
}

/// A step of gradient descent with momentum on all training rows.
fn step(rows: usize, columns: usize) -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[rows, columns], DType::F32)?;
    let y = g.input("y", &[rows, 1], DType::F32)?;
    let arena = g.arena("parameters", DType::F32)?;
    let states = [g.state(arena, "weight", &[1, columns])?, g.state(arena, "bias", &[1])?];
    g.describe_arena(arena, ArenaRole::Parameters, Initial::Fill(0.0))?;
    let moving = g.arena_like(arena, "momentum")?;
    g.describe_arena(moving, ArenaRole::Slot, Initial::Fill(0.0))?;
    let [w, b] = [g.state_value(states[0])?, g.state_value(states[1])?];
    let logits = g.linear(x, w, Some(b))?;
    let entropy = g.bce_with_logits(logits, y, None, Reduction::Mean)?;
    // scikit-learn adds half the square of the weights to the sum over rows; the bias does not decay.
    let square = g.square(w)?;
    let square = g.sum_all(square)?;
    let decay = g.mul(square, 0.5 / rows as f64)?;
    let loss = g.add(entropy, decay)?;
    let gradients = g.grad(loss, None, &[w, b])?;
    let gradient = g.pack(arena, &[(states[0], gradients[0]), (states[1], gradients[1])])?;
    let (old, velocity) = (g.arena_values(arena)?, g.arena_values(moving)?);
    let kept = g.mul(velocity, MOMENTUM)?;
    let velocity = g.add(kept, gradient)?;
    let change = g.mul(velocity, RATE)?;
    let new = g.sub(old, change)?;
    g.assign(Target::Arena(moving), velocity)?;
    g.assign(Target::Arena(arena), new)?;
    g.output("loss", loss)?;
    Ok(g)
}

/// Probabilities of being benign.
fn predict(rows: usize, columns: usize) -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[rows, columns], DType::F32)?;
    let arena = g.arena("parameters", DType::F32)?;
    let states = [g.state(arena, "weight", &[1, columns])?, g.state(arena, "bias", &[1])?];
    let [w, b] = [g.state_value(states[0])?, g.state_value(states[1])?];
    let logits = g.linear(x, w, Some(b))?;
    let p = g.sigmoid(logits)?;
    g.output("p", p)?;
    g.output("weight", w)?;
    Ok(g)
}

/// Trains; the accuracy on the rows for testing, and the weights.
pub fn run(mut device: Shared, picture: &Path) -> Result<(f64, Vec<f64>), Box<dyn Error>> {
    let table = tabular::read("breast_cancer")?;
    let (test, train): (Vec<usize>, Vec<usize>) = (0..table.rows.len()).partition(|row| row % 5 == 4);
    let of = |rows: &[usize]| rows.iter().map(|&row| &table.rows[row][..]).collect::<Vec<_>>();
    let scale = Scaler::fit(of(&train).into_iter());
    let x = scaled(&of(&train), &scale).ok_or("rows of the same length")?;
    let y = train.iter().map(|&row| table.classes[row] as f32).collect();
    let y = Tensor::f32([train.len(), 1], y).ok_or("a class each")?;
    let plan = device.compile(&step(train.len(), scale.mean.len())?)?;
    for number in 1..=STEPS {
        device.run(plan, &[x.clone(), y.clone()])?;
        if number % 500 == 0 {
            println!("step {number}: loss {:.6}", device.read(plan, 0)?.to_f64()[0]);
        }
    }
    let plan = device.compile(&predict(test.len(), scale.mean.len())?)?;
    device.run(plan, &[scaled(&of(&test), &scale).ok_or("rows of the same length")?])?;
    let p = device.read(plan, 0)?.to_f64();
    let right = p.iter().zip(&test).filter(|(p, row)| (**p > 0.5) == (table.classes[**row] == 1)).count();
    println!("{right} of {} right; scikit-learn has 113 of 113", test.len());
    let weights = device.read(plan, 1)?.to_f64();
    draw(picture, &p, &test.iter().map(|&row| table.classes[row] == 1).collect::<Vec<_>>())?;
    Ok((right as f64 / test.len() as f64, weights))
}

/// Probabilities from the least to the most, in the colour of what is true.
fn draw(picture: &Path, p: &[f64], benign: &[bool]) -> Result<(), Box<dyn Error>> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let title = "probability of being benign, rows for testing in its order";
    let mut chart = drawing::Chart::new([640, 400], title, [0.0, p.len() as f64], [0.0, 1.0]);
    chart.curve(&[[0.0, 0.5], [p.len() as f64, 0.5]], [150; 3]);
    for (which, name) in ["malignant", "benign"].into_iter().enumerate() {
        let colour = drawing::COLOURS[1 - which];
        let of_kind = order.iter().enumerate().filter(|(_, at)| usize::from(benign[**at]) == which);
        chart.points(of_kind.map(|(place, &at)| [place as f64, p[at]]), colour);
        chart.note(which, name, colour);
    }
    chart.save(picture)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, _) = start::device(include_str!("breast_cancer.rs"))?;
    run(device.share(), "breast_cancer.png".as_ref())?;
    Ok(())
}
