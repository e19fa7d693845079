//! The kernels that Chiaro gives a chip by default, as `chiaro bench --dump-kernels` writes them under the chip's shim.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::chips::Chip;

/// A kernel of one or several networks.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The row of the bench that first has it, and its file there.
    pub network: String,
    pub file: String,
    /// Conv2d, MatMul, ...
    pub kind: String,
    pub shape: String,
    /// The tile of a product or convolution.
    pub tile: Option<String>,
    /// The limit of the adapter that it exceeds.
    pub limit: Option<String>,
    /// Storage buffers.
    pub bindings: u32,
    /// Invocations of all its workgroups.
    pub invocations: u64,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u32,
    /// The kernels that stand side by side in it; none where it is one kernel alone.
    pub members: Vec<Kernel>,
    pub spirv: PathBuf,
    /// Of the SPIR-V, as the cache has it.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Dumped {
    name: String,
    kernels: Vec<DumpedKernel>,
}

#[derive(Deserialize)]
struct DumpedKernel {
    file: String,
    kernel: String,
    shape: String,
    tile: Option<String>,
    bindings: Vec<String>,
    workgroups: [u32; 3],
    invocations: u32,
    workgroup_bytes: u32,
    limit: Option<String>,
    #[serde(default)]
    members: Vec<DumpedKernel>,
}

impl DumpedKernel {
    /// The kernel with its SPIR-V, from the folder of a plan.
    fn read(self, plan: &Path, network: &str) -> Result<Kernel> {
        let spirv = plan.join(format!("{}.spv", self.file));
        let bytes = std::fs::read(&spirv).with_context(|| format!("cannot read {}", spirv.display()))?;
        if self.bindings.iter().any(|access| access == "uniform") {
            bail!("{}: uniform buffers are not compiled here", spirv.display());
        }
        let workgroups: u64 = self.workgroups.iter().map(|&n| u64::from(n)).product();
        Ok(Kernel {
            network: network.to_owned(),
            file: self.file,
            kind: self.kernel,
            shape: self.shape,
            tile: self.tile,
            limit: self.limit,
            bindings: self.bindings.len() as u32,
            invocations: workgroups * u64::from(self.invocations),
            workgroup_bytes: self.workgroup_bytes,
            members: self.members.into_iter().map(|member| member.read(plan, network)).collect::<Result<_>>()?,
            spirv,
            bytes,
        })
    }
}

/// Writes the kernels of these rows for a chip and reads them, each once.
///
/// # Errors
/// What `chiaro` says.
pub fn of(chip: &Chip, mesa: &Path, chiaro: &Path, folder: &Path, rows: &[&str]) -> Result<Vec<Kernel>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for row in rows {
        let mut command = chip.command(mesa, chiaro)?;
        command.args(["bench", "--device", "gpu", "--no-tune", "--filter", row, "--dump-kernels"]).arg(folder);
        // Whole steps have names that begin others'.
        if row.starts_with("step ") {
            command.arg("--exact");
        }
        let output = command.stdin(Stdio::null()).output().context("cannot start chiaro")?;
        if !output.status.success() {
            bail!(
                "{}: chiaro wrote no kernels of '{row}': {}",
                chip.name,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    read(folder)
}

fn read(folder: &Path) -> Result<Vec<Kernel>> {
    let list = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut plans: Vec<_> = list.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    plans.sort();
    let (mut kernels, mut known) = (vec![], HashSet::new());
    for plan in plans {
        let path = plan.join("kernels.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let dumped: Dumped = serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        for kernel in dumped.kernels {
            let kernel = kernel.read(&plan, &dumped.name)?;
            if known.insert(kernel.bytes.clone()) {
                kernels.push(kernel);
            }
        }
    }
    Ok(kernels)
}
