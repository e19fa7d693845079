//! Choosing a device by name or by what the machine has.

use std::path::PathBuf;

use chiaro_gpu::{
    AdapterKind, Adapters, BackendOptions, Gpu, GpuBackend, GpuError, Notes, OpenOptions, Selection, user_cache_folder,
};
use chiaro_graph::{Backend, Shared};

/// What kind of device runs the graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// The CPU backend.
    Cpu,
    /// A graphics adapter, which may be a software one.
    Gpu,
    /// The float64 reference executor: slow, for checking.
    Reference,
}

/// How a device is opened.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Threads of the CPU backend; absent: one a core.
    pub threads: Option<usize>,
    /// Where a GPU's compiled kernels and tuned choices are kept between runs: the user's cache folder
    /// ([`user_cache_folder`]) by default. Absent: nowhere.
    pub cache: Option<PathBuf>,
    /// How a GPU's kernels are chosen and fused, and where variants come from.
    pub gpu: BackendOptions,
    /// Build a GPU's kernels with every runtime check: slower, for tests and bug hunts.
    pub checked: bool,
    /// Keep robust buffer access in this project's own kernels where a GPU's driver could leave it out
    /// ([`chiaro_gpu::OpenOptions::robust`]).
    pub robust: bool,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        let (gpu, cache) = (BackendOptions::default(), user_cache_folder());
        DeviceOptions { threads: None, cache, gpu, checked: false, robust: false }
    }
}

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name is none of those known.
    #[error("unknown device '{name}'; known are {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that would do on this machine.
        known: Vec<String>,
    },
    /// A GPU was asked for and cannot be had.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The CPU backend cannot be made.
    #[error("the CPU backend cannot start: {0}")]
    Cpu(String),
}

/// A device that runs graphs, and why it was chosen.
pub struct Device {
    backend: Shared,
    kind: DeviceKind,
    software: bool,
    why: String,
    notes: Notes,
    gpu: Option<Gpu>,
}

impl Device {
    /// The best real GPU; the CPU where there is none or it cannot be opened. A software adapter is never chosen.
    ///
    /// # Errors
    /// If `WGPU_BACKEND` names nothing usable, or the CPU backend cannot start.
    pub fn auto(options: &DeviceOptions) -> Result<Device, DeviceError> {
        pollster::block_on(Device::auto_async(options))
    }

    /// The same without a wait.
    ///
    /// # Errors
    /// Those of [`Device::auto`].
    pub async fn auto_async(options: &DeviceOptions) -> Result<Device, DeviceError> {
        match open_gpu(&Selection::Auto, options).await {
            Ok(device) => Ok(device),
            Err(error @ GpuError::UnknownBackend { .. }) => Err(error.into()),
            Err(GpuError::NoAdapter { found, .. }) => cpu(options, format!("there is no GPU: {found}")),
            Err(error) => cpu(options, format!("the GPU cannot be used: {error}")),
        }
    }

    /// The device of this name: `auto`, `cpu`, `reference`, `gpu`, `gpu:INDEX`, `gpu:NAME` or `gpu:software`.
    ///
    /// # Errors
    /// [`DeviceError::Unknown`] lists the names that would do; else the device cannot be opened.
    pub fn by_name(name: &str, options: &DeviceOptions) -> Result<Device, DeviceError> {
        pollster::block_on(Device::by_name_async(name, options))
    }

    /// The same without a wait.
    ///
    /// # Errors
    /// Those of [`Device::by_name`].
    pub async fn by_name_async(name: &str, options: &DeviceOptions) -> Result<Device, DeviceError> {
        let lower = name.trim().to_lowercase();
        let asked = || format!("'{}' was asked for", name.trim());
        match lower.as_str() {
            "auto" => Device::auto_async(options).await,
            "cpu" => cpu(options, asked()),
            "reference" => {
                let backend = Shared::new(chiaro_cpu::reference::Reference::new());
                Ok(Device {
                    backend,
                    kind: DeviceKind::Reference,
                    software: true,
                    why: asked(),
                    notes: Notes::default(),
                    gpu: None,
                })
            }
            _ if lower == "gpu" || lower.starts_with("gpu:") => match open_gpu(&lower.parse()?, options).await {
                Ok(device) => Ok(device),
                Err(GpuError::UnknownAdapter { .. }) => Err(unknown(name).await),
                Err(error) => Err(error.into()),
            },
            _ => Err(unknown(name).await),
        }
    }

    /// The names that [`Device::by_name`] would take on this machine, adapters with their descriptions.
    pub fn known() -> Vec<String> {
        pollster::block_on(Device::known_async())
    }

    /// The same without a wait.
    pub async fn known_async() -> Vec<String> {
        let mut known: Vec<String> = ["auto", "cpu", "reference"].map(String::from).to_vec();
        if let Ok(adapters) = Adapters::enumerate_async().await {
            known.extend(adapters.summaries().iter().map(|a| format!("gpu:{} ({})", a.index, a.name)));
        }
        known
    }

    /// Runs graphs.
    pub fn backend(&mut self) -> &mut dyn Backend {
        &mut self.backend
    }

    /// The same backend for somebody who is to own it, such as a [`Trainer`](crate::train::Trainer): what one writes, all see. The
    /// weights too: a [`Classifier`](crate::train::Classifier) that is opened on a trainer's device overwrites what was trained,
    /// and so does a second trainer. Open another device for it.
    pub fn share(&self) -> Shared {
        self.backend.clone()
    }

    /// The device's name.
    pub fn name(&self) -> String {
        self.backend.name()
    }

    /// Its kind.
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    /// Whether graphs run on the processor: everything but a real GPU.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// What the user should be told though nothing failed, such as a cache folder that takes no files.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The open GPU, where it is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// Why this one was chosen.
    pub fn why(&self) -> &str {
        &self.why
    }
}

async fn unknown(name: &str) -> DeviceError {
    DeviceError::Unknown { name: name.to_string(), known: Device::known_async().await }
}

fn cpu(options: &DeviceOptions, why: String) -> Result<Device, DeviceError> {
    let backend = chiaro_cpu::Cpu::new(options.threads).map_err(|e| DeviceError::Cpu(e.to_string()))?;
    let backend = Shared::new(backend);
    Ok(Device { backend, kind: DeviceKind::Cpu, software: true, why, notes: Notes::default(), gpu: None })
}

async fn open_gpu(selection: &Selection, options: &DeviceOptions) -> Result<Device, GpuError> {
    let (cache, checked, robust) = (options.cache.clone(), options.checked, options.robust);
    let open = OpenOptions { cache, checked, robust, cooperative_matrix: true, ..OpenOptions::default() };
    let gpu = Gpu::open_async(selection, open).await?;
    let (why, notes) = (gpu.why().to_string(), gpu.notes().clone());
    let software = gpu.summary().kind == AdapterKind::Software;
    let backend = Shared::new(GpuBackend::new(gpu.clone(), options.gpu.clone()));
    Ok(Device { backend, kind: DeviceKind::Gpu, software, why, notes, gpu: Some(gpu) })
}
