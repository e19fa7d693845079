//! Compute pipelines: made once for each source and set of constants, trusted or checked, many at a time in parallel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::device::reflect::{BindingAccess, KernelNeeds, Reflected, reflect};
use crate::device::{barriers, matrices, threads, unsafe_calls};
use crate::{Gpu, GpuError};

/// A kernel to compile: its WGSL and the values of its `override` constants.
#[derive(Debug, Clone)]
pub struct KernelSource {
    /// Name in messages and in a profiler.
    pub label: String,
    /// The whole source.
    pub wgsl: Arc<str>,
    /// The entry point, `main` from [`KernelSource::new`].
    pub entry: String,
    /// Values of `override` constants by name (or by number for those with `@id`). Constants left out keep their
    /// default; a name that the source does not have is an error.
    pub constants: Vec<(String, f64)>,
    checks: Checks,
}

/// Whether a kernel is compiled with runtime checks: bounds, loops, divisions, cleared workgroup memory.
#[derive(Debug, Clone, Copy)]
enum Checks {
    /// Always: what comes from outside of this project may do anything.
    Every,
    /// As [`crate::OpenOptions::checked`] has it: a kernel of this project.
    AsDevice,
    /// Never: a kernel that looks at what the driver does without them.
    None,
}

impl KernelSource {
    /// A kernel with entry point `main` and no constants. It is compiled with every runtime check, on any device.
    pub fn new(label: impl Into<String>, wgsl: impl Into<Arc<str>>) -> Self {
        let (label, wgsl) = (label.into(), wgsl.into());
        Self { label, wgsl, entry: "main".to_owned(), constants: Vec::new(), checks: Checks::Every }
    }

    /// A kernel of this project, which keeps what [`crate::device::unsafe_calls::trusted_module`] promises.
    pub(crate) fn own(label: impl Into<String>, wgsl: impl Into<Arc<str>>) -> Self {
        Self { checks: Checks::AsDevice, ..Self::new(label, wgsl) }
    }

    /// The same without checks on any device.
    pub(crate) fn unchecked(self) -> Self {
        Self { checks: Checks::None, ..self }
    }

    fn checked(&self, device: bool) -> bool {
        match self.checks {
            Checks::Every => true,
            Checks::AsDevice => device,
            Checks::None => false,
        }
    }

    /// Sets an `override` constant.
    #[must_use]
    pub fn constant(mut self, name: &str, value: f64) -> Self {
        self.constants.push((name.to_owned(), value));
        self
    }

    fn key(&self, checked: bool) -> PipelineKey {
        let mut constants: Vec<_> =
            self.constants.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect();
        constants.sort();
        PipelineKey { wgsl: Arc::clone(&self.wgsl), entry: self.entry.clone(), constants, checked }
    }
}

/// The whole identity of a compiled kernel (the map hashes it; equality is of the full text, so nothing can collide).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PipelineKey {
    wgsl: Arc<str>,
    entry: String,
    constants: Vec<(String, u64)>,
    checked: bool,
}

/// A compiled kernel.
#[derive(Debug)]
pub struct Pipeline {
    label: String,
    needs: KernelNeeds,
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// The kernel's name.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its bindings, workgroup size and memory, as they stand in its source.
    pub fn needs(&self) -> &KernelNeeds {
        &self.needs
    }
}

/// The pipelines made on a device.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    made: Mutex<HashMap<PipelineKey, Arc<Pipeline>>>,
}

impl Gpu {
    /// The compiled kernel, made now unless it was made before.
    ///
    /// # Errors
    /// [`GpuError::Shader`] where the source is wrong, [`GpuError::Limit`] where the adapter cannot run it,
    /// [`GpuError::DeviceLost`]. The device stays usable after the first two.
    pub fn pipeline(&self, source: &KernelSource) -> Result<Arc<Pipeline>, GpuError> {
        self.poll_once()?;
        let key = source.key(source.checked(self.checked()));
        if let Some(made) = self.made().get(&key) {
            return Ok(Arc::clone(made));
        }
        let pipeline = Arc::new(self.compile(source, key.checked)?);
        // Two threads may have compiled one kernel at once: the first stays.
        Ok(Arc::clone(self.made().entry(key).or_insert(pipeline)))
    }

    /// The compiled kernels in the order of `sources`, those that are new compiled on all processors at once.
    ///
    /// # Errors
    /// The error of the first source that has one; see [`Gpu::pipeline`].
    pub fn pipelines(&self, sources: &[KernelSource]) -> Result<Vec<Arc<Pipeline>>, GpuError> {
        self.each_pipeline(sources).into_iter().collect()
    }

