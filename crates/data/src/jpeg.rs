//! Finds out whether a JPEG file is all there: decoders fill what is missing with grey in silence.

const END_OF_IMAGE: u8 = 0xD9;

/// Whether the file's markers lead to an end-of-image marker (ITU-T T.81, annex B).
///
/// Segments are stepped over by their lengths, so that the end of a thumbnail embedded in a
/// segment is not taken for the file's own. `bytes` start with a start-of-image marker.
pub(crate) fn reaches_its_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| {
        // Entropy-coded data, where 0xFF is always followed by 0 or a restart marker, and fill
        // bytes (any number of 0xFF) are passed over the same way.
        rest.windows(2).position(|pair| pair[0] == 0xFF && pair[1] != 0xFF)
    }) {
        let marker = bytes[at + found + 1];
        at += found + 2;
        match marker {
            END_OF_IMAGE => return true,
            // A stuffed zero, TEM, restarts and start of image stand alone.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => match bytes.get(at..at + 2) {
                Some(&[high, low]) => at += usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment that holds an end marker of its own, a scan with a stuffed zero and a restart.
    const WHOLE: [u8; 22] =
        [0xFF, 0xD8, 0xFF, 0xE1, 0, 4, 0xFF, 0xD9, 0xFF, 0xDA, 0, 3, 1, 7, 0xFF, 0, 8, 0xFF, 0xD0, 9, 0xFF, 0xD9];

    #[test]
    fn only_the_whole_file_reaches_its_end() {
        assert!(reaches_its_end(&WHOLE));
        for length in 2..WHOLE.len() {
            assert!(!reaches_its_end(&WHOLE[..length]), "cut to {length}");
        }
    }

    #[test]
    fn bytes_after_the_end_do_no_harm() {
        assert!(reaches_its_end(&[&WHOLE[..], &[1, 2, 0xFF]].concat()));
    }
}
