//! `chiaro devices`: what this machine can train on, and what would be chosen.

use std::process::ExitCode;

use chiaro::gpu::{AdapterSummary, Adapters, KnownTables, Selection};
use serde_json::{Value, json};

use crate::output::{bytes, line};

/// List every device with its features and limits, and which would be chosen and why
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let adapters = Adapters::enumerate()?;
    let (chosen, why) = match adapters.choose(&Selection::Auto) {
        Ok(choice) => (format!("gpu:{}", choice.summary.index), choice.why),
        Err(error) => ("cpu".to_string(), error.to_string()),
    };
    let cpu = Cpu::of_this_machine();
    if args.json {
        let list: Vec<Value> = adapters.summaries().iter().map(adapter_json).collect();
        let all = json!({
            "cpu": { "cores": cpu.cores, "threads": cpu.threads, "simd": cpu.simd },
            "adapters": list,
            "chosen": chosen,
            "why": why,
        });
        line(&serde_json::to_string_pretty(&all)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    line(&format!("cpu  {} threads on {} cores, {}", cpu.threads, cpu.cores, cpu.simd))?;
    for adapter in adapters.summaries() {
        line(&adapter_text(&adapter))?;
    }
    line(&format!("chosen: {chosen} ({why})"))?;
    Ok(ExitCode::SUCCESS)
}

struct Cpu {
    cores: usize,
    threads: usize,
    simd: String,
}

impl Cpu {
    fn of_this_machine() -> Cpu {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Cpu { cores, threads: cores, simd: format!("{:?}", chiaro::cpu::kernels::Level::detect()) }
    }
}

fn adapter_text(a: &AdapterSummary) -> String {
    let (f, l) = (&a.features, &a.limits);
    let mut features: Vec<String> = vec![];
    let named = [
        ("f16", f.f16),
        ("timestamps", f.timestamps),
        ("immediates", f.immediates),
        ("pipeline cache", f.pipeline_cache),
    ];
    features.extend(named.iter().filter(|(_, has)| *has).map(|(name, _)| name.to_string()));
    features.extend(f.subgroups.map(|(least, most)| format!("subgroups of {least} to {most}")));
    if !f.cooperative_matrix.is_empty() {
        features.push(format!("cooperative matrices {}", f.cooperative_matrix.join(", ")));
    }
    let features = if features.is_empty() { "none".to_string() } else { features.join(", ") };
    let [x, y, z] = l.workgroup_size;
    let tuned = KnownTables::Shipped.of(a).map_or(String::new(), |table| {
        format!("\n  tuned     {} kernels, by a table measured with {}", table.kernels(), table.measured())
    });
    format!(
        "gpu:{}  {} ({}, {})\n  driver    {}\n  features  {features}\n  limits    buffer {}, binding {}, \
         {} storage buffers a kernel, workgroup {} invocations ({x}x{y}x{z}) and {} of memory, \
         {} workgroups a dimension{tuned}",
        a.index,
        a.name,
        a.backend,
        a.kind,
        a.driver,
        bytes(l.buffer_bytes as f64),
        bytes(l.binding_bytes as f64),
        l.storage_buffers,
        l.workgroup_invocations,
        bytes(f64::from(l.workgroup_bytes)),
        l.workgroups_per_dimension,
    )
}

fn adapter_json(a: &AdapterSummary) -> Value {
    let (f, l) = (&a.features, &a.limits);
    json!({
        "index": a.index,
        "name": a.name,
        "backend": a.backend,
        "driver": a.driver,
        "kind": a.kind.to_string(),
        "pci": [a.pci.0, a.pci.1],
        "features": {
            "f16": f.f16,
            "subgroups": f.subgroups.map(|(least, most)| [least, most]),
            "timestamps": f.timestamps,
            "immediates": f.immediates,
            "pipeline_cache": f.pipeline_cache,
            "cooperative_matrix": f.cooperative_matrix,
        },
        "limits": {
            "buffer_bytes": l.buffer_bytes,
            "binding_bytes": l.binding_bytes,
            "storage_buffers": l.storage_buffers,
            "binding_alignment": l.binding_alignment,
            "workgroup_invocations": l.workgroup_invocations,
            "workgroup_size": l.workgroup_size,
            "workgroup_bytes": l.workgroup_bytes,
            "workgroups_per_dimension": l.workgroups_per_dimension,
            "immediate_bytes": l.immediate_bytes,
        },
        "tuned_kernels": KnownTables::Shipped.of(a).map_or(0, |table| table.kernels()),
    })
}
