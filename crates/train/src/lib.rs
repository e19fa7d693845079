//! Chiaro's training loop, metrics and run folder.
//!
//! A [`Trainer`] runs a model's training step over a data set, evaluates it after each epoch, and saves weights, a table of metrics
//! and a checkpoint in a [`RunFolder`]. A [`Classifier`] uses what was saved.

mod args_file;
mod averaged;
mod batch;
mod begin;
mod calibration;
mod changes;
mod classifier;
mod compile;
mod confusion;
mod data;
mod early;
mod embedder;
mod epoch;
mod error;
mod evaluate;
mod examples;
mod explainer;
mod exported;
mod feed;
mod file_run;
mod finish;
mod folder;
mod guess;
mod heat;
mod imported;
mod learner;
mod lease;
mod lock;
pub mod lr_find;
pub mod metrics;
mod named_model;
mod network;
mod number;
mod observer;
mod pace;
mod phases;
mod pictures;
mod place;
pub mod plot;
mod plot_canvas;
mod position;
mod precision;
mod quantized;
mod recipe;
mod report;
mod results;
mod resume;
mod run_config;
mod save;
mod saved;
mod scores;
pub mod settings;
mod state;
mod stop;
mod table;
pub mod task;
mod teacher;
mod tensorboard;
mod trainer;
mod weights;

pub use batch::{FittingBatch, fitting_batch, step_bytes};
pub use classifier::{Classifier, ClassifierOptions};
pub use compile::{model_for, phase_count};
pub use confusion::Confusion;
pub use data::{Data, EvalData, LikeOptions};
pub use embedder::{Embedder, nearest};
pub use error::{Result, TrainError};
pub use evaluate::{EvalOptions, Evaluation, Evaluator};
pub use explainer::{Explainer, Explanation};
pub use exported::Compared;
pub use folder::RunFolder;
pub use guess::fitting_normalisation;
pub use heat::covered;
pub use imported::ImportOptions;
pub use learner::Learner;
pub use named_model::named_model;
pub use network::{Answer, Answers};
pub use number::short;
pub use observer::{EpochRecord, Event, Observer, Progress};
pub use place::DataPlace;
pub use position::Best;
pub use quantized::Quantized;
pub use results::Results;
pub use run_config::{DataInfo, RunConfig, StartSettings};
pub use saved::Saved;
pub use scores::Scores;
pub use settings::{
    Augmentation, ClassWeights, Freeze, LossName, NormsName, Numbers, OptimizerName, PrecisionName, Progressive,
    Residency, SamplingName, ScheduleName, TrainConfig,
};
pub use stop::Stop;
pub use task::{Calibration, ClassTally, Guess, Measure, MultiLabel, Tally, Targets, Task};
pub use trainer::{Ending, Trainer};
