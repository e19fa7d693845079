//! How exact a device's functions are: the largest error in units of the last place against float64, beside what WGSL allows and
//! what JAX reports of its own.

use std::f64::consts::PI;
use std::fmt;

use chiaro_graph::{Backend, BackendError, DType, Elementwise, Graph, Tensor};

/// Values that each function is tried with.
const SAMPLES: usize = 1 << 16;
/// The smallest normal number; smaller results may be zero.
const SMALLEST: f64 = f32::MIN_POSITIVE as f64;

/// A function, where it is tried, and how exact it must be.
struct Function {
    name: &'static str,
    op: Elementwise,
    exact: fn(f64, f64) -> f64,
    /// Smallest and largest argument; the second one of a division is drawn from the same.
    range: [f64; 2],
    /// The largest error that WGSL allows at an argument, given the exact result (W3C WGSL, Accuracy of Built-in Functions).
    allowed: fn(f64, f64) -> f64,
    bound: &'static str,
    /// Units of the last place of JAX on the CPU and on NVIDIA GPUs, float32 (docs.jax.dev/en/latest/accuracy.html).
    jax: [&'static str; 2],
}

/// The unit of the last place of an f32 of this size.
fn unit(value: f64) -> f64 {
    let exponent = value.abs().max(SMALLEST).log2().floor();
    (exponent - 23.0).exp2()
}

fn functions() -> [Function; 8] {
    let row = |name, op, exact, range, (bound, allowed), jax| Function { name, op, exact, range, allowed, bound, jax };
    let large = f64::from(f32::MAX) / 4.0;
    let trigonometric = ("2^-11 absolute", (|_, _| (-11f64).exp2()) as fn(f64, f64) -> f64);
    [
        row("exp", Elementwise::Exp, |x, _| x.exp(), [-87.0, 88.0], ("3 + 2|x|", exp_allowed), ["1.5", "2.0"]),
        row(
            "log",
            Elementwise::Log,
            |x, _| x.ln(),
            [SMALLEST, large],
            ("3, near 1 2^-21 absolute", log_allowed),
            ["1.5", "1.0"],
        ),
        row("tanh", Elementwise::Tanh, |x, _| x.tanh(), [-12.0, 12.0], ("1e-5 absolute", |_, _| 1e-5), ["5.0", "5.5"]),
        row(
            "sigmoid",
            Elementwise::Sigmoid,
            |x, _| 1.0 / (1.0 + (-x).exp()),
            [-80.0, 80.0],
            ("1 / (1 + exp(-x))", sigmoid_allowed),
            ["2.5", "4.0"],
        ),
        row(
            "rsqrt",
            Elementwise::Rsqrt,
            |x, _| 1.0 / x.sqrt(),
            [SMALLEST, large],
            // The quotient of 1 and a root, which is that of 1 and an inverse root.
            ("7 (1 / sqrt(x))", |_, y| 7.0 * unit(y)),
            ["1.0 to 2.0", "2.0"],
        ),
        row(
            "x / y",
            Elementwise::Div,
            |x, y| x / y,
            [SMALLEST, 2f64.powi(126)],
            ("2.5", |_, y| 2.5 * unit(y)),
            ["-", "-"],
        ),
        row("sin", Elementwise::Sin, |x, _| x.sin(), [-PI, PI], trigonometric, ["0.5", "1.5"]),
        row("cos", Elementwise::Cos, |x, _| x.cos(), [-PI, PI], trigonometric, ["0.5", "2.0"]),
    ]
}

fn exp_allowed(x: f64, y: f64) -> f64 {
    (3.0 + 2.0 * x.abs()) * unit(y)
}

fn log_allowed(x: f64, y: f64) -> f64 {
    if (0.5..=2.0).contains(&x) { (-21f64).exp2() } else { 3.0 * unit(y) }
}

/// The errors of its exponential, its sum and its quotient, each relative to the result.
fn sigmoid_allowed(x: f64, y: f64) -> f64 {
    let share = 1.0 - y;
    y * (-23f64).exp2() * ((3.0 + 2.0 * x.abs()) * share + 1.0 + 2.5)
}

/// What was found of one function.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Accuracy {
    /// The function.
    pub name: String,
    /// Largest error in units of the last place of the exact result.
    pub ulp: f64,
    /// The argument (the first one of a division) with that error.
    pub at: f64,
    /// Largest error as a share of what WGSL allows there; above 1 the device breaks the rules.
    pub share: f64,
    /// What WGSL allows, in units of the last place or in words.
    pub allowed: String,
    /// What JAX reports of itself on CPUs and on NVIDIA GPUs.
    pub jax: [String; 2],
}

/// The accuracies of a device.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Accuracies {
    /// The device.
    pub device: String,
    /// Its functions.
    pub functions: Vec<Accuracy>,
}

