//! Host tensors as the bytes that device buffers hold.

use chiaro_graph::{DType, Data, Tensor};

/// The elements as the device stores them; WGSL and every platform we run on are little-endian.
pub(crate) fn tensor_bytes(tensor: &Tensor) -> &[u8] {
    match tensor.data() {
        Data::F32(v) => bytemuck::cast_slice(v),
        Data::F16(v) => bytemuck::cast_slice(v),
        Data::I32(v) => bytemuck::cast_slice(v),
        Data::U32(v) | Data::Bool(v) => bytemuck::cast_slice(v),
    }
}

/// The tensor of these bytes, or `None` if they are too few or too many.
pub(crate) fn tensor_from_bytes(shape: &[usize], dtype: DType, bytes: &[u8]) -> Option<Tensor> {
    if bytes.len() != shape.iter().product::<usize>() * dtype.size() {
        return None;
    }
    let data = match dtype {
        DType::F32 => Data::F32(bytemuck::pod_collect_to_vec(bytes)),
        DType::F16 => Data::F16(bytemuck::pod_collect_to_vec(bytes)),
        DType::I32 => Data::I32(bytemuck::pod_collect_to_vec(bytes)),
        DType::U32 => Data::U32(bytemuck::pod_collect_to_vec(bytes)),
        DType::Bool => Data::Bool(bytemuck::pod_collect_to_vec(bytes)),
    };
    Tensor::new(shape, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_every_type_survive_the_way_through_bytes() {
        for dtype in [DType::F32, DType::F16, DType::I32, DType::U32, DType::Bool] {
            let tensor = Tensor::from_f64([3], dtype, &[0.0, 1.0, 7.0]).expect("three elements");
            assert_eq!(tensor_from_bytes(&[3], dtype, tensor_bytes(&tensor)).as_ref(), Some(&tensor));
            assert_eq!(tensor_from_bytes(&[4], dtype, tensor_bytes(&tensor)), None);
        }
    }
}
