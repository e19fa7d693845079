//! The table, 120 columns at most: one section for kernels and one for training steps.

use std::time::Duration;

use chiaro::graph::Peaks;
use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro_bench::{Rates, Workload};

use super::Chosen;
use super::calls::CallRow;
use super::model::Predicted;
use super::report::{Report, ReportRow, precision};
use super::singles::{PeakRow, StartRow, start_name};
use crate::output::{bytes, duration, line};

/// The measured roofline.
pub fn peaks(peaks: Option<&Peaks>) -> anyhow::Result<()> {
    let Some(p) = peaks else {
        return line("roofline: this device does not measure itself");
    };
    let half = p.flops_f16.map_or(String::new(), |flops| format!(", {:.0} in f16", flops / 1e9));
    line(&format!(
        "roofline: multiply-adds {:.0} GFLOP/s{half}; a copy reads and writes {:.1} GB/s ({})",
        p.flops / 1e9,
        p.bytes / 1e9,
        p.clock.name()
    ))
}

/// The heading of a section where one begins.
pub fn section(current: &mut Option<bool>, steps: bool) -> anyhow::Result<()> {
    if current.replace(steps) == Some(steps) {
        return Ok(());
    }
    line("")?;
    if steps {
        return line(&format!(
            "{:<29} {:>4} {:>9} {:>9} {:>8} {:>7} {:>6} {:>5} {:>4} {:>9} {:>9} {:>9}",
            "training step",
            "type",
            "time",
            "images/s",
            "GFLOP/s",
            "GB/s",
            "roof",
            "calls",
            "subm",
            "moved",
            "memory",
            "encode"
        ));
    }
    line(&format!(
        "{:<46} {:>4} {:>9} {:>8} {:>7} {:>6} {:>7} {:>5} {:>9} {:>9}",
        "kernel", "type", "time", "GFLOP/s", "GB/s", "roof", "bound", "calls", "moved", "memory"
    ))
}

/// A line of the table.
pub fn row(r: &ReportRow) -> String {
    let time = |seconds: f64| duration(Duration::from_secs_f64(seconds));
    let rate = if r.flop == 0 { "-".to_string() } else { format!("{:.1}", r.gflop_per_second) };
    let roof = r.roofline_percent.map_or("-".to_string(), |percent| format!("{percent:.0} %"));
    let (moved, memory) = (bytes(r.moved_bytes as f64), bytes(r.peak_bytes as f64));
    let encode = if r.host_encode_seconds > 0.0 { time(r.host_encode_seconds) } else { "-".to_string() };
    match r.images_per_second {
        Some(images) => format!(
            "{:<29} {:>4} {:>9} {:>9.0} {:>8} {:>7.1} {:>6} {:>5} {:>4} {:>9} {:>9} {:>9}",
            r.name,
            r.precision,
            time(r.seconds),
            images,
            rate,
            r.gb_per_second,
            roof,
            r.dispatches,
            r.submissions,
            moved,
            memory,
            encode
        ),
        None => format!(
            "{:<46} {:>4} {:>9} {:>8} {:>7.1} {:>6} {:>7} {:>5} {:>9} {:>9}",
            r.name,
            r.precision,
            time(r.seconds),
            rate,
            r.gb_per_second,
            roof,
            limit(r),
            r.dispatches,
            moved,
            memory
        ),
    }
}

/// What the roofline says that a row is limited by.
fn limit(row: &ReportRow) -> &'static str {
    match row.bound_by_compute {
        None => "-",
        Some(share) if share > 0.5 => "compute",
        Some(_) => "memory",
    }
}

/// A line of a peak.
pub fn peak(r: &PeakRow) -> String {
    format!("{:<46} {:>14.3} {} ({})", r.name, r.value, r.unit, r.clock)
}

/// A line of a start.
pub fn start(r: &StartRow) -> String {
    let time = |seconds: f64| duration(Duration::from_secs_f64(seconds));
    let (first, cached) = (time(r.first_seconds), time(r.cached_seconds));
    format!("{:<46} first step after {first}; {cached} with what was cached ({} files)", r.name, r.cached_files)
}

