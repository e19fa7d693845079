//! Small graphs that make a decision of the planner matter: two steps of each, outputs and states against the float64 reference.

mod large;
mod merges;
mod places;

pub use large::{densenet, lstm};

use crate::compare::relative_error;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, BackendError, ConvSpec, DType, Graph, Result, Tensor, Var};

/// Largest normwise relative error of an output or a state after two steps.
/// Measured: at most 4e-7 on the CPU, 7e-7 on software Vulkan.
const LIMIT: f64 = 1e-5;

/// Records the graph of a case.
type Record = fn(&mut Graph) -> Result<()>;

/// A graph of the table.
pub struct PlanCase {
    /// What its plan must get right.
    pub name: &'static str,
    graph: fn(&mut Graph) -> Result<()>,
}

/// Networks of many calls, made small.
fn large() -> [PlanCase; 2] {
    [
        PlanCase { name: "a DenseNet of two blocks", graph: |g| densenet(2, 4, &[2, 3], 4).map(|net| *g = net) },
        PlanCase { name: "an LSTM over five steps", graph: |g| lstm(3, 5, 4, 6).map(|net| *g = net) },
    ]
}

/// All graphs.
pub fn plans() -> Vec<PlanCase> {
    let small = merges::CASES.iter().chain(places::CASES).map(|&(name, graph)| PlanCase { name, graph });
    small.chain(large()).collect()
}

impl PlanCase {
    /// The graph.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn graph(&self) -> Result<Graph> {
        let mut g = Graph::new();
        (self.graph)(&mut g)?;
        Ok(g)
    }

    /// What differs from the reference, in words; `None` if nothing does.
    ///
    /// # Errors
    /// If a backend does not run the graph.
    pub fn difference(&self, backend: &mut dyn Backend) -> std::result::Result<Option<String>, BackendError> {
        let graph = self.graph()?;
        let want = two_steps(&mut Reference::rounding_halves(), &graph)?;
        let got = two_steps(backend, &graph)?;
        let names = graph.outputs().iter().map(|(name, _)| name).chain(graph.arenas().iter().map(|a| &a.name));
        let errors = names.zip(got.iter().zip(&want)).map(|(name, (got, want))| (name, relative_error(got, want)));
        let worst = errors.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, error)| *error > LIMIT);
        Ok(worst.map(|(name, error)| format!("{name}: relative error {error:e}")))
    }
}

/// Outputs and arenas after two steps.
fn two_steps(backend: &mut dyn Backend, graph: &Graph) -> std::result::Result<Vec<Vec<f64>>, BackendError> {
    let plan = backend.compile(graph)?;
    for arena in graph.arenas() {
        backend.write_arena(&arena.name, &filled(&[arena.len], arena.dtype, 5))?;
    }
    let inputs: Vec<Tensor> = graph.inputs().iter().enumerate().map(|(i, x)| filled(&x.shape, x.dtype, i)).collect();
    for _ in 0..2 {
        backend.run(plan, &inputs)?;
    }
    let mut values = vec![];
    for i in 0..graph.outputs().len() {
        values.push(backend.read(plan, i)?.to_f64());
    }
    for arena in graph.arenas() {
        values.push(backend.read_arena(&arena.name)?.to_f64());
    }
    Ok(values)
}

/// Numbers from -1 to 1 that repeat, so that maxima have ties.
fn filled(shape: &[usize], dtype: DType, k: usize) -> Tensor {
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|i: usize| ((i * 37 + k * 11) % 23) as f64 / 11.0 - 1.0).collect();
    Tensor::from_f64(shape.to_vec(), dtype, &values).unwrap_or_else(|| Tensor::zeros(shape, dtype))
}

/// A 3x3 convolution with as many channels as before, whose weight is an input.
fn conv(g: &mut Graph, x: Var, weight: &str) -> Result<Var> {
    let channels = g.shape(x)[3];
    let w = g.input(weight, &[channels, 3, 3, channels], DType::F32)?;
    g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() })
}
