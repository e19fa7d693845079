//! Finds Mesa's software Vulkan driver, or installs it where that is allowed.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The driver's manifest.
///
/// # Errors
/// If the driver is missing and cannot be installed; the message says what to run.
pub fn driver() -> Result<PathBuf> {
    if let Some(found) = installed().filter(|_| loader_and_validator()) {
        return Ok(found);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/install-software-vulkan.sh");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    let has_apt = Command::new("apt-get").arg("--version").output().is_ok();
    if !is_root || !has_apt {
        bail!(
            "the tests need Mesa's software Vulkan driver (version 23 or later), the Vulkan loader and spirv-val.\n\
             On Debian or Ubuntu run:  sudo bash xtask/install-software-vulkan.sh\n\
             elsewhere install the packages that hold lvp_icd.json, libvulkan.so.1 and spirv-val, then try again"
        );
    }
    println!("== installing software Vulkan (bash xtask/install-software-vulkan.sh)");
    let status = Command::new("bash").arg(script).status().context("cannot start bash")?;
    if !status.success() {
        bail!("installing software Vulkan failed; run `bash xtask/install-software-vulkan.sh` to see why");
    }
    installed().context("software Vulkan was installed, but no lvp_icd*.json is there")
}

/// The manifest of Mesa's lavapipe.
fn installed() -> Option<PathBuf> {
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|e| e.path()))
        .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("lvp_icd")))
}

fn loader_and_validator() -> bool {
    Command::new("spirv-val").arg("--version").output().is_ok_and(|o| o.status.success())
}
