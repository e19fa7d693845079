//! The pictures that a command is to look at: named by files, folders, patterns, or a list on the standard input; and what is told of
//! such as cannot be read.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chiaro::data::pictures::{FoundPictures, Picture, find};
use chiaro::data::{Channels, DataError, OpenOptions};
use chiaro::train::Saved;

use crate::output::note;
use crate::usage::Usage;

/// The file that a command draws into, which is a PNG by its name too.
pub fn png(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("png") => Ok(path),
        Some(_) | None => Err(format!("it is drawn as a PNG: name it {}", path.with_extension("png").display())),
    }
}

/// Pictures a step, where there are so many: enough that a device is busy, and few enough that the next are decoded meanwhile.
const BATCH: usize = 32;
/// The most pictures that are told one by one why they cannot be read.
const TOLD: usize = 20;

/// The pictures to look at.
#[derive(clap::Args)]
pub struct Paths {
    /// Pictures of any size: files; folders, with all images below them, or with MNIST's or CIFAR's files; patterns in quotes, such as
    /// 'photos/**/*.jpg'; and - for a list on the standard input, a path a line
    #[arg(required = true, value_name = "PATHS")]
    paths: Vec<PathBuf>,
}

/// How many pictures a model looks at in one step.
pub fn batch(pictures: usize) -> usize {
    pictures.clamp(1, BATCH)
}

impl Paths {
    /// The pictures, as the model takes them, and a tally that has told which of what was named is none.
    pub fn find(&self, saved: &Saved) -> anyhow::Result<(Vec<Picture>, Tally)> {
        let mut named = vec![];
        for path in &self.paths {
            if path == Path::new("-") {
                named.extend(listed()?);
            } else {
                named.push(path.clone());
            }
        }
        let [height, width, channels] = saved.info().image;
        let (size, channels, resize) = (Some([height, width]), Channels::of_count(channels), saved.resize()?);
        let FoundPictures { pictures, failed } =
            find(&named, &OpenOptions { size, channels, resize, ..OpenOptions::default() });
        let mut tally = Tally::default();
        failed.iter().for_each(|error| tally.failed(error));
        Ok((pictures, tally))
    }
}

/// The paths on the standard input, a line each; or ended by zeros, as `find -print0` has them.
fn listed() -> anyhow::Result<Vec<PathBuf>> {
    let mut bytes = vec![];
    std::io::stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
    let end = if bytes.contains(&0) { 0 } else { b'\n' };
    let lines = bytes.split(|&byte| byte == end).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let paths: Vec<PathBuf> = lines.filter(|line| !line.is_empty()).map(|line| PathBuf::from(as_path(line))).collect();
    if paths.is_empty() {
        return Err(Usage("no path stands on the standard input, where - looks for a list of them".to_string()).into());
    }
    Ok(paths)
}

#[cfg(unix)]
fn as_path(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn as_path(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Counts pictures, and tells of those that cannot be read.
#[derive(Default)]
pub struct Tally {
    done: usize,
    failed: usize,
}

impl Tally {
    /// Counts one that was looked at.
    pub fn done(&mut self) {
        self.done += 1;
    }

    /// Tells of one that could not be.
    pub fn failed(&mut self, error: &DataError) {
        self.failed += 1;
        if self.failed <= TOLD {
            note(&format!("error: {error}"));
        }
    }

    /// A line on how far it is.
    pub fn progress(&self, done: usize, of: usize, elapsed: Duration) -> String {
        let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = (of - done.min(of)) as f64 / rate.max(1e-3);
        format!("{done} of {of} pictures, {rate:.0}/s, {left:.0} s left")
    }

    /// Tells at the end how many there were, where they went; the exit code says whether all could be read.
    pub fn ended(&self, out: Option<&Path>) -> ExitCode {
        if self.failed > TOLD {
            note(&format!("error: {} more could not be read", self.failed - TOLD));
        }
        if let Some(out) = out {
            let unread = if self.failed > 0 { format!("; {} could not be read", self.failed) } else { String::new() };
            let pictures = if self.done == 1 { "picture" } else { "pictures" };
            note(&format!("{} {pictures}: {}{unread}", self.done, out.display()));
        }
        if self.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
