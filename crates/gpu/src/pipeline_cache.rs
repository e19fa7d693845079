//! Compiled pipelines on disk, one file an adapter and driver, opt-in: starting a program again then skips the compiler.

use std::io;
use std::path::{Path, PathBuf};

use crate::adapter::AdapterSummary;
use crate::{Gpu, unsafe_calls};

/// Begins every file; the number changes with the format.
const MAGIC: &[u8; 8] = b"chiaroP1";

/// A driver's pipeline cache and the file it is kept in.
pub(crate) struct PipelineCacheFile {
    raw: wgpu::PipelineCache,
    path: PathBuf,
}

impl PipelineCacheFile {
    /// Opens the cache of `adapter` in `folder`. A file that is missing, damaged or of another driver is an empty cache.
    pub(crate) fn open(device: &wgpu::Device, adapter: &AdapterSummary, folder: &Path) -> Self {
        let (vendor, product) = adapter.pci;
        let driver = digest(format!("{} {}", adapter.name, adapter.driver).as_bytes());
        let name = format!("pipelines-{}-{vendor:x}-{product:x}-{driver:016x}.bin", adapter.backend);
        let path = folder.join(name);
        let stored = std::fs::read(&path).ok();
        let data = stored.as_deref().and_then(unseal);
        Self { raw: unsafe_calls::pipeline_cache(device, data), path }
    }

    pub(crate) fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    /// Writes the file by way of a neighbour, so that a reader never sees half of it.
    fn save(&self) -> io::Result<bool> {
        let Some(data) = self.raw.get_data() else {
            return Ok(false);
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let partial = self.path.with_extension(format!("{}", std::process::id()));
        std::fs::write(&partial, seal(&data))?;
        std::fs::rename(&partial, &self.path).map(|()| true)
    }
}

impl Gpu {
    /// Writes the pipelines compiled so far to the folder in [`crate::OpenOptions::pipeline_cache`]. Returns whether
    /// there is such a cache on this device.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn save_pipeline_cache(&self) -> io::Result<bool> {
        self.cache().map_or(Ok(false), PipelineCacheFile::save)
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

/// FNV-1a, 64 bits: finds damage, not malice.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
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
