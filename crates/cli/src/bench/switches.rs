//! Switches of `chiaro bench` that change how a GPU's kernels are made: what each is worth is seen without another program.

use chiaro::gpu::{BackendOptions, Forced, KernelChoice, WinogradUse};
use chiaro::graph::plan::Fusions;
use chiaro::{Device, DeviceKind, DeviceOptions};
use serde_json::{Value, json};

use crate::device::{self, DeviceArgs};
use crate::usage::Usage;

/// What is switched off, or put in place of what suits the device.
#[derive(clap::Args)]
pub struct SwitchArgs {
    /// Leave fusions out, on GPUs: any of inline, keep, columns, hoist, pointwise, beside and winograd, or all
    #[arg(long, value_name = "FUSIONS", value_delimiter = ',')]
    without: Vec<Fusion>,
    /// Give every product and convolution that can have it this tile, such as 128x64x16/8x4, on GPUs
    #[arg(long, value_name = "TILE")]
    tile: Option<String>,
    /// Sum the terms of weight gradients and long products in so many parts, or as many as the plan has room for, on GPUs
    #[arg(long, value_name = "PARTS", value_parser = clap::value_parser!(u32).range(1..))]
    split: Option<u32>,
    /// Build kernels with every runtime check (bounds, loops, divisions) and zeroed workgroup memory, on GPUs
    #[arg(long)]
    checked: bool,
    /// Keep robust buffer access in kernels of this project, where Vulkan drivers let pipelines do without, on GPUs
    #[arg(long)]
    robust: bool,
    /// Choose kernels and fusions for a GPU even where the device is a software one
    #[arg(long)]
    as_gpu: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Fusion {
    Inline,
    /// Inputs that are computed as they are read are not stored by who computes them.
    Keep,
    Columns,
    Hoist,
    Pointwise,
    /// Short kernels that do not depend on one another in dispatches of their own.
    Beside,
    /// 3x3 convolutions as products as they stand.
    Winograd,
    /// Every op a kernel of its own.
    All,
}

impl SwitchArgs {
    /// Nothing is switched.
    fn is_plain(&self) -> bool {
        let kernels = self.tile.is_none() && self.split.is_none() && !self.as_gpu;
        kernels && self.without.is_empty() && !self.checked && !self.robust
    }

    /// How a GPU's kernels are made.
    pub fn backend(&self) -> anyhow::Result<BackendOptions> {
        let with = |fusion: Fusion| !self.without.contains(&fusion);
        let fusions = Fusions {
            inline: with(Fusion::Inline),
            keep: with(Fusion::Keep),
            columns: with(Fusion::Columns),
            hoist: with(Fusion::Hoist),
            pointwise: with(Fusion::Pointwise),
            beside: with(Fusion::Beside),
        };
        let forced = Forced::new(self.tile.as_deref(), self.split).map_err(|m| Usage(format!("--tile: {m}")))?;
        let kernels = if self.as_gpu { KernelChoice::Gpu } else { KernelChoice::Suited };
        let winograd = if with(Fusion::Winograd) { WinogradUse::Suited } else { WinogradUse::Never };
        Ok(BackendOptions { fuse: with(Fusion::All), fusions, forced, kernels, winograd, ..BackendOptions::default() })
    }

    /// How the device is opened.
    pub fn options(&self, args: &DeviceArgs) -> anyhow::Result<DeviceOptions> {
        let usual = device::options(args.threads, args.no_tune);
        let gpu = BackendOptions { tuning: usual.gpu.tuning, ..self.backend()? };
        Ok(DeviceOptions { gpu, checked: self.checked, robust: self.robust, ..usual })
    }

    /// Opens the device. Switches of kernels that it does not have are an error.
    pub fn open(&self, args: &DeviceArgs, options: &DeviceOptions) -> anyhow::Result<Device> {
        device::limit_threads(args.threads)?;
        let device = Device::by_name(&args.device, options)?;
        if device.kind() != DeviceKind::Gpu && !self.is_plain() {
            let message = format!(
                "--without, --tile, --split, --checked, --robust and --as-gpu are about a GPU's kernels; the device is {}",
                device.name()
            );
            return Err(Usage(message).into());
        }
        Ok(device)
    }

    /// The switches for reports.
    pub fn json(&self) -> Value {
        let without: Vec<String> = self.without.iter().map(|f| format!("{f:?}").to_lowercase()).collect();
        json!({
            "without": without,
            "tile": self.tile,
            "split": self.split,
            "checked": self.checked,
            "robust": self.robust,
            "as_gpu": self.as_gpu,
        })
    }
}
