//! What `--json` writes: the device, its roofline, and the figures of every row.

use chiaro::graph::{DType, Peaks};
use chiaro_bench::Workload;
use serde::Serialize;

use super::calls::CallRow;
use super::model::Predicted;
use super::singles::{PeakRow, StartRow};

/// A run of `chiaro bench`.
#[derive(Serialize)]
pub struct Report {
    program: &'static str,
    device: String,
    /// What was switched off or put in place of what suits.
    pub switches: serde_json::Value,
    #[serde(serialize_with = "peaks_json")]
    pub peaks: Option<Peaks>,
    /// What was measured of the device itself.
    pub device_peaks: Vec<PeakRow>,
    pub starts: Vec<StartRow>,
    pub rows: Vec<ReportRow>,
    /// Rows that were not run.
    pub left_out: Vec<Missing>,
    /// Rows that could not be run.
    pub failed: Vec<Missing>,
}

/// A row without figures.
#[derive(Serialize)]
pub struct Missing {
    pub name: String,
    pub reason: String,
}

/// The figures of a row.
#[derive(Serialize)]
pub struct ReportRow {
    pub name: String,
    /// Element type of the stored tensors.
    pub precision: String,
    /// What `seconds` was measured with.
    pub clock: &'static str,
    pub runs: u64,
    /// Seconds of the fastest run, and of the one in the middle.
    pub seconds: f64,
    pub median_seconds: f64,
    /// Seconds to plan, allocate and compile, and of the first run.
    pub compile_seconds: f64,
    pub first_run_seconds: f64,
    /// Work of all matrix products and convolutions.
    pub flop: u64,
    pub gflop_per_second: f64,
    /// Bytes that the kernels read and write.
    pub moved_bytes: u64,
    pub gb_per_second: f64,
    /// The least seconds by the roofline: of each kernel the longer of its operations and its bytes, all added up.
    pub bound_seconds: Option<f64>,
    pub roofline_percent: Option<f64>,
    /// Share of the bound in kernels that operations limit.
    pub bound_by_compute: Option<f64>,
    pub dispatches: u64,
    pub submissions: u64,
    /// Bytes of all buffers on the device.
    pub peak_bytes: u64,
    pub images_per_second: Option<f64>,
    /// Host time to record and submit a run.
    pub host_encode_seconds: f64,
    /// Seconds of all kernels of one run by the device's own clock, where it has one.
    pub device_seconds: Option<f64>,
    /// What the model of the device says, on GPUs and where dispatches are told one by one.
    pub model: Option<Predicted>,
    /// The dispatches of a run in their order, where they are told one by one.
    pub calls: Vec<CallRow>,
}

impl Report {
    /// A report without rows.
    pub fn new(device: String, peaks: Option<Peaks>, switches: serde_json::Value) -> Report {
        let program = concat!("chiaro ", env!("CARGO_PKG_VERSION"));
        let (device_peaks, starts, rows) = (vec![], vec![], vec![]);
        Report { program, device, switches, peaks, device_peaks, starts, rows, left_out: vec![], failed: vec![] }
    }
}

impl Missing {
    /// A row and why it has no figures.
    pub fn new(case: &Workload, reason: String) -> Missing {
        Missing::named(&case.name, reason)
    }

    /// A row of this name and why it has no figures.
    pub fn named(name: &str, reason: String) -> Missing {
        Missing { name: name.to_owned(), reason }
    }

    /// Its line.
    pub fn line(&self) -> String {
        format!("{:<46} left out: {}", self.name, self.reason)
    }
}

/// The name of an element type.
pub fn precision(dtype: DType) -> String {
    dtype.to_string()
}

fn peaks_json<S: serde::Serializer>(peaks: &Option<Peaks>, serializer: S) -> Result<S::Ok, S::Error> {
    let json = peaks.map(|p| {
        serde_json::json!({
            "gflop_per_second": p.flops / 1e9,
            "f16_gflop_per_second": p.flops_f16.map(|flops| flops / 1e9),
            "copy_gb_per_second": p.bytes / 1e9,
            "clock": p.clock.name(),
        })
    });
    json.serialize(serializer)
}
