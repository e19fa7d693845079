//! How much memory the system can give.

/// Bytes that can be had without anything being moved to disk; `None` where the system does not tell.
pub fn available() -> Option<u64> {
    available_bytes(&std::fs::read_to_string("/proc/meminfo").ok()?)
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
        assert_eq!(available_bytes("MemTotal:  2000 kB\nMemAvailable:    1000 kB\n"), Some(1_024_000));
        assert_eq!(available_bytes("MemTotal: 1 kB"), None);
    }
}
