//! ONNX files that do not keep the pictures of a batch apart are asked picture by picture; what of a file's metadata is heeded; and files of
//! very many nodes.

use std::path::{Path, PathBuf};

use chiaro_cpu::Cpu;
use chiaro_graph::{Graph, Op};
use chiaro_nn::{EvalStep, Sgd, Summary, TrainOptions, TrainStep};
use chiaro_onnx::proto::tensor_proto::DataType;
use chiaro_onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};
use chiaro_train::{Classifier, ImportOptions, Saved, at_once, named_model};
use prost::Message;

const CLASSES: usize = 5;

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    let input = inputs.iter().map(|i| i.to_string()).collect();
    NodeProto { op_type: Some(op.into()), input, output: vec![output.into()], ..Default::default() }
}

/// Images `[batch, 3, side, side]`; what is 0 is open.
fn images(batch: i64, side: i64) -> ValueInfoProto {
    let dim = [batch, 3, side, side].into_iter().map(|n| tensor_shape_proto::Dimension {
        value: (n > 0).then_some(tensor_shape_proto::dimension::Value::DimValue(n)),
        ..Default::default()
    });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let tensor = type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: Some("x".into()), r#type: Some(kind), ..Default::default() }
}

/// What a norm of three channels takes: scale, shift, mean and variance.
fn norm() -> impl Iterator<Item = TensorProto> {
    let one = |(name, value): (&str, f32)| TensorProto {
        name: Some(name.into()),
        dims: vec![3],
        data_type: Some(DataType::Float as i32),
        float_data: vec![value; 3],
        ..Default::default()
    };
    [("scale", 1.0), ("shift", 0.0), ("norm_mean", 0.0), ("norm_var", 1.0)].into_iter().map(one)
}

/// Writes a file whose nodes make `m` of the images `x`, of which a dense layer makes the logits.
fn file(folder: &Path, name: &str, nodes: Vec<NodeProto>, side: i64, told: &[(&str, &str)]) -> PathBuf {
    file_for(folder, name, nodes, [1, side], told)
}

/// The same of so many pictures at a time.
fn file_for(
    folder: &Path,
    name: &str,
    mut nodes: Vec<NodeProto>,
    [batch, side]: [i64; 2],
    told: &[(&str, &str)],
) -> PathBuf {
    nodes.push(node("Gemm", &["m", "w"], "y"));
    let weights = (0..3 * CLASSES).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
    let data_type = Some(DataType::Float as i32);
    let w = TensorProto {
        name: Some("w".into()),
        dims: vec![3, CLASSES as i64],
        data_type,
        float_data: weights,
        ..Default::default()
    };
    let (data_type, int64_data) = (Some(DataType::Int64 as i32), vec![1, -1]);
    let one_row =
        TensorProto { name: Some("one_row".into()), dims: vec![2], data_type, int64_data, ..Default::default() };
    let output = vec![ValueInfoProto { name: Some("y".into()), ..Default::default() }];
    let graph = GraphProto {
        node: nodes,
        initializer: vec![w, one_row].into_iter().chain(norm()).collect(),
        input: vec![images(batch, side)],
        output,
        ..Default::default()
    };
    let usual =
        [("mean", "0"), ("std", "1")].into_iter().filter(|(key, _)| !told.iter().any(|(other, _)| other == key));
    let entry =
        |(key, value): (&str, &str)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let proto = ModelProto {
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { version: Some(17), ..Default::default() }],
        metadata_props: told.iter().copied().chain(usual).map(entry).collect(),
        ..Default::default()
    };
    let path = folder.join(name);
    std::fs::write(&path, proto.encode_to_vec()).expect("written");
    path
}

fn pooled(x: &str) -> Vec<NodeProto> {
    vec![node("GlobalAveragePool", &[x], "g"), node("Flatten", &["g"], "m")]
}

/// Images less the mean of all of the batch.
fn less_the_mean() -> Vec<NodeProto> {
    let mut nodes =
        vec![node("ReduceMean", &["x"], "all"), node("Squeeze", &["all"], "one"), node("Sub", &["x", "one"], "d")];
    nodes.extend(pooled("d"));
    nodes
}

/// A picture of one colour.
fn colour(rgb: [u8; 3]) -> Vec<u8> {
    rgb.repeat(64)
}

fn says(path: &Path, pixels: &[u8]) -> Vec<(usize, f64)> {
    let saved = Saved::load(path).expect("read");
    let mut classifier = Classifier::new(Cpu::new(Some(1)).expect("a CPU"), &saved).expect("built");
    let mut guesses: Vec<(usize, f64)> =
        classifier.classify_pixels(pixels).expect("asked").iter().map(|g| (g.class, g.value)).collect();
    guesses.sort_by_key(|(class, _)| *class);
    guesses
}

#[test]
fn files_that_mix_the_pictures_of_a_batch_take_one_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = file(folder.path(), "plain.onnx", pooled("x"), 8, &[]);
    let saved = Saved::load(&plain).expect("read");
    assert_eq!(at_once(&saved.model().expect("a model"), 8), 8);
    assert!(saved.notes().iter().all(|note| !note.contains("one picture at a time")), "{:?}", saved.notes());
    saved.check_trainable().expect("pictures stay apart");

    let row = vec![node("GlobalAveragePool", &["x"], "g"), node("Reshape", &["g", "one_row"], "m")];
    for (name, nodes) in [("mean.onnx", less_the_mean()), ("row.onnx", row)] {
        let path = file(folder.path(), name, nodes, 8, &[]);
        let saved = Saved::load(&path).expect("read");
        let model = saved.model().expect("a model");
        assert_eq!(at_once(&model, 8), 1, "{name}");
        assert!(saved.notes().iter().any(|note| note.contains("one picture at a time")), "{:?}", saved.notes());
        let error = saved.check_trainable().expect_err("refused").to_string();
        assert!(error.contains("cannot be trained"), "{error}");
        // A single number within it has no axis of pictures.
        assert!(Summary::of(&model).rows.len() > 1);
        assert_eq!(says(&path, &colour([200, 10, 30])).len(), CLASSES);
    }
    let own = says(&folder.path().join("row.onnx"), &colour([200, 10, 30]));
    assert_eq!(
        own,
        says(&plain, &colour([200, 10, 30])),
        "asked alone it says what one that keeps pictures apart does"
    );
}

