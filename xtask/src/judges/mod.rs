//! What others say of the files that this project writes: onnx, onnxruntime (also of the web), onnxsim, PyTorch, TensorBoard, MLflow and a browser, where
//! they are installed.

mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use programs::{CHROMIUM, browser, node, pythons};

/// A judge: its script, what that needs, and what it is given. Its last argument is a folder of its own.
struct Judge {
    script: &'static str,
    needs: Needs,
    given: Given,
}

enum Needs {
    /// A Python with these modules.
    Python(&'static str),
    /// Node with playwright-core, and a Chromium.
    Browser,
    /// Node with this module.
    Node(&'static str),
}

enum Given {
    /// Files that this test leaves in the folder.
    Files(&'static [&'static str]),
    /// The same, and before the folder a document.
    FilesAndDocument(&'static [&'static str], &'static str),
    /// The program `chiaro` and digits to train on.
    Program,
}

const JUDGES: &[Judge] = &[
    Judge {
        script: "onnx_files.py",
        needs: Needs::Python("numpy, onnx, onnxruntime"),
        given: Given::Files(&["-p", "chiaro-onnx", "--test", "export", "every_model_goes_out"]),
    },
    Judge {
        script: "web.mjs",
        needs: Needs::Node("onnxruntime-web"),
        given: Given::Files(&["-p", "chiaro-onnx", "--test", "export", "every_model_goes_out"]),
    },
    Judge {
        script: "torch_snippet.py",
        needs: Needs::Python("numpy, safetensors, torch, torchvision"),
        given: Given::FilesAndDocument(&["-p", "chiaro-train", "--test", "torch_layout"], "docs/exchange.md"),
    },
    Judge { script: "tensorboard_run.py", needs: Needs::Python("numpy, tensorboard.main"), given: Given::Program },
    Judge { script: "mlflow_server.py", needs: Needs::Python("mlflow, mlflow.server, flask"), given: Given::Program },
    Judge { script: "report_page.cjs", needs: Needs::Browser, given: Given::Program },
];

/// Asks all judges whose programs are installed, or those alone whose scripts have this in their names, and says of the others why not;
/// whether none found a fault.
///
/// # Errors
/// If a folder cannot be made, cargo cannot be started, or no script has such a name.
pub fn run(filter: &str) -> Result<bool> {
    let chosen: Vec<&Judge> = JUDGES.iter().filter(|judge| judge.script.contains(filter)).collect();
    anyhow::ensure!(!chosen.is_empty(), "no judge has {filter:?} in its name");
    let mut fine = true;
    for judge in chosen {
        fine &= ask(judge)?;
    }
    Ok(fine)
}

fn ask(judge: &Judge) -> Result<bool> {
    println!("== judge: {}", judge.script);
    let found = match judge.needs {
        Needs::Python(modules) => pythons(modules).map(|all| all.into_iter().map(Command::new).collect()),
        Needs::Browser => browser().map(|[node, chromium]| {
            let mut command = Command::new(node);
            command.env(CHROMIUM, chromium);
            vec![command]
        }),
        Needs::Node(module) => node(module).map(|node| vec![Command::new(node)]),
    };
    let mut commands = match found {
        Ok(commands) => commands,
        Err(missing) => {
            println!("== not judged: {missing}");
            return Ok(true);
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges").join(judge.script);
    let mut arguments = vec![script];
    let folder = folder(judge.script)?;
    let place = folder.to_string_lossy();
    let leave = |test: &[&str]| {
        cargo::run(&[&["test", "--release", "--locked"], test].concat(), &[("CHIARO_EXPORT_DIR", &place)], |_| {})
    };
    let is_ready = match judge.given {
        Given::Files(test) => leave(test)?,
        Given::FilesAndDocument(test, document) => {
            arguments.push(cargo::workspace().join(document));
            leave(test)?
        }
        Given::Program => {
            arguments.extend([program(), cargo::workspace().join("data/mnist")]);
            cargo::run(&["build", "--release", "--locked", "-p", "chiaro-cli"], &[], |_| {})?
        }
    };
    let mut fine = is_ready;
    for command in commands.iter_mut().filter(|_| is_ready) {
        println!("== {}", command.get_program().display());
        fine &= command.args(&arguments).arg(&folder).status().context("cannot start a judge")?.success();
    }
    Ok(fine)
}

/// An empty folder for a script.
fn folder(script: &str) -> Result<PathBuf> {
    let name = Path::new(script).file_stem().unwrap_or_default();
    let folder = cargo::workspace().join("target/judges").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().context("a folder that was just made")
}

/// Where cargo leaves the program.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| cargo::workspace().join("target"), PathBuf::from);
    target.join("release").join(format!("chiaro{}", std::env::consts::EXE_SUFFIX))
}