impl Accuracies {
    /// Whether every function is as exact as WGSL wants.
    pub fn passed(&self) -> bool {
        self.functions.iter().all(|f| f.share <= 1.0)
    }
}

impl fmt::Display for Accuracies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: largest errors in units of the last place, {SAMPLES} arguments each", self.device)?;
        let head = ["function", "error", "at", "of WGSL's", "WGSL allows", "JAX, CPU", "JAX, NVIDIA"];
        writeln!(
            f,
            "{:<8} {:>10} {:>12} {:>9}  {:<26} {:>10} {:>11}",
            head[0], head[1], head[2], head[3], head[4], head[5], head[6]
        )?;
        for a in &self.functions {
            let verdict = if a.share > 1.0 { "  FAIL" } else { "" };
            let share = format!("{:.1} %", 100.0 * a.share);
            let ulp = if a.ulp < 1e6 { format!("{:.2}", a.ulp) } else { format!("{:.1e}", a.ulp) };
            let at = format!("{:.4e}", a.at);
            writeln!(
                f,
                "{:<8} {:>10} {at:>12} {share:>9}  {:<26} {:>10} {:>11}{verdict}",
                a.name, ulp, a.allowed, a.jax[0], a.jax[1]
            )?;
        }
        Ok(())
    }
}

/// Measures every function on a device. `corrupt` changes the first result of the function at that place: the negative control.
///
/// # Errors
/// Those of the device.
pub fn measure(
    backend: &mut dyn Backend,
    corrupt: Option<usize>,
    told: &mut dyn FnMut(&str),
) -> Result<Accuracies, BackendError> {
    let mut found = Accuracies { device: backend.name(), functions: vec![] };
    for (i, function) in functions().iter().enumerate() {
        told(function.name);
        found.functions.push(one(backend, function, corrupt == Some(i))?);
    }
    Ok(found)
}

fn one(backend: &mut dyn Backend, function: &Function, corrupt: bool) -> Result<Accuracy, BackendError> {
    let x = arguments(function.range, 0);
    let two = matches!(function.op, Elementwise::Div);
    let mut g = Graph::new();
    let a = g.input("x", &[SAMPLES], DType::F32)?;
    let (y, inputs) = if two {
        let b = g.input("y", &[SAMPLES], DType::F32)?;
        (g.div(a, b)?, vec![x.clone(), arguments(function.range, 1)])
    } else {
        (g.unary(function.op, a)?, vec![x.clone()])
    };
    g.output("result", y)?;
    let tensors: Vec<Tensor> = inputs.iter().filter_map(|v| Tensor::f32([SAMPLES], v.clone())).collect();
    let mut got = chiaro_graph::evaluate(backend, &g, &tensors)?[0].to_f64();
    if corrupt {
        got[0] += 1.0 + got[0].abs();
    }
    let mut found = Accuracy {
        name: function.name.to_string(),
        ulp: 0.0,
        at: 0.0,
        share: 0.0,
        allowed: function.bound.to_string(),
        jax: function.jax.map(str::to_string),
    };
    for (i, got) in got.into_iter().enumerate() {
        let second = inputs.get(1).map_or(0.0, |v| f64::from(v[i]));
        let exact = (function.exact)(f64::from(x[i]), second);
        // Beyond the normal numbers devices may flush to zero or to infinity.
        if exact.abs() < SMALLEST || exact.abs() > f64::from(f32::MAX) {
            continue;
        }
        let error = if got.is_finite() { (got - exact).abs() } else { f64::INFINITY };
        if error / unit(exact) > found.ulp {
            (found.ulp, found.at) = (error / unit(exact), f64::from(x[i]));
        }
        found.share = found.share.max(error / (function.allowed)(f64::from(x[i]), exact));
    }
    Ok(found)
}

/// Half of them evenly over the range, half evenly over its powers of two, of both signs where it has both.
fn arguments([low, high]: [f64; 2], stream: u32) -> Vec<f32> {
    let smallest = if low > 0.0 { low } else { 1e-30 };
    let (first, last) = (f64::from((smallest as f32).to_bits()), f64::from((high as f32).to_bits()));
    let even = |i: usize| low + (high - low) * (i as f64 + 0.5) / SAMPLES as f64;
    let powers = |i: usize| {
        // A second argument walks the other way, so that quotients are of every size.
        let i = if stream == 0 { i } else { (i * 31_337 + 7) % SAMPLES };
        let size = f32::from_bits((first + (last - first) * (i as f64 + 0.5) / SAMPLES as f64) as u32);
        if low < 0.0 && i % 4 == 1 { f64::from(-size) } else { f64::from(size) }
    };
    (0..SAMPLES).map(|i| if i % 2 == 0 { even(i) } else { powers(i) }.clamp(low, high) as f32).collect()
}
