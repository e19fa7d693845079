//! Parts of models as files have them.

use chiaro_onnx::proto::tensor_proto::DataType;
use chiaro_onnx::proto::{NodeProto, TensorProto};

/// A node of one result, without attributes.
pub fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|i| i.to_string()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// A vector of 64-bit integers.
pub fn whole(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}
