//! Weight files and checkpoints: safetensors with one tensor a state, named as in PyTorch's `state_dict`, channels last.

mod checkpoint;
mod error;
mod file;
mod info;
mod weights;

pub use checkpoint::{Checkpoint, Progress, load_checkpoint, save_checkpoint};
pub use error::{IoError, Result};
pub use info::ModelInfo;
pub use weights::{Weights, load_weights, read_arenas, save_weights};
