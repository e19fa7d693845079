//! The gradient check: what `Graph::grad` records against central differences, both in 64 bits on the reference executor.

use crate::case::{Case, Kink};
use crate::compare::relative_error;
use crate::draw::{Draw, arena_values, seed};
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, BackendError, DType, Graph, Tensor};

/// Largest relative error between an analytic gradient and differences.
pub const GRADIENT_LIMIT: f64 = 1e-6;

/// The largest error of a case's gradients.
#[derive(Clone, Debug, serde::Serialize)]
pub struct GradientCheck {
    /// The case, or the model.
    pub name: String,
    /// Worst relative error over inputs and subsets of them.
    pub error: f64,
    /// Inputs (or parameters) checked against differences.
    pub inputs: usize,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
}

/// A graph whose outputs are a value and then the gradients of `sum(value * cotangent)`; its last input is the cotangent.
struct Differentiated<'a> {
    graph: &'a Graph,
    inputs: Vec<Vec<f64>>,
    /// The inputs that the gradients belong to, in the order of the outputs behind the first.
    wrt: Vec<usize>,
}

/// Elements checked one by one in each input; larger inputs are sampled, and all are checked along random directions.
const ELEMENTS: usize = 24;

impl Differentiated<'_> {
    fn run(&self, executor: &mut Reference, inputs: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, BackendError> {
        let plan = executor.compile(self.graph)?;
        start(executor, self.graph)?;
        executor.run_f64(plan, inputs)?;
        let outputs = 0..self.graph.outputs().len();
        outputs.map(|i| executor.read_f64(plan, i).map(<[f64]>::to_vec)).collect()
    }

    /// Relative error of each gradient against differences along single elements and along two random directions.
    fn errors(&self, value_only: &Graph, differences_at: &[Vec<f64>]) -> Result<Vec<f64>, BackendError> {
        let analytic = self.run(&mut Reference::without_rounding(), &self.inputs)?;
        let cotangent = self.inputs.last().cloned().unwrap_or_default();
        let mut executor = Reference::without_rounding();
        let plan = executor.compile(value_only)?;
        let mut loss = |inputs: &[Vec<f64>]| -> Result<f64, BackendError> {
            start(&mut executor, value_only)?;
            executor.run_f64(plan, &inputs[..value_only.inputs().len()])?;
            Ok(executor.read_f64(plan, 0)?.iter().zip(&cotangent).map(|(y, d)| y * d).sum())
        };
        let mut errors = vec![];
        for (k, &input) in self.wrt.iter().enumerate() {
            let gradient = &analytic[1 + k];
            if gradient.len() != self.inputs[input].len() {
                errors.push(f64::INFINITY);
                continue;
            }
            let (mut found, mut expected) = (vec![], vec![]);
            for direction in directions(gradient.len(), input as u32) {
                let mut at = differences_at.to_vec();
                let mut step = |sign: f64| {
                    for &(i, d) in &direction {
                        at[input][i] = differences_at[input][i] + sign * STEP * d;
                    }
                    loss(&at)
                };
                expected.push((step(1.0)? - step(-1.0)?) / (2.0 * STEP));
                found.push(direction.iter().map(|&(i, d)| gradient[i] * d).sum());
            }
            errors.push(relative_error(&found, &expected));
        }
        Ok(errors)
    }
}

/// Gives the states their first values again.
fn start(executor: &mut Reference, graph: &Graph) -> Result<(), BackendError> {
    graph.arenas().iter().try_for_each(|a| executor.write_arena(&a.name, &arena_values(a)))
}

/// Half the distance of the differences.
const STEP: f64 = 1e-6;

/// Directions along which an input of `n` elements is moved: single elements, then two random mixtures of all.
fn directions(n: usize, stream: u32) -> Vec<Vec<(usize, f64)>> {
    let mixture = |s: u32| Draw::Normal.tensor(seed("directions"), 2 * stream + s, &[n], DType::F32).to_f64();
    let mut all: Vec<Vec<(usize, f64)>> = if n <= ELEMENTS {
        (0..n).map(|i| vec![(i, 1.0)]).collect()
    } else {
        // A stride without a factor in common with most extents visits every part.
        let stride = (n / ELEMENTS) | 1;
        (0..ELEMENTS).map(|i| vec![(i * stride % n, 1.0)]).collect()
    };
    all.extend((0..2).map(|s| mixture(s).into_iter().enumerate().collect::<Vec<_>>()));
    all
}

/// Checks every gradient of a case: all inputs against differences, and every subset of them against the whole set.
///
/// # Errors
/// If the case cannot be built or run.
pub fn check_case(case: &Case) -> Result<GradientCheck, BackendError> {
    let mut check = GradientCheck { name: case.name.clone(), error: 0.0, inputs: 0, failure: None };
    if !case.has_gradient()? {
        return Ok(check);
    }
    let mut inputs: Vec<Vec<f64>> = case.values().iter().map(Tensor::to_f64).collect();
    inputs.push(case.cotangent()?.to_f64());
    let subsets = case.subsets();
    let graph = case.backward(&subsets[0])?;
    let whole = Differentiated { graph: &graph, inputs, wrt: subsets[0].clone() };
    if case.kink != Kink::Convention {
        let mut beside = whole.inputs.clone();
        if case.kink == Kink::FirstOfEquals {
            beside.iter_mut().for_each(|v| v.iter_mut().enumerate().for_each(|(i, x)| *x -= 1e-4 * i as f64));
        }
        let errors = whole.errors(&case.forward()?, &beside)?;
        check.inputs = errors.len();
        for (&input, error) in whole.wrt.iter().zip(errors) {
            record(&mut check, error, &format!("the gradient of {}", case.inputs[input].name));
        }
    }
    let all = whole.run(&mut Reference::without_rounding(), &whole.inputs)?;
    for subset in &subsets[1..] {
        let graph = case.backward(subset)?;
        let part = Differentiated { graph: &graph, inputs: whole.inputs.clone(), wrt: subset.clone() };
        let found = part.run(&mut Reference::without_rounding(), &part.inputs)?;
        for (gradient, input) in found[1..].iter().zip(subset) {
            let at = whole.wrt.iter().position(|w| w == input).unwrap_or(0);
            let what = format!("the gradient of {} where only {subset:?} need one", case.inputs[*input].name);
            record(&mut check, relative_error(gradient, &all[1 + at]), &what);
        }
    }
    Ok(check)
}

fn record(check: &mut GradientCheck, error: f64, what: &str) {
    check.error = check.error.max(error);
    if error.is_nan() || error > GRADIENT_LIMIT {
        check.failure.get_or_insert(format!("{what} is wrong by {error:.2e}"));
    }
}
