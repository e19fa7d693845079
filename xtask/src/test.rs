//! The test command: every check runs, whatever the others said; what failed, and what was slow, stands at the end.

use anyhow::{Context, Result, bail};

use crate::results::Results;
use crate::{book, cargo, gpu_compilers, judges, vulkan};

const SLOWEST: usize = 10;
/// Where nothing blocks: what the backends of a browser need compiles there.
const WASM: &str = "wasm32-unknown-unknown";

/// Runs every check.
///
/// # Errors
/// If software Vulkan is missing, or a check fails.
pub fn all() -> Result<()> {
    let environment = environment()?;
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut results = Results::default();
    let mut failed = vec![];
    let mut check = |arguments: &[&str], more: &[(&str, &str)]| -> Result<()> {
        if !cargo::run(arguments, more, |line| results.see(line))? {
            failed.push(format!("cargo {}", arguments.join(" ")));
        }
        Ok(())
    };
    check(&["fmt", "--all", "--check"], &[])?;
    check(&["clippy", "--workspace", "--all-targets", "--release", "--locked", "--", "-D", "warnings"], &[])?;
    check(&["doc", "--workspace", "--no-deps", "--release", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    if cargo::has("nextest") {
        let nextest = ["nextest", "run", "--workspace", "--release", "--locked", "--no-fail-fast", "--color", "never"];
        check(&nextest, &environment)?;
        // Which nextest does not run.
        check(&["test", "--workspace", "--release", "--locked", "--no-fail-fast", "--doc"], &environment)?;
    } else {
        check(&["test", "--workspace", "--release", "--locked", "--no-fail-fast"], &environment)?;
    }
    if cargo::has_target(WASM)? {
        let crates = ["graph", "shaders", "nn", "cpu", "gpu"].map(|name| format!("--package=chiaro-{name}"));
        let mut wasm = vec!["check", "--release", "--locked", "--target", WASM];
        wasm.extend(crates.iter().map(String::as_str));
        check(&wasm, &[])?;
    } else {
        println!("== not checked: what a browser could run; `rustup target add {WASM}` brings what that needs");
    }
    println!("== cargo xtask book");
    if let Err(error) = book::build() {
        println!("{error:#}");
        failed.push("cargo xtask book".to_owned());
    }
    // A few kernels of each chip; where their drivers were not fetched before, that is printed.
    if !gpu_compilers::run(&["--short"])? {
        failed.push("cargo xtask gpu-compilers --short".to_owned());
    }
    if !judges::run("")? {
        failed.push("cargo xtask judges".to_owned());
    }
    report(&results, &failed)
}

fn report(results: &Results, failed: &[String]) -> Result<()> {
    println!("== the slowest (docs/testing.md says what they are worth)");
    for (name, seconds) in results.slowest(SLOWEST) {
        println!("{seconds:8.1} s  {name}");
    }
    if failed.is_empty() {
        println!("== all checks passed");
        return Ok(());
    }
    println!("== failed");
    for line in failed {
        println!("  {line}");
    }
    for test in results.failed() {
        println!("  test: {test}");
    }
    bail!("{} of the checks failed, {} of the tests", failed.len(), results.failed().len());
}

/// What the tests see of this machine.
fn environment() -> Result<Vec<(&'static str, String)>> {
    let driver = vulkan::driver()?.to_string_lossy().into_owned();
    let cache = cargo::workspace().join("target/mesa-cache");
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let cache = cache.to_string_lossy().into_owned();
    Ok(vec![
        // Older loaders read the second name.
        ("VK_DRIVER_FILES", driver.clone()),
        ("VK_ICD_FILENAMES", driver),
        // The loader prints a warning without it.
        ("XDG_RUNTIME_DIR", cache.clone()),
        ("MESA_SHADER_CACHE_DIR", cache),
        // A GPU test that finds no adapter fails instead of saying why it did nothing.
        ("CHIARO_REQUIRE_GPU", "1".to_owned()),
    ])
}
