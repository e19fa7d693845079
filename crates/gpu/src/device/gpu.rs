//! An open device: features and limits negotiated, every failure caught, everything that is allocated counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wgpu::Features;

use crate::device::adapter::{
    AdapterFeatures, AdapterKind, AdapterLimits, AdapterSummary, MAX_WORKGROUPS_PER_DIMENSION, summarize_limits,
};
use crate::device::adapters::{Adapters, ChosenAdapter};
use crate::device::budget;
use crate::device::counters::{AllocationCounter, Counters};
use crate::device::error::GpuError;
use crate::device::faults::{Caught, Faults};
use crate::device::notes::Notes;
use crate::device::pipeline::Pipelines;
use crate::device::pipeline_cache::PipelineCacheFile;
use crate::device::probe;
use crate::device::select::Selection;
use crate::device::sync::now_or_never;
use crate::device::transfer::Downloads;
use crate::device::unsafe_calls;

/// How a device is opened. The default suits training.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Build this project's own kernels, too, with wgpu's runtime checks and zeroed workgroup memory: slower, for tests and bug hunts.
    pub checked: bool,
    /// Keep robust buffer access in this project's own kernels, too, where they could do without (Vulkan, by
    /// `VK_EXT_pipeline_robustness`). Kernels from outside always have it. As in a checked device.
    pub robust: bool,
    /// Request cooperative matrices of f16 with f32 sums where the adapter has them. They are experimental in wgpu, and a
    /// backend uses them only after its own check; where the device cannot be opened with them, it is opened without.
    pub cooperative_matrix: bool,
    /// Leave out 16-bit floats even where the adapter has them, as on one that has none.
    pub without_f16: bool,
    /// Do not try the device before it is used, and take its cooperative matrices on trust: for drivers that compile but
    /// run nothing, whose results would fail every check. Such a device is good for [`crate::GpuBackend::planned`].
    pub without_probe: bool,
    /// The most bytes of buffers alive at once. `None`: no limit of our own on a GPU; on a software adapter three
    /// quarters of the memory that is free, because such a driver promises more than there is.
    pub budget_bytes: Option<u64>,
    /// How long to wait for a submission before the device is given up. `None`: 60 s, 600 s on a software adapter.
    pub timeout: Option<Duration>,
    /// A folder in which compiled pipelines (where the adapter has pipeline caches) and tuned choices are kept, such as
    /// [`crate::user_cache_folder`]. `None` keeps nothing.
    pub cache: Option<PathBuf>,
}

/// An open GPU. Clones are handles of the same device.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<GpuInner>,
}

struct GpuInner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    summary: AdapterSummary,
    why: String,
    options: OpenOptions,
    timeout: Duration,
    budget: u64,
    counters: Arc<Counters>,
    faults: Arc<Faults>,
    pipelines: Pipelines,
    downloads: Downloads,
    cache: Option<PipelineCacheFile>,
    notes: Notes,
    unbounded: bool,
}

impl Drop for GpuInner {
    fn drop(&mut self) {
        if self.faults.hung() {
            // Dropping a device waits for its work, and so does dropping a pipeline on llvmpipe; this work may never
            // end. One handle of each stays alive for ever, and the process can go on or exit.
            std::mem::forget((self.device.clone(), self.queue.clone()));
            std::mem::forget(std::mem::take(&mut self.pipelines));
        }
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.inner.summary)
    }
}

impl Gpu {
    /// Chooses an adapter (see [`Selection`] and `WGPU_BACKEND`) and opens it.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::UnknownAdapter`] or [`GpuError::UnknownBackend`] from the choice,
    /// [`GpuError::Open`] from the driver, [`GpuError::DriverStopsLoops`] for a driver whose results are wrong.
    pub fn open(selection: &Selection, options: OpenOptions) -> Result<Self, GpuError> {
        pollster::block_on(Self::open_async(selection, options))
    }

    /// The same without a wait.
    ///
    /// # Errors
    /// Those of [`Gpu::open`].
    pub async fn open_async(selection: &Selection, options: OpenOptions) -> Result<Self, GpuError> {
        let adapters = Adapters::enumerate_async().await?;
        Self::open_choice_async(adapters.choose(selection)?, options).await
    }

    /// Opens an adapter that was already chosen. See [`Gpu::open`] for the errors.
    pub fn open_choice(choice: ChosenAdapter, options: OpenOptions) -> Result<Self, GpuError> {
        pollster::block_on(Self::open_choice_async(choice, options))
    }

