//! What a JPEG file tells before it is decoded (ITU-T T.81, annex B): its size, how its scans are made, and whether it is all
//! there: decoders fill what is missing with grey in silence.

use std::io::{self, BufRead, Read, Seek};

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;
/// Segments that begin a frame; the gaps are tables.
const FRAMES: [u8; 13] = [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF];
const PROGRESSIVE: [u8; 4] = [0xC2, 0xC6, 0xCA, 0xCE];
/// Side of a block of coefficients.
const BLOCK: u64 = 8;

/// The frame of a JPEG file and the beginning of its first scan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub width: u16,
    pub height: u16,
    /// How many samples of each component stand for a block of pixels, across and down.
    sampling: Vec<[u8; 2]>,
    progressive: bool,
    /// Components of the first scan.
    in_first_scan: u8,
}

impl Frame {
    /// Reads up to the first scan. `None` where the file ends or makes no sense before it.
    pub fn read(file: &mut (impl BufRead + Seek)) -> io::Result<Option<Frame>> {
        match Self::read_segments(file) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read,
        }
    }

    fn read_segments(file: &mut (impl BufRead + Seek)) -> io::Result<Option<Frame>> {
        let mut frame = None;
        let mut start = [0; 2];
        file.read_exact(&mut start)?;
        loop {
            let marker = next_marker(file)?;
            if stands_alone(marker) {
                continue;
            }
            let mut length = [0; 2];
            file.read_exact(&mut length)?;
            let length = u64::from(u16::from_be_bytes(length)).saturating_sub(2);
            if marker == END_OF_IMAGE {
                return Ok(None);
            } else if marker == START_OF_SCAN {
                let mut components = [0];
                file.read_exact(&mut components)?;
                return Ok(frame.map(|frame| Frame { in_first_scan: components[0], ..frame }));
            } else if FRAMES.contains(&marker) && frame.is_none() {
                let mut segment = vec![];
                file.take(length).read_to_end(&mut segment)?;
                frame = Frame::parse(marker, &segment);
                if frame.is_none() {
                    return Ok(None);
                }
            } else {
                file.seek_relative(length as i64)?;
            }
        }
    }

    fn parse(marker: u8, segment: &[u8]) -> Option<Frame> {
        let [_, h1, h0, w1, w0, components, rest @ ..] = segment else { return None };
        let sampling: Vec<[u8; 2]> = rest.chunks_exact(3).map(|c| [c[1] >> 4, c[1] & 15]).collect();
        let complete = sampling.len() == usize::from(*components) && !sampling.is_empty();
        let frame = Frame {
            width: u16::from_be_bytes([*w1, *w0]),
            height: u16::from_be_bytes([*h1, *h0]),
            progressive: PROGRESSIVE.contains(&marker),
            in_first_scan: 0,
            sampling,
        };
        (complete && frame.sampling.iter().flatten().all(|&n| (1..=4).contains(&n))).then_some(frame)
    }

    /// Whether each component, or some of them, come in scans of their own though the file is not progressive.
    pub fn has_partial_scans(&self) -> bool {
        !self.progressive && usize::from(self.in_first_scan) < self.sampling.len()
    }

    /// Bytes of memory that decoding takes: the pixels, and where a pixel's parts come in several scans, all coefficients.
    pub fn memory(&self) -> u64 {
        let most = |side: usize| u64::from(self.sampling.iter().map(|s| s[side]).max().unwrap_or(1));
        let (across, down) = (most(0), most(1));
        let blocks = u64::from(self.width).div_ceil(across * BLOCK) * u64::from(self.height).div_ceil(down * BLOCK);
        let samples: u64 = self.sampling.iter().map(|s| u64::from(s[0]) * u64::from(s[1]) * BLOCK * BLOCK).sum();
        let coefficients = if self.progressive || self.has_partial_scans() { 2 * blocks * samples } else { 0 };
        let channels = if self.sampling.len() == 1 { 1 } else { 3 };
        u64::from(self.width) * u64::from(self.height) * channels + coefficients
    }
}

/// The next marker, whatever stands before it.
fn next_marker(file: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    loop {
        while byte[0] != 0xFF {
            file.read_exact(&mut byte)?;
        }
        while byte[0] == 0xFF {
            file.read_exact(&mut byte)?;
        }
        if byte[0] != 0 {
            return Ok(byte[0]);
        }
    }
}

/// Stuffed zeros, TEM, restarts and start of image have no content.
fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8)
}

/// Whether the file's markers lead to an end-of-image marker.
///
/// Segments are stepped over by their lengths, so that the end of a thumbnail embedded in a
/// segment is not taken for the file's own. `bytes` start with a start-of-image marker.
pub(crate) fn reaches_its_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| {
        // Entropy-coded data, where 0xFF is always followed by 0 or a restart marker, and fill
        // bytes (any number of 0xFF) are passed over the same way.
        memchr::memchr_iter(0xFF, rest).find(|&place| rest.get(place + 1).is_some_and(|&next| next != 0xFF))
    }) {
        let marker = bytes[at + found + 1];
        at += found + 2;
        match marker {
            END_OF_IMAGE => return true,
            _ if stands_alone(marker) => {}
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

    /// A file of 100x50 pixels, 4:2:0, with this kind of frame and this many components in its first scan.
    fn file(frame: u8, in_first_scan: u8) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 6, 0xFF, 0xC0, 1, 2, 0xFF, frame, 0, 17];
        bytes.extend([8, 0, 50, 0, 100, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        bytes.extend([0xFF, 0xDA, 0, 12, in_first_scan]);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Frame> {
        Frame::read(&mut io::Cursor::new(bytes)).expect("memory does not fail")
    }

    #[test]
    fn a_frame_tells_its_size_its_scans_and_its_memory() {
        // 7 by 4 units of 6 blocks.
        let (pixels, coefficients) = (100 * 50 * 3, 2 * 7 * 4 * 6 * 64);
        for (kind, in_first_scan, partial, memory) in [
            (0xC0, 3, false, pixels),
            (0xC0, 1, true, pixels + coefficients),
            (0xC1, 2, true, pixels + coefficients),
            (0xC2, 1, false, pixels + coefficients),
        ] {
            let frame = read(&file(kind, in_first_scan)).expect("a frame");
            assert_eq!((frame.width, frame.height), (100, 50));
            assert_eq!((frame.has_partial_scans(), frame.memory()), (partial, memory), "{kind:x} {in_first_scan}");
        }
    }

    #[test]
    fn what_is_cut_or_makes_no_sense_has_no_frame() {
        let whole = file(0xC0, 3);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "cut to {length}");
        }
        let mut wrong = whole;
        wrong[21] = 0; // No sample of the first component.
        assert_eq!(read(&wrong), None);
    }
}
