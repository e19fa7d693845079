//! Random graphs: the reference against executors, over calls, shapes and patterns that nobody thought of.
//!
//! Every seed is a graph ([`question`]). [`fuzz`] asks executors for the results of many and compares them with the reference's
//! ([`compare`]), as far as rounding explains; what fails is made smaller and printed as builder calls.

mod arg;
mod call;
mod code;
mod edit;
mod expect;
mod generate;
mod judge;
mod lanes;
mod noise;
mod observe;
mod recipe;
mod report;
mod rng;
mod shrink;

pub use judge::Tally;
pub use observe::{Executor, Failure, Open};
pub use recipe::Question;
pub use report::{Coverage, Found, FuzzReport};

use generate::generate;
use recipe::Recipe;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Pairs of lanes at first, and before anything is called wrong.
const PAIRS: [usize; 2] = [2, 16];

/// What an executor made of one graph.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How much was compared.
    pub tally: Tally,
    /// The kernels that it called, where it tells.
    pub kernels: Vec<String>,
}

/// The graph of a seed with its inputs.
pub fn question(seed: u64) -> Question {
    generate(seed).build().expect("the generator made the same calls")
}

/// Asks an executor for the results of a graph, twice and once more on a second executor, and compares them with the reference's.
///
/// # Errors
/// What it does wrong.
pub fn compare(executor: &Executor<'_>, question: &Question, seed: u64) -> Result<Outcome, Failure> {
    let observed = observe::observe(executor, question)?;
    let mut last = Ok(Tally::default());
    for pairs in PAIRS {
        let expected = expect::expect(question, pairs, seed)
            .ok_or_else(|| Failure::Error("the reference has no value for this graph".into()))?;
        last = judge::judge(&expected, &observed.tensors);
        if last.is_ok() {
            break;
        }
    }
    Ok(Outcome { tally: last?, kernels: observed.kernels })
}

/// What [`fuzz`] does with failures.
#[derive(Clone, Copy, Debug)]
pub struct FuzzOptions {
    /// Failures after which it ends.
    pub failures: usize,
    /// Graphs tried to make a failing one smaller; 0 leaves it as it is.
    pub tries: usize,
}

/// Runs the graphs of some seeds on every executor. `progress` hears after each graph how far it is.
pub fn fuzz(
    executors: &[Executor<'_>],
    seeds: Range<u64>,
    options: FuzzOptions,
    progress: &mut dyn FnMut(&FuzzReport),
) -> FuzzReport {
    let mut report = FuzzReport::default();
    for seed in seeds {
        let recipe = match catch_unwind(|| generate(seed)) {
            Ok(recipe) => recipe,
            Err(panic) => {
                let failure = Failure::Panic(observe::message(&*panic));
                report.failures.push(Found { seed, executor: "builder or reference".into(), failure, graph: None });
                continue;
            }
        };
        let question = recipe.build().expect("the generator made the same calls");
        report.count(&question);
        for executor in executors {
            match compare(executor, &question, seed) {
                Ok(outcome) => report.agreed(executor, &outcome),
                Err(failure) => {
                    let found = smaller(executor, &recipe, failure, options.tries);
                    report.failures.push(found);
                }
            }
        }
        progress(&report);
        if report.failures.len() >= options.failures {
            break;
        }
    }
    report
}

/// A failing graph, made smaller while it fails in the same way.
fn smaller(executor: &Executor<'_>, recipe: &Recipe, failure: Failure, tries: usize) -> Found {
    let kind = failure.kind();
    let mut last = failure;
    let mut fails = |candidate: &Recipe| {
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let question = candidate.build().ok()?;
            compare(executor, &question, candidate.seed).err()
        }));
        match asked {
            Ok(Some(failure)) if failure.kind() == kind => {
                last = failure;
                true
            }
            _ => false,
        }
    };
    let small = if tries > 0 { shrink::shrink(recipe, tries, &mut fails) } else { recipe.clone() };
    Found { seed: recipe.seed, executor: executor.name.clone(), failure: last, graph: Some(small.code()) }
}
