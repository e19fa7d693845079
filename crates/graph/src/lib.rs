//! The tensor graph of Chiaro: ops, shapes, gradients, and the plan of a training step.
//!
//! A model is recorded once as a [`Graph`]; [`Graph::grad`] appends the backward pass; a plan turns the whole step into kernel
//! calls over fixed buffers, which a backend compiles once and runs step after step.

mod arena;
mod axis;
mod backend;
pub mod clock;
mod custom;
mod dtype;
mod elementwise;
mod error;
mod grad;
mod graph;
mod id;
mod indices;
mod later;
mod op;
mod ops;
mod philox;
pub mod plan;
mod plan_table;
mod profile;
pub mod shape;
mod shared;
mod tensor;

pub use axis::Axis;
pub use backend::{Backend, BackendError, HalfPrecision, Stats, check_inputs, evaluate};
pub use custom::{CUSTOM_OPERANDS, Custom, CustomOp, Elements, ElementsMut, TensorType};
pub use dtype::{DType, Scalar};
pub use elementwise::{Class, Elementwise, Lane, Real};
pub use error::{GraphError, Result};
pub use graph::{
    ARENA_ALIGNMENT, ArenaId, ArenaInfo, ArenaRole, Arg, ConstantId, Graph, Initial, InputId, InputInfo, Node, Saved,
    StateId, StateInfo, Target, Var,
};
pub use indices::IndexBound;
pub use later::{Later, at_once};
pub use op::{AvgDivisor, ConvSpec, CrossEntropySpec, GradientRule, MomentsAxis, Op, PoolSpec, RandomKind, ReduceKind};
pub use ops::{
    CHANGES, COLOUR_ONE, CrossEntropyOptions, Edge, MIXED_CHANNELS, PLACE_ONE, Reduction, ResizeMode, SampleBy,
    Sampling, Tone,
};
pub use philox::{normal_pair, philox4x32, random_words, uniform};
pub use plan_table::{PlanId, PlanTable};
pub use profile::{Call, CallTime, Clock, HostTime, Launch, Peaks, Profile};
pub use shared::Shared;
pub use tensor::{Data, Tensor};
