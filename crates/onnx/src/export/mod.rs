//! Models of this project as ONNX files: opset 17 and IR 8 unless a later one is asked for, preprocessing inside, named weights.

mod builder;
mod maps;
mod norms;
mod quantize;
mod structural;
mod unused;
mod value;
mod writer;

use std::collections::BTreeMap;

use chiaro_graph::{Graph, Op, Tensor, Var};
use chiaro_nn::{EvalStep, Model};
use prost::Message;

use crate::error::{OnnxError, Result};
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::type_proto;
use crate::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};
pub use quantize::{Ranges, quantized, watched};

use builder::{Builder, Wide, int, ints};
use unused::drop_unused;
use value::{IMAGE, Val};
use writer::{Writer, refused};

/// Version of `ai.onnx` that the oldest runtimes take.
const OPSET: i64 = 17;
/// Versions that can be written.
pub const OPSETS: std::ops::RangeInclusive<i64> = 14..=26;

/// The version of the format that came with a version of the ops, at least 8.
fn format_of(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        25.. => 13,
    }
}
/// Two numbers of images, by which extents that depend on it are known.
const BATCHES: [usize; 2] = [7, 11];

/// What is written.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Version of `ai.onnx`.
    pub opset: i64,
    /// Take normalised floats `[N,C,H,W]` instead of pixels `[N,H,W,C]`.
    pub raw: bool,
    /// Fold what scales and shifts channels into the products before it.
    pub fold: bool,
    /// Store weights in 16 bits; they are widened when the model is loaded.
    pub half: bool,
    /// What logits are divided by before they become probabilities.
    pub temperature: f64,
    /// Each class has a probability of its own, by a sigmoid.
    pub several: bool,
    /// Mean and deviation of each channel, in units of pixel / 255.
    pub normalisation: (Vec<f32>, Vec<f32>),
    /// What the file tells of itself.
    pub metadata: BTreeMap<String, String>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            opset: OPSET,
            raw: false,
            fold: true,
            half: false,
            temperature: 1.0,
            several: false,
            normalisation: (vec![0.0; 3], vec![1.0 / 255.0; 3]),
            metadata: BTreeMap::new(),
        }
    }
}

/// The bytes of an ONNX file of a model with these weights. Input `image`: pixels u8 `[N,H,W,C]`, or with `raw` normalised f32
/// `[N,C,H,W]`; outputs `logits` and `probabilities`, `[N,classes]`.
///
/// # Errors
/// If the model has ops that ONNX has not, or a weight is missing.
pub fn export(model: &Model, weights: &BTreeMap<String, Tensor>, options: &ExportOptions) -> Result<Vec<u8>> {
    if !OPSETS.contains(&options.opset) {
        let (from, to) = (OPSETS.start(), OPSETS.end());
        return refused(format!("opset {} is not written; {from} to {to} are", options.opset));
    }
    let step = |n: usize| EvalStep::build(model, n).map_err(|e| OnnxError::Classifier(e.to_string()));
    let steps = [step(BATCHES[0])?, step(BATCHES[1])?];
    let graphs = [&steps[0].graph, &steps[1].graph];
    let mut writer = Writer::new(graphs, BATCHES, "image")?;
    (writer.fold, writer.opset) = (options.fold, options.opset);
    let images = node_of(graphs[0], |op, g| matches!(op, Op::Input(id) if g.inputs()[id.index()].shape.len() == 4))?;
    let name = preprocessed(&mut writer.b, options);
    writer.give(images, Val::Tensor { name, order: IMAGE.to_vec() });
    let logits = graphs[0].outputs().iter().find(|(name, _)| name == "logits").map(|(_, v)| *v);
    let Some(logits) = logits else { return refused("the model has no logits") };
    writer.write(logits, &|graph, op| {
        let Op::State(id) = op else { return refused("a value that no file gives") };
        let name = &graph.states()[id.index()].name;
        let tensor = weights.get(name).ok_or_else(|| OnnxError::Classifier(format!("there is no weight {name:?}")))?;
        Ok(Wide { shape: tensor.shape().to_vec(), values: tensor.to_f64() })
    })?;
    finish(writer, logits, model, options)
}

fn node_of(graph: &Graph, is: impl Fn(&Op, &Graph) -> bool) -> Result<usize> {
    let at = graph.nodes().iter().position(|n| is(&n.op, graph));
    at.ok_or_else(|| OnnxError::Classifier("the model has no images".into()))
}

