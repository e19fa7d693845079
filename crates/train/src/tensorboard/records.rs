//! A file of records as TensorFlow frames them: length, its checksum, the bytes, theirs.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Result, TrainError};

/// Bytes before those of a record, and behind.
const HEAD: usize = 12;
const TAIL: usize = 4;

/// A file of records that is appended to.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    file: File,
}

impl Records {
    /// Opens the file, cut behind its last whole record; whether there is none yet.
    pub fn open(path: &Path) -> Result<(Records, bool)> {
        let there = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == ErrorKind::NotFound => vec![],
            Err(cause) => return Err(TrainError::read(path, cause)),
        };
        let whole = whole(&there);
        let opened = File::options().append(true).create(true).open(path);
        let opened = opened.and_then(|file| {
            if whole < there.len() {
                file.set_len(whole as u64)?;
            }
            Ok(file)
        });
        let file = opened.map_err(|cause| TrainError::write(path, cause))?;
        Ok((Records { path: path.to_path_buf(), file }, whole == 0))
    }

    /// Appends a record.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        let framed = [&length[..], &masked(&length), bytes, &masked(bytes)].concat();
        self.file.write_all(&framed).map_err(|cause| TrainError::write(&self.path, cause))
    }
}

/// How many bytes are whole records.
fn whole(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let (length, sum) = head.split_at(8);
        let next = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let next = usize::try_from(next).ok().and_then(|len| at.checked_add(HEAD)?.checked_add(len));
        let Some(end) = next.filter(|_| masked(length) == sum) else { break };
        if bytes.get(end..end + TAIL).is_none_or(|sum| masked(&bytes[at + HEAD..end]) != sum) {
            break;
        }
        at = end + TAIL;
    }
    at
}

/// The checksum (CRC-32C), turned and shifted as TensorFlow does it.
fn masked(bytes: &[u8]) -> [u8; 4] {
    let sum = crc32c::crc32c(bytes);
    sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_breaks_off_goes_on_behind_its_last_whole_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events");
        let (mut records, is_new) = Records::open(&path).expect("opened");
        assert!(is_new);
        records.append(b"one").expect("written");
        records.append(b"two").expect("written");
        let two = fs::read(&path).expect("read");
        // The check value of CRC-32C (RFC 3720) is that of "123456789".
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!((two.len(), whole(&two)), (2 * (HEAD + 3 + TAIL), two.len()));
        records.append(b"three").expect("written");
        let three = fs::read(&path).expect("read");
        for broken in [two.len() + 1, two.len() + HEAD, three.len() - 1] {
            fs::write(&path, &three[..broken]).expect("written");
            let (mut records, is_new) = Records::open(&path).expect("opened");
            assert!(!is_new);
            records.append(b"three").expect("written");
            assert_eq!(fs::read(&path).expect("read"), three, "{broken}");
        }
        // Damage in the middle ends what is whole.
        let mut damaged = three.clone();
        damaged[HEAD] ^= 1;
        assert_eq!(whole(&damaged), 0);
    }
}
