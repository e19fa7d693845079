//! The chips that are compiled for, and how Mesa's driver of each is started with no such chip there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A Vulkan driver of Mesa's, and with it the machine code it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// AMD.
    Radv,
    /// NVIDIA.
    Nvk,
    /// Intel.
    Anv,
    /// Qualcomm.
    Turnip,
    /// Apple.
    Honeykrisp,
}

impl Driver {
    /// The start of the manifest's file name, and the name within that of the shim which answers in the kernel's place.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Driver::Radv => ("radeon_icd", "amdgpu"),
            Driver::Nvk => ("nouveau_icd", "nouveau"),
            Driver::Anv => ("intel_icd", "intel"),
            Driver::Turnip => ("freedreno_icd", "freedreno"),
            Driver::Honeykrisp => ("asahi_icd", "asahi"),
        }
    }
}

/// A chip, and the variable that tells a shim which one it is.
#[derive(Debug)]
pub struct Chip {
    /// As the command line and the tables have it.
    pub name: &'static str,
    pub driver: Driver,
    variable: (&'static str, &'static str),
}

const fn chip(name: &'static str, driver: Driver, variable: &'static str, value: &'static str) -> Chip {
    Chip { name, driver, variable: (variable, value) }
}

/// Every chip.
pub const CHIPS: &[Chip] = &[
    chip("amd-rdna2", Driver::Radv, "AMDGPU_GPU_ID", "navi21"),
    chip("amd-rdna3", Driver::Radv, "AMDGPU_GPU_ID", "navi31"),
    chip("amd-rdna4", Driver::Radv, "AMDGPU_GPU_ID", "gfx1201"),
    chip("nvidia-ampere", Driver::Nvk, "NOUVEAU_CHIPSET", "172"),
    chip("nvidia-ada", Driver::Nvk, "NOUVEAU_CHIPSET", "192"),
    chip("nvidia-blackwell", Driver::Nvk, "NOUVEAU_CHIPSET", "1b2"),
    chip("intel-tgl", Driver::Anv, "INTEL_STUB_GPU_PLATFORM", "tgl"),
    chip("intel-dg2", Driver::Anv, "INTEL_STUB_GPU_PLATFORM", "dg2"),
    chip("intel-lnl", Driver::Anv, "INTEL_STUB_GPU_PLATFORM", "lnl"),
    chip("intel-bmg", Driver::Anv, "INTEL_STUB_GPU_PLATFORM", "bmg"),
    chip("qualcomm-a660", Driver::Turnip, "FD_GPU_ID", "660"),
    chip("qualcomm-a740", Driver::Turnip, "FD_GPU_ID", "740"),
    // Honeykrisp hands no listing out; it prints one.
    chip("apple-m1", Driver::Honeykrisp, "AGX_MESA_DEBUG", "shaders"),
];

impl Chip {
    /// The chip of this name.
    ///
    /// # Errors
    /// An unknown name; the message lists them.
    pub fn of(name: &str) -> Result<&'static Chip> {
        let names: Vec<_> = CHIPS.iter().map(|chip| chip.name).collect();
        CHIPS
            .iter()
            .find(|chip| chip.name == name)
            .with_context(|| format!("no chip {name}; there are {}", names.join(", ")))
    }

    fn shim(&self, mesa: &Path) -> PathBuf {
        libraries(mesa).join(format!("lib{}_noop_drm_shim.so", self.driver.names().1))
    }

    /// Whether the shim is there: Intel's must be built.
    pub fn is_there(&self, mesa: &Path) -> bool {
        self.shim(mesa).exists()
    }

    /// A program that sees this chip as the machine's only GPU. Nothing runs there: a dispatch returns at once and changes no
    /// memory.
    ///
    /// # Errors
    /// Where `mesa` lacks the driver's manifest.
    pub fn command(&self, mesa: &Path, program: &Path) -> Result<Command> {
        let start = self.driver.names().0;
        let folder = mesa.join("usr/share/vulkan/icd.d");
        let list = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut manifests: Vec<_> = list.flatten().map(|entry| entry.path()).collect();
        manifests.sort();
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
        let Some(manifest) = manifests.into_iter().find(named) else {
            bail!("no {start} in {}", folder.display());
        };
        let libraries = libraries(mesa);
        // The drivers want a newer C library than the machine may have: its own loader starts the program with it.
        let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(&libraries).arg("--preload").arg(self.shim(mesa)).arg(program);
        command
            .env("VK_DRIVER_FILES", &manifest)
            .env("VK_ICD_FILENAMES", &manifest)
            .env(self.variable.0, self.variable.1);
        command.env("VK_LOADER_LAYERS_DISABLE", "~all~").env("MESA_SHADER_CACHE_DISABLE", "true");
        command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
        Ok(command)
    }
}

fn libraries(mesa: &Path) -> PathBuf {
    mesa.join("usr/lib/x86_64-linux-gnu")
}
