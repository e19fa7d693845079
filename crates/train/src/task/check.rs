//! What is asked of a task before anything is built for it: a program's own may say what files or steps cannot hold.

use crate::error::{Result, TrainError};
use crate::task::{Measure, Task};

/// What files have a name for already, beside the measures.
const TAKEN: [&str; 2] = ["loss", "epoch"];

/// Refuses a task whose measures have names that tables and weights cannot hold, or whose filler is none.
pub(crate) fn check(task: &dyn Task, outputs: usize) -> Result<()> {
    let wrong = |what: String| Err(TrainError::setting(format!("the task {:?} {what}", task.name())));
    let filler = task.target(outputs).filler;
    if filler.is_nan() {
        return wrong("has the filler NaN, which makes every loss NaN that a short batch has; use a number".into());
    }
    let names = [task.measures(), task.eval_measures()].concat();
    match names.iter().find_map(|Measure { name, .. }| Some((name, fault(name)?))) {
        Some((name, fault)) => wrong(format!("has a measure named {name:?}: {fault}; give it another name")),
        None => Ok(()),
    }
}

/// Why a measure cannot have this name.
fn fault(name: &str) -> Option<&'static str> {
    if TAKEN.contains(&name) {
        Some("results.csv and weights have another number of this name")
    } else if name.is_empty() || name.contains(|c: char| c == ',' || c.is_control()) {
        Some("a column of results.csv needs a name, without commas and line breaks")
    } else {
        None
    }
}
