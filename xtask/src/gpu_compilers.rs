//! Builds what writes kernels and what compiles them for chips that are not here, and runs it.

use anyhow::Result;

use crate::cargo;

/// `arguments` are those of the program; whether no kernel has a fault.
///
/// # Errors
/// Where cargo cannot be started.
pub fn run(arguments: &[&str]) -> Result<bool> {
    // The program takes the `chiaro` that lies beside it.
    let built =
        cargo::run(&["build", "--release", "--locked", "-p", "chiaro-cli", "-p", "chiaro-compilers"], &[], |_| ())?;
    let start = ["run", "--quiet", "--release", "--locked", "-p", "chiaro-compilers", "--"];
    Ok(built && cargo::run(&[&start, arguments].concat(), &[], |_| ())?)
}
