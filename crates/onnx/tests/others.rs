//! Files as people have them that are not what was hoped for: no classifiers, several outputs, branches, other formats.

mod support;

use std::collections::BTreeMap;

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::{EvalStep, Model, pack_arena};
use chiaro_onnx::proto::tensor_proto::DataType;
use chiaro_onnx::proto::tensor_shape_proto::{Dimension, dimension};
use chiaro_onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};
use chiaro_onnx::{Host, OnnxClassifier, OnnxModel};
use prost::Message;
use support::protos::{node, whole};

fn floats(name: &str, dims: &[i64], value: f32) -> TensorProto {
    let n: i64 = dims.iter().product();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        float_data: vec![value; n as usize],
        ..Default::default()
    }
}

fn value(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.into()), ..Default::default() }
}

/// An input of floats with these extents; 0 is an open one.
fn images(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| Dimension { value: (n > 0).then_some(dimension::Value::DimValue(n)), ..Default::default() };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor = type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() });
    ValueInfoProto { name: Some(name.into()), r#type, ..Default::default() }
}

fn bytes(node: Vec<NodeProto>, initializer: Vec<TensorProto>, outputs: &[&str]) -> Vec<u8> {
    let input = vec![images("x", &[0, 3, 8, 8])];
    let output = outputs.iter().map(|o| value(o)).collect();
    let graph = GraphProto { node, initializer, input, output, ..Default::default() };
    let own = OperatorSetIdProto { version: Some(17), ..Default::default() };
    let other = OperatorSetIdProto { domain: Some("com.microsoft".into()), version: Some(1) };
    let proto = ModelProto { graph: Some(graph), opset_import: vec![own, other], ..Default::default() };
    proto.encode_to_vec()
}

fn model(node: Vec<NodeProto>, initializer: Vec<TensorProto>, outputs: &[&str]) -> OnnxModel {
    OnnxModel::parse(bytes(node, initializer, outputs).into(), None).expect("a model")
}

fn classifier(node: Vec<NodeProto>, initializer: Vec<TensorProto>, outputs: &[&str]) -> OnnxClassifier {
    OnnxClassifier::new(model(node, initializer, outputs)).expect("one input of images")
}

/// Five classes by a convolution over the whole image.
fn head(of: &str, to: &str) -> NodeProto {
    node("Conv", &[of, "w"], to)
}

fn weight() -> TensorProto {
    floats("w", &[5, 3, 8, 8], 0.5)
}

#[test]
fn boxes_and_maps_are_no_classes_even_of_one_picture() {
    let image = [8, 8, 3];
    let boxes =
        classifier(vec![node("Reshape", &["x", "rows"], "boxes")], vec![whole("rows", &[-1, 32, 6])], &["boxes"]);
    let error = boxes.classes(image).expect_err("refused").to_string();
    assert!(error.contains("no classifier of images; rows of numbers for many places"), "{error}");
    let maps =
        classifier(vec![node("Sigmoid", &["x"], "mask"), node("Relu", &["x"], "other")], vec![], &["mask", "other"]);
    let error = maps.classes(image).expect_err("refused").to_string();
    assert!(error.contains("its outputs are mask, other") && error.contains("segment"), "{error}");
    let steps = classifier(vec![node("Reshape", &["x", "rows"], "text")], vec![whole("rows", &[64, -1, 3])], &["text"]);
    let error = steps.classes(image).expect_err("refused").to_string();
    assert!(error.contains("a row for each step"), "{error}");
    let good = classifier(vec![head("x", "y")], vec![weight()], &["y"]);
    assert_eq!(good.classes(image).expect("classes"), 5);
}

#[test]
fn names_that_were_left_out_are_no_values() {
    // A node that computes the value without a name from itself, behind the output and behind the input.
    let behind = classifier(vec![node("Identity", &[""], ""), node("Identity", &[""], "y")], vec![], &["y"]);
    assert_eq!(behind.several_outputs(), None);
    assert!(behind.with_classes(3).is_err());
    let before = vec![node("Identity", &["x"], ""), node("Identity", &[""], ""), head("", "y")];
    assert!(!classifier(before, vec![weight()], &["y"]).scales_pixels());
}

