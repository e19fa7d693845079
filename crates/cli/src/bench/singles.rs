//! Rows of the device itself: its peaks, what an empty dispatch costs, and the time from the start to the first step.

use std::time::Instant;

use chiaro::gpu::{Gpu, Peak};
use chiaro::{Device, DeviceOptions};
use chiaro_bench::{Session, Workload};
use serde::Serialize;

use super::report::Missing;

/// A peak of the device.
#[derive(Serialize)]
pub struct PeakRow {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub clock: &'static str,
}

/// From the opening of the device to the end of the first step.
#[derive(Serialize)]
pub struct StartRow {
    pub name: String,
    /// Nothing of the program's own was cached: neither compiled kernels nor choices. The driver's cache is not emptied.
    pub first_seconds: f64,
    /// Both were in the cache folder.
    pub cached_seconds: f64,
    /// Files that the first start left in the cache folder.
    pub cached_files: usize,
}

/// The steps whose start is measured.
pub const STARTS: [&str; 2] = ["step small-cnn batch 128", "step resnet18 batch 32"];

/// The name of the row of a step's start.
pub fn start_name(case: &Workload) -> Option<String> {
    STARTS.contains(&case.name.as_str()).then(|| format!("start {}", case.name))
}

/// Measures a peak; the reason where the device has none.
pub fn peak(gpu: Option<&Gpu>, peak: Peak) -> Result<PeakRow, Missing> {
    let missing = |reason: &str| Missing::named(peak.name(), reason.to_owned());
    let gpu = gpu.ok_or_else(|| missing("only of a GPU"))?;
    match gpu.measure(peak) {
        Ok(Some(figure)) => {
            Ok(PeakRow { name: peak.name(), value: figure.value, unit: peak.unit(), clock: figure.clock.name() })
        }
        Ok(None) => Err(missing("the device has no such units")),
        Err(error) => Err(missing(&error.to_string())),
    }
}

/// Starts twice with a cache folder that is empty at first.
pub fn start(
    case: &Workload,
    options: &DeviceOptions,
    open: impl Fn(&DeviceOptions) -> anyhow::Result<Device>,
) -> anyhow::Result<StartRow> {
    let folder = std::env::temp_dir().join(format!("chiaro-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let options = DeviceOptions { cache: Some(folder.clone()), ..options.clone() };
    let timed = || -> anyhow::Result<f64> {
        let started = Instant::now();
        let mut device = open(&options)?;
        let session = Session::new(device.backend(), case)?;
        session.run(device.backend(), 1)?;
        Ok(started.elapsed().as_secs_f64())
    };
    let both = timed().and_then(|first| {
        let files = std::fs::read_dir(&folder)?.count();
        Ok((first, files, timed()?))
    });
    std::fs::remove_dir_all(&folder)?;
    let (first_seconds, cached_files, cached_seconds) = both?;
    Ok(StartRow { name: start_name(case).unwrap_or_default(), first_seconds, cached_seconds, cached_files })
}
