//! Safetensors files: the same bytes for the same values, with a checksum in the metadata, and read with every field checked.

use crate::checksum::{self, Checksum, Summer, ZEROS};
use crate::error::{IoError, Result};
use crate::replace::replace;
use chiaro_graph::shape::count;
use chiaro_graph::{Data, Tensor};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A file's named tensors and its metadata, both sorted by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: BTreeMap<String, String>,
}

/// Replaces a file by these f32 tensors. It appears complete under its name, or not at all; the old one is kept as `previous`.
pub(crate) fn write(path: &Path, previous: Option<&Path>, contents: &Contents) -> Result<()> {
    let failed = |cause| IoError::Write { path: path.to_path_buf(), cause };
    let header = header(contents).map_err(failed)?;
    let data: usize = contents.tensors.values().map(|t| 4 * count(t.shape())).sum();
    replace(path, previous, (8 + header.len() + data) as u64, |out| write_to(out, &header, contents))
}

fn write_to(out: &mut dyn Write, header: &[u8], contents: &Contents) -> std::io::Result<()> {
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for values in contents.tensors.values().filter_map(Tensor::as_f32) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The JSON header with the checksum of the whole file in it.
fn header(contents: &Contents) -> std::io::Result<Vec<u8>> {
    let mut header = header_without_sum(contents);
    let mut sum = Summer::default();
    write_to(&mut sum, &header, contents)?;
    let place =
        checksum::place(&header).ok_or_else(|| std::io::Error::other("its header has no place for a checksum"))?;
    header[place].copy_from_slice(sum.digits().as_bytes());
    Ok(header)
}

/// The JSON header, filled up to whole words with spaces as the format asks.
fn header_without_sum(contents: &Contents) -> Vec<u8> {
    let mut metadata = contents.metadata.clone();
    metadata.insert(checksum::KEY.into(), ZEROS.into());
    let mut map = Map::new();
    map.insert("__metadata__".into(), json!(metadata));
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

/// Reads a file and looks whether its checksum is right.
pub(crate) fn read(path: &Path) -> Result<(Contents, Checksum)> {
    parse(path, &bytes(path)?, Others::Refused)
}

/// Reads a file of another program's: what are no floats, such as counters of batches, are left out.
pub(crate) fn read_floats(path: &Path) -> Result<Contents> {
    Ok(parse(path, &bytes(path)?, Others::LeftOut)?.0)
}

/// What becomes of tensors that are no floats.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Refused,
    LeftOut,
}

/// What the bytes of a file mean; floats of any width become f32.
fn parse(path: &Path, bytes: &[u8], others: Others) -> Result<(Contents, Checksum)> {
    let broken = |e: safetensors::SafeTensorError| {
        let detail = format!("it is truncated or no safetensors file ({e}, {} bytes)", bytes.len());
        IoError::format(path, detail)
    };
    let (header_len, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut metadata: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let stated = metadata.remove(checksum::KEY);
    let checksum = checksum::check(bytes, 8 + header_len, stated.as_deref());
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if others == Others::LeftOut && !is_float(view.dtype()) {
            continue;
        }
        let tensor = floats(view.dtype(), view.data())
            .and_then(|values| Tensor::new(view.shape().to_vec(), Data::F32(values)))
            .ok_or_else(|| IoError::format(path, format!("{name} has elements of type {:?}", view.dtype())))?;
        tensors.insert(name, tensor);
    }
    Ok((Contents { tensors, metadata }, checksum))
}

/// The bytes of a file; of a pipe or a device there might be no end.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |cause| IoError::Read { path: path.to_path_buf(), cause };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() && !about.is_dir() {
        return Err(IoError::format(path, "it is a pipe or a device, not a file"));
    }
    std::fs::read(path).map_err(failed)
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64)
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
    use crate::info::ModelInfo;
    use crate::weights::Weights;

    #[test]
    fn every_flipped_bit_is_seen() {
        let info = ModelInfo {
            model: "lenet5".into(),
            described: None,
            task: "classification".into(),
            image: [8, 8, 1],
            resize: "letterbox".into(),
            classes: vec!["\"checksum\":\"00000000\"".into(), "ä\u{1b}".into()],
            mean: vec![0.5],
            std: vec![0.25],
        };
        let values = |n: usize| Tensor::f32([n], (0..n).map(|i| i as f32 - 1.5).collect()).expect("a tensor");
        let tensors = [("checksum", values(3)), ("z", values(4))].map(|(name, t)| (name.to_string(), t));
        let contents = Contents { tensors: tensors.into(), metadata: info.to_metadata(&BTreeMap::new()) };
        let mut whole = vec![];
        write_to(&mut whole, &header(&contents).expect("a header"), &contents).expect("written");
        let load = |bytes: &[u8]| {
            let path = Path::new("weights");
            parse(path, bytes, Others::Refused)
                .and_then(|(contents, checksum)| Weights::from_contents(path, contents, checksum))
        };
        let (weights, _) = load(&whole).expect("as it was written");
        assert!(weights.checked && weights.info == info);
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = load(&bytes).map(|_| ()).expect_err("damaged");
            assert!(error.to_string().starts_with("weights is "), "bit {bit}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_not_read() {
        let error = read(Path::new("/dev/zero")).expect_err("refused");
        assert!(error.to_string().contains("a pipe or a device"), "{error}");
    }

    #[test]
    fn half_and_double_floats_are_widened_and_narrowed() {
        assert_eq!(floats(Dtype::F16, &f16::from_f32(1.5).to_le_bytes()), Some(vec![1.5]));
        assert_eq!(floats(Dtype::BF16, &bf16::from_f32(-2.0).to_le_bytes()), Some(vec![-2.0]));
        assert_eq!(floats(Dtype::F64, &0.25f64.to_le_bytes()), Some(vec![0.25]));
        assert_eq!(floats(Dtype::I32, &[0; 4]), None);
    }
}
