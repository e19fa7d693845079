//! One file from one of its addresses: gone on with where it was cut, and taken only if its SHA-256 is right.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::FetchError;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// Tries at an address that gives a part each time.
const TRIES: usize = 5;
const BUFFER: usize = 1 << 16;
const MOST_REDIRECTS: u32 = 10;

/// A file that is published.
#[derive(Debug, Clone, Copy)]
pub struct RemoteFile<'f> {
    /// Its name here.
    pub name: &'f str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, as 64 hexadecimal digits; absent where nobody tells it: then the size alone is looked at.
    pub sha256: Option<&'f str>,
    /// Where it can be had, the best first.
    pub urls: &'f [&'f str],
}

/// Is told how many bytes of how many are there.
pub type Progress<'p> = &'p mut dyn FnMut(&str, u64, u64);

/// Puts a file into a folder, unless it is there, and gives its path. What a cut download left (`NAME.part`) is gone on with.
///
/// # Errors
/// [`FetchError::NoAnswer`] where no address gives it, [`FetchError::WrongHash`] where all give something else.
pub fn fetch_file(file: &RemoteFile<'_>, folder: &Path, progress: Progress<'_>) -> Result<PathBuf, FetchError> {
    let path = folder.join(file.name);
    if path.is_file() {
        return Ok(path);
    }
    std::fs::create_dir_all(folder).map_err(|cause| FetchError::io(folder, cause))?;
    let part = folder.join(format!("{}.part", file.name));
    let (mut causes, mut wrong) = (vec![], None);
    for url in file.urls {
        match download(file, url, &part, progress) {
            Ok(()) => {}
            Err(Failure::Answer(cause)) => {
                causes.push(format!("{url}: {cause}"));
                continue;
            }
            Err(Failure::Disk(cause)) => return Err(FetchError::io(&part, cause)),
        }
        let found = hash(&part).map_err(|cause| FetchError::io(&part, cause))?;
        if file.sha256.is_none_or(|expected| found.eq_ignore_ascii_case(expected)) {
            std::fs::rename(&part, &path).map_err(|cause| FetchError::io(&path, cause))?;
            return Ok(path);
        }
        // Whatever it is, going on with it leads nowhere.
        std::fs::remove_file(&part).map_err(|cause| FetchError::io(&part, cause))?;
        let (file_name, url) = (file.name.to_string(), (*url).to_string());
        let expected = file.sha256.unwrap_or_default().to_string();
        wrong = Some(FetchError::WrongHash { file: file_name, url, expected, found });
    }
    let part = length(&part);
    Err(wrong.unwrap_or(FetchError::NoAnswer { file: file.name.to_string(), causes, part }))
}

enum Failure {
    Answer(String),
    Disk(io::Error),
}

/// Downloads what the part lacks, with new tries as long as each brings something.
fn download(file: &RemoteFile<'_>, url: &str, part: &Path, progress: Progress<'_>) -> Result<(), Failure> {
    let mut cause = String::new();
    for _ in 0..TRIES {
        let before = length(part);
        if before == file.bytes {
            return Ok(());
        }
        match request(file, url, part, before, progress) {
            Ok(()) if length(part) == file.bytes => return Ok(()),
            Ok(()) => cause = format!("it ended after {} of {} bytes", length(part), file.bytes),
            Err(Failure::Answer(answer)) => cause = answer,
            Err(failure) => return Err(failure),
        }
        if length(part) <= before {
            break;
        }
    }
    Err(Failure::Answer(cause))
}

fn length(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |about| about.len())
}

/// What asks servers, and follows so many redirections.
pub(crate) fn agent(redirects: u32) -> ureq::Agent {
    let silence = silence();
    ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .max_redirects(redirects)
            .timeout_connect(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build(),
    )
}

/// How long a server may say nothing: [`SILENCE`], or the seconds that `CHIARO_NETWORK_TIMEOUT` tells.
fn silence() -> Duration {
    let told = std::env::var("CHIARO_NETWORK_TIMEOUT").ok().and_then(|text| text.parse().ok());
    told.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok()).filter(|d| !d.is_zero()).unwrap_or(SILENCE)
}

/// One request for what is missing after `before` bytes.
fn request(file: &RemoteFile<'_>, url: &str, part: &Path, before: u64, progress: Progress<'_>) -> Result<(), Failure> {
    let mut ask = agent(MOST_REDIRECTS).get(url);
    if before > 0 && before < file.bytes {
        ask = ask.header("Range", format!("bytes={before}-"));
    }
    let mut answer = ask.call().map_err(|cause| Failure::Answer(cause.to_string()))?;
    // A server that knows no ranges sends all of it again.
    let goes_on = answer.status() == 206 && starts_at(answer.headers().get("content-range"), before);
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    let mut out =
        if goes_on { options.append(true) } else { options.truncate(true) }.open(part).map_err(Failure::Disk)?;
    let mut there = if goes_on { before } else { 0 };
    let mut body = answer.body_mut().as_reader();
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = body.read(&mut buffer).map_err(|cause| Failure::Answer(cause.to_string()))?;
        if read == 0 {
            return out.flush().map_err(Failure::Disk);
        }
        if there + read as u64 > file.bytes {
            // Not the file that was asked for: its hash tells, and it need not fill the disk.
            out.set_len(file.bytes).map_err(Failure::Disk)?;
            return Ok(());
        }
        out.write_all(&buffer[..read]).map_err(Failure::Disk)?;
        there += read as u64;
        progress(file.name, there, file.bytes);
    }
}

/// Whether a `Content-Range` begins where it was asked for.
fn starts_at(range: Option<&ureq::http::HeaderValue>, before: u64) -> bool {
    let text = range.and_then(|value| value.to_str().ok()).unwrap_or("");
    text.strip_prefix("bytes ").and_then(|rest| rest.split('-').next()) == Some(before.to_string().as_str())
}

/// The SHA-256 of a file in hexadecimal digits.
pub(crate) fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}
