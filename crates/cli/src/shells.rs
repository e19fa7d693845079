//! `chiaro completions` and `chiaro man`: made from the program's own options.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

use crate::output::line;

/// Write completions for a shell to the standard output
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Write man pages of the program and of each subcommand into a folder
#[derive(clap::Args)]
pub struct ManArgs {
    /// The folder
    folder: PathBuf,
}

/// Runs `completions`.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<ExitCode> {
    let mut text = vec![];
    clap_complete::generate(args.shell, &mut command, "chiaro", &mut text);
    line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `man`.
pub fn man(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    clap_mangen::generate_to(command, folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    line(&format!("man pages: {}; try man {}", folder.display(), folder.join("chiaro.1").display()))?;
    Ok(ExitCode::SUCCESS)
}
