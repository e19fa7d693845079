//! Mesa's drivers and shims, unpacked into a cache folder by a script; nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Unpacked drivers.
pub struct Mesa {
    pub root: PathBuf,
    pub version: String,
}

/// The drivers in this folder, where an earlier run has left them; or why not. The test command looks no further: what it downloads
/// today would be another version tomorrow.
pub fn kept(folder: &Path) -> std::result::Result<Mesa, String> {
    unpacked(folder).ok_or_else(|| {
        format!("Mesa's drivers are not in {}; `cargo xtask gpu-compilers` fetches them", folder.display())
    })
}

/// The drivers in this folder, fetched where they are not there yet; or why they cannot be had.
///
/// # Errors
/// Where the script cannot be started.
pub fn ready(folder: &Path) -> Result<std::result::Result<Mesa, String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/get-mesa.sh");
    let shim = folder.join("amd64/usr/lib/x86_64-linux-gnu/libintel_noop_drm_shim.so");
    if unpacked(folder).is_none() || !shim.exists() {
        if unpacked(folder).is_none() {
            println!("unpacking Mesa's drivers into {} (350 MB, nothing is installed)", folder.display());
        }
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let output = Command::new("bash").arg(script).arg(folder).output().context("cannot start bash")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Ok(Err(format!("Mesa's drivers are not in {} and cannot be had: {said}", folder.display())));
        }
        if !said.is_empty() {
            println!("{said}");
        }
    }
    Ok(unpacked(folder).ok_or_else(|| format!("{script} left no {}/mesa.done", folder.display())))
}

/// The drivers that lie in a folder.
fn unpacked(folder: &Path) -> Option<Mesa> {
    let version = std::fs::read_to_string(folder.join("mesa.done")).ok()?;
    Some(Mesa { root: folder.join("amd64"), version: version.trim().to_owned() })
}
