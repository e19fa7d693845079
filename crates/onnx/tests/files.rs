//! Files: tensors that lie beside a model, and models whose outputs are sigmoids.

mod support;

use std::path::Path;

use chiaro_cpu::Cpu;
use chiaro_onnx::proto::tensor_proto::{DataLocation, DataType};
use chiaro_onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};
use chiaro_onnx::{Host, OnnxClassifier, OnnxModel};
use prost::Message;
use support::protos::node;

/// A tensor whose bytes are somewhere else.
fn beside(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> TensorProto {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
        key: Some((*key).to_string()),
        value: Some((*value).to_string()),
    };
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        data_location: Some(DataLocation::External as i32),
        external_data: entries.iter().map(entry).collect(),
        ..Default::default()
    }
}

fn value(name: &str, extents: &[i64]) -> ValueInfoProto {
    let dim = extents.iter().map(|&n| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(n)),
        ..Default::default()
    });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let tensor = type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(kind), ..Default::default() }
}

fn model(nodes: Vec<NodeProto>, tensors: Vec<TensorProto>, input: ValueInfoProto, outputs: &[&str]) -> Vec<u8> {
    let output = outputs.iter().map(|name| ValueInfoProto { name: Some(name.to_string()), ..Default::default() });
    let graph = GraphProto {
        node: nodes,
        initializer: tensors,
        input: vec![input],
        output: output.collect(),
        ..Default::default()
    };
    let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
    ModelProto { ir_version: Some(8), opset_import: vec![opset], graph: Some(graph), ..Default::default() }
        .encode_to_vec()
}

/// A file that adds a tensor beside it to its input.
fn adds(folder: &Path, entries: &[(&str, &str)]) -> Result<OnnxModel, String> {
    let bytes = model(vec![node("Add", &["x", "w"], "y")], vec![beside("w", &[3], entries)], value("x", &[3]), &["y"]);
    let path = folder.join("model.onnx");
    std::fs::write(&path, bytes).expect("written");
    OnnxModel::read(&path).map_err(|e| e.to_string())
}

#[test]
fn tensors_in_a_file_of_the_models_folder_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("made");
    let floats: Vec<u8> = [9.0f32, 1.0, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.path().join("data/weights.bin"), floats).expect("written");
    let read = adds(folder.path(), &[("location", "data/weights.bin"), ("offset", "4"), ("length", "12")]);
    let x = Host::floats(&[3], vec![10.0, 20.0, 30.0]);
    let found = support::run(&read.expect("a model"), &[x], &mut Cpu::new(Some(1)).expect("a CPU")).expect("runs");
    assert_eq!(found[0].to_floats().expect("known"), [11.0, 22.0, 33.0]);
}

#[test]
fn tensors_outside_of_the_folder_or_beyond_their_file_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("model");
    std::fs::create_dir(&inside).expect("made");
    std::fs::write(folder.path().join("secret.bin"), [0; 12]).expect("written");
    std::fs::write(inside.join("short.bin"), [0; 8]).expect("written");
    let outside = folder.path().join("secret.bin");
    let absolute = outside.to_str().expect("a path");
    let refused = |entries: &[(&str, &str)], part: &str| {
        let error = adds(&inside, entries).expect_err("refused");
        assert!(error.contains(part), "{entries:?}: {error}");
    };
    refused(&[("location", "../secret.bin")], "outside of the model's folder");
    refused(&[("location", "a/../../secret.bin")], "outside of the model's folder");
    refused(&[("location", absolute)], "outside of the model's folder");
    refused(&[("offset", "0")], "not named");
    refused(&[("location", "gone.bin")], "gone.bin");
    refused(&[("location", ".")], "outside of the model's folder");
    refused(&[("location", "short.bin"), ("length", "12")], "beyond the end of its file");
    refused(&[("location", "short.bin"), ("offset", "18446744073709551615"), ("length", "2")], "beyond the end");
    refused(&[("location", "short.bin"), ("length", "-1")], "has length \"-1\"");
    // All of a file that is too short for the extents.
    let short = adds(&inside, &[("location", "short.bin")]).expect("its elements are counted later");
    let x = Host::floats(&[3], vec![0.0; 3]);
    assert!(support::run(&short, &[x], &mut Cpu::new(Some(1)).expect("a CPU")).is_err());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, inside.join("link.bin")).expect("linked");
        refused(&[("location", "link.bin")], "outside of the model's folder");
    }
}

#[test]
fn a_sigmoid_at_the_end_is_a_network_of_several_labels() {
    let nodes = |last: &str| {
        vec![
            node("GlobalAveragePool", &["x"], "means"),
            node("Flatten", &["means"], "logits_before"),
            node(last, &["logits_before"], "y"),
        ]
    };
    let of = |last: &str| {
        let bytes = model(nodes(last), vec![], value("x", &[1, 3, 4, 4]), &["y"]);
        OnnxClassifier::new(OnnxModel::parse(bytes.into(), None).expect("a model")).expect("a classifier")
    };
    assert!(of("Sigmoid").several && !of("Softmax").several);
    // What a classifier gives is before the sigmoid: means of images, not shares.
    assert_eq!(of("Sigmoid").classes([4, 4, 3]).expect("fits"), 3);
}
