//! Running a graph on an executor: what it gives, that it gives the same bits again, and what it does instead of giving anything.

use super::recipe::Question;
use crate::draw::arena_values;
use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, BackendError, PlanId, Tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Opens an executor of a number.
pub type Open<'a> = Box<dyn Fn(usize) -> Result<Box<dyn Backend>, BackendError> + 'a>;

/// What runs graphs: opened anew for each graph, since executors keep what they compiled.
pub struct Executor<'a> {
    /// Its name in reports.
    pub name: String,
    /// Opens it. Every graph runs on two of them, number 0 and 1, which may differ in what must not matter, such as threads.
    pub open: Open<'a>,
}

impl Executor<'_> {
    /// The CPU backend with one thread, and then with three: their number must not matter.
    pub fn cpu(fused: bool) -> Executor<'static> {
        let open = move |n: usize| {
            let threads = Some(1 + 2 * n);
            let cpu = if fused { Cpu::new(threads)? } else { Cpu::unfused(threads)? };
            Ok(Box::new(cpu) as Box<dyn Backend>)
        };
        Executor { name: format!("CPU {}", if fused { "fused" } else { "plain" }), open: Box::new(open) }
    }
}

/// What an executor did wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// It panicked.
    Panic(String),
    /// It refused the graph, or failed to run it.
    Error(String),
    /// A result is wrong.
    Wrong(String),
    /// A second run of the same gave other bits.
    Unstable(String),
}

impl Failure {
    /// What kind of failure it is; a graph is made smaller while the kind stays.
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Panic(_) => "panic",
            Failure::Error(_) => "error",
            Failure::Wrong(_) => "wrong result",
            Failure::Unstable(_) => "other bits in a second run",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Panic(text) | Failure::Error(text) | Failure::Wrong(text) | Failure::Unstable(text)) = self;
        write!(f, "{}: {text}", self.kind())
    }
}

/// What an executor gave: every output of every run, then the arenas; and the kernels that it called.
pub(super) struct Observed {
    pub tensors: Vec<Tensor>,
    pub kernels: Vec<String>,
}

/// Runs a graph three times from the start: twice on one executor, then on a second one. All must give the same bits.
///
/// # Errors
/// What the executor does wrong by itself.
pub(super) fn observe(executor: &Executor<'_>, question: &Question) -> Result<Observed, Failure> {
    let guarded = catch_unwind(AssertUnwindSafe(|| runs(executor, question)));
    guarded.unwrap_or_else(|panic| Err(Failure::Panic(message(&*panic))))
}

/// What a panic says.
pub(super) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_string()
}

fn runs(executor: &Executor<'_>, question: &Question) -> Result<Observed, Failure> {
    let error = |e: BackendError| Failure::Error(e.to_string());
    let mut backend = (executor.open)(0).map_err(error)?;
    let plan = backend.compile(&question.graph).map_err(error)?;
    let tensors = run(&mut *backend, plan, question).map_err(error)?;
    let again = run(&mut *backend, plan, question).map_err(error)?;
    same(question, &tensors, &again, "of the same executor")?;
    let kernels = backend.calls(plan).unwrap_or_default().into_iter().map(|c| c.kernel).collect();
    drop(backend);
    let mut other = (executor.open)(1).map_err(error)?;
    let plan = other.compile(&question.graph).map_err(error)?;
    let elsewhere = run(&mut *other, plan, question).map_err(error)?;
    same(question, &tensors, &elsewhere, "of a second executor")?;
    Ok(Observed { tensors, kernels })
}

fn run(backend: &mut dyn Backend, plan: PlanId, question: &Question) -> Result<Vec<Tensor>, BackendError> {
    let graph = &question.graph;
    for arena in graph.arenas() {
        backend.write_arena(&arena.name, &arena_values(arena))?;
    }
    let mut tensors = vec![];
    for inputs in &question.inputs {
        backend.run(plan, inputs)?;
        for i in 0..graph.outputs().len() {
            tensors.push(backend.read(plan, i)?);
        }
    }
    for arena in graph.arenas() {
        tensors.push(backend.read_arena(&arena.name)?);
    }
    Ok(tensors)
}

fn same(question: &Question, first: &[Tensor], second: &[Tensor], whose: &str) -> Result<(), Failure> {
    let outputs = question.graph.outputs().len().max(1);
    for (i, (a, b)) in first.iter().zip(second).enumerate() {
        let bits = |t: &Tensor| t.to_f64().iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
        if let Some(at) = bits(a).iter().zip(bits(b)).position(|(x, y)| *x != y) {
            let text = format!("tensor {} of run {}, element {at}, {whose}", i % outputs, i / outputs);
            return Err(Failure::Unstable(text));
        }
    }
    Ok(())
}
