//! `chiaro runs`: the runs there are.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chiaro::train::RunFolder;

use crate::compare::{Told, table};
use crate::output::{line, message, note};
use crate::usage::Usage;

/// How deep below the folder runs are looked for: `--folds` and `--seeds` put theirs into a folder.
const DEPTH: usize = 3;

/// List runs with their data, model, best epoch and time
#[derive(clap::Args)]
pub struct Args {
    /// The folder that runs lie in
    #[arg(default_value = "runs")]
    folder: PathBuf,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut folders = vec![];
    find(&args.folder, DEPTH, &mut folders);
    if folders.is_empty() {
        let folder = args.folder.display();
        return Err(Usage(format!("there is no run in {folder} (`chiaro train DATA` makes one in runs)")).into());
    }
    let mut rows = vec![["run", "data", "model", "epochs", "best", "time"].map(String::from).to_vec()];
    for folder in folders {
        match Told::read(&folder) {
            Ok(run) => rows.push(row(&run)),
            Err(error) => note(&format!("warning: {}", message(&error))),
        }
    }
    table(&rows).iter().try_for_each(|text| line(text))?;
    Ok(ExitCode::SUCCESS)
}

fn row(run: &Told) -> Vec<String> {
    let settings = &run.config.settings;
    let data = settings.data.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let epochs = format!("{}/{}", run.records.len(), settings.epochs);
    vec![run.name.clone(), data, settings.model.clone(), epochs, run.best_shown(), run.time()]
}

/// The run in a folder of runs whose settings were written last.
///
/// # Errors
/// If there is none.
pub fn newest(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut folders = vec![];
    find(folder, DEPTH, &mut folders);
    let begun = |path: &PathBuf| {
        let config = RunFolder::open(path).ok()?.config_path();
        std::fs::metadata(config).and_then(|file| file.modified()).ok()
    };
    let newest = folders.into_iter().max_by_key(begun);
    newest.ok_or_else(|| Usage(format!("there is no run in {}; name a run folder", folder.display())).into())
}

/// The name before the number at its end, and the number, so that `train2` stands before `train10`.
fn numbered(path: &Path) -> (String, u64) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let head = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[head.len()..].parse().unwrap_or(0);
    (head.to_string(), number)
}

/// Folders that hold a run, by name.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if RunFolder::open(folder).is_ok() {
        found.push(folder.to_path_buf());
        return;
    }
    // What cannot be read holds no run that could be shown.
    let Some(entries) = std::fs::read_dir(folder).ok().filter(|_| depth > 0) else { return };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_by_key(|path| numbered(path));
    folders.iter().for_each(|path| find(path, depth - 1, found));
}
