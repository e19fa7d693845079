//! Files of the cache folder and of the system; in a browser there are none, and every access is an error that nothing comes of.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Ends the names of files that are not whole yet.
const PARTIAL: &str = "partial";
/// Nobody writes a file for longer: such a one is what a process left that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// Larger files are not read: nothing of ours grows so, and they would hold up the start.
const MOST_BYTES: u64 = 256 << 20;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
