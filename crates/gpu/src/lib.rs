//! Chiaro's GPU backend on wgpu: Vulkan, Metal and DX12.
//!
//! [`Adapters`] lists what a machine has, [`Selection`] says which of it is meant, and [`Gpu::open`] opens it. On a
//! [`Gpu`] there are buffers, pipelines made from WGSL, bind groups, and a [`StepQueue`] that runs one step after the
//! other, each in one submission. Every operation looks first whether the device is still there, and every failure
//! is a [`GpuError`].

mod adapter;
mod backend;
mod bind;
mod budget;
mod buffer;
mod bytes;
mod cache;
mod codegen;
mod cooperative;
mod counters;
mod device;
mod encode;
mod error;
mod executor;
mod faults;
mod half;
mod kernels;
mod launch;
mod notes;
mod peaks;
mod pipeline;
mod pipeline_cache;
mod planned;
mod probe;
mod profile;
mod reflect;
mod select;
mod staging;
mod step;
mod switches;
mod sync;
mod timestamps;
mod transfer;
mod tune;
mod unsafe_calls;

pub use adapter::{
    AdapterFeatures, AdapterKind, AdapterLimits, AdapterSummary, Adapters, Choice, MAX_WORKGROUPS_PER_DIMENSION,
};
pub use backend::{BackendOptions, GpuBackend, KernelChoice, planned_dispatches, portable_plan_options};
pub use bind::{BindGroup, Binding, spread};
pub use buffer::GpuBuffer;
pub use cache::user_cache_folder;
pub use counters::AllocationCounter;
pub use device::{Gpu, OpenOptions};
pub use encode::Pass;
pub use error::GpuError;
pub use kernels::compute_units;
pub use notes::Notes;
pub use peaks::{Figure, Peak};
pub use pipeline::{KernelSource, Pipeline};
pub use planned::{PlannedKernel, planned_for};
pub use reflect::{Access, KernelNeeds};
pub use select::Selection;
pub use staging::ReadTicket;
pub use step::{Step, StepQueue, StepSizes};
pub use switches::Forced;
pub use tune::{Outcome, Tuning};
