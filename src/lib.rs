//! Chiaro trains CNN image classifiers on any GPU, from Rust, with no CUDA and no Python; where there is no GPU, on the CPU.
//!
//! A [`Device`] runs whole training steps; a [`Trainer`](train::Trainer) makes them of a model and data and runs the epochs:
//!
//! ```no_run
//! use chiaro::data::OpenOptions;
//! use chiaro::train::{Data, Stop, TrainConfig, Trainer, model_for};
//! use chiaro::{Device, DeviceOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let data = Data::open("data/mnist".as_ref(), &OpenOptions::default())?;
//! let config = TrainConfig::suited_to("data/mnist", &data);
//! let model = model_for(&config, &data)?;
//! let device = Device::auto(&DeviceOptions::default())?;
//! let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
//! trainer.fit(None, &mut (), &Stop::default())?;
//! println!("{:?}", trainer.records().last());
//! # Ok(())
//! # }
//! ```
//!
//! What is one's own goes in where this project's goes in, and `examples/` has each of them at work:
//!
//! | one's own | what to write | how it is used |
//! |---|---|---|
//! | data set | [`data::Dataset`] | [`train::Data::new`] |
//! | model, layer | [`nn::Module`], [`nn::Sequential`] | [`nn::Model::new`], or by a name after [`nn::models::register`] |
//! | loss | [`nn::Objective`] | [`nn::TrainOptions`] of a [`nn::TrainStep`], which a [`Backend`] runs step after step |
//! | task | [`train::Task`], an objective with measures and predictions | [`train::Trainer::for_task`], or by a name after [`train::task::register`] |
//! | op | [`graph::CustomOp`]: shape rule, gradient, code for CPUs and GPUs | [`Graph::custom`], checked like the others by `chiaro_check::verify` |
//! | optimizer | [`nn::Optimizer`] | [`nn::TrainOptions`], or by a name after [`nn::register_optimizer`] |
//!
//! Below that are [`nn`] (layers, models, optimizers), [`graph`] (ops, gradients, plans), [`data`] (data sets and loading) and
//! [`io`] (weights and checkpoints).

mod device;

pub use chiaro_cpu as cpu;
pub use chiaro_data as data;
pub use chiaro_gpu as gpu;
pub use chiaro_graph as graph;
pub use chiaro_io as io;
pub use chiaro_nn as nn;
pub use chiaro_onnx as onnx;
pub use chiaro_train as train;

pub use chiaro_graph::{Backend, BackendError, DType, Graph, Tensor, Var, evaluate};
pub use device::{Device, DeviceError, DeviceKind, DeviceOptions};

/// The Rust code of the documents, compiled with that of the comments.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/book/src/tasks/export.md")]
    mod export {}
    #[doc = include_str!("../docs/book/src/moving/keras.md")]
    mod keras {}
    #[doc = include_str!("../docs/book/src/moving/pytorch.md")]
    mod pytorch {}
}
