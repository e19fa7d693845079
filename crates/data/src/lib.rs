//! Image data sets for Chiaro: IDX, CIFAR, image folders, background loading.
//!
//! [`open`] recognises what lies in a folder and gives a training and an evaluation [`Dataset`] of 8-bit
//! images, [`open_split`] one of a [`Split`]; [`Normalize`] measures what centres them; a [`Loader`] shuffles, decodes and batches in
//! background threads, a [`Sampler`] shuffles alone.
//!
//! ```no_run
//! use chiaro_data::{Loader, LoaderOptions, OpenOptions, open};
//!
//! # fn main() -> Result<(), chiaro_data::DataError> {
//! let sets = open("data/mnist".as_ref(), &OpenOptions::default())?;
//! let loader = Loader::new(sets.train, LoaderOptions::training(128, 42))?;
//! for batch in loader.epoch(0, 0)? {
//!     let batch = batch?;
//!     println!("{} images, first label {}", batch.valid, batch.labels[0]);
//! }
//! # Ok(())
//! # }
//! ```

mod audit;
mod balanced;
mod batch;
mod canvas;
mod channels;
mod convert;
mod dataset;
mod decode;
mod error;
mod folder;
mod format;
mod group;
mod holdout;
mod images;
mod jpeg;
mod layout;
mod layouts;
mod listing;
mod loader;
mod matched;
mod memory;
mod names;
mod normalize;
mod open;
mod own_shape;
mod pack;
mod pack_file;
mod partial_scans;
pub mod pictures;
mod pixels;
mod progress;
mod queue;
mod regular;
mod resize;
mod sampler;
mod show;
mod shuffle;
mod source;
mod split;
mod table;
mod threads;

pub use audit::{Audit, Place, SplitAudit};
pub use batch::Batch;
pub use canvas::{Canvas, Colour, shortened};
pub use channels::Channels;
pub use dataset::{Dataset, InMemory, class_counts};
pub use decode::decode_file;
pub use error::DataError;
pub use folder::{FolderNotes, ImageFolder};
pub use group::GroupBy;
pub use holdout::{Fold, Holdout};
pub use layout::Layout;
pub use loader::{Epoch, Loader, LoaderOptions};
pub use matched::matched;
pub use normalize::Normalize;
pub use open::{OpenOptions, Opened, OpenedSplit, open, open_split};
pub use pack::{pack, packed, packed_len};
pub use progress::Progress;
pub use resize::Resize;
pub use sampler::Sampler;
pub use show::Alpha;
pub use shuffle::shuffled;
pub use split::Split;
pub use threads::limit_threads;
