//! Scratch memory of the tile interpreter, one of each pool thread.

use super::code::TILE;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the invariant tiles of a thread hold: prepared program, run, first column, columns.
pub(crate) type ScratchKey = (u64, u64, usize, usize);

/// One thread's scratch.
#[derive(Default)]
pub(crate) struct Scratch {
    pub tiles: Vec<Vec<u32>>,
    pub key: ScratchKey,
    /// Lanes in which a reduction sums up a few tiles.
    pub lanes: Vec<Vec<u32>>,
    /// 64-bit sums of columns.
    pub doubles: Vec<f64>,
}

impl Scratch {
    /// Makes room for `slots` tiles.
    pub fn reserve(&mut self, slots: usize) {
        if self.tiles.len() < slots {
            self.tiles.resize_with(slots, || vec![0; TILE]);
        }
    }
}

/// The scratch of all threads of a pool.
pub(crate) struct Scratches(Vec<Mutex<Scratch>>);

impl Scratches {
    pub fn new(threads: usize) -> Scratches {
        Scratches((0..threads.max(1)).map(|_| Mutex::default()).collect())
    }

    /// The calling thread's. Tasks hold it while they run and never wait for other tasks meanwhile.
    pub fn mine(&self) -> MutexGuard<'_, Scratch> {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        self.0[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
