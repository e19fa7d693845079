//! Layers, initialisers, losses, optimizers, schedules and models, all recorded as ops of a `chiaro_graph::Graph`.
//!
//! A [`Model`] is recorded through a [`Context`]; [`TrainStep`] and [`EvalStep`] make whole steps of it, one graph each, which
//! share their arenas by name: [`PARAMS`], [`BUFFERS`], [`METRICS`], one for each optimizer slot and, in 16-bit training,
//! [`LOSS_SCALE`].

mod arena;
mod augment;
mod class_loss;
mod classification;
mod context;
mod declare;
mod dropping;
mod error;
mod eval_step;
mod image_step;
mod init;
mod initial;
mod inner;
mod input;
mod layers;
mod loss_scale;
mod metrics;
pub mod models;
mod normals;
mod objective;
mod optim;
mod own_step;
mod parts;
mod precision;
pub mod registry;
mod running;
mod schedule;
mod summary;
mod teacher;
mod torch;
mod train_step;
mod views;
mod whitening;

pub use arena::{BUFFERS, METRICS, PARAMS, arena_id, arenas_saved, pack_arena, unpack_arena};
pub use augment::{Augment, Flip, Policy, StepKey};
pub use class_loss::ClassLoss;
pub use classification::Classification;
pub use context::{Context, Declaration, Declarations, Mode, Module};
pub use declare::{Declare, Declared, DeclaredState, LayerInfo, StateKind};
pub use error::{NnError, Result};
pub use eval_step::EvalStep;
pub use image_step::ImageStep;
pub use init::{Fan, Init, initial_arena};
pub use inner::{FeatureStep, GradCamStep, MapOf};
pub use input::{ImageInput, PixelInput, Resident, data_arena};
pub use layers::*;
pub use loss_scale::{LOSS_SCALE, LossScale, LossScaleState};
pub use metrics::Metrics;
pub use models::Model;
pub use objective::{Objective, TargetSpec};
pub use optim::*;
pub use own_step::{Aim, OwnInput, OwnStep};
pub use parts::part_of;
pub use precision::Precision;
pub use schedule::{Plateau, Schedule, Threshold};
pub use summary::{Summary, SummaryRow};
pub use teacher::{TEACHER, Teacher};
pub use train_step::{TrainOptions, TrainStep};
pub use views::Views;
pub use whitening::ExampleImages;
