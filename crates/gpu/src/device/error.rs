//! What can go wrong between the host and a graphics adapter, as one typed error that says what to do about it.

/// Any failure of the GPU layer. Cloneable, because the first error of a device is kept and shown again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter that may be chosen: nothing is there, or only software adapters that nobody named.
    #[error("no GPU to use: {found}. {hint}")]
    NoAdapter {
        /// What was found instead.
        found: String,
        /// What to install or to type.
        hint: String,
    },
    /// The name or index matches no adapter.
    #[error("no adapter matches '{wanted}'; there is {}", list(available))]
    UnknownAdapter {
        /// What was asked for.
        wanted: String,
        /// The adapters that are there, as `gpu:INDEX NAME`.
        available: Vec<String>,
    },
    /// `WGPU_BACKEND` names nothing that this program can use.
    #[error("WGPU_BACKEND={value} names no usable backend; use vulkan, metal or dx12")]
    UnknownBackend {
        /// The variable's value.
        value: String,
    },
    /// The adapter refused to open a device.
    #[error("cannot open {adapter}: {message}")]
    Open {
        /// The adapter's name.
        adapter: String,
        /// The driver's reason.
        message: String,
    },
    /// The device has no memory left for `what`.
    #[error("out of GPU memory at {what}; use a smaller batch or model")]
    OutOfMemory {
        /// The operation or buffer.
        what: String,
    },
    /// wgpu refused an operation: a defect of this program rather than of its input.
    #[error("GPU operation refused at {what}: {message}")]
    Validation {
        /// The operation.
        what: String,
        /// wgpu's text.
        message: String,
    },
    /// The driver reset or the device was destroyed. Nothing on it can be used any more.
    #[error("the GPU was lost: {reason}")]
    DeviceLost {
        /// The driver's reason.
        reason: String,
    },
    /// The device did not finish in time. It is given up, since nothing can stop a kernel that runs.
    #[error("the GPU did not finish {what} within {seconds} s; the device is given up")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: f64,
    },
    /// A wait where nothing can wait: a browser's answers come when the program has returned to it.
    #[error("nothing can wait for {what} in a browser: await the form of the call whose name ends in _async")]
    CannotWait {
        /// What was waited for.
        what: String,
    },
    /// A request above what the adapter (or the byte budget) allows, found before the request was made.
    #[error("{what} needs {needed}, but {available} is available; {hint}")]
    Limit {
        /// What asked for it.
        what: String,
        /// The amount asked for.
        needed: u64,
        /// The most there is.
        available: u64,
        /// What to change.
        hint: String,
    },
    /// A kernel that does not parse, validate or compile.
    #[error("kernel '{label}' does not compile: {message}")]
    Shader {
        /// The kernel.
        label: String,
        /// The compiler's text, with the place in the source where it is known.
        message: String,
    },
    /// The driver ends loops early without an error, so that every long sum would be silently wrong.
    #[error(
        "the driver of {adapter} ({driver}) stops loops early: {counted} of {wanted} iterations were run, \
         so its results cannot be trusted. {hint}"
    )]
    DriverStopsLoops {
        /// The adapter's name.
        adapter: String,
        /// Driver and version.
        driver: String,
        /// Iterations seen.
        counted: u32,
        /// Iterations asked for.
        wanted: u32,
        /// What to install.
        hint: String,
    },
}

fn list(available: &[String]) -> String {
    if available.is_empty() { "none".to_owned() } else { available.join(", ") }
}

impl GpuError {
    /// Names a wgpu error after the operation `what` that caused it.
    pub(crate) fn from_wgpu(what: &str, error: wgpu::Error) -> Self {
        let what = what.to_owned();
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory { what },
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Self::Validation { what, message: description }
            }
        }
    }
}
