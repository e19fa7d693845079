//! 16-bit floats, which not every adapter has in shaders.

use chiaro_graph::{BackendError, DType, Graph, HalfPrecision};

use crate::{AdapterKind, AdapterSummary};

/// What an adapter does with 16-bit values.
pub(crate) fn support(adapter: &AdapterSummary) -> HalfPrecision {
    match (adapter.features.f16, adapter.kind) {
        (false, _) => HalfPrecision::Missing,
        (true, AdapterKind::Software) => HalfPrecision::Slow,
        (true, _) => HalfPrecision::Fast,
    }
}

/// Whether a graph has 16-bit values.
pub(crate) fn is_used(graph: &Graph) -> bool {
    graph.nodes().iter().any(|n| n.dtype == DType::F16) || graph.arenas().iter().any(|a| a.dtype == DType::F16)
}

/// Refuses a graph with 16-bit values where the adapter has none, before some kernel of it fails to compile.
pub(crate) fn check(graph: &Graph, adapter: &AdapterSummary) -> Result<(), BackendError> {
    if !is_used(graph) || adapter.features.f16 {
        return Ok(());
    }
    let detail = "the adapter or its driver has no 16-bit floats in shaders (SHADER_F16); use 32-bit precision \
                  (--precision f32), or update the driver";
    Err(BackendError::Device { device: adapter.name.clone(), detail: detail.into() })
}
