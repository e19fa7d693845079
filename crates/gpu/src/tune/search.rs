//! The search: steps in the order of their work, variants of each until the time is up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chiaro_graph::plan::{Kernel, Step};

use super::candidates;
use super::clock::Clock;
use super::compare::{Tolerance, ends_the_search};
use super::trial::{Ready, Trial};
use super::{Tuned, fits, key};
use crate::kernels::{self, Choice};
use crate::{Gpu, GpuError};

/// A variant replaces what shapes suggest when it takes at most this share of the time: less would be noise.
const WORTH_IT: f64 = 0.97;

/// What a search found for one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The kernel, its whole shape and its types.
    pub kernel: String,
    /// The step it was tried in.
    pub label: String,
    /// Variants that ran and gave the right results.
    pub tried: usize,
    /// Variants that failed to compile or gave other results than the portable one.
    pub rejected: usize,
    /// Seconds of the variant that shapes suggest.
    pub plain_seconds: f64,
    /// Seconds of the best variant.
    pub best_seconds: f64,
    /// The best variant, in words.
    pub chosen: String,
}

/// When a search ends; never, where its time is longer than clocks count.
#[derive(Debug, Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(limit: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(limit))
    }

    fn passed(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

impl Tuned {
    /// Searches for the kernels of `steps` that nothing is known about, for `limit` at most, and keeps what was found.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`] and [`GpuError::Timeout`].
    pub fn search(&mut self, gpu: &Gpu, steps: &[Step], limit: Duration) -> Result<Vec<Outcome>, GpuError> {
        self.check_cooperative(gpu, steps)?;
        let deadline = Deadline::after(limit);
        let mut order: Vec<&Step> = steps.iter().collect();
        order.sort_by_key(|step| std::cmp::Reverse((step.kernel.flops(), step.bytes())));
        let mut seen = BTreeSet::new();
        let unknown = order.into_iter().filter_map(|step| {
            let key = key(step)?;
            (!self.choices.contains_key(&key) && seen.insert(key.clone())).then_some((key, step))
        });
        let unknown: Vec<(String, &Step)> = unknown.collect();
        if unknown.is_empty() {
            return Ok(vec![]);
        }
        let clock = Clock::new(gpu)?;
        let mut outcomes = vec![];
        for (key, step) in unknown {
            if deadline.passed() {
                break;
            }
            match self.search_step(gpu, step, &clock, deadline) {
                Ok(Some((choice, outcome))) => {
                    self.choices.insert(key.clone(), choice);
                    outcomes.push(Outcome { kernel: key, ..outcome });
                }
                Ok(None) => {}
                Err(error) if ends_the_search(&error) => return Err(error),
                // No memory for the operands beside what is there, say: shapes decide.
                Err(_) => {}
            }
        }
        self.save(gpu);
        Ok(outcomes)
    }

    /// The best variant of a step; `None` where there is no choice or the time was up before one was compared.
    fn search_step(
        &self,
        gpu: &Gpu,
        step: &Step,
        clock: &Clock,
        deadline: Deadline,
    ) -> Result<Option<(Choice, Outcome)>, GpuError> {
        let candidates = candidates::of(step, &self.base, gpu.limits(), &self.cooperative_for(step));
        if candidates.len() < 2 {
            return Ok(None);
        }
        let portable = self.base.with(candidates::portable(step));
        let scratch = kernels::scratch(&step.kernel, step.columns.as_ref(), &portable);
        let trial = Trial::new(gpu, step, clock, scratch)?;
        let mut found = Found { best: f64::INFINITY, choice: Choice::default(), tried: 0, rejected: 0 };
        let wanted = trial.results(&trial.compile(&portable)?)?;
        let tolerance = tolerance(step);
        let mut plain = f64::INFINITY;
        for choice in std::iter::once(Choice::default()).chain(candidates) {
            let variants = self.base.with(choice);
            if !fits(step, &variants) {
                continue;
            }
            if found.tried > 0 && deadline.passed() {
                break;
            }
            let right = |got: &[Vec<u8>]| trial.agree(got, &wanted, tolerance);
            found.consider(&trial, choice, || trial.compile(&variants), right)?;
            if choice == Choice::default() {
                plain = found.best;
            }
        }
        if found.tried == 0 {
            // Nothing but the portable variant gives its results.
            found.choice = candidates::portable(step);
            gpu.notes()
                .add(format!("{}: every fast variant gave wrong results here; the portable one is used", step.label));
        } else if found.best > plain * WORTH_IT {
            (found.choice, found.best) = (Choice::default(), plain);
        }
        let Found { best, choice, tried, rejected } = found;
        let (label, chosen) = (step.label.clone(), words(choice));
        let outcome =
            Outcome { kernel: String::new(), label, tried, rejected, plain_seconds: plain, best_seconds: best, chosen };
        Ok(Some((choice, outcome)))
    }
}

/// The best so far.
#[derive(Debug)]
struct Found {
    best: f64,
    choice: Choice,
    tried: usize,
    rejected: usize,
}

impl Found {
    /// Runs a variant; it counts if `right` says so of its results.
    fn consider(
        &mut self,
        trial: &Trial<'_>,
        choice: Choice,
        compile: impl FnOnce() -> Result<Vec<Ready>, GpuError>,
        right: impl Fn(&[Vec<u8>]) -> bool,
    ) -> Result<(), GpuError> {
        let run = || {
            let ready = compile()?;
            let seconds = if right(&trial.results(&ready)?) { Some(trial.seconds(&ready, self.best)?) } else { None };
            Ok(seconds)
        };
        match run() {
            Ok(Some(seconds)) => {
                self.tried += 1;
                if seconds < self.best {
                    (self.best, self.choice) = (seconds, choice);
                }
            }
            Ok(None) => self.rejected += 1,
            Err(error) if ends_the_search(&error) => return Err(error),
            Err(_) => self.rejected += 1,
        }
        Ok(())
    }
}

fn tolerance(step: &Step) -> Tolerance {
    let half = step.operands.iter().any(|operand| operand.dtype == chiaro_graph::DType::F16);
    let outputs: usize = match &step.kernel {
        Kernel::Reduce { prologue, kept, .. } => prologue.domain[..*kept].iter().product(),
        _ => 0,
    };
    let terms = match &step.kernel {
        Kernel::MatMul(shape) => shape.k,
        Kernel::Conv2d(shape) | Kernel::Conv2dInputGrad(shape) => shape.w.iter().product::<usize>(),
        Kernel::Conv2dWeightGrad(shape) => shape.y[..3].iter().product(),
        Kernel::Reduce { prologue, .. } => prologue.domain.iter().product::<usize>() / outputs.max(1),
        _ => 1,
    };
    Tolerance::new(half, terms)
}

/// A choice as a table shows it.
fn words(choice: Choice) -> String {
    if choice == Choice::default() {
        return "as shapes suggest".to_owned();
    }
    let tile = choice.tile.map(|tile| tile.to_string());
    let parts = choice.parts.map(|parts| format!("at most {parts} parts"));
    let threads = choice.threads.filter(|_| choice.tile.is_none()).map(|t| format!("{t} threads"));
    let all: Vec<String> = [tile, parts, threads].into_iter().flatten().collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Dispatch, Variants};
    use crate::{OpenOptions, Selection};
    use chiaro_graph::plan::Plan;
    use chiaro_graph::{DType, Graph};

    /// The one step of a product of matrices.
    fn step() -> Step {
        let mut g = Graph::new();
        let x = g.input("x", &[33, 50], DType::F32).expect("an input");
        let w = g.input("w", &[50, 40], DType::F32).expect("an input");
        let y = g.matmul(x, w, false, false).expect("a product");
        g.output("y", y).expect("an output");
        let plan = Plan::new(&g, &kernels::plan_options(&Variants::SOFTWARE)).expect("a plan");
        plan.steps.into_iter().next().expect("a step")
    }

    #[test]
    fn a_variant_with_wrong_results_never_wins_however_fast_it_is() {
        let gpu = match Gpu::open(&Selection::Software, OpenOptions::default()) {
            Ok(gpu) => gpu,
            Err(error) => {
                assert!(std::env::var("CHIARO_REQUIRE_GPU").is_err(), "{error}");
                return;
            }
        };
        let (step, clock) = (step(), Clock::new(&gpu).expect("a clock"));
        let trial = Trial::new(&gpu, &step, &clock, 0).expect("a trial");
        let choice = candidates::portable(&step);
        let portable = Variants::SOFTWARE.with(choice);
        let wanted = trial.results(&trial.compile(&portable).expect("compiles")).expect("runs");
        let right = |got: &[Vec<u8>]| trial.agree(got, &wanted, tolerance(&step));
        let mut found = Found { best: f64::INFINITY, choice: Choice::default(), tried: 0, rejected: 0 };

        // It leaves out the last term of every sum, and all but the first.
        for wrong in ["k + 1u < end", "k < min(end, 1u)"] {
            let tampered = |dispatch: Dispatch| {
                assert!(dispatch.wgsl.contains("k < end"), "{}", dispatch.wgsl);
                Dispatch { wgsl: dispatch.wgsl.replace("k < end", wrong), ..dispatch }
            };
            let wrong_choice = Choice { parts: Some(7), ..Choice::default() };
            let made = kernels::dispatches(&step, &Variants::SOFTWARE).expect("dispatches");
            let compile = || trial.ready(made.into_iter().map(tampered).collect());
            found.consider(&trial, wrong_choice, compile, right).expect("the device goes on");
        }
        let does_not_compile = || Err(GpuError::Shader { label: "x".to_owned(), message: "no".to_owned() });
        found
            .consider(&trial, Choice { parts: Some(8), ..Choice::default() }, does_not_compile, right)
            .expect("goes on");
        assert_eq!((found.tried, found.rejected, found.choice), (0, 3, Choice::default()), "{found:?}");

        found.consider(&trial, choice, || trial.compile(&portable), right).expect("runs");
        assert_eq!((found.tried, found.choice), (1, choice));
        assert!(found.best.is_finite() && found.best > 0.0, "{found:?}");
    }
}
