//! Large zero memory whose pages are there from the start: to fault in 300 MB page by page takes two kernels 0.1 s longer.

/// What is smaller than this comes from the allocator.
pub(crate) const LEAST: usize = 4 << 20;

#[cfg(target_os = "linux")]
mod linux {
    use memmap2::{MmapMut, MmapOptions};
    use std::fs::read_to_string;
    use std::sync::OnceLock;

    /// A mapping that nobody else has.
    pub(crate) struct Large(MmapMut);

    impl Large {
        /// So many zero bytes; `None` where the system does not give them, or where the allocator's are better.
        pub fn zeroed(bytes: usize) -> Option<Large> {
            static ONE_NODE: OnceLock<bool> = OnceLock::new();
            let one = *ONE_NODE.get_or_init(has_one_node);
            one.then(|| MmapOptions::new().len(bytes).populate().map_anon().ok()).flatten().map(Large)
        }

        /// Its first byte, the start of a page.
        pub fn start(&mut self) -> *mut u8 {
            self.0.as_mut_ptr()
        }
    }

    /// Whether all memory is as near. Where it is not, a page belongs to who touches it first, and that must be who uses it.
    fn has_one_node() -> bool {
        read_to_string("/sys/devices/system/node/online").is_ok_and(|nodes| nodes.trim() == "0")
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::Large;

/// Elsewhere there is none.
#[cfg(not(target_os = "linux"))]
pub(crate) enum Large {}

#[cfg(not(target_os = "linux"))]
impl Large {
    pub fn zeroed(_bytes: usize) -> Option<Large> {
        None
    }

    pub fn start(&mut self) -> *mut u8 {
        match *self {}
    }
}
