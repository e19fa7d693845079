//! The adapters of this machine with the wgpu handles behind them, and the one instance that they come from.

use std::sync::{Mutex, PoisonError};

use wgpu::Backends;

use super::adapter::{AdapterSummary, summarize};
use super::select::{self, Selection};
use crate::GpuError;

/// The adapters of this machine with their handles, best first.
pub struct Adapters {
    entries: Vec<(AdapterSummary, wgpu::Adapter)>,
}

/// An adapter that was chosen, and the reason in words.
pub struct ChosenAdapter {
    /// The adapter's description.
    pub summary: AdapterSummary,
    /// Why this one.
    pub why: String,
    pub(crate) adapter: wgpu::Adapter,
}

impl Adapters {
    /// Lists every adapter of the backends compiled in, or of those that `WGPU_BACKEND` names. OpenGL is never used.
    ///
    /// # Errors
    /// [`GpuError::UnknownBackend`] when `WGPU_BACKEND` is set and names nothing usable.
    pub fn enumerate() -> Result<Self, GpuError> {
        pollster::block_on(Self::enumerate_async())
    }

    /// The same without a wait; a browser shows one adapter.
    ///
    /// # Errors
    /// Those of [`Adapters::enumerate`].
    pub async fn enumerate_async() -> Result<Self, GpuError> {
        let backends = wanted_backends(std::env::var("WGPU_BACKEND").ok().as_deref())?;
        let adapters = instance(backends).enumerate_adapters(backends).await;
        let mut entries: Vec<_> = adapters.into_iter().map(|adapter| (summarize(&adapter), adapter)).collect();
        entries.sort_by_key(|(summary, _)| select::rank(summary));
        for (index, (summary, _)) in entries.iter_mut().enumerate() {
            summary.index = index;
        }
        Ok(Self { entries })
    }

    /// The description of every adapter, best first; the place in this list is the index in `gpu:INDEX`.
    pub fn summaries(&self) -> Vec<AdapterSummary> {
        self.entries.iter().map(|(summary, _)| summary.clone()).collect()
    }

    /// Chooses an adapter.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] when nothing may be chosen, [`GpuError::UnknownAdapter`] when nothing matches.
    pub fn choose(&self, selection: &Selection) -> Result<ChosenAdapter, GpuError> {
        let (index, why) = select::choose(&self.summaries(), selection)?;
        let (summary, adapter) = &self.entries[index];
        Ok(ChosenAdapter { summary: summary.clone(), why, adapter: adapter.clone() })
    }
}

/// The instance of these backends, one for the whole process: NVIDIA's driver (580) answers about 33 in a process, opened
/// one after the other, and no more.
fn instance(backends: Backends) -> wgpu::Instance {
    static INSTANCES: Mutex<Vec<(Backends, wgpu::Instance)>> = Mutex::new(Vec::new());
    let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, instance)) = instances.iter().find(|(of, _)| *of == backends) {
        return instance.clone();
    }
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends;
    // Not the defaults: in debug builds they look for validation layers, which need not be installed.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    let instance = wgpu::Instance::new(descriptor);
    instances.push((backends, instance.clone()));
    instance
}

/// The backends to look at, given the value of `WGPU_BACKEND`.
fn wanted_backends(variable: Option<&str>) -> Result<Backends, GpuError> {
    let Some(value) = variable.filter(|value| !value.trim().is_empty()) else {
        return Ok(Backends::PRIMARY);
    };
    let backends = Backends::from_comma_list(value) & Backends::PRIMARY;
    if backends.is_empty() {
        return Err(GpuError::UnknownBackend { value: value.to_owned() });
    }
    Ok(backends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wgpu_backend_restricts_the_backends_and_refuses_unusable_ones() {
        assert_eq!(wanted_backends(None), Ok(Backends::PRIMARY));
        assert_eq!(wanted_backends(Some(" ")), Ok(Backends::PRIMARY));
        assert_eq!(wanted_backends(Some("vulkan")), Ok(Backends::VULKAN));
        assert_eq!(wanted_backends(Some("DX12, gl")), Ok(Backends::DX12), "OpenGL is dropped from a list");
        for refused in ["gl", "cuda"] {
            assert!(matches!(wanted_backends(Some(refused)), Err(GpuError::UnknownBackend { .. })));
        }
    }
}
