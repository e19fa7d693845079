//! What others say of the files that this project writes: onnx, onnxruntime, onnxsim and PyTorch, where they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;

/// The Python that has them, where it is not `python3`.
const PYTHON: &str = "CHIARO_PYTHON";

/// A judge: the modules that it needs, the test that leaves files for it, and its script.
struct Judge {
    modules: &'static str,
    test: &'static [&'static str],
    script: &'static str,
}

const JUDGES: &[Judge] = &[
    Judge {
        modules: "numpy, onnx, onnxruntime",
        test: &["-p", "chiaro-onnx", "--test", "export", "every_model_goes_out"],
        script: "onnx_files.py",
    },
    Judge {
        modules: "numpy, safetensors, torch, torchvision",
        test: &["-p", "chiaro-train", "--test", "torch_layout"],
        script: "torch_snippet.py",
    },
];

/// Asks all judges whose modules are installed, and says of the others why not; whether none found a fault.
///
/// # Errors
/// If a folder cannot be made, or cargo cannot be started.
pub fn run() -> Result<bool> {
    let mut fine = true;
    for judge in JUDGES {
        fine &= ask(judge)?;
    }
    Ok(fine)
}

fn ask(judge: &Judge) -> Result<bool> {
    println!("== judge: {}", judge.script);
    let Some(python) = python(judge.modules) else { return Ok(true) };
    let folder = cargo::workspace().join("target/judges").join(judge.script.trim_end_matches(".py"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize().context("a folder that was just made")?;
    let test = [&["test", "--release", "--locked"], judge.test].concat();
    let place = folder.to_string_lossy();
    if !cargo::run(&test, &[("CHIARO_EXPORT_DIR", &place)], |_| {})? {
        return Ok(false);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges").join(judge.script);
    let mut command = Command::new(python);
    command.arg(script);
    if judge.script == "torch_snippet.py" {
        command.arg(cargo::workspace().join("docs/exchange.md"));
    }
    Ok(command.arg(&folder).status().context("cannot start Python")?.success())
}

/// A Python with these modules; where there is none, that is printed with the reason.
fn python(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or_else(|| "python3".into(), PathBuf::from);
    let asked = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    let why = match &asked {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("it fails").to_string(),
        Err(cause) => cause.to_string(),
    };
    println!("== not judged: {} with {modules} is missing ({why}); {PYTHON} names another", python.display());
    None
}
