//! `--dump-kernels`: the kernels of a plan as WGSL and SPIR-V in a folder, for reading and for compilers that run nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chiaro::DeviceOptions;
use chiaro::gpu::{
    AdapterLimits, BackendOptions, BindingAccess, Gpu, GpuBackend, OpenOptions, PlannedKernel, Selection, Tuning,
};
use chiaro::graph::{Backend, BackendError, Graph, HalfPrecision, PlanId, PlanTable, Stats, Tensor};
use serde_json::{Value, json};

use crate::output::{line, save};
use crate::usage::Usage;

/// A GPU on which graphs are planned and nothing is run: as a backend it writes the kernels of each graph it is to compile.
pub struct Dump {
    gpu: GpuBackend,
    folder: PathBuf,
    /// Names of the graphs to come; those that have none are numbered.
    names: Vec<String>,
    plans: usize,
    compiled: PlanTable<()>,
    kernels: usize,
}

impl Dump {
    /// Opens the GPU of this name without trying it, since an adapter that only compiles would fail.
    pub fn new(folder: &Path, device: &str, options: &DeviceOptions, names: Vec<String>) -> anyhow::Result<Dump> {
        let lower = device.trim().to_lowercase();
        if ["cpu", "reference"].contains(&lower.as_str()) {
            return Err(Usage(format!("only GPUs have kernels to dump, not '{device}'")).into());
        }
        let selection: Selection = if lower == "auto" { "gpu" } else { &lower }.parse()?;
        let (cache, checked) = (options.cache.clone(), options.checked);
        let open =
            OpenOptions { cooperative_matrix: true, without_probe: true, cache, checked, ..OpenOptions::default() };
        let gpu = Gpu::open(&selection, open)?;
        line(&format!("device: {} ({})", gpu.summary(), gpu.why()))?;
        // Nothing runs: a search for better variants cannot.
        let tuning = if options.gpu.tuning == Tuning::Off { Tuning::Off } else { Tuning::Kept };
        let gpu = GpuBackend::new(gpu, BackendOptions { tuning, ..options.gpu.clone() });
        Ok(Dump { gpu, folder: folder.to_owned(), names, plans: 0, compiled: PlanTable::default(), kernels: 0 })
    }

    /// Writes the kernels of a graph into a folder of this name.
    pub fn write(&mut self, name: &str, graph: &Graph) -> anyhow::Result<()> {
        let folder = self.folder.join(file_name(name));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let planned = self.gpu.planned(graph)?;
        let mut list = vec![];
        for (number, kernel) in planned.iter().enumerate() {
            let file = format!("{number:03}-{}", file_name(&kernel.call.kernel));
            let limits = self.gpu.gpu().summary().limits;
            let mut about = written(&folder, &file, kernel, &limits)?;
            let members = kernel.members.iter().enumerate();
            about["members"] =
                members.map(|(i, m)| written(&folder, &format!("{file}.{i}"), m, &limits)).collect::<Result<_, _>>()?;
            list.push(about);
        }
        let about = json!({ "name": name, "adapter": self.adapter(), "kernels": list });
        save(&folder.join("kernels.json"), &serde_json::to_string_pretty(&about)?)?;
        self.kernels += planned.len();
        self.plans += 1;
        Ok(())
    }

    /// Says what was written.
    pub fn finish(&self) -> anyhow::Result<()> {
        let (kernels, plans) = (self.kernels, self.plans);
        let s = if plans == 1 { "" } else { "s" };
        line(&format!("{kernels} kernels of {plans} plan{s} in {}; nothing was run", self.folder.display()))
    }

    fn adapter(&self) -> Value {
        let summary = self.gpu.gpu().summary();
        json!({
            "name": summary.name,
            "driver": summary.driver,
            "f16": summary.features.f16,
            "subgroups": summary.features.subgroups,
            "cooperative_matrix": summary.features.cooperative_matrix,
            "workgroup_bytes": summary.limits.workgroup_bytes,
            "workgroup_invocations": summary.limits.workgroup_invocations,
        })
    }
}

