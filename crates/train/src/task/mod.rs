//! What a run learns. A task says what is taken of a data set, what the loss is, what is measured, and what a prediction means;
//! the loop, the run folder, resuming and reports ask it and know none by name.

mod check;
mod class_tally;
mod classification;
mod measure;
mod multi_label;
mod prediction;
mod tally;
mod targets;

pub(crate) use check::check;
pub use class_tally::ClassTally;
pub(crate) use class_tally::softmax_at;
pub use measure::Measure;
pub(crate) use multi_label::NAME as MULTI_LABEL;
pub use multi_label::{MultiLabel, Precisions};
pub use prediction::Guess;
pub use tally::{Calibration, Tally};
pub use targets::Targets;

use std::sync::{Arc, RwLock};

use chiaro_data::{Dataset, class_counts};
use chiaro_nn::registry::{Named, Registry};
use chiaro_nn::{Metrics, Objective};

use crate::error::Result;
use crate::number::short;
use crate::settings::TrainConfig;

/// A task: the part that is recorded ([`Objective`]: targets, loss, sums), and what the host does around it.
pub trait Task: Objective {
    /// The name that settings and files have for it.
    fn name(&self) -> &str;

    /// Outputs of a model for so many classes.
    fn outputs(&self, classes: usize) -> usize {
        classes
    }

    /// The targets of all images of a data set, as [`Objective::target`] describes one.
    ///
    /// # Errors
    /// If the data set has not what the task needs.
    fn targets(&self, set: &dyn Dataset) -> Result<Targets>;

    /// Refuses data that cannot be learnt, before anything is built for it.
    ///
    /// # Errors
    /// What is wrong with the data.
    fn check_data(&self, _train: &dyn Dataset, _eval: &dyn Dataset) -> Result<()> {
        Ok(())
    }

    /// The task with what hangs on the training images, as class weights do; `None` where nothing does.
    ///
    /// # Errors
    /// If a setting does not fit the data.
    fn fitted(&self, _config: &TrainConfig, _train: &dyn Dataset) -> Result<Option<Arc<dyn Task>>> {
        Ok(None)
    }

    /// How many images of a set show each class.
    fn class_counts(&self, set: &dyn Dataset) -> Vec<usize> {
        class_counts(set)
    }

    /// The classes that an image of a set shows.
    fn shown(&self, set: &dyn Dataset, image: usize) -> Vec<usize> {
        vec![set.label(image) as usize]
    }

    /// The classes that guesses say an image shows: the most probable.
    fn said(&self, guesses: &[Guess]) -> Vec<usize> {
        guesses.first().map(|guess| guess.class).into_iter().collect()
    }

    /// What the target of an image says, as people read it.
    fn target_words(&self, target: &[f64], _classes: &[String]) -> String {
        target.iter().map(|number| short(*number)).collect::<Vec<_>>().join(", ")
    }

    /// What guesses say an image shows, as people read it.
    fn said_words(&self, guesses: &[Guess]) -> String {
        let mut said: Vec<&Guess> = guesses.iter().filter(|guess| self.said(guesses).contains(&guess.class)).collect();
        said.sort_by_key(|guess| guess.class);
        let words = said.iter().map(|guess| if guess.percent { guess.name.clone() } else { guess.to_string() });
        let words = words.collect::<Vec<_>>().join(", ");
        if words.is_empty() { multi_label::NOTHING.to_string() } else { words }
    }

    /// What is measured while training, beside the loss.
    fn measures(&self) -> Vec<Measure>;

    /// The values of [`Task::measures`], from what the device added up: its sums, a sample.
    fn measured(&self, metrics: &Metrics) -> Vec<f64> {
        (0..self.measures().len()).map(|i| metrics.mean(i)).collect()
    }

    /// What is measured after an epoch and by an evaluation, beside the loss. Epochs are judged by the first, by the loss where
    /// there is none.
    fn eval_measures(&self) -> Vec<Measure> {
        self.measures()
    }

    /// Whether [`Task::eval_measures`] are the [`Tally`]'s, for which the outputs of every batch are read; else they are
    /// [`Task::measured`].
    fn judges_outputs(&self) -> bool {
        false
    }

    /// What looks at every output of an evaluation.
    fn tally(&self, classes: &[String]) -> Box<dyn Tally>;

    /// What the outputs for one image say, the most likely first.
    fn predict(&self, outputs: &[f64], classes: &[String]) -> Vec<Guess>;
}

/// The measure that epochs are judged by.
pub(crate) fn judge(task: &dyn Task) -> Measure {
    task.eval_measures().first().copied().unwrap_or(Measure::LOSS)
}

/// A task that settings and weights can name.
#[derive(Clone)]
pub struct NamedTask {
    /// The name.
    pub name: &'static str,
    /// What is learnt, in a few words.
    pub help: &'static str,
    /// The settings that mean something for it and not for every task.
    pub settings: &'static [&'static str],
    /// The task with these settings.
    pub make: fn(&TrainConfig) -> Arc<dyn Task>,
}

/// The tasks there are from the start, the usual one first.
fn own() -> Vec<NamedTask> {
    vec![classification::NAMED, multi_label::NAMED]
}

static TASKS: Registry<NamedTask> = Registry::new(|| RwLock::new(own()));

impl Named for NamedTask {
    const KIND: &'static str = "task";

    fn name(&self) -> &str {
        self.name
    }
}

/// All tasks that settings and weights can name, those that the program has registered last.
pub fn named() -> Vec<NamedTask> {
    TASKS.all()
}

/// Adds a task of one's own for as long as the process runs: settings name it, and weights that were trained for it are opened.
///
/// # Errors
/// If the name is taken.
pub fn register(task: NamedTask) -> Result<()> {
    Ok(TASKS.add(task)?)
}

impl TrainConfig {
    /// The task that the settings name.
    ///
    /// # Errors
    /// If there is none of this name: the error lists those that exist.
    pub fn named_task(&self) -> Result<Arc<dyn Task>> {
        Ok((TASKS.find(self.task.as_str())?.make)(self))
    }
}