#[test]
fn outputs_that_tell_something_else_are_told() {
    let two = vec![head("x", "first"), node("Softmax", &["first"], "same"), head("x", "second")];
    let found = classifier(two, vec![weight()], &["first", "same", "second"]).several_outputs();
    assert_eq!(found, Some(("first".to_string(), vec!["second".to_string()])));
    let one = vec![head("x", "first"), node("Softmax", &["first"], "same"), node("ArgMax", &["same"], "best")];
    assert_eq!(classifier(one, vec![weight()], &["same", "first", "best"]).several_outputs(), None);
}

#[test]
fn probabilities_that_are_moved_or_cast_are_left_off_and_the_layer_before_them_is_replaced() {
    let cast = |input: &str, to: &str| {
        let attribute = vec![AttributeProto { name: Some("to".into()), i: Some(1), ..Default::default() }];
        NodeProto { attribute, ..node("Cast", &[input], to) }
    };
    for (op, several) in [("Softmax", false), ("Sigmoid", true)] {
        let nodes = vec![
            head("x", "maps"),
            cast("maps", "numbers"),
            node(op, &["numbers"], "shares"),
            node("Flatten", &["shares"], "flat"),
            cast("flat", "y"),
        ];
        let given = classifier(nodes, vec![weight()], &["y"]);
        assert_eq!(given.several, several);
        let image = [8, 8, 3];
        let sum = |c: &OnnxClassifier| c.with_classes(3).and_then(|c| c.classes(image)).expect("another head");
        assert_eq!((given.classes(image).expect("classes"), sum(&given)), (5, 3), "{op}");
        // Half of each of 192 ones: logits, not shares of them.
        assert_eq!(logits_of_ones(given, image), [96.0; 5], "{op}");
    }
}

#[test]
fn a_file_in_16_bits_that_takes_images_in_32_is_read() {
    let cast = |input: &str, to: &str, kind: DataType| {
        let attribute = vec![AttributeProto { name: Some("to".into()), i: Some(kind as i64), ..Default::default() }];
        NodeProto { attribute, ..node("Cast", &[input], to) }
    };
    let half = |name: &str, dims: &[i64]| TensorProto {
        data_type: Some(DataType::Float16 as i32),
        int32_data: vec![0x3800; dims.iter().product::<i64>() as usize],
        float_data: vec![],
        ..floats(name, dims, 0.5)
    };
    let nodes = vec![
        cast("x", "narrow", DataType::Float16),
        node("Conv", &["narrow", "w"], "maps"),
        node("Mul", &["maps", "factor"], "half"),
        cast("half", "y", DataType::Float),
    ];
    let given = classifier(nodes, vec![half("w", &[5, 3, 8, 8]), half("factor", &[])], &["y"]);
    assert_eq!(logits_of_ones(given, [8, 8, 3]), [48.0; 5]);
}

/// The logits of a picture of ones.
fn logits_of_ones(given: OnnxClassifier, image: [usize; 3]) -> Vec<f32> {
    let weights: BTreeMap<String, Tensor> = given.weights(image).expect("weights").into_iter().collect();
    let model = Model::new("m", image, 5, given).expect("a model");
    let step = EvalStep::build(&model, 1).expect("a step");
    let mut backend = Cpu::new(Some(1)).expect("a CPU");
    let plan = backend.compile(&step.graph).expect("compiles");
    let values = pack_arena(&step.graph, "params", |name| weights.get(name)).expect("all weights");
    backend.write_arena("params", &values).expect("written");
    let ones = Tensor::f32([1, 8, 8, 3], vec![1.0; 192]).expect("images");
    backend.run(plan, &[ones, Tensor::i32([1], vec![0]).expect("labels")]).expect("runs");
    backend.read(plan, 0).expect("logits").as_f32().expect("floats").to_vec()
}

