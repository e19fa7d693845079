//! The only unsafe code of this crate: three wgpu calls whose promises are kept by their callers, as written at each.
#![allow(unsafe_code)]

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
