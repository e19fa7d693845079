//! The `--device` option that several subcommands share.

use chiaro::gpu::{BackendOptions, Tuning};
use chiaro::{Device, DeviceOptions};

use crate::usage::Usage;

/// Where to run.
#[derive(clap::Args)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, gpu:N, gpu:NAME, gpu:software or reference
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub device: String,
    /// Threads of the CPU backend, and at most so many that open and load data; one a core if absent
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

/// Threads that are never too many, whatever the cores: tests of order, and machines that do not tell.
const FEW: usize = 64;

/// Bounds the threads that work on data by those asked for. More than a machine can use take minutes to start and slow
/// everything down.
pub fn limit_threads(threads: Option<u16>) -> anyhow::Result<()> {
    let Some(threads) = threads.map(usize::from) else { return Ok(()) };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let most = FEW.max(4 * cores);
    if threads > most {
        return Err(Usage(format!("--threads {threads}: at most {most} are of use here, on {cores} cores")).into());
    }
    chiaro::data::limit_threads(threads)?;
    Ok(())
}

/// Opens a device by its name.
pub fn open(name: &str, threads: Option<u16>, no_tune: bool) -> anyhow::Result<Device> {
    limit_threads(threads)?;
    Ok(Device::by_name(name, &options(threads, no_tune))?)
}

/// How a device is opened.
pub fn options(threads: Option<u16>, no_tune: bool) -> DeviceOptions {
    let tuning = if no_tune { Tuning::Off } else { Tuning::Auto };
    let gpu = BackendOptions { tuning, ..BackendOptions::default() };
    DeviceOptions { threads: threads.map(usize::from), gpu, ..DeviceOptions::default() }
}
