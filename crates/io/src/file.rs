//! Safetensors files: written whole or not at all, with the same bytes for the same values, and read with every field checked.

use crate::error::{IoError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{Data, Tensor};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file's named tensors and its metadata, both sorted by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: BTreeMap<String, String>,
}

/// Replaces a file by these f32 tensors. It appears complete under its name, or not at all.
pub(crate) fn write(path: &Path, contents: &Contents) -> Result<()> {
    let header = header(contents);
    let data: usize = contents.tensors.values().map(|t| 4 * count(t.shape())).sum();
    let bytes = (8 + header.len() + data) as u64;
    replace(path, bytes, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let values = contents.tensors.values().filter_map(Tensor::as_f32).flatten();
        values.copied().try_for_each(|v| out.write_all(&v.to_le_bytes()))
    })
}

/// The JSON header, filled up to whole words with spaces as the format asks.
fn header(contents: &Contents) -> Vec<u8> {
    let mut map = Map::new();
    map.insert("__metadata__".into(), json!(contents.metadata));
    let mut start = 0;
    for (name, tensor) in &contents.tensors {
        let end = start + 4 * count(tensor.shape());
        map.insert(name.clone(), json!({"dtype": "F32", "shape": tensor.shape(), "data_offsets": [start, end]}));
        start = end;
    }
    let mut text = Value::Object(map).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    text
}

/// Writes beside the file, waits until the disk has it, and renames, so that a crash leaves the old file or the new one.
fn replace(path: &Path, bytes: u64, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let beside = temporary(path);
    let written = write_and_sync(&beside, fill).and_then(|()| std::fs::rename(&beside, path));
    if let Err(source) = written {
        // The failure to write is the one to report, whether or not there was something to remove.
        let _ = std::fs::remove_file(&beside);
        let path = path.to_path_buf();
        return Err(match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => IoError::DiskFull { path, bytes },
            _ => IoError::Write { path, source },
        });
    }
    sync_folder(path).map_err(|source| IoError::Write { path: path.to_path_buf(), source })
}

fn write_and_sync(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    fill(&mut out)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

/// Makes the rename itself durable; only Unix lets a folder be opened for that.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Reads a file; floats of any width become f32.
pub(crate) fn read(path: &Path) -> Result<Contents> {
    let bytes = std::fs::read(path).map_err(|source| IoError::Read { path: path.to_path_buf(), source })?;
    let broken = |e: safetensors::SafeTensorError| {
        let detail = format!("it is truncated or no safetensors file ({e}, {} bytes)", bytes.len());
        IoError::format(path, detail)
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let tensor = floats(view.dtype(), view.data())
            .and_then(|values| Tensor::new(view.shape().to_vec(), Data::F32(values)))
            .ok_or_else(|| IoError::format(path, format!("{name} has elements of type {:?}", view.dtype())))?;
        tensors.insert(name, tensor);
    }
    Ok(Contents { tensors, metadata })
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let two = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    let four = || bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    Some(match dtype {
        Dtype::F32 => four().map(f32::from_le_bytes).collect(),
        Dtype::F16 => two().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => two().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F64 => {
            let eight = bytes.chunks_exact(8).map(|b| [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            eight.map(|b| f64::from_le_bytes(b) as f32).collect()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_and_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights");
        std::fs::write(&path, b"old").expect("written");
        let error = replace(&path, 99, |out| {
            out.write_all(b"new")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(matches!(error, Err(IoError::DiskFull { bytes: 99, .. })), "{error:?}");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_systems_own_full_device_is_recognised() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights");
        let error = replace(&path, 1, |_| File::create("/dev/full")?.write_all(b"x"));
        assert!(matches!(error, Err(IoError::DiskFull { .. })), "{error:?}");
        assert!(!path.exists());
    }

    #[test]
    fn half_and_double_floats_are_widened_and_narrowed() {
        assert_eq!(floats(Dtype::F16, &f16::from_f32(1.5).to_le_bytes()), Some(vec![1.5]));
        assert_eq!(floats(Dtype::BF16, &bf16::from_f32(-2.0).to_le_bytes()), Some(vec![-2.0]));
        assert_eq!(floats(Dtype::F64, &0.25f64.to_le_bytes()), Some(vec![0.25]));
        assert_eq!(floats(Dtype::I32, &[0; 4]), None);
    }
}
