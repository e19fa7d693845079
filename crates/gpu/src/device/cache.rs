//! Where compiled pipelines and tuned choices are kept between runs, and how a file there is named, read and written.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::device::adapter::AdapterSummary;

/// Names another folder than the user's cache folder; empty or `off` keeps nothing.
const VARIABLE: &str = "CHIARO_CACHE_DIR";

/// Ends the names of files that are not whole yet.
const PARTIAL: &str = "partial";
/// Nobody writes a file for longer: such a one is what a process left that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// Larger files are not read: nothing of ours grows so, and they would hold up the start.
const MOST_BYTES: u64 = 256 << 20;

/// The folder of this user: what `CHIARO_CACHE_DIR` names; else `chiaro` in `%LOCALAPPDATA%`, in `~/Library/Caches` or in
/// `$XDG_CACHE_HOME` (`~/.cache`). `None` where that variable says `off` or there is no home.
pub fn user_cache_folder() -> Option<PathBuf> {
    folder(std::env::consts::OS, &|name| std::env::var_os(name))
}

fn folder(os: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = variable(VARIABLE) {
        let off = named.is_empty() || named.eq_ignore_ascii_case("off");
        return (!off).then(|| named.into());
    }
    // Relative ones are to be ignored, says the XDG specification; anywhere else they would be surprising too.
    let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute() || os == "windows");
    let home = |below: &str| path("HOME").map(|home| home.join(below));
    let caches = match os {
        "windows" => path("LOCALAPPDATA"),
        "macos" | "ios" => home("Library/Caches"),
        _ => path("XDG_CACHE_HOME").or_else(|| home(".cache")),
    };
    caches.map(|caches| caches.join("chiaro"))
}

/// `KIND-BACKEND-VENDOR-DEVICE-DIGEST.EXTENSION`: another driver or another version of this program has another file.
pub(crate) fn file_name(kind: &str, adapter: &AdapterSummary, extension: &str) -> String {
    let (vendor, product) = adapter.pci;
    let whole = format!("{} {} {}", adapter.name, adapter.driver, env!("CARGO_PKG_VERSION"));
    format!("{kind}-{}-{vendor:x}-{product:x}-{:016x}.{extension}", adapter.backend, digest(whole.as_bytes()))
}

/// The bytes of a file; `None` if there is none or it is larger than any of ours.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Ok(about) if about.len() <= MOST_BYTES => std::fs::read(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file by way of a neighbour, so that a reader never sees half of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder);
    }
    // Two devices of one process may save at once.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{number}.{PARTIAL}", std::process::id()));
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).inspect_err(|_| {
        // What is left of it would only be in the way.
        let _ = std::fs::remove_file(&partial);
    })
}

/// Removes what killed processes left. That it cannot be removed harms nothing.
fn remove_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).map(|then| then.elapsed().unwrap_or_default());
        if entry.path().extension().is_some_and(|e| e == PARTIAL) && age.is_ok_and(|age| age > LEFT_BEHIND) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// FNV-1a, 64 bits: finds damage, not malice.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(os: &str, variables: &[(&str, &str)]) -> Option<PathBuf> {
        folder(os, &|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_folder_is_the_one_that_each_system_has_for_caches() {
        let home = ("HOME", "/home/a");
        assert_eq!(of("linux", &[home]), Some("/home/a/.cache/chiaro".into()));
        assert_eq!(of("linux", &[home, ("XDG_CACHE_HOME", "/fast")]), Some("/fast/chiaro".into()));
        assert_eq!(of("linux", &[home, ("XDG_CACHE_HOME", "relative")]), Some("/home/a/.cache/chiaro".into()));
        assert_eq!(of("macos", &[home]), Some("/home/a/Library/Caches/chiaro".into()));
        assert_eq!(of("windows", &[("LOCALAPPDATA", r"C:\L")]), Some(Path::new(r"C:\L").join("chiaro")));
        assert_eq!(of("linux", &[]), None);
    }

    #[test]
    fn a_variable_names_another_folder_or_none() {
        let home = ("HOME", "/home/a");
        assert_eq!(of("linux", &[home, (VARIABLE, "/elsewhere")]), Some("/elsewhere".into()));
        assert_eq!(of("linux", &[home, (VARIABLE, "off")]), None);
        assert_eq!(of("windows", &[("LOCALAPPDATA", r"C:\L"), (VARIABLE, "")]), None);
    }

    #[test]
    fn what_killed_processes_left_is_removed_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, young, other] = ["a.1.partial", "b.2.partial", "a.bin"].map(|name| folder.path().join(name));
        for path in [&old, &young, &other] {
            std::fs::write(path, "x").expect("written");
        }
        let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 3600);
        for path in [&old, &other] {
            let file = std::fs::File::options().write(true).open(path).expect("there");
            file.set_modified(yesterday).expect("dated");
        }
        let new = folder.path().join("new.bin");
        write(&new, b"y").expect("written");
        assert_eq!([&old, &young, &other, &new].map(|path| path.exists()), [false, true, true, true]);
    }

    #[test]
    fn another_driver_has_another_file() {
        let adapter = |driver: &str| AdapterSummary {
            index: 0,
            name: "Radeon".to_owned(),
            backend: "vulkan".to_owned(),
            driver: driver.to_owned(),
            kind: crate::AdapterKind::Discrete,
            pci: (0x1002, 0x73bf),
            features: Default::default(),
            limits: Default::default(),
        };
        let name = file_name("pipelines", &adapter("radv 25.0.7"), "bin");
        assert!(name.starts_with("pipelines-vulkan-1002-73bf-"), "{name}");
        assert_ne!(name, file_name("pipelines", &adapter("radv 25.0.8"), "bin"));
    }
}
