//! Runs cargo in the workspace, showing its output and handing it on line by line.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Whether `cargo SUBCOMMAND` is there.
pub fn has(subcommand: &str) -> bool {
    let quiet = command().args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// Whether the standard library of this target is installed.
///
/// # Errors
/// If the compiler cannot be asked.
pub fn has_target(target: &str) -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    let folder = asked.context("cannot ask rustc where targets are")?.stdout;
    Ok(Path::new(String::from_utf8_lossy(&folder).trim()).is_dir())
}

/// Runs cargo, prints what it prints and gives each line to `see`, says how long it took; whether it succeeded.
///
/// # Errors
/// If cargo cannot be started or its output cannot be read.
pub fn run(arguments: &[&str], environment: &[(&str, &str)], mut see: impl FnMut(&str)) -> Result<bool> {
    println!("== cargo {}", arguments.join(" "));
    let start = Instant::now();
    // Both streams are one, so that a test's result stands behind the name of its program.
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let mut child = {
        let mut command = command();
        command.args(arguments).envs(environment.iter().copied());
        command.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
        // The command holds the pipe's other end; dropped here, so that the pipe ends with the child.
        command.spawn().context("cannot start cargo")?
    };
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("cannot read cargo's output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    let status = child.wait().context("cannot wait for cargo")?;
    println!("== {:.0} s", start.elapsed().as_secs_f64());
    Ok(status.success())
}

fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}
