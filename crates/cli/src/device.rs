//! The `--device` option that several subcommands share.

use chiaro::gpu::Tuning;
use chiaro::{Device, DeviceOptions};

/// Where to run.
#[derive(clap::Args)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, gpu:N, gpu:NAME, gpu:software or reference
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub device: String,
    /// Threads of the CPU backend; one a core if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Choose a GPU's kernels by their shapes alone: no search, and nothing that an earlier one found
    #[arg(long)]
    pub no_tune: bool,
}

impl DeviceArgs {
    /// Opens the device.
    pub fn open(&self) -> anyhow::Result<Device> {
        open(&self.device, self.threads, self.no_tune)
    }
}

/// Opens a device by its name.
pub fn open(name: &str, threads: Option<u16>, no_tune: bool) -> anyhow::Result<Device> {
    let tuning = if no_tune { Tuning::Off } else { Tuning::Auto };
    let options = DeviceOptions { threads: threads.map(usize::from), tuning, ..DeviceOptions::default() };
    Ok(Device::by_name(name, &options)?)
}
