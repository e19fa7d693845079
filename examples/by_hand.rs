//! Linear and logistic regression without layers: gradients written out, 1,000 steps, and at every step beside the gradients that the
//! graph derives by itself.
//!
//! Of mean((x w - y)^2) over n rows the gradient is 2/n xᵀ(x w - y); tutorials that write 1/n halve the rate unawares. Of the
//! mean cross-entropy of a sigmoid it is 1/n xᵀ(sigmoid(x w) - y): the sigmoid's own derivative cancels, and those that keep it
//! learn slowly where the prediction is most wrong.
//!
//! `cargo run --release --example by_hand -- [--device NAME]`

use std::error::Error;
use std::path::Path;

use chiaro::graph::{ArenaRole, Initial, Reduction, Shared, Target};
use chiaro::nn::Init;
use chiaro::{Backend, DType, Graph, Tensor, Var};

mod drawing;
mod start;

const ROWS: usize = 64;
const COLUMNS: usize = 3;
/// The last column is 1, so that its weight is the offset.
const TRUE: [f32; COLUMNS] = [1.5, -2.0, 0.5];

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Numbers, by their squared distance.
    Linear,
    /// Yes or no, by cross-entropy.
    Logistic,
}

/// The gradient with respect to `w` as written out.
fn by_hand(g: &mut Graph, kind: Kind, x: Var, y: Var, product: Var) -> chiaro::graph::Result<Var> {
    let (prediction, factor) = match kind {
        Kind::Linear => (product, 2.0),
        Kind::Logistic => (g.sigmoid(product)?, 1.0),
    };
    let wrong = g.sub(prediction, y)?;
    let sum = g.matmul(x, wrong, true, false)?;
    g.mul(sum, factor / ROWS as f64)
}

/// A step along the gradient that is written out; its second output is the one that the graph derives.
fn step(kind: Kind, rate: f64) -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[ROWS, COLUMNS], DType::F32)?;
    let y = g.input("y", &[ROWS, 1], DType::F32)?;
    let arena = g.arena("weights", DType::F32)?;
    let state = g.state(arena, "w", &[COLUMNS, 1])?;
    g.describe_arena(arena, ArenaRole::Parameters, Initial::Fill(0.0))?;
    let w = g.state_value(state)?;
    let product = g.matmul(x, w, false, false)?;
    let gradient = by_hand(&mut g, kind, x, y, product)?;
    let loss = match kind {
        Kind::Linear => g.mse_loss(product, y, Reduction::Mean)?,
        Kind::Logistic => g.bce_with_logits(product, y, None, Reduction::Mean)?,
    };
    let derived = g.grad(loss, None, &[w])?[0];
    let change = g.mul(gradient, rate)?;
    let next = g.sub(w, change)?;
    for (name, value) in [("by hand", gradient), ("derived", derived), ("w", next), ("loss", loss)] {
        g.output(name, value)?;
    }
    g.assign(Target::State(state), next)?;
    Ok(g)
}

fn rows(kind: Kind) -> Option<[Tensor; 2]> {
    let normal = Init::Normal { std: 1.0 }.values(&[ROWS * COLUMNS], 3, 0);
    let x: Vec<f32> = normal.iter().enumerate().map(|(i, &v)| if i % COLUMNS == 2 { 1.0 } else { v }).collect();
    let noise = Init::Normal { std: 0.1 }.values(&[ROWS], 3, 1);
    let line = x.chunks(COLUMNS).map(|row| row.iter().zip(TRUE).map(|(x, w)| x * w).sum::<f32>());
    let y = line.zip(noise).map(|(line, noise)| match kind {
        Kind::Linear => line + noise,
        // Noise enough that no weight, however large, is right everywhere.
        Kind::Logistic => f32::from(u8::from(line + 10.0 * noise > 0.0)),
    });
    let y = y.collect();
    Some([Tensor::f32([ROWS, COLUMNS], x)?, Tensor::f32([ROWS, 1], y)?])
}

/// Trains; the weights, and the largest difference of the two gradients over all steps as a share of the larger.
pub fn run(device: &mut Shared, kind: Kind, steps: usize, picture: &Path) -> Result<(Vec<f64>, f64), Box<dyn Error>> {
    let rate = if kind == Kind::Linear { 0.1 } else { 0.5 };
    let plan = device.compile(&step(kind, rate)?)?;
    let inputs = rows(kind).ok_or("as many numbers as rows and columns")?;
    let arena = Tensor::zeros([device.read_arena("weights")?.shape()[0]], DType::F32);
    device.write_arena("weights", &arena)?;
    let (mut worst, mut weights, mut losses) = (0.0f64, vec![], vec![]);
    for number in 1..=steps {
        device.run(plan, &inputs)?;
        let [hand, derived] = [device.read(plan, 0)?.to_f64(), device.read(plan, 1)?.to_f64()];
        let size = hand.iter().chain(&derived).fold(1e-3, |most: f64, v| most.max(v.abs()));
        worst = hand.iter().zip(&derived).fold(worst, |worst, (a, b)| worst.max((a - b).abs() / size));
        weights = device.read(plan, 2)?.to_f64();
        losses.push([number as f64, device.read(plan, 3)?.to_f64()[0]]);
        if number % (steps / 4).max(1) == 0 {
            println!("{kind:?}, step {number}: loss {:.5}, w {weights:.4?}", losses[number - 1][1]);
        }
    }
    println!("{kind:?}: gradients by hand and derived differ by at most {worst:.1e}");
    let shown = &losses[..steps.min(100)];
    let most = drawing::span(shown.iter().map(|point| point[1]))[1];
    let title = format!("{kind:?}: loss of the first {} steps along the gradient by hand", shown.len());
    let mut chart = drawing::Chart::new([640, 400], &title, [1.0, shown.len() as f64], [0.0, most]);
    chart.curve(shown, drawing::COLOURS[0]);
    chart.save(picture)?;
    Ok((weights, worst))
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, _) = start::device(include_str!("by_hand.rs"))?;
    run(&mut device.share(), Kind::Linear, 1000, "by_hand_linear.png".as_ref())?;
    run(&mut device.share(), Kind::Logistic, 1000, "by_hand_logistic.png".as_ref())?;
    Ok(())
}
