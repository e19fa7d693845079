//! Tensors of ONNX files to host tensors.

use std::sync::Arc;

use half::f16;

use crate::error::{OnnxError, Result};
use crate::host::{Elem, Host, Values};
use crate::proto::TensorProto;

/// Most elements of a tensor: what a file of sizes without data could claim.
const MOST: usize = 1 << 33;

/// The host tensor of a file's tensor. One without any data is hollow: structures of models have such in the place of weights.
///
/// # Errors
/// If its type is not supported, or its elements are more or fewer than its extents say.
pub fn host(tensor: &TensorProto) -> Result<Host> {
    let elem = Elem::from_onnx(tensor.data_type())?;
    let fault = |detail: String| OnnxError::Format(format!("the tensor {:?} {detail}", tensor.name()));
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.ok_or_else(|| fault(format!("has extents {:?}", tensor.dims)))?;
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MOST);
    let n = n.ok_or_else(|| fault(format!("has extents {:?}", tensor.dims)))?;
    let values = match &tensor.raw_data {
        Some(raw) => raw_values(elem, raw),
        None => typed_values(elem, tensor),
    };
    let found = values.len().unwrap_or(n);
    if found != n {
        return Err(fault(format!("of {shape:?} has {found} elements")));
    }
    let none = || if elem.is_float() { Values::Floats(Arc::default()) } else { Values::Ints(Arc::default()) };
    let values = if n == 0 { none() } else { values };
    Ok(Host { shape, elem, values })
}

fn raw_values(elem: Elem, raw: &[u8]) -> Values {
    let floats = |v: Vec<f32>| Values::Floats(Arc::new(v));
    let ints = |v: Vec<i64>| Values::Ints(Arc::new(v));
    let small = |v: Vec<i16>| Values::Small(Arc::new(v));
    let two = || raw.chunks_exact(2).map(|b| [b[0], b[1]]);
    let four = || raw.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let eight = || raw.chunks_exact(8).map(|b| [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    match elem {
        Elem::F32 => floats(four().map(f32::from_le_bytes).collect()),
        Elem::F16 => floats(two().map(|b| f16::from_le_bytes(b).to_f32()).collect()),
        Elem::F64 => floats(eight().map(|b| f64::from_le_bytes(b) as f32).collect()),
        Elem::Bool => small(raw.iter().map(|&b| i16::from(b != 0)).collect()),
        Elem::U8 => small(raw.iter().map(|&b| i16::from(b)).collect()),
        Elem::I8 => small(raw.iter().map(|&b| i16::from(b as i8)).collect()),
        Elem::U16 => ints(two().map(|b| i64::from(u16::from_le_bytes(b))).collect()),
        Elem::I16 => ints(two().map(|b| i64::from(i16::from_le_bytes(b))).collect()),
        Elem::U32 => ints(four().map(|b| i64::from(u32::from_le_bytes(b))).collect()),
        Elem::I32 => ints(four().map(|b| i64::from(i32::from_le_bytes(b))).collect()),
        Elem::U64 => ints(eight().map(|b| u64::from_le_bytes(b) as i64).collect()),
        Elem::I64 => ints(eight().map(i64::from_le_bytes).collect()),
    }
}

fn typed_values(elem: Elem, tensor: &TensorProto) -> Values {
    let ints = |v: Vec<i64>| if v.is_empty() { Values::Hollow } else { Values::Ints(Arc::new(v)) };
    let floats = |v: Vec<f32>| if v.is_empty() { Values::Hollow } else { Values::Floats(Arc::new(v)) };
    match elem {
        Elem::F32 => floats(tensor.float_data.clone()),
        Elem::F64 => floats(tensor.double_data.iter().map(|&x| x as f32).collect()),
        Elem::F16 => floats(tensor.int32_data.iter().map(|&x| f16::from_bits(x as u16).to_f32()).collect()),
        Elem::I64 => ints(tensor.int64_data.clone()),
        Elem::U32 | Elem::U64 => ints(tensor.uint64_data.iter().map(|&x| x as i64).collect()),
        Elem::Bool | Elem::I8 | Elem::I16 | Elem::I32 | Elem::U8 | Elem::U16 => {
            ints(tensor.int32_data.iter().map(|&x| i64::from(x)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(data_type: i32, bytes: &[u8]) -> Host {
        let (dims, raw_data) = (vec![2, bytes.len() as i64 / 2], Some(bytes.to_vec().into()));
        host(&TensorProto { dims, data_type: Some(data_type), raw_data, ..Default::default() }).expect("a tensor")
    }

    #[test]
    fn whole_numbers_of_8_bits_keep_their_values_and_take_two_bytes() {
        // ONNX' numbers of uint8, int8 and bool.
        for (data_type, values) in
            [(2, [0, 1, 127, 128, 200, 255]), (3, [0, 1, 127, -128, -56, -1]), (9, [0, 1, 1, 1, 1, 1])]
        {
            let host = small(data_type, &[0, 1, 127, 128, 200, 255]);
            assert_eq!(host.to_ints().expect("known"), values);
            assert_eq!(host.to_floats().expect("known"), values.map(|v| v as f32));
            assert_eq!((host.bytes(), host.permuted(&[1, 0]).expect("two axes").bytes()), (12, 12));
            let turned = [values[0], values[3], values[1], values[4], values[2], values[5]];
            assert_eq!(host.permuted(&[1, 0]).expect("two axes").to_ints().expect("known"), turned);
            let tensor = host.to_tensor().expect("small");
            match tensor.data() {
                chiaro_graph::Data::Bool(v) => assert_eq!((data_type, v.as_slice()), (9, &[0, 1, 1, 1, 1, 1][..])),
                chiaro_graph::Data::I32(v) => assert_eq!(v.as_slice(), values.map(|v| v as i32)),
                other => panic!("{other:?}"),
            }
        }
    }
}
