//! Random graphs: the reference against an executor, over calls, shapes and patterns that nobody thought of.
//!
//! [`check`] makes the graph of a seed and asks an executor for its results; what fails is made smaller and printed as builder calls.

mod arg;
mod call;
mod expect;
mod generate;
mod judge;
mod lanes;
mod noise;
mod observe;
mod recipe;
mod rng;

pub use judge::Tally;
pub use observe::{Executor, Failure};
pub use recipe::Question;

use generate::generate;
use recipe::Recipe;

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
    build(&generate(seed))
}

fn build(recipe: &Recipe) -> Question {
    recipe.build().expect("the generator made the same calls")
}

/// Asks an executor for the results of a graph and compares them with the reference's.
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
