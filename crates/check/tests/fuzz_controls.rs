//! Random graphs find broken executors, call nothing wrong that rounding explains, and become small.

use chiaro_check::Draw;
use chiaro_check::fuzz::{Executor, Failure, FuzzOptions, FuzzReport, Question, compare, fuzz};
use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, BackendError, DType, Elementwise, Graph, Op, PlanId, Stats, Tensor};

/// What is wrong with an executor.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// One element of the first output is wrong by a part in a thousand of the largest.
    Element,
    /// The first output is zero, as if the call that makes it had been lost.
    Lost,
    /// States stay as they are.
    Forgotten,
    /// The last bits of an element change from reading to reading.
    Trembling,
    /// Graphs with a softmax have a wrong element.
    Softmax,
    /// Graphs with a softmax panic.
    Panicking,
    /// Another graph runs.
    Other,
}

/// An executor with a fault.
struct Broken {
    inner: Cpu,
    fault: Fault,
    /// What runs instead of every graph.
    instead: Option<Graph>,
    graphs: Vec<Graph>,
    readings: usize,
}

impl Broken {
    fn has_softmax(&self, plan: PlanId) -> bool {
        self.graphs[plan.index()].nodes().iter().any(|n| matches!(n.op, Op::Softmax { .. }))
    }

    fn falsified(&mut self, plan: PlanId, output: usize, tensor: Tensor) -> Tensor {
        let mut values = tensor.to_f64();
        let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs())).max(1e-3);
        let last = values.len() - 1;
        let off = if tensor.dtype().is_float() { 1e-3 * largest } else { 1.0 };
        match self.fault {
            Fault::Element if output == 0 && tensor.dtype() != DType::F16 => values[last] += off,
            Fault::Element if output == 0 => values[last] += 0.1 * largest,
            Fault::Lost if output == 0 => values.fill(0.0),
            Fault::Softmax if self.has_softmax(plan) => values[last] += 100.0 * off,
            Fault::Trembling if tensor.dtype() == DType::F32 => {
                // Two bits that do not repeat with the number of readings of a run.
                let bits = (self.readings as u32).wrapping_mul(0x9e37_79b9) >> 30;
                values[0] = f64::from(f32::from_bits((values[0] as f32).to_bits() ^ bits));
            }
            _ => {}
        }
        if tensor.dtype() == DType::Bool {
            values.iter_mut().for_each(|v| *v %= 2.0);
        }
        self.readings += 1;
        Tensor::from_f64(tensor.shape().to_vec(), tensor.dtype(), &values).expect("as many elements")
    }
}

impl Backend for Broken {
    fn name(&self) -> String {
        "broken".into()
    }
    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        self.graphs.push(graph.clone());
        self.inner.compile(self.instead.as_ref().unwrap_or(graph))
    }
    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        assert!(self.fault != Fault::Panicking || !self.has_softmax(plan), "a softmax");
        let names: Vec<String> = self.graphs[plan.index()].arenas().iter().map(|a| a.name.clone()).collect();
        let old: Vec<Tensor> = names.iter().map(|n| self.inner.read_arena(n)).collect::<Result<_, _>>()?;
        self.inner.run(plan, inputs)?;
        if self.fault == Fault::Forgotten {
            names.iter().zip(&old).try_for_each(|(name, values)| self.inner.write_arena(name, values))?;
        }
        Ok(())
    }
    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        let tensor = self.inner.read(plan, output)?;
        Ok(self.falsified(plan, output, tensor))
    }
    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        self.inner.write_arena(name, values)
    }
    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        self.inner.write_arena_part(name, first, values)
    }
    fn room(&self) -> u64 {
        self.inner.room()
    }
    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        self.inner.read_arena(name)
    }
    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.inner.release_plan(plan)
    }
    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.inner.release_arena(name)
    }
    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

fn broken<'a>(fault: Fault) -> Executor<'a> {
    instead(fault, None)
}

fn instead<'a>(fault: Fault, other: Option<Graph>) -> Executor<'a> {
    let open = move |_| {
        let inner = Cpu::new(Some(1))?;
        Ok(Box::new(Broken { inner, fault, instead: other.clone(), graphs: vec![], readings: 0 }) as Box<dyn Backend>)
    };
    Executor { name: "broken".into(), open: Box::new(open) }
}

fn cpu<'a>() -> Executor<'a> {
    Executor { name: "CPU".into(), open: Box::new(|_| Ok(Box::new(Cpu::new(Some(1))?))) }
}

/// Failures among the first graphs.
fn failures(fault: Fault, graphs: u64) -> FuzzReport {
    fuzz(&[broken(fault)], 0..graphs, FuzzOptions { failures: usize::MAX, tries: 0 }, &mut |_| {})
}

#[test]
fn one_wrong_element_is_found_in_nearly_every_graph() {
    let found = failures(Fault::Element, 100).failures;
    assert!(found.len() >= 95, "only {} of 100", found.len());
    assert!(found.iter().all(|f| matches!(f.failure, Failure::Wrong(_))));
}

