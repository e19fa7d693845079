//! `cargo xtask gpu-results ARCHIVE`: the report of a run of `benches/gpu` as `benches/results/<device>.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{cargo, known};

/// Dispatches of a row that are shown: those that take longest.
const LONGEST: usize = 12;

/// Unpacks the archive, writes the report, and says where it is.
///
/// # Errors
/// If the archive cannot be read, or holds no results.
pub fn run(archive: &Path, folder: Option<&Path>) -> Result<()> {
    let unpacked = cargo::workspace().join("target/gpu-results");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).context("cannot empty target/gpu-results")?;
    }
    fs::create_dir_all(&unpacked).context("cannot make target/gpu-results")?;
    let status = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(&unpacked).status();
    if !status.context("cannot start tar")?.success() {
        bail!("{} is no archive of results: tar cannot unpack it", archive.display());
    }
    let results = GpuResults::read(&unpacked)?;
    let (ours, elsewhere) = (cargo::workspace().join("benches/results"), folder);
    let folder = elsewhere.unwrap_or(&ours);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{}.md", file_name(&results.device)));
    fs::write(&path, results.report()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    // Whoever looks at a report elsewhere wants no other program of it.
    if elsewhere.is_none() { ship_choices(&unpacked, &results) } else { Ok(()) }
}

/// Ships what was tuned there; without a search in the run there is nothing to ship.
fn ship_choices(unpacked: &Path, results: &GpuResults) -> Result<()> {
    let Ok(text) = fs::read_to_string(unpacked.join("choices.json")) else { return Ok(()) };
    let measured = known::Measured { date: &results.date, commit: or_unknown(&results.commit) };
    let path = known::ship(&text, &measured, &cargo::workspace().join(known::FOLDER))
        .context("the report is written, but the tuned choices do not ship")?;
    println!("{}", path.display());
    Ok(())
}

/// What a run left.
struct GpuResults {
    device: String,
    date: String,
    commit: String,
    /// Name, exit code, seconds, and limit of each step.
    steps: Vec<[String; 4]>,
    /// Reports of `chiaro bench`, by step.
    benches: Vec<(String, Value)>,
    /// Lines of PyTorch; empty where it was missing.
    torch: Vec<Value>,
    verify: Option<String>,
}

impl GpuResults {
    fn read(folder: &Path) -> Result<GpuResults> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let steps: Vec<[String; 4]> = text("ran.txt").lines().filter_map(fields).collect();
        if steps.is_empty() {
            bail!("the archive holds no ran.txt: it is not of benches/gpu/call.sh");
        }
        let bench = |step: &[String; 4]| {
            let value: Value = serde_json::from_str(&text(&format!("{}.json", step[0]))).ok()?;
            value.get("device_peaks").is_some().then(|| (step[0].clone(), value))
        };
        let benches: Vec<(String, Value)> = steps.iter().filter_map(bench).collect();
        let device = benches.first().and_then(|(_, report)| report["device"].as_str());
        Ok(GpuResults {
            device: device.unwrap_or("unknown device").to_owned(),
            date: text("date.txt").trim().to_owned(),
            commit: text("commit.txt").trim().replace('\n', " "),
            torch: text("torch.txt").lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            verify: text("verify.txt").lines().last().map(str::to_owned),
            steps,
            benches,
        })
    }

    fn report(&self) -> String {
        let mut out = format!("# {}\n\n{}, commit {}.\n", self.device, self.date, or_unknown(&self.commit));
        let _ = writeln!(out, "Written by `cargo xtask gpu-results` from a run of `benches/gpu/call.sh`.\n");
        let _ = writeln!(out, "| step | ended with | seconds | limit |\n|---|---|---|---|");
        for [name, code, seconds, limit] in &self.steps {
            let _ = writeln!(out, "| {name} | {code} | {seconds} | {limit} |");
        }
        if let Some(line) = &self.verify {
            let _ = writeln!(out, "\nverify: {line}");
        }
        self.torch(&mut out);
        for (step, report) in &self.benches {
            peaks(&mut out, report);
            rows(&mut out, step, report);
        }
        out
    }

    fn torch(&self, out: &mut String) {
        let Some(first) = self.torch.first() else {
            let _ = writeln!(out, "\nPyTorch was not there: nothing to compare with.");
            return;
        };
        let version = first["version"].as_str().unwrap_or_default();
        let _ =
            writeln!(out, "\n## PyTorch {version}\n\n| | precision | ms | images/s | GFLOP/s |\n|---|---|---|---|---|");
        for row in &self.torch {
            let (name, precision) = (word(&row["workload"]), word(&row["precision"]));
            match row["error"].as_str() {
                Some(error) => {
                    let _ = writeln!(out, "| {name} | {precision} | {error} | | |");
                }
                None => {
                    let [ms, images, rate] = [
                        number(&row["seconds"], 1e3),
                        number(&row["images_per_second"], 1.0),
                        number(&row["gflop_per_second"], 1.0),
                    ];
                    let _ = writeln!(out, "| {name} | {precision} | {ms} | {images} | {rate} |");
                }
            }
        }
    }
}

