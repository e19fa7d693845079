//! Memory that may not be there: large buffers whose lack is an error, and the share of memory that decoding has at a time.

use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

use crate::{DataError, threads};

/// The most memory that decoding one image may take.
pub(crate) const MOST_FOR_AN_IMAGE: u64 = 512 << 20;
/// What each thread adds to the memory that all together may take: enough for a photo of 20 million pixels.
const SHARE_OF_A_THREAD: u64 = 64 << 20;

/// A buffer of zeros with the product of `extents` elements; `purpose` ends the message "no memory for ...".
pub(crate) fn zeroed<T: Clone + Default>(purpose: &str, extents: &[usize]) -> Result<Vec<T>, DataError> {
    let len = extents.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    let mut buffer = Vec::new();
    match len {
        Some(len) if buffer.try_reserve_exact(len).is_ok() => {
            buffer.resize(len, T::default());
            Ok(buffer)
        }
        _ => {
            let product = extents.iter().fold(size_of::<T>() as u64, |product, &n| product.saturating_mul(n as u64));
            Err(DataError::no_memory(purpose, product))
        }
    }
}

/// Waits until `bytes` are left of what all threads together may decode into, and takes them. Who decodes waits for nobody
/// else, so that this ends.
pub(crate) fn take_for_decoding(bytes: u64) -> Taken<'static> {
    static ROOM: LazyLock<Room> = LazyLock::new(|| {
        let threads = threads::count() as u64;
        Room::new(MOST_FOR_AN_IMAGE + SHARE_OF_A_THREAD * threads)
    });
    ROOM.take(bytes)
}

struct Room {
    left: Mutex<u64>,
    given_back: Condvar,
    all: u64,
}

/// A part of the room, given back when it is dropped.
pub(crate) struct Taken<'r> {
    room: &'r Room,
    bytes: u64,
}

impl Room {
    fn new(all: u64) -> Self {
        Self { left: Mutex::new(all), given_back: Condvar::new(), all }
    }

    fn take(&self, bytes: u64) -> Taken<'_> {
        // What is larger than the room takes all of it.
        let bytes = bytes.min(self.all);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = self.given_back.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        Taken { room: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.room.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.room.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn more_memory_than_there_is_or_can_be_counted_is_an_error() {
        assert_eq!(zeroed::<u8>("a test", &[2, 3]).unwrap(), [0; 6]);
        for extents in [[1 << 60, 2], [1 << 40, 1 << 40]] {
            let error = zeroed::<u32>("a test", &extents).unwrap_err();
            assert!(error.to_string().starts_with("no memory for a test: "), "{error}");
        }
    }

    #[test]
    fn threads_together_never_hold_more_than_the_room() {
        let (room, held) = (Room::new(100), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for size in [60, 50, 30, 1000] {
                let (room, held) = (&room, &held);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let taken = room.take(size);
                        let now = held.fetch_add(taken.bytes, Ordering::SeqCst) + taken.bytes;
                        assert!(now <= 100, "{now}");
                        std::thread::yield_now();
                        held.fetch_sub(taken.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*room.left.lock().unwrap(), 100);
    }
}
