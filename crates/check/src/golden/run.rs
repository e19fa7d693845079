//! Runs the cases of a family: builds the graph with its gradients, executes it, and compares every stored result.

use super::limits::limit;
use super::operands::Operands;
use super::{Golden, GoldenCase, GoldenError, ops, shapes};
use crate::compare::{compare, elementwise_violation};
use chiaro_graph::{Backend, Graph, Tensor, Var, evaluate};

/// The families of operators and their numbers of cases, as the golden README lists them. Optimizers, schedules and
/// trajectories are checked where they are implemented.
pub const FAMILIES: &[(&str, usize)] = &[
    ("matmul", 15),
    ("linear", 5),
    ("conv2d", 22),
    ("conv_transpose2d", 6),
    ("max_pool2d", 11),
    ("avg_pool2d", 8),
    ("adaptive_pool2d", 7),
    ("batch_norm", 11),
    ("layer_norm", 5),
    ("group_norm", 5),
    ("activations", 19),
    ("softmax", 12),
    ("cross_entropy", 16),
    ("losses", 23),
    ("reductions", 38),
    ("binary", 26),
    ("unary", 14),
    ("shape", 14),
    ("indexing", 8),
    ("interpolate", 8),
];

/// One stored result of a case against the backend's.
#[derive(Clone, Debug, serde::Serialize)]
pub struct GoldenCheck {
    /// Family (file) and case.
    pub case: String,
    /// `output`, `grad_input`, `indices`, ...
    pub role: String,
    /// Normwise relative error; infinite where shapes or integers differ.
    pub error: f64,
    /// The largest error allowed.
    pub limit: f64,
    /// Why the check failed, if it did.
    pub failure: Option<String>,
}

/// Runs every case of a family.
///
/// # Errors
/// If a case lacks something or the backend fails; a wrong result is a [`GoldenCheck`] with a failure.
pub fn run_family(backend: &mut dyn Backend, family: &str, golden: &Golden) -> Result<Vec<GoldenCheck>, GoldenError> {
    let mut checks = vec![];
    for case in golden.cases() {
        checks.extend(run_case(backend, family, golden, case)?);
    }
    Ok(checks)
}

/// Runs one case; every stored result gives a check.
///
/// # Errors
/// As [`run_family`].
pub fn run_case(
    backend: &mut dyn Backend,
    family: &str,
    golden: &Golden,
    case: &GoldenCase,
) -> Result<Vec<GoldenCheck>, GoldenError> {
    let (mut given, mut wanted) = (vec![], vec![]);
    for (role, tensor) in golden.under(&case.name) {
        let tensor = shapes::channels_last(&case.op, role, tensor);
        if is_result(role) { wanted.push((role, tensor)) } else { given.push((role, tensor)) }
    }
    let (graph, inner) = build(case, &given, &wanted)?;
    let inputs: Vec<Tensor> = given.iter().map(|(_, t)| t.clone()).collect();
    let results = evaluate(backend, &graph, &inputs)?;
    let output = wanted.iter().find(|(role, _)| *role == "output").map(|(_, t)| t);
    let output = output.ok_or_else(|| case.attrs.error("no output".into()))?;
    let mut checks = vec![];
    for ((role, want), got) in wanted.iter().zip(&results) {
        let bound = limit(family, case, role, output, want, inner);
        let (error, mut failure) = match compare(got, want) {
            Ok(e) if e <= bound.relative => (e, None),
            Ok(e) => (e, Some(format!("relative error {e:.2e} exceeds {:.2e}", bound.relative))),
            Err(detail) => (f64::INFINITY, Some(detail)),
        };
        if bound.elementwise
            && let Some((i, a, b)) = elementwise_violation(&got.to_f64(), &want.to_f64(), 1e-6, 1e-5)
        {
            failure.get_or_insert(format!("element {i} is {a}, expected {b}"));
        }
        let case = format!("{family}/{}", case.name);
        checks.push(GoldenCheck { case, role: role.to_string(), error, limit: bound.relative, failure });
    }
    Ok(checks)
}

fn is_result(role: &str) -> bool {
    role.starts_with("grad_") || ["output", "indices", "new_running_mean", "new_running_var"].contains(&role)
}

/// The graph of a case, whose outputs are the wanted results in order, and the number of products summed in an output.
fn build(
    case: &GoldenCase,
    given: &[(&str, Tensor)],
    wanted: &[(&str, Tensor)],
) -> Result<(Graph, usize), GoldenError> {
    let mut g = Graph::new();
    let mut operands = Operands::new();
    for (role, tensor) in given {
        operands.insert(role.to_string(), g.input(role, tensor.shape(), tensor.dtype())?);
    }
    let results = ops::build(&mut g, case, &operands)?;
    let find = |role: &str| results.values.iter().find(|(r, _)| *r == role).map(|(_, v)| *v);
    let missing = |role: &str| case.attrs.error(format!("nothing computes {role}"));
    let output = find("output").ok_or_else(|| missing("output"))?;
    let roles: Vec<&str> = wanted.iter().filter_map(|(role, _)| role.strip_prefix("grad_")).collect();
    let wrt: Vec<Var> =
        roles.iter().map(|r| operands.get(*r).copied().ok_or_else(|| missing(r))).collect::<Result<_, _>>()?;
    let gradients = match operands.get("cotangent") {
        Some(&cotangent) => g.grad(output, Some(cotangent), &wrt)?,
        None => vec![],
    };
    for (role, _) in wanted {
        let gradient = || {
            let at = roles.iter().position(|r| role.strip_prefix("grad_") == Some(r))?;
            gradients.get(at).copied()
        };
        let v = find(role).or_else(gradient).ok_or_else(|| missing(role))?;
        g.output(role, v)?;
    }
    Ok((g, results.inner))
}
