//! How many bytes of buffers may be alive where the user does not say.

use std::path::Path;

use crate::device::files;

/// The budget of a device: unlimited on a GPU, whose driver says when it is full; on a software adapter, whose
/// driver promises memory that is not there, three quarters of what the system can give now.
pub(crate) fn default_bytes(software: bool) -> u64 {
    if !software {
        return u64::MAX;
    }
    available_memory().map_or(u64::MAX, |bytes| bytes / 4 * 3)
}

/// Bytes that the system can give without moving anything to disk; `None` where it does not tell.
pub fn available_memory() -> Option<u64> {
    let meminfo = files::read(Path::new("/proc/meminfo")).ok().flatten()?;
    available_bytes(&String::from_utf8_lossy(&meminfo))
}

/// The figure of the line `MemAvailable:   123 kB`, in bytes.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_read_from_meminfo() {
        let text = "MemTotal:  2000 kB\nMemAvailable:    1000 kB\nBuffers: 1 kB\n";
        assert_eq!(available_bytes(text), Some(1_024_000));
        assert_eq!(available_bytes("MemTotal: 1 kB"), None);
        assert_eq!(available_bytes("MemAvailable: many kB"), None);
    }
}
