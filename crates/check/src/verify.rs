//! Compares a backend with the reference over the case table, forward and backward, and reports it as a table or JSON.

use crate::case::{Case, Tolerance};
use crate::compare::{compare, elementwise_violation};
use crate::draw::arena_values;
use chiaro_graph::{Backend, BackendError, Data, Graph, HalfPrecision, PlanId, Tensor};
use std::collections::BTreeMap;
use std::time::Instant;

/// What [`verify`] runs.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Only cases whose name contains this.
    pub filter: Option<String>,
    /// Changes one element of the output of the case at this position (among those that run) before it is compared: the
    /// negative control, which must fail.
    pub corrupt: Option<usize>,
    /// Gradients of all inputs together alone: every kernel runs, and a device is checked in a fraction of the time. Which
    /// gradients a graph asks for matters to plans, which tests check on every machine.
    pub together: bool,
    /// When cases are no longer begun; those left out are told in the report.
    pub deadline: Option<Instant>,
}

/// Errors of one case.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CaseReport {
    /// Name of the case.
    pub name: String,
    /// Relative error of the result.
    pub forward: f64,
    /// Largest relative error of the gradients, over every input and every subset of inputs; none without gradients.
    pub gradient: Option<f64>,
    /// Largest error allowed to the result.
    pub limit: f64,
    /// Largest error allowed to gradients.
    pub gradient_limit: f64,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
}

/// Outcome of a comparison.
#[derive(Clone, Debug, serde::Serialize)]
pub struct VerifyReport {
    /// The backend under test.
    pub backend: String,
    /// What it was compared with.
    pub reference: String,
    /// Every case that ran.
    pub cases: Vec<CaseReport>,
    /// What did not run though it was asked for, and why.
    pub left_out: Vec<String>,
}

impl VerifyReport {
    /// True if at least one case ran and none failed.
    pub fn passed(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|c| c.failure.is_none())
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|c| c.failure.is_some())
    }

    /// The report as JSON; errors that are no finite number are `null`.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl std::fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} against {}", self.backend, self.reference)?;
        let width = self.cases.iter().map(|c| c.name.len()).max().unwrap_or(4).max(4);
        writeln!(f, "{:width$}  {:>8}  {:>8}", "case", "forward", "gradient")?;
        for c in &self.cases {
            let gradient = c.gradient.map_or("-".to_string(), |e| format!("{e:.1e}"));
            let verdict = c.failure.as_ref().map_or("pass".to_string(), |why| format!("FAIL: {why}"));
            writeln!(f, "{:width$}  {:>8}  {gradient:>8}  {verdict}", c.name, format!("{:.1e}", c.forward))?;
        }
        for left in &self.left_out {
            writeln!(f, "left out: {left}")?;
        }
        let failed = self.failures().count();
        write!(f, "{} of {} cases passed", self.cases.len() - failed, self.cases.len())
    }
}

/// Runs cases on both backends, those of 16 bits only where the first has these. A case on which either backend fails is
/// reported as failed.
pub fn verify(
    backend: &mut dyn Backend,
    reference: &mut dyn Backend,
    cases: &[Case],
    options: &VerifyOptions,
) -> VerifyReport {
    verify_telling(backend, reference, cases, options, &mut |_, _, _| ())
}

/// The same, calling `told` before each case with its name, its number from 1, and how many there are.
pub fn verify_telling(
    backend: &mut dyn Backend,
    reference: &mut dyn Backend,
    cases: &[Case],
    options: &VerifyOptions,
    told: &mut dyn FnMut(&str, usize, usize),
) -> VerifyReport {
    let run = selected(backend, cases, options);
    let halves = cases.iter().filter(|c| named(c, options)).count() - run.len();
    let (name, other) = (backend.name(), reference.name());
    let mut report = VerifyReport { backend: name, reference: other, cases: vec![], left_out: vec![] };
    for (i, case) in run.iter().enumerate() {
        if options.deadline.is_some_and(|end| Instant::now() >= end) {
            report.left_out.push(format!("{} cases from {} on: the time was up", run.len() - i, case.name));
            break;
        }
        told(&case.name, i + 1, run.len());
        report.cases.push(verify_case(backend, reference, case, options, options.corrupt == Some(i)));
    }
    if halves > 0 {
        report.left_out.push(format!("{halves} cases of 16-bit floats: the device has none"));
    }
    report
}

