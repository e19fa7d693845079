//! The only unsafe code of this crate, with the folder beside: calls whose promises are kept by their callers, as written at each.
#![allow(unsafe_code)]

#[cfg(not(any(target_os = "macos", target_os = "ios", target_family = "wasm")))]
mod robustness;

/// Creates a shader module with wgpu's runtime checks (bounds, loop bounding, division guards) left out.
///
/// The kernels passed here are this project's own: they index inside their bindings, end their loops and never
/// divide integers by zero. The same kernels run with every check on in a checked build, which the tests compare.
pub(crate) fn trusted_module(
    device: &wgpu::Device,
    descriptor: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    // SAFETY: see the promise above.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

/// Creates a pipeline cache from `data`, which must come from `PipelineCache::get_data`.
///
/// `pipeline_cache.rs` stores such data with a digest and passes on only what the digest confirms; the driver
/// rejects data of another device or version, and `fallback` then starts empty.
pub(crate) fn pipeline_cache(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    // SAFETY: see the promise above.
    unsafe {
        device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
            label: Some("pipeline cache"),
            data,
            fallback: true,
        })
    }
}

/// Allows experimental features to be requested: cooperative matrices, and only where the caller wants them.
pub(crate) fn experimental_features() -> wgpu::ExperimentalFeatures {
    // SAFETY: the promise is to accept that such a feature may be wrong; its kernels are used only after their
    // output was compared with the portable ones.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Opens a device on which [`unbounded`] has an effect, on Vulkan where the driver lets a pipeline choose; `None` elsewhere.
/// `descriptor` asks only for what `adapter` has.
#[allow(unused_variables, reason = "Vulkan is not everywhere")]
pub(crate) fn open_choosing(
    adapter: &wgpu::Adapter,
    descriptor: &wgpu::DeviceDescriptor<'_>,
) -> Option<(wgpu::Device, wgpu::Queue)> {
    #[cfg(not(any(target_os = "macos", target_os = "ios", target_family = "wasm")))]
    return robustness::open(adapter, descriptor);
    #[cfg(any(target_os = "macos", target_os = "ios", target_family = "wasm"))]
    None
}

/// Runs `make`, and lets the driver leave robust buffer access out of the compute pipelines that it makes. They must be of
/// kernels of this project, which index inside their bindings, as [`trusted_module`] says.
pub(crate) fn unbounded<T>(make: impl FnOnce() -> T) -> T {
    #[cfg(not(any(target_os = "macos", target_os = "ios", target_family = "wasm")))]
    return robustness::unbounded(make);
    #[cfg(any(target_os = "macos", target_os = "ios", target_family = "wasm"))]
    make()
}