fn peaks(out: &mut String, report: &Value) {
    let singles = report["device_peaks"].as_array().into_iter().flatten();
    let singles: Vec<String> = singles
        .map(|row| format!("| {} | {} {} |", word(&row["name"]), number(&row["value"], 1.0), word(&row["unit"])))
        .collect();
    let starts = report["starts"].as_array().into_iter().flatten();
    let starts: Vec<String> = starts
        .map(|row| {
            let [first, cached] = ["first_seconds", "cached_seconds"].map(|key| number(&row[key], 1.0));
            format!("| {} | {first} s; {cached} s with what was cached |", word(&row["name"]))
        })
        .collect();
    if !singles.is_empty() || !starts.is_empty() {
        let _ = writeln!(out, "\n| the device | |\n|---|---|\n{}", [singles, starts].concat().join("\n"));
    }
}

fn rows(out: &mut String, step: &str, report: &Value) {
    let rows: Vec<&Value> = report["rows"].as_array().into_iter().flatten().collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n## {step}\n\n| row | type | ms | images/s | GFLOP/s | GB/s | roof | model, ms | measured / model |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|---|");
    for row in &rows {
        let (seconds, model) = (best(row), row["model"]["seconds"].as_f64());
        let times = model.map_or(String::new(), |model| format!("{:.2}", seconds / model));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} % | {} | {times} |",
            word(&row["name"]),
            word(&row["precision"]),
            number(&row["seconds"], 1e3),
            number(&row["images_per_second"], 1.0),
            number(&row["gflop_per_second"], 1.0),
            number(&row["gb_per_second"], 1.0),
            number(&row["roofline_percent"], 1.0),
            number(&row["model"]["seconds"], 1e3),
        );
    }
    for row in rows.iter().filter(|row| row["images_per_second"].is_number()) {
        dispatches(out, row);
    }
}

/// Seconds of a row's kernels, by the device's clock where it has one.
fn best(row: &Value) -> f64 {
    row["device_seconds"].as_f64().or(row["seconds"].as_f64()).unwrap_or_default()
}

/// The dispatches of a step that take longest, beside the model.
fn dispatches(out: &mut String, row: &Value) {
    let mut calls: Vec<&Value> = row["calls"].as_array().into_iter().flatten().collect();
    let seconds = |call: &Value| call["median_seconds"].as_f64().unwrap_or_default();
    calls.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
    let _ = writeln!(out, "\n{}, the {LONGEST} longest of {} dispatches:\n", word(&row["name"]), calls.len());
    let _ = writeln!(
        out,
        "| kernel | extents | tile | groups | µs | roof | model, µs | limited by |\n|---|---|---|---|---|---|---|---|"
    );
    for call in calls.into_iter().take(LONGEST) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} % | {} | {} |",
            word(&call["kernel"]),
            word(&call["shape"]),
            word(&call["tile"]),
            number(&call["workgroups"], 1.0),
            number(&call["median_seconds"], 1e6),
            number(&call["roofline_percent"], 1.0),
            number(&call["model_seconds"], 1e6),
            word(&call["model_limit"])
        );
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A number times a factor; nothing where it is absent.
fn number(value: &Value, factor: f64) -> String {
    match value.as_f64().map(|v| v * factor) {
        None => String::new(),
        Some(v) if v.abs() >= 100.0 || v.fract() == 0.0 => format!("{v:.0}"),
        Some(v) => format!("{v:.2}"),
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn fields(line: &str) -> Option<[String; 4]> {
    let fields: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    fields.try_into().ok()
}

/// A device's name as a file may have it.
fn file_name(device: &str) -> String {
    known::plain(device.split(" (").next().unwrap_or(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_steps_both_programs_and_where_the_model_differs() {
        let bench = serde_json::json!({
            "device": "Card X (vulkan, discrete GPU)",
            "device_peaks": [{ "name": "peak copy", "value": 512.5, "unit": "GB/s" }],
            "starts": [],
            "rows": [{
                "name": "step resnet18 batch 128", "precision": "f32", "seconds": 0.02, "device_seconds": 0.018,
                "images_per_second": 6400.0, "roofline_percent": 40.0, "model": { "seconds": 0.012 },
                "calls": [
                    { "kernel": "Pointwise", "median_seconds": 1e-6 },
                    { "kernel": "Conv2d", "median_seconds": 4e-4, "model_seconds": 3e-4, "model_limit": "memory" },
                ],
            }],
        });
        let torch = serde_json::json!({"version": "2", "workload": "resnet18", "precision": "f32", "seconds": 0.01});
        let results = GpuResults {
            device: "Card X (vulkan, discrete GPU)".into(),
            date: "2026-01-02".into(),
            commit: "abc".into(),
            steps: vec![["steps", "124", "60", "60"].map(String::from)],
            benches: vec![("steps".into(), bench)],
            torch: vec![torch],
            verify: None,
        };
        let report = results.report();
        for part in [
            "2026-01-02, commit abc",
            "| steps | 124 | 60 | 60 |",
            "| resnet18 | f32 | 10 |",
            "| peak copy | 512 GB/s |",
            "| 40 % | 12 | 1.50 |",
            "| Conv2d |",
        ] {
            assert!(report.contains(part), "{part} is not in\n{report}");
        }
        assert!(report.find("| Conv2d |") < report.find("| Pointwise |"), "the longest first");
        assert!(GpuResults { torch: vec![], ..results }.report().contains("PyTorch was not there"));
        assert_eq!(file_name("NVIDIA H100 80GB HBM3 (vulkan, discrete GPU)"), "nvidia-h100-80gb-hbm3");
    }
}
