//! A file's products in 8 bits: weights with a scale a channel, what they take with a scale a tensor (QuantizeLinear and
//! DequantizeLinear around each, the form that runtimes find and run in integers).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;

use super::builder::int;
use crate::error::{OnnxError, Result};
use crate::proto::tensor_proto::DataType;
use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Least and largest of each value that a product takes.
pub type Ranges = BTreeMap<String, [f32; 2]>;

fn decode(bytes: &[u8]) -> Result<(ModelProto, GraphProto)> {
    let mut proto = ModelProto::decode(Bytes::copy_from_slice(bytes)).map_err(|e| OnnxError::Format(e.to_string()))?;
    let graph = proto.graph.take().ok_or_else(|| OnnxError::Format("it has no graph".into()))?;
    Ok((proto, graph))
}

fn encoded(proto: ModelProto, graph: GraphProto) -> Vec<u8> {
    ModelProto { graph: Some(graph), ..proto }.encode_to_vec()
}

/// Whether a node is a product whose weights are fixed floats with the output channels first.
fn is_product(node: &NodeProto, tensors: &BTreeMap<String, TensorProto>) -> bool {
    let floats = |i: usize| {
        node.input.get(i).and_then(|n| tensors.get(n)).is_some_and(|t| t.data_type() == DataType::Float as i32)
    };
    let turned = node.attribute.iter().any(|a| a.name() == "transB" && a.i() == 1);
    floats(1) && (node.op_type() == "Conv" || (node.op_type() == "Gemm" && turned))
}

fn tensors(graph: &GraphProto) -> BTreeMap<String, TensorProto> {
    graph.initializer.iter().map(|t| (t.name().to_string(), t.clone())).collect()
}

/// The same file with the values that its products take as its outputs, in the order of their names.
///
/// # Errors
/// If the bytes are no model.
pub fn watched(bytes: &[u8]) -> Result<Vec<u8>> {
    let (proto, mut graph) = decode(bytes)?;
    let known = tensors(&graph);
    let taken: BTreeSet<String> =
        graph.node.iter().filter(|n| is_product(n, &known)).filter_map(|n| n.input.first().cloned()).collect();
    graph.output = taken.into_iter().map(|name| ValueInfoProto { name: Some(name), ..Default::default() }).collect();
    Ok(encoded(proto, graph))
}

/// A file of floats in 8 bits. `ranges` has the values of [`watched`].
///
/// # Errors
/// If the bytes are no model with weights in 32 bits, or a range is missing.
pub fn quantized(bytes: &[u8], ranges: &Ranges) -> Result<Vec<u8>> {
    let (proto, mut graph) = decode(bytes)?;
    let known = tensors(&graph);
    let (mut nodes, mut made, mut scales) = (vec![], vec![], BTreeMap::new());
    let mut gone = BTreeSet::new();
    for mut node in std::mem::take(&mut graph.node) {
        if !is_product(&node, &known) {
            nodes.push(node);
            continue;
        }
        let x = node.input[0].clone();
        let x_scale = match scales.get(&x) {
            Some(scale) => *scale,
            None => {
                let range =
                    ranges.get(&x).ok_or_else(|| OnnxError::Format(format!("the range of {x:?} is not known")))?;
                let scale = around(&x, *range, &mut nodes, &mut made);
                scales.insert(x.clone(), scale);
                scale
            }
        };
        let weight = &known[&node.input[1]];
        let weight_scales = quantized_weight(weight, &mut nodes, &mut made)?;
        gone.insert(node.input[1].clone());
        node.input[0] = format!("{x}.dequantized");
        node.input[1] = format!("{}.dequantized", weight.name());
        if let Some(bias) = node.input.get(2).and_then(|name| known.get(name)) {
            let steps: Vec<f32> = weight_scales.iter().map(|s| s * x_scale).collect();
            let name = quantized_bias(&node, bias, &steps, &mut nodes, &mut made)?;
            gone.insert(node.input[2].clone());
            node.input[2] = name;
        }
        nodes.push(node);
    }
    let still_taken: BTreeSet<String> = nodes.iter().flat_map(|n| n.input.iter().cloned()).collect();
    graph.initializer.retain(|t| !gone.contains(t.name()) || still_taken.contains(t.name()));
    graph.initializer.extend(made);
    graph.node = nodes;
    Ok(encoded(proto, graph))
}