#[test]
fn a_file_with_an_open_batch_that_mixes_it_is_trained_by_batches_and_asked_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    // A norm of one number a channel: a picture alone has no statistics for it.
    let nodes = vec![
        node("ReduceMean", &["x"], "all"),
        node("Squeeze", &["all"], "one"),
        node("Sub", &["x", "one"], "d"),
        node("GlobalAveragePool", &["d"], "g"),
        node("BatchNormalization", &["g", "scale", "shift", "norm_mean", "norm_var"], "n"),
        node("Flatten", &["n"], "m"),
    ];
    let open = file_for(folder.path(), "open.onnx", nodes.clone(), [0, 8], &[]);
    let saved = Saved::load(&open).expect("read");
    let model = saved.model().expect("a model");
    saved.check_trainable().expect("it is made for batches");
    assert_eq!(at_once(&model, 8), 1);
    let step = TrainStep::build(&model, TrainOptions::new(4, Sgd::default())).expect("a step of four");
    // One product forward, of all four pictures; asked one by one there is one a picture.
    let rows = |graph: &Graph| {
        let nodes =
            graph.nodes().iter().filter(|n| matches!(n.op, Op::MatMul { .. }) && n.shape.last() == Some(&CLASSES));
        nodes.map(|n| n.shape[0]).collect::<Vec<_>>()
    };
    assert!(rows(&step.graph).contains(&4) && !rows(&step.graph).contains(&1), "{:?}", rows(&step.graph));
    assert_eq!(rows(&EvalStep::build(&model, 4).expect("a step").graph), [1; 4]);
    let fixed = file(folder.path(), "fixed.onnx", nodes, 8, &[]);
    assert!(Saved::load(&fixed).expect("read").check_trainable().is_err());
}

#[test]
fn blue_first_is_heeded_and_what_is_not_understood_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str, told: &[(&str, &str)]| file(folder.path(), name, pooled("x"), 8, told);
    let rgb = make("rgb.onnx", &[("mean", "0.1,0.2,0.3")]);
    let bgr = make("bgr.onnx", &[("mean", "0.1,0.2,0.3"), ("color", "bgr")]);
    assert_eq!(says(&rgb, &colour([200, 10, 30])), says(&bgr, &colour([30, 10, 200])));
    assert_ne!(says(&rgb, &colour([200, 10, 30])), says(&bgr, &colour([200, 10, 30])));

    let notes = |path: &Path| Saved::load(path).expect("read").notes().join("\n");
    assert!(
        notes(&make("names.onnx", &[("names", "hello")])).contains("names of classes that cannot be read (\"hello\")")
    );
    assert!(notes(&make("order.onnx", &[("color", "yuv")])).contains("colour order \"yuv\""));
    let error =
        Saved::load(&make("bytes.onnx", &[("mean", "123.675"), ("std", "58.395")])).expect_err("refused").to_string();
    assert!(error.contains("divide them by 255") && error.contains("--mean 0.4850"), "{error}");
    let model = Saved::load(&rgb).expect("read").info().model.clone();
    let error = named_model(&model, None).expect("known").build(CLASSES, [8, 8, 1]).err().expect("refused").to_string();
    assert!(error.contains("takes images of 3 channels, not of 1"), "{error}");
}

#[test]
fn a_size_that_is_left_open_can_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = file(folder.path(), "open.onnx", pooled("x"), 0, &[]);
    let error = Saved::load(&open).expect_err("refused").to_string();
    assert!(error.contains("chiaro import FILE"), "{error}");
    let options = ImportOptions { open_size: Some([40, 40]), ..ImportOptions::default() };
    assert_eq!(Saved::load_with(&options, &open).expect("read").info().image, [40, 40, 3]);
    let fixed = file(folder.path(), "fixed.onnx", pooled("x"), 8, &[]);
    assert_eq!(Saved::load_with(&options, &fixed).expect("read").info().image, [8, 8, 3]);
}

#[test]
fn ten_thousand_nodes_in_a_row_are_no_recursion() {
    let folder = tempfile::tempdir().expect("a folder");
    let chain = |op: &str, second: Option<&str>| {
        let name = |i: usize| if i == 0 { "x".to_string() } else { format!("v{i}") };
        let mut nodes: Vec<NodeProto> = (0..10_000)
            .map(|i| {
                let inputs: Vec<String> = [name(i)].into_iter().chain(second.map(str::to_string)).collect();
                node(op, &inputs.iter().map(String::as_str).collect::<Vec<_>>(), &name(i + 1))
            })
            .collect();
        nodes.extend(pooled("v10000"));
        nodes
    };
    let relus = file(folder.path(), "relus.onnx", chain("Relu", None), 8, &[]);
    let plain = file(folder.path(), "plain.onnx", pooled("x"), 8, &[]);
    assert_eq!(says(&relus, &colour([9, 200, 30])), says(&plain, &colour([9, 200, 30])));
    let maxima = file(folder.path(), "maxima.onnx", chain("Max", Some("x")), 8, &[]);
    assert_eq!(says(&maxima, &colour([9, 200, 30])), says(&plain, &colour([9, 200, 30])));
}