#[test]
fn what_scales_pixels_itself_is_seen_by_its_numbers() {
    let first = |op: &str, numbers: &[f32]| {
        let mut given = floats("n", &[1, numbers.len() as i64, 1, 1], 0.0);
        given.float_data = numbers.to_vec();
        let nodes = vec![node("Identity", &["x"], "same"), node(op, &["same", "n"], "scaled"), head("scaled", "y")];
        classifier(nodes, vec![given, weight()], &["y"]).scales_pixels()
    };
    assert!(first("Mul", &[1.0 / 255.0]) && first("Mul", &[0.0142, 0.0188, 0.0146]) && first("Div", &[127.5]));
    assert!(first("Sub", &[123.7, 116.8, 103.9]) && first("Add", &[-123.7, -116.8, -103.9]));
    // Of numbers from 0 to 1.
    assert!(!first("Sub", &[0.485, 0.456, 0.406]) && !first("Div", &[0.229, 0.224, 0.225]) && !first("Mul", &[4.4]));
    assert!(!classifier(vec![head("x", "y")], vec![weight()], &["y"]).scales_pixels());
}

fn graph_attribute(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { name: Some(name.into()), g: Some(graph), ..Default::default() }
}

/// `If` whose branches add 1 to what they take from outside, or 2.
fn branches(condition: &str) -> NodeProto {
    let branch = |of: f32, name: &str| {
        let number = format!("{name}_n");
        GraphProto {
            node: vec![node("Add", &["doubled", &number], name)],
            initializer: vec![floats(&number, &[1], of)],
            output: vec![value(name)],
            ..Default::default()
        }
    };
    let attribute =
        vec![graph_attribute("then_branch", branch(1.0, "then")), graph_attribute("else_branch", branch(2.0, "else"))];
    NodeProto { attribute, ..node("If", &[condition], "chosen") }
}

#[test]
fn a_branch_that_is_known_before_the_model_runs_stands_in_its_place() {
    for (height, wanted) in [(8, 3.0), (7, 4.0)] {
        let nodes = vec![
            // Before what its branches take: only they tell that it needs it.
            branches("is_eight"),
            node("Shape", &["x"], "extents"),
            node("Gather", &["extents", "third"], "height"),
            node("Equal", &["height", "expected"], "is_eight"),
            node("Add", &["x", "x"], "doubled"),
            node("Mul", &["chosen", "doubled"], "last"),
            node("Sub", &["last", "doubled"], "y"),
        ];
        let numbers = vec![whole("third", &[2]), whole("expected", &[height])];
        let model = model(nodes, numbers, &["y"]);
        let x = Host::floats(&[1, 3, 8, 8], vec![1.0; 192]);
        let mut backend = Cpu::new(Some(1)).expect("a CPU");
        let found = support::run(&model, std::slice::from_ref(&x), &mut backend).expect("runs");
        let found = found[0].to_floats().expect("floats");
        assert!(found.iter().all(|y| *y == wanted * 2.0 - 2.0), "{height}: {found:?}");
    }
}

#[test]
fn a_branch_that_the_images_choose_is_refused_by_its_node() {
    let nodes = vec![
        node("ReduceMax", &["x"], "most"),
        node("Greater", &["most", "limit"], "is_bright"),
        node("Add", &["x", "x"], "doubled"),
        branches("is_bright"),
    ];
    let given = classifier(nodes, vec![floats("limit", &[1], 0.5)], &["chosen"]);
    let error = given.classes([8, 8, 3]).expect_err("refused").to_string();
    assert!(error.contains("If") && error.contains("is_bright") && error.contains("must be fixed"), "{error}");
}

fn bytes_tensor(name: &str, dims: &[i64], values: &[i32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Uint8 as i32),
        int32_data: values.to_vec(),
        ..Default::default()
    }
}

/// What a model makes of an input.
fn answer(model: &OnnxModel, shape: &[usize], x: &[f32]) -> Vec<f32> {
    let mut backend = Cpu::new(Some(1)).expect("a CPU");
    let found = support::run(model, &[Host::floats(shape, x.to_vec())], &mut backend).expect("runs");
    found[0].to_floats().expect("floats")
}