/// The rates of a model.
pub fn rates(r: &Rates) -> anyhow::Result<()> {
    line(&format!(
        "rates: {:.1} TFLOP/s, {:.1} of matrix units, {:.0} GB/s of memory, {:.0} GB/s of workgroup memory, {} units",
        r.flops / 1e12,
        r.matrix_flops / 1e12,
        r.bytes / 1e9,
        r.near_bytes / 1e9,
        r.units
    ))
}

/// What the model says of a row, beside what was measured.
pub fn model(m: &Predicted, measured: Option<f64>) -> String {
    let time = |seconds: f64| duration(Duration::from_secs_f64(seconds));
    let times = measured.map_or(String::new(), |seconds| format!("; measured {:.1} times that", seconds / m.seconds));
    format!(
        "  model {}: arithmetic {}, memory {}, workgroup memory {}, waves {}, gaps {}{times}",
        time(m.seconds),
        time(m.arithmetic_seconds),
        time(m.memory_seconds),
        time(m.workgroup_memory_seconds),
        time(m.waves_seconds),
        time(m.gap_seconds)
    )
}

/// The dispatches of a row.
pub fn calls(calls: &[CallRow]) -> anyhow::Result<()> {
    let time = |seconds: Option<f64>| seconds.map_or("-".into(), |s| duration(Duration::from_secs_f64(s.max(0.0))));
    line(&format!(
        "  {:<18} {:<30} {:<27} {:>7} {:>9} {:>9} {}",
        "dispatch", "extents", "tile", "groups", "time", "model", "limit"
    ))?;
    for c in calls {
        let limit = c.model_limit.unwrap_or("-").split(' ').next().unwrap_or_default();
        line(&format!(
            "  {:<18} {:<30} {:<27} {:>7} {:>9} {:>9} {limit}",
            short(&c.kernel, 18),
            short(&c.shape, 30),
            c.tile.as_deref().unwrap_or("-"),
            c.workgroups.map_or("-".into(), |n| n.to_string()),
            time(c.median_seconds),
            time(c.model_seconds)
        ))?;
    }
    Ok(())
}

/// The beginning of a text that is too long.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// The line of a row that is not run.
pub fn left_out(case: &Workload, reason: &str) -> String {
    format!("{:<46} left out: {reason}", case.name)
}

/// What the columns mean, after the rows.
pub fn notes(report: &Report) -> anyhow::Result<()> {
    line("")?;
    let kernels = report.rows.iter().find(|row| row.images_per_second.is_none());
    let steps = report.rows.iter().find(|row| row.images_per_second.is_some());
    let clocks = [("kernels", kernels), ("steps", steps)];
    let clocks: Vec<String> =
        clocks.iter().filter_map(|(what, row)| Some(format!("{what} by {}", (*row)?.clock))).collect();
    if !clocks.is_empty() {
        line(&format!("time: of the fastest run; {}.", clocks.join(", ")))?;
        line(
            "roof: the least time by the roofline, over the time. Of each kernel the longer of operations and bytes, added up.",
        )?;
        line("Above 100 %: operands that stay in a cache, or Winograd, which multiplies less than is counted.")?;
    }
    if steps.is_some_and(|row| row.host_encode_seconds > 0.0) {
        line("encode: host time to record and submit a step, waiting left out; subm: submissions of a step.")?;
    }
    let (left_out, failed) = (report.left_out.len(), report.failed.len());
    if left_out + failed > 0 {
        line(&format!("left out: {left_out}, failed: {failed}; each row says why."))?;
    }
    Ok(())
}

/// `--list`: the rows with their work.
pub fn list(chosen: &Chosen) -> anyhow::Result<()> {
    line(&format!("{:<46} {:>4} {:>10} {:>10}", "row", "type", "GFLOP", "moved"))?;
    for case in &chosen.cases {
        let plan = Plan::new(case.graph(), &PlanOptions::default())?;
        let (work, moved) = (plan.flops() as f64 / 1e9, bytes(plan.moved_bytes() as f64));
        line(&format!("{:<46} {:>4} {work:>10.3} {moved:>10}", case.name, precision(case.dtype)))?;
    }
    chosen
        .peaks
        .iter()
        .try_for_each(|peak| line(&format!("{:<46} {:>4} {:>10} {:>10}", peak.name(), "-", "-", "-")))?;
    let starts = chosen.starts.iter().filter_map(start_name);
    starts.into_iter().try_for_each(|name| line(&format!("{name:<46} {:>4} {:>10} {:>10}", "f32", "-", "-")))
}
