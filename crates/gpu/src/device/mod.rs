//! A device: which one, what it can do, and what is made and done on it: buffers, pipelines, bindings, transfers, one submission a
//! step. Knows no graph.

pub(crate) mod adapter;
pub(crate) mod adapters;
pub(crate) mod barriers;
pub(crate) mod bind;
pub(crate) mod budget;
pub(crate) mod buffer;
pub(crate) mod bytes;
pub(crate) mod cache;
pub(crate) mod counters;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod files;
pub(crate) mod gpu;
pub(crate) mod matrices;
pub(crate) mod notes;
pub(crate) mod pipeline;
pub(crate) mod pipeline_cache;
pub(crate) mod probe;
pub(crate) mod reflect;
pub(crate) mod select;
pub(crate) mod staging;
pub(crate) mod sync;
pub(crate) mod threads;
pub(crate) mod timestamps;
pub(crate) mod transfer;
pub(crate) mod unsafe_calls;
