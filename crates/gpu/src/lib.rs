//! Chiaro's GPU backend on wgpu: Vulkan, Metal and DX12.
//!
//! [`Adapters`] lists what a machine has, [`Selection`] says which of it is meant, and [`Gpu::open`] opens it. On a
//! [`Gpu`] there are buffers, pipelines made from WGSL, bind groups, and a [`StepQueue`] that runs one step after the
//! other, each in one submission. Every operation looks first whether the device is still there, and every failure
//! is a [`GpuError`].

mod codegen;
mod device;
mod kernels;
mod peaks;
mod run;
mod tune;

pub use device::adapter::{AdapterFeatures, AdapterKind, AdapterLimits, AdapterSummary, MAX_WORKGROUPS_PER_DIMENSION};
pub use device::adapters::{Adapters, ChosenAdapter};
pub use device::bind::{BindGroup, Binding, spread};
pub use device::budget::available_memory;
pub use device::buffer::GpuBuffer;
pub use device::cache::user_cache_folder;
pub use device::counters::AllocationCounter;
pub use device::encode::ComputePass;
pub use device::error::GpuError;
pub use device::gpu::{Gpu, OpenOptions};
pub use device::notes::Notes;
pub use device::pipeline::{KernelSource, Pipeline};
pub use device::reflect::{BindingAccess, KernelNeeds};
pub use device::select::Selection;
pub use device::staging::ReadTicket;
pub use kernels::compute_units;
pub use peaks::{Figure, Peak};
pub use run::backend::{
    BackendOptions, GpuBackend, KernelChoice, WinogradUse, planned_dispatches, portable_plan_options,
};
pub use run::planned::{PlannedKernel, planned_for};
pub use run::step::{Recording, StepQueue, StepSizes};
pub use run::switches::Forced;
pub use tune::{ChoiceSources, KnownTable, KnownTables, SearchOutcome, Tuning};