/// The cases that run on a backend, in order.
pub fn selected<'a>(backend: &dyn Backend, cases: &'a [Case], options: &VerifyOptions) -> Vec<&'a Case> {
    let half = backend.half_precision() != HalfPrecision::Missing;
    cases.iter().filter(|c| named(c, options) && (half || c.tolerance != Tolerance::Half)).collect()
}

fn named(case: &Case, options: &VerifyOptions) -> bool {
    options.filter.as_ref().is_none_or(|f| case.name.contains(f))
}

fn verify_case(
    backend: &mut dyn Backend,
    reference: &mut dyn Backend,
    case: &Case,
    options: &VerifyOptions,
    corrupt: bool,
) -> CaseReport {
    let mut report = CaseReport {
        name: case.name.clone(),
        forward: 0.0,
        gradient: None,
        limit: case.tolerance.limit(),
        gradient_limit: case.tolerance.gradient_limit(),
        failure: None,
    };
    if let Err(e) = compare_case(backend, reference, case, (options, corrupt), &mut report) {
        report.failure.get_or_insert(e.to_string());
    }
    report
}

fn compare_case(
    backend: &mut dyn Backend,
    reference: &mut dyn Backend,
    case: &Case,
    (options, corrupt): (&VerifyOptions, bool),
    report: &mut CaseReport,
) -> Result<(), BackendError> {
    let (graph, mut inputs) = (case.forward()?, case.values());
    let want = run_once(reference, &graph, &inputs, &seeded(&graph), case.steps)?;
    let (mut got, same) = run_twice(backend, &graph, &inputs, &seeded(&graph), case.steps)?;
    if !same {
        report.failure = Some(OTHER_BITS.to_string());
    }
    if corrupt {
        flip(&mut got[0]);
    }
    // States are compared too, behind the output.
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let what = if i == 0 { "the result" } else { "a state" };
        report.forward = report.forward.max(judge(&mut report.failure, what, got, want, report.limit));
    }
    if case.family() == "elementwise" && matches!(case.tolerance, Tolerance::Sum(_)) {
        check_elements(&mut report.failure, &got[0], &want[0]);
    }
    if !case.has_gradient()? {
        return Ok(());
    }
    inputs.push(case.cotangent()?);
    let mut worst: f64 = 0.0;
    let together = if options.together { 1 } else { usize::MAX };
    for subset in case.subsets().into_iter().take(together) {
        let graph = case.backward(&subset)?;
        let want = run_once(reference, &graph, &inputs, &seeded(&graph), case.steps)?;
        let (got, same) = run_twice(backend, &graph, &inputs, &seeded(&graph), case.steps)?;
        if !same {
            report.failure.get_or_insert(OTHER_BITS.to_string());
        }
        for ((k, got), want) in got.iter().enumerate().zip(&want) {
            let what = match k {
                0 => "the result beside gradients".to_string(),
                _ => match subset.get(k - 1) {
                    Some(&i) => format!("the gradient of {} (of {subset:?})", case.inputs[i].name),
                    None => "a state".into(),
                },
            };
            worst = worst.max(judge(&mut report.failure, &what, got, want, report.gradient_limit));
        }
    }
    report.gradient = Some(worst);
    Ok(())
}

/// Relative error of one tensor; what exceeds the limit is noted as the failure.
fn judge(failure: &mut Option<String>, what: &str, got: &Tensor, want: &Tensor, limit: f64) -> f64 {
    match compare(got, want) {
        Ok(error) => {
            if error > limit {
                failure.get_or_insert(format!("{what} is wrong by {error:.1e}, allowed {limit:.1e}"));
            }
            error
        }
        Err(detail) => {
            failure.get_or_insert(format!("{what}: {detail}"));
            f64::INFINITY
        }
    }
}

/// Large elements dominate the norm, so elementwise results are also compared one by one.
fn check_elements(failure: &mut Option<String>, got: &Tensor, want: &Tensor) {
    if let Some((i, a, b)) = elementwise_violation(&got.to_f64(), &want.to_f64(), 1e-6, 1e-5) {
        failure.get_or_insert(format!("element {i} is {a}, expected {b}"));
    }
}