fn tensor(name: &str, dims: Vec<i64>, kind: DataType, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims,
        data_type: Some(kind as i32),
        raw_data: Some(raw.into()),
        ..Default::default()
    }
}

fn node(op: &str, inputs: &[String], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        name: Some(output.into()),
        input: inputs.to_vec(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// A value in 8 bits without a sign and back; gives its scale. 0 is among the numbers, so that padding stays exact.
fn around(x: &str, [low, high]: [f32; 2], nodes: &mut Vec<NodeProto>, made: &mut Vec<TensorProto>) -> f32 {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = ((high - low) / 255.0).max(f32::MIN_POSITIVE);
    let zero = (-low / scale).round().clamp(0.0, 255.0) as u8;
    let [scale_name, zero_name, steps, back] =
        ["scale", "zero", "quantized", "dequantized"].map(|what| format!("{x}.{what}"));
    made.push(tensor(&scale_name, vec![], DataType::Float, scale.to_le_bytes().to_vec()));
    made.push(tensor(&zero_name, vec![], DataType::Uint8, vec![zero]));
    nodes.push(node("QuantizeLinear", &[x.to_string(), scale_name.clone(), zero_name.clone()], &steps));
    nodes.push(node("DequantizeLinear", &[steps.clone(), scale_name, zero_name], &back));
    scale
}

fn floats(tensor: &TensorProto) -> Result<Vec<f32>> {
    crate::tensor::host(tensor)?.to_floats()
}

/// A weight in 8 bits with a scale for each output channel; gives the scales.
fn quantized_weight(weight: &TensorProto, nodes: &mut Vec<NodeProto>, made: &mut Vec<TensorProto>) -> Result<Vec<f32>> {
    let values = floats(weight)?;
    let channels = weight.dims.first().map_or(1, |&n| n as usize).max(1);
    let row = (values.len() / channels).max(1);
    let scale = |row: &[f32]| (row.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 127.0).max(f32::MIN_POSITIVE);
    let scales: Vec<f32> = values.chunks(row).map(scale).collect();
    let back = format!("{}.dequantized", weight.name());
    if nodes.iter().any(|n| n.output.first() == Some(&back)) {
        return Ok(scales);
    }
    let steps = values.iter().enumerate().map(|(i, v)| (v / scales[i / row]).round().clamp(-127.0, 127.0) as i8 as u8);
    let [scale_name, zero_name, int8] = ["scale", "zero", "int8"].map(|what| format!("{}.{what}", weight.name()));
    let count = vec![channels as i64];
    made.push(tensor(&int8, weight.dims.clone(), DataType::Int8, steps.collect()));
    let raw = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
    made.push(tensor(&scale_name, count.clone(), DataType::Float, raw));
    made.push(tensor(&zero_name, count, DataType::Int8, vec![0; channels]));
    let mut dequantize = node("DequantizeLinear", &[int8, scale_name, zero_name], &back);
    dequantize.attribute = vec![int("axis", 0)];
    nodes.push(dequantize);
    Ok(scales)
}

/// A bias in 32 bits, in the steps of the sums that it is added to.
fn quantized_bias(
    product: &NodeProto,
    bias: &TensorProto,
    steps: &[f32],
    nodes: &mut Vec<NodeProto>,
    made: &mut Vec<TensorProto>,
) -> Result<String> {
    let values = floats(bias)?;
    let step = |i: usize| f64::from(steps[i.min(steps.len() - 1)]);
    let whole = values.iter().enumerate().map(|(i, &v)| (f64::from(v) / step(i)).round() as i32);
    let stem = format!("{}.bias", product.output.first().map_or("", String::as_str));
    let [scale_name, int32, back] = ["scale", "int32", "dequantized"].map(|what| format!("{stem}.{what}"));
    made.push(tensor(
        &int32,
        vec![values.len() as i64],
        DataType::Int32,
        whole.flat_map(|v| v.to_le_bytes()).collect(),
    ));
    let scales = (0..values.len()).flat_map(|i| (step(i) as f32).to_le_bytes()).collect();
    made.push(tensor(&scale_name, vec![values.len() as i64], DataType::Float, scales));
    let mut dequantize = node("DequantizeLinear", &[int32, scale_name], &back);
    dequantize.attribute = vec![int("axis", 0)];
    nodes.push(dequantize);
    Ok(back)
}