/// Writes a kernel's texts; what it is.
fn written(folder: &Path, file: &str, kernel: &PlannedKernel, limits: &AdapterLimits) -> anyhow::Result<Value> {
    save(&folder.join(format!("{file}.wgsl")), &kernel.wgsl)?;
    let bytes: Vec<u8> = kernel.spirv()?.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = folder.join(format!("{file}.spv"));
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    described(file, kernel, limits)
}

fn described(file: &str, kernel: &PlannedKernel, limits: &AdapterLimits) -> anyhow::Result<Value> {
    let (call, needs) = (&kernel.call, kernel.needs()?);
    let access = |access: &BindingAccess| match access {
        BindingAccess::Read => "read",
        BindingAccess::ReadWrite => "read_write",
        BindingAccess::Uniform => "uniform",
    };
    Ok(json!({
        "file": file,
        "kernel": call.kernel,
        "label": call.label,
        "shape": call.shape,
        "flop": call.flops,
        "bytes": call.bytes,
        "tile": call.launch.as_ref().and_then(|launch| launch.tile.as_ref()),
        "workgroups": kernel.workgroups,
        "invocations": needs.workgroup_size.iter().product::<u32>(),
        "workgroup_bytes": needs.workgroup_bytes,
        "bindings": needs.bindings.iter().map(|(_, binding)| access(binding)).collect::<Vec<_>>(),
        "limit": needs.check(&call.label, limits).err().map(|error| error.to_string()),
    }))
}

/// A name as a file may have it: letters and digits, all else a dash.
fn file_name(name: &str) -> String {
    let dashed: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

impl Dump {
    fn refused(&self) -> BackendError {
        let detail = "kernels are written, nothing is run".to_owned();
        BackendError::Device { device: self.gpu.name(), detail }
    }
}

impl Backend for Dump {
    fn name(&self) -> String {
        self.gpu.name()
    }

    fn half_precision(&self) -> HalfPrecision {
        self.gpu.half_precision()
    }

    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        let name = self.names.get(self.plans).cloned().unwrap_or_else(|| format!("plan {}", self.plans));
        let written = self.write(&name, graph);
        written.map_err(|error| match error.downcast() {
            Ok(error) => error,
            Err(error) => BackendError::Device { device: self.gpu.name(), detail: format!("{error:#}") },
        })?;
        Ok(self.compiled.add(graph, ()))
    }

    fn run(&mut self, _plan: PlanId, _inputs: &[Tensor]) -> Result<(), BackendError> {
        Err(self.refused())
    }

    fn read(&mut self, _plan: PlanId, _output: usize) -> Result<Tensor, BackendError> {
        Err(self.refused())
    }

    fn write_arena(&mut self, _name: &str, _values: &Tensor) -> Result<(), BackendError> {
        Ok(())
    }

    fn write_arena_part(&mut self, _name: &str, _first: usize, _values: &Tensor) -> Result<(), BackendError> {
        Ok(())
    }

    fn room(&self) -> u64 {
        self.gpu.room()
    }

    fn read_arena(&mut self, _name: &str) -> Result<Tensor, BackendError> {
        Err(self.refused())
    }

    fn release_plan(&mut self, _: PlanId) -> Result<(), BackendError> {
        Ok(())
    }

    fn release_arena(&mut self, _: &str) -> Result<(), BackendError> {
        Ok(())
    }

    fn stats(&self) -> Stats {
        self.gpu.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_become_names_of_files() {
        assert_eq!(file_name("step resnet18 batch 128 f16"), "step-resnet18-batch-128-f16");
        assert_eq!(file_name("conv 224x224 3-64 7x7/2 fwd"), "conv-224x224-3-64-7x7-2-fwd");
        assert_eq!(file_name("Reduce+Pointwise"), "reduce-pointwise");
    }
}
