//! Buffers of a plan and the regions of them that steps read and write.
//! `unsafe` because one buffer holds many values at different times, and tasks write disjoint parts of one region at once. The
//! proof that nothing is read while it is written is the plan's: see [`MemoryRegion`].

use crate::large::{LEAST, Large};
use half::f16;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::atomic::{AtomicU64, Ordering};

const LINE: usize = 64;

/// Memory of one buffer, zero at first, starting at a cache line.
pub(crate) struct Block {
    words: *mut u64,
    len: usize,
    version: AtomicU64,
    /// Whose memory it is; absent: the allocator's.
    large: Option<Large>,
}

// SAFETY: the memory is the block's own; see `MemoryRegion` for who keeps apart reads and writes.
unsafe impl Send for Block {}
// SAFETY: the same.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        if let (None, Some(layout)) = (&self.large, Block::layout(self.len)) {
            // SAFETY: made by `try_new` with this layout, and nobody has a region of a dropped block.
            unsafe { dealloc(self.words.cast(), layout) };
        }
    }
}

impl Block {
    /// `bytes` zero bytes. Where they are not [`Large`], the system hands out their pages at the first touch, which is a kernel's: so they
    /// lie where they are used, and no time is spent on them before.
    ///
    /// `None` where the system gives no more.
    pub fn try_new(bytes: usize) -> Option<Block> {
        let len = Block::words(bytes)?;
        let layout = Block::layout(len)?;
        let version = AtomicU64::new(Block::NEW);
        if let Some(mut large) = (layout.size() >= LEAST).then(|| Large::zeroed(layout.size())).flatten() {
            return Some(Block { words: large.start().cast(), len, version, large: Some(large) });
        }
        // SAFETY: the layout has some bytes.
        let words = unsafe { alloc_zeroed(layout) }.cast::<u64>();
        (!words.is_null()).then_some(Block { words, len, version, large: None })
    }

    /// The same where there is no way to go on without it.
    pub fn new(bytes: usize) -> Block {
        let layout = || Block::words(bytes).and_then(Block::layout).unwrap_or(Layout::new::<u64>());
        Block::try_new(bytes).unwrap_or_else(|| handle_alloc_error(layout()))
    }

    /// The version of a block that nobody has written.
    pub const NEW: u64 = 1;

    /// Words of memory that hold `bytes` from a cache line on.
    fn words(bytes: usize) -> Option<usize> {
        Some(bytes.checked_add(LINE)?.div_ceil(8) + LINE / 8)
    }

    fn layout(words: usize) -> Option<Layout> {
        Layout::array::<u64>(words).ok()
    }

    /// Changes whenever the content may have changed between steps.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Tells readers that keep copies that the content changes.
    pub fn touch(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.len * 8
    }

    /// `bytes` bytes from `offset` on.
    pub fn region(&self, offset: usize, bytes: usize) -> MemoryRegion {
        let base = self.words.cast::<u8>();
        let start = base.align_offset(LINE).saturating_add(offset);
        let end = start.checked_add(bytes);
        assert!(end.is_some_and(|end| end <= self.bytes()), "a region leaves its buffer");
        MemoryRegion { base: base.wrapping_add(start), bytes }
    }
}

/// A part of a [`Block`], handed to the steps of one backend, which owns all blocks that its steps name and drops them last.
///
/// The plan guarantees that within a step a region that is only read overlaps none that is written, and the actions that
/// tasks write disjoint parts. Slices made here must not outlive the task, and a region that is read and written at once
/// ([`chiaro_graph::plan::Access::ReadWrite`]) is copied out by [`MemoryRegion::copy_lanes`] before it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryRegion {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: a region is an address; see above for who keeps apart reads and writes.
unsafe impl Send for MemoryRegion {}
// SAFETY: the same.
unsafe impl Sync for MemoryRegion {}