    /// The same, with the outcome of each source for itself.
    pub fn each_pipeline(&self, sources: &[KernelSource]) -> Vec<Result<Arc<Pipeline>, GpuError>> {
        let jobs = self.new_sources(sources);
        let next = AtomicUsize::new(0);
        let errors: Vec<OnceLock<GpuError>> = sources.iter().map(|_| OnceLock::new()).collect();
        let work = || {
            while let Some((place, source)) = jobs.get(next.fetch_add(1, Relaxed)) {
                if let Err(error) = self.pipeline(source) {
                    let _ = errors[*place].set(error);
                }
            }
        };
        // Where no thread can be had, what is below compiles everything itself.
        threads::on_all(jobs.len(), work);
        let outcome = |(source, error): (&KernelSource, OnceLock<GpuError>)| match error.into_inner() {
            Some(error) => Err(error),
            None => self.pipeline(source),
        };
        sources.iter().zip(errors).map(outcome).collect()
    }

    /// The sources that are not compiled yet, each once, with their places.
    fn new_sources<'a>(&self, sources: &'a [KernelSource]) -> Vec<(usize, &'a KernelSource)> {
        let made = self.made();
        let mut keys = std::collections::HashSet::new();
        sources
            .iter()
            .enumerate()
            .filter(|(_, source)| {
                let key = source.key(source.checked(self.checked()));
                !made.contains_key(&key) && keys.insert(key)
            })
            .collect()
    }

    fn made(&self) -> std::sync::MutexGuard<'_, HashMap<PipelineKey, Arc<Pipeline>>> {
        let pipelines = self.pipelines_made();
        pipelines.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compile(&self, source: &KernelSource, checked: bool) -> Result<Pipeline, GpuError> {
        let Reflected { mut module, needs, least } = reflect(source)?;
        needs.check(&source.label, self.limits())?;
        let whole = source.wgsl.contains("coop_mat16x16");
        if let Some(shape) = self.features().sixteen().filter(|shape| whole && *shape != [16; 3]) {
            matrices::fit(&mut module, shape)
                .map_err(|message| GpuError::Shader { label: source.label.clone(), message })?;
        }
        if self.summary().backend == wgpu::Backend::Vulkan.to_str() {
            barriers::order_memory(&mut module);
        }
        let what = format!("kernel '{}'", source.label);
        let made = self.scoped(&what, |device| {
            let module = shader_module(device, &source.label, module, checked);
            let layout = bind_group_layout(device, &source.label, &needs, &least);
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&source.label),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: needs.immediate_bytes,
            });
            let descriptor = wgpu::ComputePipelineDescriptor {
                label: Some(&source.label),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(&source.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // The constants are in the module already.
                    constants: &[],
                    zero_initialize_workgroup_memory: checked,
                },
                cache: self.cache().map(|cache| cache.raw()),
            };
            let make = || device.create_compute_pipeline(&descriptor);
            let raw = if self.unbounded() && !checked { unsafe_calls::unbounded(make) } else { make() };
            (raw, layout)
        });
        let (raw, layout) = made.map_err(|error| match error {
            GpuError::Validation { message, .. } => GpuError::Shader { label: source.label.clone(), message },
            other => other,
        })?;
        self.counting().add_pipeline();
        Ok(Pipeline { label: source.label.clone(), needs, raw, layout })
    }
}

fn shader_module(device: &wgpu::Device, label: &str, module: wgpu::naga::Module, checked: bool) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
    };
    if checked { device.create_shader_module(descriptor) } else { unsafe_calls::trusted_module(device, descriptor) }
}

fn bind_group_layout(device: &wgpu::Device, label: &str, needs: &KernelNeeds, least: &[u64]) -> wgpu::BindGroupLayout {
    let entry = |((binding, access), least): (&(u32, BindingAccess), &u64)| wgpu::BindGroupLayoutEntry {
        binding: *binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: match access {
                BindingAccess::Uniform => wgpu::BufferBindingType::Uniform,
                BindingAccess::Read => wgpu::BufferBindingType::Storage { read_only: true },
                BindingAccess::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
            },
            has_dynamic_offset: false,
            // Without it wgpu compares sizes at every dispatch (measured: docs/performance.md, host time).
            min_binding_size: wgpu::BufferSize::new(*least),
        },
        count: None,
    };
    let entries: Vec<_> = needs.bindings.iter().zip(least).map(entry).collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries })
}
