//! Linear regression as tutorials have it: 100 points of y = 2x + 1 with noise of deviation 0.1, one dense unit, mean squared
//! error, plain SGD, 100 epochs; the closed form beside it. The picture `linear_regression.png` shows points and line.
//!
//! `cargo run --release --example linear_regression -- [--device NAME]`

use std::error::Error;
use std::path::Path;

use chiaro::data::Canvas;
use chiaro::graph::{ArenaRole, Initial, Reduction, Shared, Target};
use chiaro::nn::Init;
use chiaro::{Backend, DType, Graph, Tensor};

mod start;

const POINTS: usize = 100;
const BATCH: usize = 25;
const RATE: f64 = 0.1;

/// The points: x evenly over -1 to 1, in an order that mixes them.
fn points() -> (Vec<f32>, Vec<f32>) {
    let x: Vec<f32> = (0..POINTS).map(|i| ((i * 37) % POINTS) as f32 / 49.5 - 1.0).collect();
    let noise = Init::Normal { std: 0.1 }.values(&[POINTS], 7, 0);
    let y = x.iter().zip(noise).map(|(x, noise)| 2.0 * x + 1.0 + noise).collect();
    (x, y)
}

/// One step of SGD: the line is a state of the graph, which the step assigns.
fn step() -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[BATCH, 1], DType::F32)?;
    let y = g.input("y", &[BATCH, 1], DType::F32)?;
    let arena = g.arena("line", DType::F32)?;
    let (slope, offset) = (g.state(arena, "slope", &[1, 1])?, g.state(arena, "offset", &[1])?);
    g.describe_arena(arena, ArenaRole::Parameters, Initial::Fill(0.0))?;
    let (w, b) = (g.state_value(slope)?, g.state_value(offset)?);
    let line = g.linear(x, w, Some(b))?;
    let loss = g.mse_loss(line, y, Reduction::Mean)?;
    g.output("loss", loss)?;
    let gradients = g.grad(loss, None, &[w, b])?;
    for ((state, value), gradient) in [(slope, w), (offset, b)].into_iter().zip(gradients) {
        let change = g.mul(gradient, RATE)?;
        let next = g.sub(value, change)?;
        g.output(if state == slope { "slope" } else { "offset" }, next)?;
        g.assign(Target::State(state), next)?;
    }
    Ok(g)
}

/// Slope and offset of least squares: covariance by variance, and what is left of the means.
fn closed_form(x: &[f32], y: &[f32]) -> [f64; 2] {
    let mean = |v: &[f32]| v.iter().map(|&v| f64::from(v)).sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let of =
        |a: &[f32], ma: f64| -> f64 { a.iter().zip(x).map(|(&a, &x)| (f64::from(a) - ma) * (f64::from(x) - mx)).sum() };
    let slope = of(y, my) / of(x, mx);
    [slope, my - slope * mx]
}

fn draw(file: &Path, x: &[f32], y: &[f32], [slope, offset]: [f64; 2]) -> Result<(), Box<dyn Error>> {
    let at = |x: f64, y: f64| [40.0 + (x + 1.0) * 210.0, 460.0 - (y + 1.5) * 75.0];
    let mut canvas = Canvas::new(500, 500);
    for (x, y) in x.iter().zip(y) {
        let [x, y] = at(f64::from(*x), f64::from(*y));
        canvas.fill([x as usize, y as usize], [3, 3], [31, 119, 180]);
    }
    canvas.line(at(-1.0, offset - slope), at(1.0, offset + slope), 2, [214, 39, 40]);
    canvas.text([40, 20], &format!("y = {slope:.3} x + {offset:.3}"), Canvas::BLACK);
    Ok(canvas.save(file)?)
}

/// Trains, draws, and gives slope and offset as trained and by the closed form.
pub fn run(mut device: Shared, picture: &Path) -> Result<[[f64; 2]; 2], Box<dyn Error>> {
    let (x, y) = points();
    let plan = device.compile(&step()?)?;
    let mut line = [0.0; 2];
    for epoch in 1..=100 {
        let mut sum = 0.0;
        for (x, y) in x.chunks(BATCH).zip(y.chunks(BATCH)) {
            let column = |v: &[f32]| Tensor::f32([BATCH, 1], v.to_vec()).ok_or("a batch");
            device.run(plan, &[column(x)?, column(y)?])?;
            sum += device.read(plan, 0)?.to_f64()[0];
        }
        line = [device.read(plan, 1)?.to_f64()[0], device.read(plan, 2)?.to_f64()[0]];
        if epoch % 20 == 0 {
            println!("epoch {epoch}: loss {:.5}, y = {:.4} x + {:.4}", sum / 4.0, line[0], line[1]);
        }
    }
    let exact = closed_form(&x, &y);
    println!("closed form:           y = {:.4} x + {:.4}", exact[0], exact[1]);
    draw(picture, &x, &y, line)?;
    println!("drawn in {}", picture.display());
    Ok([line, exact])
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, _) = start::device(include_str!("linear_regression.rs"))?;
    run(device.share(), "linear_regression.png".as_ref())?;
    Ok(())
}
