//! The checksum inside a file: CRC-32, as gzip and PNG have it, over every byte of the file, its own digits counted as zeros.
//! It finds damage, not malice: each flipped bit, each burst of up to 32 bits, and all but one in four billion other changes.

use crc32fast::Hasher;
use std::io::Write;
use std::ops::Range;

/// The key of the metadata that holds it.
pub(crate) const KEY: &str = "checksum";
/// What stands there while the sum is made.
pub(crate) const ZEROS: &str = "00000000";

/// What a file's checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// The file is as it was written.
    Right,
    /// It is not.
    Wrong,
    /// There is none.
    Absent,
}

/// Sums what is written to it.
#[derive(Default)]
pub(crate) struct Summer(Hasher);

impl Summer {
    pub(crate) fn digits(self) -> String {
        format!("{:08x}", self.0.finalize())
    }
}

impl Write for Summer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where in a header the digits stand. Quotes within names and values are escaped, so only the key itself is found.
pub(crate) fn place(header: &[u8]) -> Option<Range<usize>> {
    let start = format!("\"{KEY}\":\"");
    let at = header.windows(start.len()).position(|part| part == start.as_bytes())? + start.len();
    let digits = at..at + ZEROS.len();
    (header.get(digits.end) == Some(&b'"')).then_some(digits)
}

/// Compares the digits `stated` in a file's metadata with its bytes, of which the first `header_end` hold the header.
pub(crate) fn check(bytes: &[u8], header_end: usize, stated: Option<&str>) -> Checksum {
    let Some(stated) = stated else { return Checksum::Absent };
    // Where another program wrote the header anew, the digits are of other bytes.
    let Some(place) = bytes.get(..header_end).and_then(place) else { return Checksum::Wrong };
    let mut sum = Hasher::new();
    sum.update(&bytes[..place.start]);
    sum.update(ZEROS.as_bytes());
    sum.update(&bytes[place.end..]);
    if Summer(sum).digits() == stated { Checksum::Right } else { Checksum::Wrong }
}