    /// The same without a wait. See [`Gpu::open`] for the errors.
    pub async fn open_choice_async(choice: ChosenAdapter, options: OpenOptions) -> Result<Self, GpuError> {
        let gpu = Self::open_unprobed(choice, options).await?;
        if !gpu.inner.options.without_probe {
            probe::loops(&gpu).await?;
        }
        gpu.settled().await?;
        Ok(gpu)
    }

    async fn open_unprobed(choice: ChosenAdapter, options: OpenOptions) -> Result<Self, GpuError> {
        let ChosenAdapter { adapter, mut summary, why } = choice;
        let usable = summary.features.cooperative_matrix.iter().any(|shape| shape.ends_with("F16->F32"));
        let mut features = wanted_features(adapter.features(), options.cooperative_matrix && usable);
        features.set(Features::SHADER_F16, features.contains(Features::SHADER_F16) && !options.without_f16);
        let notes = Notes::default();
        let choosing = !(options.checked || options.robust);
        let mut requested = request(&adapter, &summary, features, choosing).await;
        if let Err(error) = &requested
            && features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
        {
            notes.add(format!("cooperative matrices are left off: {error}"));
            features.remove(Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
            requested = request(&adapter, &summary, features, choosing).await;
        }
        let Opened { device, queue, unbounded } = requested?;
        summary.limits = summarize_limits(&device.limits(), features);
        if !features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            summary.features.cooperative_matrix.clear();
        }
        summary.features.f16 = features.contains(Features::SHADER_F16);
        let software = summary.kind == AdapterKind::Software;
        let cache = options
            .cache
            .as_deref()
            .filter(|_| summary.features.pipeline_cache)
            .map(|folder| PipelineCacheFile::open(&device, &summary, folder));
        let inner = GpuInner {
            faults: Faults::watch(&device),
            timeout: options.timeout.unwrap_or(Duration::from_secs(if software { 600 } else { 60 })),
            budget: options.budget_bytes.unwrap_or_else(|| budget::default_bytes(software)),
            counters: Arc::default(),
            pipelines: Pipelines::default(),
            downloads: Downloads::default(),
            device,
            queue,
            summary,
            why,
            options,
            cache,
            notes,
            unbounded,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The adapter, with the features and limits that this device was opened with.
    pub fn summary(&self) -> &AdapterSummary {
        &self.inner.summary
    }

    /// Why this adapter was chosen.
    pub fn why(&self) -> &str {
        &self.inner.why
    }

    /// The features that kernels may use.
    pub fn features(&self) -> &AdapterFeatures {
        &self.inner.summary.features
    }

    /// The limits that plans must keep.
    pub fn limits(&self) -> &AdapterLimits {
        &self.inner.summary.limits
    }

    /// Whether kernels are built with every runtime check.
    pub fn checked(&self) -> bool {
        self.inner.options.checked
    }

    /// Whether this project's own kernels do without robust buffer access.
    pub fn unbounded(&self) -> bool {
        self.inner.unbounded
    }

    /// Whether nothing of this device was tried.
    pub(crate) fn unprobed(&self) -> bool {
        self.inner.options.without_probe
    }

    /// The most bytes of buffers that may be alive at once.
    pub fn budget_bytes(&self) -> u64 {
        self.inner.budget
    }

    /// How long a wait may last.
    pub fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// A reading of the counters.
    pub fn counters(&self) -> AllocationCounter {
        self.inner.counters.read()
    }

    /// The first error that nobody was told yet, or the loss of the device. Costs one atomic load.
    ///
    /// # Errors
    /// Whatever went wrong: see [`GpuError`].
    pub fn check(&self) -> Result<(), GpuError> {
        self.inner.faults.check()
    }

    /// Gives the device up: its memory is freed when its work is done, and every later operation answers
    /// [`GpuError::DeviceLost`].
    pub fn destroy(&self) {
        self.inner.device.destroy();
        // The loss is reported by a poll; the error of that is what the next operation shows.
        let _ = self.inner.faults.poll(
            &self.inner.device,
            wgpu::PollType::Wait { submission_index: None, timeout: Some(self.inner.timeout) },
        );
    }

    /// The wgpu device, for what this crate does not wrap. Errors that no scope of the caller catches appear in
    /// [`Gpu::check`].
    pub fn wgpu_device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(crate) fn counting(&self) -> &Arc<Counters> {
        &self.inner.counters
    }

    pub(crate) fn pipelines_made(&self) -> &Pipelines {
        &self.inner.pipelines
    }

    pub(crate) fn downloads(&self) -> &Downloads {
        &self.inner.downloads
    }

    /// Where files may be kept between runs.
    pub(crate) fn cache_folder(&self) -> Option<&std::path::Path> {
        self.inner.options.cache.as_deref()
    }

    pub(crate) fn cache(&self) -> Option<&PipelineCacheFile> {
        self.inner.cache.as_ref()
    }

    /// What the user should be told though nothing failed. The handle may be kept apart from the device.
    pub fn notes(&self) -> &Notes {
        &self.inner.notes
    }

    pub(crate) fn give_up(&self, what: &str, limit: Duration) -> GpuError {
        self.inner.faults.give_up(what, limit)
    }

    pub(crate) fn poll(&self, poll: wgpu::PollType) -> Result<wgpu::PollStatus, wgpu::PollError> {
        self.inner.faults.poll(&self.inner.device, poll)
    }

    /// Lets finished work call back, without waiting, and answers the first error.
    pub(crate) fn poll_once(&self) -> Result<(), GpuError> {
        // A poll that does not wait cannot time out; other errors are in the record.
        let _ = self.poll(wgpu::PollType::Poll);
        self.check()
    }

    /// Awaits what error scopes have not answered yet, and answers the first error.
    pub(crate) async fn settled(&self) -> Result<(), GpuError> {
        self.inner.faults.settled().await;
        self.check()
    }

    /// Runs `operation` inside error scopes of this thread and turns what they catch into a typed error; in a browser, where
    /// scopes answer later, [`Gpu::settled`] does.
    pub(crate) fn scoped<T>(&self, what: &str, operation: impl FnOnce(&wgpu::Device) -> T) -> Result<T, GpuError> {
        self.check()?;
        let device = &self.inner.device;
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = operation(device);
        let mut caught = None;
        for scope in [validation, memory, internal] {
            let mut answer: Caught = Box::pin(scope.pop());
            match now_or_never(answer.as_mut()) {
                Some(error) => caught = caught.or(error),
                None => self.inner.faults.expect(what, answer),
            }
        }
        match caught {
            // After a loss every call fails somehow, and the loss explains them all.
            Some(error) => {
                self.check()?;
                Err(GpuError::from_wgpu(what, error))
            }
            None => self.check().map(|()| value),
        }
    }
}

/// The features this crate can use, out of those the adapter has.
fn wanted_features(available: Features, cooperative_matrix: bool) -> Features {
    let mut wanted = Features::SHADER_F16
        | Features::SUBGROUP
        | Features::SUBGROUP_BARRIER
        | Features::IMMEDIATES
        | Features::TIMESTAMP_QUERY
        | Features::PIPELINE_CACHE;
    if cooperative_matrix {
        wanted |= Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    }
    available & wanted
}

struct Opened {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// Pipelines can be built without robust buffer access.
    unbounded: bool,
}

async fn request(
    adapter: &wgpu::Adapter,
    summary: &AdapterSummary,
    features: Features,
    choosing: bool,
) -> Result<Opened, GpuError> {
    let mut limits = adapter.limits();
    limits.max_compute_workgroups_per_dimension =
        limits.max_compute_workgroups_per_dimension.min(MAX_WORKGROUPS_PER_DIMENSION);
    if !features.contains(Features::IMMEDIATES) {
        limits.max_immediate_size = 0;
    }
    let experimental_features = if features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        unsafe_calls::experimental_features()
    } else {
        wgpu::ExperimentalFeatures::disabled()
    };
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("chiaro"),
        required_features: features,
        required_limits: limits,
        experimental_features,
        // A plan makes few, large buffers: big blocks would only be memory held back.
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
    };
    if let Some((device, queue)) = choosing.then(|| unsafe_calls::open_choosing(adapter, &descriptor)).flatten() {
        return Ok(Opened { device, queue, unbounded: true });
    }
    let opened = adapter.request_device(&descriptor).await;
    let opened = opened.map(|(device, queue)| Opened { device, queue, unbounded: false });
    opened.map_err(|error| GpuError::Open { adapter: summary.to_string(), message: error.to_string() })
}
