//! A file whose errors say which it is.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is written.
pub struct NamedFile {
    file: File,
    path: PathBuf,
}

impl NamedFile {
    /// An empty file at this place.
    ///
    /// # Errors
    /// If there can be none; the message names it.
    pub fn create(path: &Path) -> io::Result<NamedFile> {
        let file = File::create(path).map_err(|cause| named(path, cause))?;
        Ok(NamedFile { file, path: path.to_path_buf() })
    }
}

fn named(path: &Path, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot write {}: {cause}", path.display()))
}

impl Write for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|cause| named(&self.path, cause))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|cause| named(&self.path, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("no-folder").join("rows.csv");
        let error = NamedFile::create(&missing).err().expect("no such folder").to_string();
        assert!(error.starts_with("cannot write ") && error.contains("rows.csv"), "{error}");
        // A device that is always full.
        #[cfg(target_os = "linux")]
        {
            let mut full = NamedFile::create(Path::new("/dev/full")).expect("there");
            let error = full.write_all(b"row").expect_err("full").to_string();
            assert!(error.contains("cannot write /dev/full: "), "{error}");
        }
    }
}
