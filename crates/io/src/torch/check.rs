//! What files are, by their first bytes: whether weights of others can be read at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::Metadata;

use super::archive;
use crate::error::{IoError, Result};

/// Longest header of a safetensors file.
const LONGEST: u64 = 100_000_000;
/// Bytes of a text that are shown.
const SHOWN: usize = 40;

/// Whether a file begins as PyTorch's files do, in either form. A file that cannot be read does not.
pub fn is_pickled(path: &Path) -> bool {
    path.is_file() && start(path, archive::BEGIN as u64).is_ok_and(|bytes| archive::is_one(&bytes))
}

/// Looks at the header and the length of a safetensors file, without reading its tensors.
///
/// # Errors
/// If the file cannot be read, is no safetensors file, is not whole, or holds no tensors.
pub fn check_safetensors(path: &Path) -> Result<()> {
    let failed = |cause| IoError::Read { path: path.to_path_buf(), cause };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    let first = start(path, 8).map_err(failed)?;
    let told = <[u8; 8]>::try_from(&first[..]).map_or(u64::MAX, u64::from_le_bytes);
    let head = start(path, if told <= LONGEST { 8 + told } else { SHOWN as u64 }).map_err(failed)?;
    let none = |detail: String| IoError::format(path, format!("it is no safetensors file ({detail}{})", begins(&head)));
    let text = head.get(8..).unwrap_or_default();
    let header: Metadata = serde_json::from_slice(text).map_err(|cause| none(cause.to_string()))?;
    if header.tensors().is_empty() {
        return Err(IoError::format(path, "it is a safetensors file without tensors"));
    }
    let whole = 8 + told + header.data_len() as u64;
    if whole != length {
        return Err(IoError::format(path, format!("it has {length} bytes instead of {whole}")));
    }
    Ok(())
}

/// The first bytes of a file, at most so many.
fn start(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How a text begins, to be added to a message; nothing of what is none.
fn begins(head: &[u8]) -> String {
    let shown = &head[..head.len().min(SHOWN)];
    let text = std::str::from_utf8(shown).unwrap_or_default().trim();
    let is_text = !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    if is_text { format!("; it begins with {text:?}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and so many bytes of tensors.
    fn file(header: &str, data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
    }

    #[test]
    fn what_is_no_whole_file_of_weights_is_told_by_what_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights");
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let checked = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            check_safetensors(&path).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&file(header, 8)), Ok(()));
        for (bytes, part) in [
            (file(header, 7), "instead of"),
            (file(header, 9), "instead of"),
            (file("{}", 0), "without tensors"),
            (b"<!DOCTYPE html><html>Sign in</html>".to_vec(), "begins with \"<!DOCTYPE html>"),
            (file(header, 8)[..20].to_vec(), "no safetensors file"),
            (vec![], "no safetensors file"),
        ] {
            let error = checked(&bytes).expect_err("refused");
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}