#[test]
fn a_lost_result_is_found_in_nearly_every_graph() {
    // The others' first output is zero.
    let found = failures(Fault::Lost, 100).failures.len();
    assert!(found >= 90, "only {found} of 100");
}

#[test]
fn states_that_stay_as_they_are_are_found() {
    let report = failures(Fault::Forgotten, 200);
    let (found, with_states) = (report.failures.len(), report.with_assignments);
    // Measured: 36 of 50. Some graphs assign what the state already holds.
    assert!(with_states >= 50 && found as f64 > 0.6 * with_states as f64, "{found} of {with_states}");
}

#[test]
fn other_bits_in_a_second_run_are_found() {
    let report = failures(Fault::Trembling, 50);
    let unstable = report.failures.iter().filter(|f| matches!(f.failure, Failure::Unstable(_))).count();
    assert!(unstable >= 30, "only {unstable} of 50");
}

#[test]
fn a_fault_in_one_op_shrinks_to_that_op() {
    for fault in [Fault::Softmax, Fault::Panicking] {
        let options = FuzzOptions { failures: 3, tries: 1000 };
        let report = fuzz(&[broken(fault)], 0..300, options, &mut |_| {});
        assert!(report.failures.len() >= 3, "{report}");
        for found in &report.failures {
            let graph = found.graph.as_deref().expect("a graph");
            let calls = graph.lines().filter(|l| l.contains("= g.") && !l.contains("g.input(")).count();
            // A loss has its softmax inside, and gradients come from one.
            assert!(calls <= 3, "{found}");
            let names = ["g.softmax(", "g.nll_loss(", "g.cross_entropy("];
            assert!(names.iter().any(|n| graph.contains(n)), "{found}");
        }
    }
}

/// A graph whose exact result, all cancelled, is far below the rounding of what it comes from.
fn cancelling(off: f64) -> Question {
    let mut g = Graph::new();
    let mut build = || {
        let x = g.input("x", &[64], DType::F32)?;
        let large = g.map_scalars(Elementwise::Add, x, &[1e4])?;
        let back = g.map_scalars(Elementwise::Sub, large, &[1e4 + off])?;
        let zero = g.sub(back, x)?;
        let y = g.unary(Elementwise::Exp, zero)?;
        g.output("zero", zero)?;
        g.output("y", y)
    };
    build().expect("a graph");
    let x = |stream| vec![Draw::Uniform(-2.0, 2.0).tensor(1, stream, &[64], DType::F32)];
    Question { graph: g, inputs: vec![x(0), x(1)] }
}

#[test]
fn cancellation_is_no_failure_and_a_little_more_is() {
    compare(&cpu(), &cancelling(0.0), 0).expect("rounding of 1e4 is 5e-4");
    // The same, wrong by 1 in 10,000: what rounding cannot explain.
    let other = instead(Fault::Other, Some(cancelling(1.0).graph));
    assert!(matches!(compare(&other, &cancelling(0.0), 0), Err(Failure::Wrong(_))));
}

#[test]
fn results_that_rounding_decides_are_left_out() {
    let mut g = Graph::new();
    let mut build = || {
        let x = g.input("x", &[64], DType::F32)?;
        let large = g.map_scalars(Elementwise::Add, x, &[1e4])?;
        let back = g.map_scalars(Elementwise::Sub, large, &[1e4])?;
        let above = g.map(Elementwise::Greater, &[back, x])?;
        g.output("above", above)
    };
    build().expect("a graph");
    let x = |stream| vec![Draw::Uniform(-2.0, 2.0).tensor(1, stream, &[64], DType::F32)];
    let question = Question { graph: g, inputs: vec![x(0), x(1)] };
    let outcome = compare(&cpu(), &question, 0).expect("no failure");
    assert_eq!((outcome.tally.elements, outcome.tally.left_out), (128, 128));
}

#[test]
fn equal_extremes_and_zeros_are_not_left_out() {
    let mut g = Graph::new();
    let mut build = || {
        let x = g.input("x", &[6, 8], DType::F32)?;
        let y = g.relu(x)?;
        let at = g.argmax(y, 1, false)?;
        let largest = g.reduce(chiaro_graph::ReduceKind::Max, y, &[1], true)?;
        let hit = g.map(Elementwise::Equal, &[y, largest])?;
        g.output("at", at)?;
        g.output("hit", hit)
    };
    build().expect("a graph");
    let x = |stream| vec![Draw::Integers(-2, 2).tensor(1, stream, &[6, 8], DType::F32)];
    let question = Question { graph: g, inputs: vec![x(0), x(1)] };
    let outcome = compare(&cpu(), &question, 0).expect("no failure");
    assert_eq!((outcome.tally.elements, outcome.tally.left_out), (108, 0));
    let reference = Executor { name: "reference".into(), open: Box::new(|_| Ok(Box::new(Reference::new()))) };
    compare(&reference, &question, 0).expect("no failure");
}
