//! Where a data set is while it is used: on the device, if that has the room, or with the host.

use std::sync::atomic::{AtomicUsize, Ordering};

use chiaro_data::{Dataset, Normalize, packed_len};
use chiaro_graph::{ARENA_ALIGNMENT, Backend};
use chiaro_nn::{Augment, ImageInput, PixelInput, Resident, data_arena};

/// Arenas of images that were named so far.
static ARENAS: AtomicUsize = AtomicUsize::new(0);

/// Where a data set is while it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlace {
    /// All of it on the device, which is told by a list of numbers what to take.
    Device {
        /// Its size.
        bytes: u64,
    },
    /// With the host, which uploads each batch, because the device has not the room.
    TooLarge {
        /// The set's size.
        bytes: u64,
        /// The most that the device can bind at once and has left.
        room: u64,
    },
    /// With the host, because that was asked for.
    Host,
}

impl DataPlace {
    /// Where a set can be.
    pub(crate) fn of(dataset: &dyn Dataset, backend: &dyn Backend, wanted: bool) -> DataPlace {
        let words = packed_len(dataset.image_shape()) * dataset.len();
        let (bytes, room) = (4 * words as u64, backend.room());
        match wanted {
            false => DataPlace::Host,
            // An arena is filled up behind its last state.
            true if 4 * words.next_multiple_of(ARENA_ALIGNMENT) as u64 <= room => DataPlace::Device { bytes },
            true => DataPlace::TooLarge { bytes, room },
        }
    }

    /// What a step is told about a set of this place. Each time the arena is another, whose name no other set of the process has:
    /// who shares a backend brings no images over another's.
    pub(crate) fn resident(self, dataset: &dyn Dataset, name: &str) -> Option<Resident> {
        let (images, words) = (dataset.len(), packed_len(dataset.image_shape()));
        let there = matches!(self, DataPlace::Device { .. });
        there.then(|| {
            let number = ARENAS.fetch_add(1, Ordering::Relaxed);
            Resident { arena: data_arena(&format!("{name} {number}: {images}x{words}")), images }
        })
    }

    /// The place of two sets together: that of the first, the size of both where both are on the device.
    pub(crate) fn with(self, other: DataPlace) -> DataPlace {
        match (self, other) {
            (DataPlace::Device { bytes }, DataPlace::Device { bytes: more }) => {
                DataPlace::Device { bytes: bytes + more }
            }
            (DataPlace::Device { .. }, DataPlace::TooLarge { .. } | DataPlace::Host)
            | (
                DataPlace::TooLarge { .. } | DataPlace::Host,
                DataPlace::Device { .. } | DataPlace::TooLarge { .. } | DataPlace::Host,
            ) => self,
        }
    }
}

/// How a step takes images that `normalize` centres.
pub(crate) fn pixels(normalize: &Normalize, augment: Augment, resident: Option<Resident>) -> ImageInput {
    let (mean, std) = (normalize.mean().to_vec(), normalize.std().to_vec());
    ImageInput::Pixels(PixelInput { mean, std, augment, resident })
}
