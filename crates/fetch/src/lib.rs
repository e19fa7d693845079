//! Published data sets by their names, and weights by their model's: downloaded once, checked by SHA-256, gone on with where a
//! download was cut, and kept.
//!
//! [`named`] finds a set, [`NamedSet::fetch`] gives the folder it lies in. [`MlflowRun`] tells an MLflow server of a run. Nothing else of the project knows a network.

mod error;
mod file;
mod mlflow;
mod sets;
mod unpack;
mod weights;

pub use error::FetchError;
pub use file::{Progress, RemoteFile, fetch_file};
pub use mlflow::{MlflowError, MlflowRun};
pub use sets::{NAMED, NamedSet, named};
pub use weights::{FetchedWeights, PRETRAINED, PretrainedWeights, pretrained};
