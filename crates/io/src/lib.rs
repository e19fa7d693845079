//! Weight files and checkpoints: safetensors with one tensor a state, named as in PyTorch's `state_dict`, channels last.

mod checkpoint;
mod checksum;
mod error;
mod file;
mod info;
mod replace;
pub mod torch;
mod weights;

pub use checkpoint::{Checkpoint, Progress, load_checkpoint, save_checkpoint};
pub use error::{IoError, Result};
pub use info::ModelInfo;
pub use replace::{remove_leftovers, write_whole};
pub use weights::{Weights, load_weights, read_arenas, save_weights};
