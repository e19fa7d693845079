//! Chiaro's training loop, metrics and run folder.
//!
//! A [`Trainer`] runs a model's training step over a data set, evaluates it after each epoch, and saves weights, a table of metrics
//! and a checkpoint in a [`RunFolder`]. A [`Classifier`] uses what was saved.

mod changes;
mod classifier;
mod compile;
mod confusion;
mod data;
mod epoch;
mod error;
mod evaluate;
mod feed;
mod folder;
mod lock;
mod number;
mod observer;
mod pace;
mod place;
mod position;
mod precision;
mod recipe;
mod resume;
mod run_config;
mod save;
mod saved;
pub mod settings;
mod state;
mod stop;
mod table;
mod trainer;
mod weights;

pub use classifier::{Classifier, Guess};
pub use compile::model_for;
pub use confusion::Confusion;
pub use data::{Data, EvalData, LikeOptions};
pub use error::{Result, TrainError};
pub use evaluate::{EvalOptions, Evaluation, Evaluator};
pub use folder::RunFolder;
pub use number::short;
pub use observer::{EpochRecord, Event, Observer, Progress};
pub use place::DataPlace;
pub use position::Best;
pub use run_config::{DataInfo, RunConfig};
pub use saved::Saved;
pub use settings::{Augmentation, OptimizerName, PrecisionName, Residency, ScheduleName, TrainConfig};
pub use stop::Stop;
pub use trainer::{Ending, Trainer};
