//! Developer tasks: `cargo xtask test` sets up what is missing and runs every check; `cargo xtask vulkan` only sets up.

mod vulkan;

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const USAGE: &str = "\
usage: cargo xtask TASK

  test     set up software Vulkan if it is missing, then formatting, clippy, docs and every test
  vulkan   only set up software Vulkan (needs root; other checks run without it)
";

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("test") => test(),
        Some("vulkan") => vulkan::driver().map(|driver| println!("software Vulkan: {}", driver.display())),
        _ => {
            eprint!("{USAGE}");
            std::process::exit(2);
        }
    }
}

fn test() -> Result<()> {
    let driver = vulkan::driver()?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--release", "--locked", "--", "-D", "warnings"], &[])?;
    cargo(&["doc", "--workspace", "--no-deps", "--release", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    let driver = driver.to_string_lossy().into_owned();
    let cache = target_dir().join("mesa-cache");
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let cache = cache.to_string_lossy().into_owned();
    let environment = [
        // Older loaders read the second name.
        ("VK_DRIVER_FILES", driver.as_str()),
        ("VK_ICD_FILENAMES", driver.as_str()),
        // The loader prints a warning without it.
        ("XDG_RUNTIME_DIR", cache.as_str()),
        ("MESA_SHADER_CACHE_DIR", cache.as_str()),
        // A GPU test that finds no adapter fails instead of saying why it did nothing.
        ("CHIARO_REQUIRE_GPU", "1"),
    ];
    cargo(&["test", "--workspace", "--release", "--locked"], &environment)?;
    println!("all checks passed");
    Ok(())
}

fn target_dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))
}

/// Runs cargo in the workspace and says how long it took.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    println!("== cargo {}", arguments.join(" "));
    let start = Instant::now();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .context("cannot start cargo")?;
    println!("== {:.0} s", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