macro_rules! accessors {
    ($($(#[$doc:meta])* $read:ident $write:ident $T:ty;)+) => {$(
        $(#[$doc])*
        pub fn $read<'a>(self, start: usize, len: usize) -> &'a [$T] {
            self.check::<$T>(start, len);
            // SAFETY: in bounds and aligned; nobody writes it meanwhile (see `MemoryRegion`); all bit patterns are values.
            unsafe { std::slice::from_raw_parts(self.base.cast::<$T>().add(start), len) }
        }

        /// The same to be written, by one task alone.
        pub fn $write<'a>(self, start: usize, len: usize) -> &'a mut [$T] {
            self.check::<$T>(start, len);
            // SAFETY: as above, and no other task has these elements.
            unsafe { std::slice::from_raw_parts_mut(self.base.cast::<$T>().add(start), len) }
        }
    )+};
}

impl MemoryRegion {
    accessors! {
        /// Elements as 32-bit lanes.
        lanes lanes_mut u32;
        /// Elements as floats.
        floats floats_mut f32;
        /// Elements as 64-bit partial sums.
        doubles doubles_mut f64;
        /// Elements as 16-bit floats.
        halves halves_mut f16;
    }

    /// In every build, without wrapping: all slices of regions rest on it.
    fn check<T>(self, start: usize, len: usize) {
        let end = start.checked_add(len).and_then(|end| end.checked_mul(size_of::<T>()));
        assert!(end.is_some_and(|end| end <= self.bytes), "elements {start}.. ({len}) of {} bytes", self.bytes);
    }

    /// All floats.
    pub fn all<'a>(self) -> &'a [f32] {
        self.floats(0, self.bytes / 4)
    }

    /// All floats, to be written.
    pub fn all_mut<'a>(self) -> &'a mut [f32] {
        self.floats_mut(0, self.bytes / 4)
    }

    /// Copies lanes out of a region of which other parts are being written.
    #[inline]
    pub fn copy_lanes(self, start: usize, to: &mut [u32]) {
        self.check::<u32>(start, to.len());
        // SAFETY: in bounds; `to` is scratch and never part of a region.
        unsafe { std::ptr::copy_nonoverlapping(self.base.cast::<u32>().add(start), to.as_mut_ptr(), to.len()) }
    }

    /// One lane.
    #[inline]
    pub fn lane(self, at: usize) -> u32 {
        self.check::<u32>(at, 1);
        // SAFETY: in bounds.
        unsafe { *self.base.cast::<u32>().add(at) }
    }

    /// Writes one lane.
    #[inline]
    pub fn set_lane(self, at: usize, value: u32) {
        self.check::<u32>(at, 1);
        // SAFETY: in bounds; the element is the calling task's.
        unsafe { *self.base.cast::<u32>().add(at) = value }
    }

    /// One 16-bit float.
    #[inline]
    pub fn half(self, at: usize) -> f16 {
        self.check::<f16>(at, 1);
        // SAFETY: in bounds.
        unsafe { *self.base.cast::<f16>().add(at) }
    }

    /// Writes one 16-bit float.
    #[inline]
    pub fn set_half(self, at: usize, value: f16) {
        self.check::<f16>(at, 1);
        // SAFETY: in bounds; the element is the calling task's.
        unsafe { *self.base.cast::<f16>().add(at) = value }
    }

    /// Whether some byte is in both.
    pub fn overlaps(self, other: MemoryRegion) -> bool {
        let (a, b) = (self.base as usize, other.base as usize);
        a < b + other.bytes && b < a + self.bytes
    }

    /// A part, in bytes.
    pub fn part(self, offset: usize, bytes: usize) -> MemoryRegion {
        let end = offset.checked_add(bytes);
        assert!(end.is_some_and(|end| end <= self.bytes), "bytes {offset}.. ({bytes}) of {} bytes", self.bytes);
        MemoryRegion { base: self.base.wrapping_add(offset), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zero_and_start_at_a_cache_line() {
        // What nobody looks at need not be allocated: the compiler must not know that.
        let refused = |bytes| std::hint::black_box(Block::try_new(std::hint::black_box(bytes))).is_none();
        assert!(refused(usize::MAX) && refused(1 << 60));
        let block = Block::new(1000);
        let region = block.region(0, 1000);
        assert_eq!(region.lanes(0, 250), [0; 250]);
        assert_eq!(region.lanes(0, 1).as_ptr() as usize % LINE, 0);
        block.region(64, 4).set_lane(0, 7);
        assert_eq!(region.lane(16), 7);
    }

    #[test]
    fn large_blocks_are_as_small_ones() {
        for bytes in [LEAST - 4096, LEAST, LEAST + 4] {
            let block = Block::new(bytes);
            let region = block.region(0, bytes);
            assert!(region.all().iter().all(|v| v.to_bits() == 0), "{bytes} bytes");
            assert_eq!(region.all().as_ptr() as usize % LINE, 0);
            region.set_lane(bytes / 4 - 1, 7);
            assert_eq!((region.lane(bytes / 4 - 1), block.version()), (7, Block::NEW));
        }
    }

    #[test]
    fn regions_and_slices_outside_are_refused_where_sums_wrap_too() {
        let refused = |f: fn(MemoryRegion) -> usize| {
            let block = Block::new(64);
            std::panic::catch_unwind(|| f(block.region(0, 64))).is_err()
        };
        for bytes in [4096, usize::MAX, usize::MAX - 8] {
            assert!(std::panic::catch_unwind(|| Block::new(8).region(64, bytes)).is_err(), "{bytes} bytes");
            assert!(std::panic::catch_unwind(|| Block::new(8).region(bytes, 64)).is_err(), "from {bytes}");
        }
        assert!(refused(|r| r.lanes(usize::MAX, 2).len()));
        assert!(refused(|r| r.lanes(1 << 62, 1).len()), "its bytes wrap to 4");
        assert!(refused(|r| r.floats_mut(usize::MAX - 1, 3).len()));
        assert!(refused(|r| r.lane(usize::MAX) as usize));
        assert!(refused(|r| r.part(usize::MAX, 2).bytes));
        assert!(!refused(|r| r.lanes(8, 8).len() + r.part(60, 4).bytes));
    }
}