/// Compares every output of a graph, and every arena, after one step from the given arenas (all that the graph declares), and
/// two runs of the backend under test bit by bit. `corrupt` changes an element first: the negative control.
pub fn verify_graph(
    backend: &mut dyn Backend,
    reference: &mut dyn Backend,
    (name, graph): (&str, &Graph),
    inputs: &[Tensor],
    arenas: &BTreeMap<String, Tensor>,
    (limit, corrupt): (f64, bool),
) -> CaseReport {
    let (forward, gradient_limit) = (0.0, limit);
    let mut report = CaseReport { name: name.into(), forward, gradient: None, limit, gradient_limit, failure: None };
    let mut both =
        || Ok((run_once(reference, graph, inputs, arenas, 1)?, run_twice(backend, graph, inputs, arenas, 1)?));
    match both() {
        Ok((want, (mut got, same))) => {
            if !same {
                report.failure = Some(OTHER_BITS.to_string());
            }
            if let Some(first) = got.first_mut().filter(|_| corrupt) {
                flip(first);
            }
            let named = graph.outputs().iter().map(|o| o.0.as_str());
            let named = named.chain(graph.arenas().iter().map(|a| a.name.as_str()));
            for ((what, got), want) in named.zip(&got).zip(&want) {
                report.forward = report.forward.max(judge(&mut report.failure, what, got, want, limit));
            }
        }
        Err(e) => report.failure = Some(BackendError::to_string(&e)),
    }
    report
}

/// What is wrong where a step gives other results the second time.
pub const OTHER_BITS: &str = "two runs from the same state gave different bits";

/// Values of every arena of a graph before a case runs.
fn seeded(graph: &Graph) -> BTreeMap<String, Tensor> {
    graph.arenas().iter().map(|a| (a.name.clone(), arena_values(a))).collect()
}

/// The outputs after some steps from the given states, then every arena.
///
/// # Errors
/// Those of the backend.
pub fn run_once(
    backend: &mut dyn Backend,
    graph: &Graph,
    inputs: &[Tensor],
    arenas: &BTreeMap<String, Tensor>,
    steps: usize,
) -> Result<Vec<Tensor>, BackendError> {
    let plan = backend.compile(graph)?;
    results(backend, (plan, graph), inputs, arenas, steps)
}

/// The same, and whether a second run from the same states gave the same bits.
///
/// # Errors
/// Those of the backend.
pub fn run_twice(
    backend: &mut dyn Backend,
    graph: &Graph,
    inputs: &[Tensor],
    arenas: &BTreeMap<String, Tensor>,
    steps: usize,
) -> Result<(Vec<Tensor>, bool), BackendError> {
    let plan = backend.compile(graph)?;
    let first = results(backend, (plan, graph), inputs, arenas, steps)?;
    let second = results(backend, (plan, graph), inputs, arenas, steps)?;
    let same = first.len() == second.len() && first.iter().zip(&second).all(|(a, b)| same_bits(a, b));
    Ok((first, same))
}

fn results(
    backend: &mut dyn Backend,
    (plan, graph): (PlanId, &Graph),
    inputs: &[Tensor],
    arenas: &BTreeMap<String, Tensor>,
    steps: usize,
) -> Result<Vec<Tensor>, BackendError> {
    for (name, values) in arenas {
        backend.write_arena(name, values)?;
    }
    for _ in 0..steps {
        backend.run(plan, inputs)?;
    }
    let mut all = vec![];
    for i in 0..graph.outputs().len() {
        all.push(backend.read(plan, i)?);
    }
    for arena in graph.arenas() {
        all.push(backend.read_arena(&arena.name)?);
    }
    Ok(all)
}

/// Equal to the bit, zeros of both signs told apart; NaN equals NaN.
fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    let bits = |t: &Tensor| t.to_f64().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    a.shape() == b.shape() && a.dtype() == b.dtype() && bits(a) == bits(b)
}

/// Changes the first element beyond any tolerance.
pub fn flip(tensor: &mut Tensor) {
    let mut values = tensor.to_f64();
    let norm = values.iter().filter(|v| v.is_finite()).map(|v| v * v).sum::<f64>().sqrt();
    if let Some(v) = values.first_mut() {
        *v = match tensor.data() {
            Data::Bool(_) => 1.0 - *v,
            // As large as all the others together.
            Data::F32(_) | Data::F16(_) if v.is_finite() => *v + 1.0 + norm,
            _ if v.is_finite() && v.abs() < 1e9 => *v + 1.0 + v.abs(),
            _ => 0.0,
        };
    }
    if let Some(changed) = Tensor::from_f64(tensor.shape().to_vec(), tensor.dtype(), &values) {
        *tensor = changed;
    }
}
