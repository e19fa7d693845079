//! The kernels that Chiaro gives a chip by default, as `chiaro bench --dump-kernels` writes them under the chip's shim.

use std::collections::HashMap;
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
    limit: Option<String>,
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
    let (mut kernels, mut known) = (vec![], HashMap::new());
    for plan in plans {
        let path = plan.join("kernels.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let dumped: Dumped = serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        for kernel in dumped.kernels {
            let spirv = plan.join(format!("{}.spv", kernel.file));
            let bytes = std::fs::read(&spirv).with_context(|| format!("cannot read {}", spirv.display()))?;
            if kernel.bindings.iter().any(|access| access == "uniform") {
                bail!("{}: uniform buffers are not compiled here", spirv.display());
            }
            if known.insert(bytes.clone(), ()).is_some() {
                continue;
            }
            kernels.push(Kernel {
                network: dumped.name.clone(),
                file: kernel.file,
                kind: kernel.kernel,
                shape: kernel.shape,
                tile: kernel.tile,
                limit: kernel.limit,
                bindings: kernel.bindings.len() as u32,
                spirv,
                bytes,
            });
        }
    }
    Ok(kernels)
}
