//! What a step costs beside its kernels, counted by the backends: no allocation once training runs, one submission a step.

mod support;

use chiaro::Backend;
use chiaro::graph::{PlanId, Stats};
use chiaro::nn::models::by_name;
use chiaro::nn::{Adam, EvalStep, METRICS, TrainOptions, TrainStep};

const BATCH: usize = 4;

struct Run<'b> {
    backend: &'b mut dyn Backend,
    step: TrainStep,
    plan: PlanId,
    done: u64,
}

impl<'b> Run<'b> {
    fn new(backend: &'b mut dyn Backend) -> Run<'b> {
        let model = by_name("small-cnn", 4, [8, 8, 1]).expect("the model fits");
        let options = TrainOptions::new(BATCH, Adam::default());
        let step = TrainStep::build(&model, options).expect("the step is recorded");
        let plan = support::start(backend, &step, 1);
        Run { backend, step, plan, done: 0 }
    }

    /// One step, with what the training loop reads now and then.
    fn advance(&mut self, read: bool) {
        let (images, labels) = support::bright_rows(BATCH, 8, self.done % 8);
        let inputs = self.step.inputs(images, labels, 1, self.done, 1e-3);
        self.backend.run(self.plan, &inputs).expect("a step");
        self.done += 1;
        if read {
            self.backend.read(self.plan, 0).expect("the loss");
            self.backend.read_arena(METRICS).expect("the metrics");
        }
    }

    fn stats(&self) -> Stats {
        self.backend.stats()
    }
}

fn nothing_is_allocated_after_step_3(backend: &mut dyn Backend) {
    let mut run = Run::new(backend);
    let before = run.stats();
    assert!(before.allocations > 0 && before.bytes > 0, "nothing is counted: {before:?}");
    (0..3).for_each(|_| run.advance(true));
    let at_3 = run.stats();
    while run.done < 1000 {
        run.advance(run.done.is_multiple_of(50));
    }
    let at_1000 = run.stats();
    assert_eq!((at_1000.allocations, at_1000.bytes), (at_3.allocations, at_3.bytes));
}

/// The counter counts: another compiled graph allocates.
fn another_graph_is_counted(backend: &mut dyn Backend) {
    let run = Run::new(backend);
    let before = run.stats();
    let model = by_name("small-cnn", 4, [8, 8, 1]).expect("the model fits");
    let eval = EvalStep::build(&model, BATCH).expect("the step is recorded");
    run.backend.compile(&eval.graph).expect("the step compiles");
    let after = run.stats();
    assert!(after.allocations > before.allocations && after.bytes > before.bytes, "{before:?} {after:?}");
}

fn a_step_is_one_submission(backend: &mut dyn Backend) {
    let mut run = Run::new(backend);
    run.advance(false);
    let first = run.stats();
    (0..10).for_each(|_| run.advance(false));
    let last = run.stats();
    assert_eq!(last.submissions - first.submissions, 10);
    let dispatches = last.dispatches - first.dispatches;
    assert!(dispatches >= 10 && dispatches.is_multiple_of(10), "{dispatches} dispatches in 10 equal steps");
    // The loss is small and travels with its step.
    run.backend.read(run.plan, 0).expect("the loss");
    assert_eq!(run.stats().submissions, last.submissions);
}

#[test]
fn nothing_is_allocated_after_step_3_on_the_cpu() {
    nothing_is_allocated_after_step_3(&mut support::cpu());
}

#[test]
fn nothing_is_allocated_after_step_3_on_the_gpu() {
    if let Some(mut gpu) = support::gpu() {
        nothing_is_allocated_after_step_3(&mut gpu);
    }
}

#[test]
fn compiling_is_counted_on_the_cpu() {
    another_graph_is_counted(&mut support::cpu());
}

#[test]
fn compiling_is_counted_on_the_gpu() {
    if let Some(mut gpu) = support::gpu() {
        another_graph_is_counted(&mut gpu);
    }
}

#[test]
fn a_step_is_one_submission_on_the_cpu() {
    a_step_is_one_submission(&mut support::cpu());
}

#[test]
fn a_step_is_one_submission_on_the_gpu() {
    if let Some(mut gpu) = support::gpu() {
        a_step_is_one_submission(&mut gpu);
    }
}