/// The input as the model takes it, `[N,C,H,W]`.
fn preprocessed(b: &mut Builder, options: &ExportOptions) -> String {
    if options.raw {
        return "image".into();
    }
    let (mean, std) = &options.normalisation;
    let channels = |v: &[f32]| Wide { shape: vec![v.len()], values: v.iter().map(|&x| f64::from(x) * 255.0).collect() };
    let (mean, std) = (b.floats("mean", &channels(mean)), b.floats("std", &channels(std)));
    let float = b.node("Cast", &["image"], vec![int("to", DataType::Float as i64)]);
    let centred = b.node("Sub", &[&float, &mean], vec![]);
    let scaled = b.node("Div", &[&centred, &std], vec![]);
    b.node("Transpose", &[&scaled], vec![ints("perm", &[0, 3, 1, 2])])
}

fn finish(mut writer: Writer<'_>, logits: Var, model: &Model, options: &ExportOptions) -> Result<Vec<u8>> {
    let name = writer.whole(logits, &[0, 1])?;
    let mut b = writer.b;
    b.named("Identity", &[&name], vec![], "logits");
    let scaled = if options.temperature == 1.0 {
        "logits".to_string()
    } else {
        let temperature = b.floats("temperature", &Wide::number(options.temperature));
        b.node("Div", &["logits", &temperature], vec![])
    };
    if options.several {
        b.named("Sigmoid", &[&scaled], vec![], "probabilities");
    } else {
        b.named("Softmax", &[&scaled], vec![int("axis", 1)], "probabilities");
    }
    let (mut nodes, mut tensors) = b.finish();
    drop_unused(&mut nodes, &mut tensors, &["logits", "probabilities"]);
    if options.half {
        halve(&mut nodes, &mut tensors);
    }
    let [h, w, c] = model.image;
    let (kind, extents) = if options.raw { (DataType::Float, [c, h, w]) } else { (DataType::Uint8, [h, w, c]) };
    let graph = GraphProto {
        name: Some(model.name.clone()),
        node: nodes,
        initializer: tensors,
        input: vec![info("image", kind, &extents)],
        output: ["logits", "probabilities"].map(|n| info(n, DataType::Float, &[model.classes])).to_vec(),
        ..Default::default()
    };
    let entry = |(key, value): (&String, &String)| StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    let proto = ModelProto {
        ir_version: Some(format_of(options.opset)),
        producer_name: Some("chiaro".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(options.opset) }],
        metadata_props: options.metadata.iter().map(entry).collect(),
        graph: Some(graph),
        ..Default::default()
    };
    Ok(proto.encode_to_vec())
}

/// An input or output with an open number of images.
fn info(name: &str, kind: DataType, extents: &[usize]) -> ValueInfoProto {
    let first = Dimension { value: Some(dimension::Value::DimParam("N".into())), ..Default::default() };
    let fixed =
        extents.iter().map(|&n| Dimension { value: Some(dimension::Value::DimValue(n as i64)), ..Default::default() });
    let shape = TensorShapeProto { dim: std::iter::once(first).chain(fixed).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(kind as i32), shape: Some(shape) };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(kind), ..Default::default() }
}

/// Stores weights in 16 bits, each widened by a node of its own.
fn halve(nodes: &mut Vec<crate::proto::NodeProto>, tensors: &mut [TensorProto]) {
    let mut widened = vec![];
    for tensor in tensors.iter_mut().filter(|t| t.data_type() == DataType::Float as i32 && t.dims.len() > 1) {
        let raw = tensor.raw_data.clone().unwrap_or_default();
        let halves: Vec<u8> = raw
            .chunks_exact(4)
            .flat_map(|b| half::f16::from_f32(f32::from_le_bytes([b[0], b[1], b[2], b[3]])).to_le_bytes())
            .collect();
        let name = tensor.name().to_string();
        let stored = format!("{name}.f16");
        (tensor.raw_data, tensor.data_type, tensor.name) =
            (Some(halves.into()), Some(DataType::Float16 as i32), Some(stored.clone()));
        let cast = Builder::default().made("Cast", &[&stored], vec![int("to", DataType::Float as i64)], &name);
        widened.push(cast);
    }
    nodes.splice(0..0, widened);
}
