//! Compiled pipelines on disk, one file an adapter, driver and program version: starting again then skips the compiler.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Gpu;
use crate::device::adapter::AdapterSummary;
use crate::device::cache::{self, digest};
use crate::device::{files, unsafe_calls};

/// Begins every file; the number changes with the format.
const MAGIC: &[u8; 8] = b"chiaroP1";

/// A driver's pipeline cache and the file it is kept in.
pub(crate) struct PipelineCacheFile {
    raw: wgpu::PipelineCache,
    path: PathBuf,
    /// Pipelines compiled on the device when the file was last written.
    saved: AtomicU64,
}

impl PipelineCacheFile {
    /// Opens the cache of `adapter` in `folder`. A file that is missing, damaged or of another driver is an empty cache.
    pub(crate) fn open(device: &wgpu::Device, adapter: &AdapterSummary, folder: &Path) -> Self {
        let path = folder.join(cache::file_name("pipelines", adapter, "bin"));
        let stored = files::read(&path).ok().flatten();
        let data = stored.as_deref().and_then(unseal);
        Self { raw: unsafe_calls::pipeline_cache(device, data), path, saved: AtomicU64::new(0) }
    }

    pub(crate) fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    fn save(&self) -> io::Result<bool> {
        match self.raw.get_data() {
            Some(data) => files::write(&self.path, &seal(&data)).map(|()| true),
            None => Ok(false),
        }
    }
}

impl Gpu {
    /// Writes the pipelines compiled so far to the folder in [`crate::OpenOptions::cache`]. Returns whether there is such a
    /// cache on this device.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn save_pipeline_cache(&self) -> io::Result<bool> {
        self.cache().map_or(Ok(false), PipelineCacheFile::save)
    }

    /// Writes the pipelines where some were compiled since; a folder that takes no files costs a note and nothing else.
    pub(crate) fn keep_pipelines(&self) {
        let Some(cache) = self.cache() else { return };
        let compiled = self.counters().pipelines;
        if cache.saved.swap(compiled, Relaxed) == compiled {
            return;
        }
        if let Err(error) = cache.save() {
            let path = cache.path.display();
            self.notes().add(format!("compiled kernels are not kept for the next start: {path}: {error}"));
        }
    }
}

fn seal(data: &[u8]) -> Vec<u8> {
    [MAGIC.as_slice(), &digest(data).to_le_bytes(), data].concat()
}

/// The data of a sealed file, or `None` where any byte differs: drivers trust what they are given.
fn unseal(file: &[u8]) -> Option<&[u8]> {
    let (stored, data) = file.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    (digest(data).to_le_bytes() == *stored).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_not_passed_to_the_driver() {
        let sealed = seal(b"compiled code");
        assert_eq!(unseal(&sealed), Some(b"compiled code".as_slice()));
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert_eq!(unseal(&damaged), None, "byte {place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(unseal(&sealed[..length]), None, "cut at {length}");
        }
    }
}
