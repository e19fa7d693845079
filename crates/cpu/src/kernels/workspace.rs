//! Scratch memory and the chosen instruction set, made once and lent to every kernel call.

use crate::raw::simd::{Kernels, Level};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Scratch of one thread; vectors grow on first use and stay.
#[derive(Default)]
pub(crate) struct ScratchArena {
    pub(crate) offsets: Vec<u32>,
    pub(crate) taps: Vec<u32>,
    pub(crate) floats: Aligned,
    pub(crate) more: Aligned,
    /// Plain filters, about to be transformed.
    pub(crate) filters: Aligned,
    /// Lines of an output.
    pub(crate) lines: Aligned,
}

/// Scratch memory of all threads and the instruction set in use. Make one and pass it to every kernel.
pub struct Workspace {
    kernels: Kernels,
    arenas: Vec<Mutex<ScratchArena>>,
    zeros: Vec<f32>,
    /// Partial sums that outlive one task.
    pub(crate) partials: Aligned,
    /// An input with its padding.
    pub(crate) padded: Aligned,
    /// Transformed tiles of output gradients.
    pub(crate) tiles: Aligned,
    /// Offsets of the floats of one patch.
    pub(crate) patch: Vec<u32>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Workspace {
    /// For the best instruction set of this processor and the current rayon pool.
    #[must_use]
    pub fn new() -> Self {
        Self::with_level(Level::detect())
    }

    /// For a chosen instruction set; the portable one where the processor lacks it.
    #[must_use]
    pub fn with_level(level: Level) -> Self {
        Self {
            kernels: Kernels::new(level),
            arenas: Vec::new(),
            zeros: Vec::new(),
            partials: Aligned::default(),
            padded: Aligned::default(),
            tiles: Aligned::default(),
            patch: Vec::new(),
        }
    }

    /// The instruction set in use.
    #[must_use]
    pub fn level(&self) -> Level {
        self.kernels.level()
    }

    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Gets ready for a call on the current pool that needs `zeros` zeros for padding.
    pub(crate) fn prepare(&mut self, zeros: usize) {
        let threads = rayon::current_num_threads().max(1);
        if self.arenas.len() < threads {
            self.arenas.resize_with(threads, Mutex::default);
        }
        if self.zeros.len() < zeros {
            self.zeros.resize(zeros, 0.0);
        }
    }

    pub(crate) fn zeros(&self) -> &[f32] {
        &self.zeros
    }

    /// The calling thread's scratch. Tasks hold it while they run and never wait for other tasks meanwhile.
    pub(crate) fn arena(&self) -> MutexGuard<'_, ScratchArena> {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.arenas.len();
        self.arenas[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Floats that start at a cache line, so that no vector load of a packed panel touches two lines.
#[derive(Default)]
pub(crate) struct Aligned(Vec<f32>);

impl Aligned {
    /// `len` floats, zeros where they are new.
    pub(crate) fn grow(&mut self, len: usize) -> &mut [f32] {
        const LINE: usize = 64;
        if self.0.len() < len + LINE / size_of::<f32>() {
            // The old ones first, so that both are never there together.
            self.0 = Vec::new();
            self.0 = vec![0.0; len + LINE / size_of::<f32>()];
        }
        let start = self.start();
        &mut self.0[start..start + len]
    }

    pub(crate) fn get(&self) -> &[f32] {
        &self.0[self.start()..]
    }

    fn start(&self) -> usize {
        self.0.as_ptr().align_offset(64).min(self.0.len())
    }
}

/// The first `len` floats of a scratch vector, grown where it is too short.
pub(crate) fn scratch<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}