#[test]
fn what_dynamic_quantisation_leaves_is_computed() {
    // The numbers are those by which ONNX tells these ops.
    let x = [0.0, 2.0, -3.0, -2.5, 1.34, 0.5];
    let mut ends = vec![];
    for output in ["y", "scale", "zero"] {
        let mut quantise = node("DynamicQuantizeLinear", &["x"], "y");
        quantise.output.extend(["scale".to_string(), "zero".to_string()]);
        ends.push(answer(&model(vec![quantise], vec![], &[output]), &[6], &x));
    }
    assert_eq!(ends, [vec![153.0, 255.0, 0.0, 26.0, 221.0, 179.0], vec![5.0 / 255.0], vec![153.0]]);

    let given = vec![
        bytes_tensor("matrix", &[3, 2], &[1, 4, 2, 5, 3, 6]),
        bytes_tensor("from", &[], &[12]),
        bytes_tensor("own", &[2], &[0, 1]),
    ];
    let product = model(vec![node("MatMulInteger", &["x", "matrix", "from", "own"], "y")], given, &["y"]);
    let found = answer(&product, &[4, 3], &[11.0, 7.0, 3.0, 10.0, 6.0, 2.0, 9.0, 5.0, 1.0, 8.0, 4.0, 0.0]);
    assert_eq!(found, [-38.0, -68.0, -44.0, -80.0, -50.0, -92.0, -56.0, -104.0]);

    let given = vec![bytes_tensor("kernel", &[1, 1, 2, 2], &[1; 4]), bytes_tensor("from", &[], &[1])];
    let conv = model(vec![node("ConvInteger", &["x", "kernel", "from"], "y")], given, &["y"]);
    let found = answer(&conv, &[1, 1, 3, 3], &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    assert_eq!(found, [12.0, 16.0, 24.0, 28.0]);
}

#[test]
fn another_head_in_integers_is_refused_with_the_reason() {
    let nodes = vec![node("Flatten", &["x"], "flat"), node("MatMulInteger", &["flat", "matrix"], "y")];
    let given = classifier(nodes, vec![bytes_tensor("matrix", &[192, 5], &[1; 960])], &["y"]);
    assert_eq!(given.classes([8, 8, 3]).expect("classes"), 5);
    let error = given.with_classes(3).expect_err("refused").to_string();
    assert!(error.contains("8-bit integers"), "{error}");
}

#[test]
fn a_list_of_no_extents_is_known() {
    let nodes = vec![node("ReduceSum", &["x"], "sum"), node("Reshape", &["sum", "none"], "y")];
    let model = model(nodes, vec![whole("none", &[])], &["y"]);
    let mut backend = Cpu::new(Some(1)).expect("a CPU");
    let x = Host::floats(&[1, 3, 8, 8], vec![1.0; 192]);
    let found = support::run(&model, std::slice::from_ref(&x), &mut backend).expect("runs");
    assert_eq!((found[0].shape.len(), found[0].to_floats().expect("floats")), (0, vec![192.0]));
}

#[test]
fn files_that_are_no_models_are_told_by_what_they_are() {
    for (bytes, part) in [
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..], "git lfs pull"),
        (b"<!DOCTYPE html><html><body>", "begins with \"<!DOCTYPE html>"),
        (b"\x1c\0\0\0ORTM\0\0\0\0", "onnxruntime's own format"),
        (b"\x1c\0\0\0TFL3\0\0\0\0", "--tflite FILE"),
        (b"", "it is empty"),
        (&bytes(vec![head("x", "y")], vec![weight()], &["y"])[..500], "not whole"),
    ] {
        let error = OnnxModel::parse(bytes.to_vec().into(), None).expect_err("refused").to_string();
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn ops_of_other_domains_are_told_with_their_own_versions() {
    let fused = NodeProto { domain: Some("com.microsoft".into()), ..node("FusedConv", &["x", "w"], "y") };
    let error = OnnxModel::parse(bytes(vec![fused], vec![weight()], &["y"]).into(), None).expect_err("refused");
    assert!(error.to_string().contains("FusedConv \"y\" (com.microsoft 1)"), "{error}");
}
