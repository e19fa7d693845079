//! What a file may ask for before its model runs: memory by its own size, and steps of recurrent layers.

mod support;

use std::collections::BTreeMap;

use chiaro_onnx::proto::tensor_proto::DataType;
use chiaro_onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use chiaro_onnx::{Elem, Feed, OnnxModel, record_graph};
use prost::Message;
use support::protos::{node, whole};

fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let n: i64 = dims.iter().product();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        raw_data: Some(vec![0; 4 * n as usize].into()),
        ..Default::default()
    }
}

/// What recording says of a model whose input `x` has these extents.
fn recorded(node: Vec<NodeProto>, initializer: Vec<TensorProto>, x: &[usize], output: &str) -> Result<(), String> {
    let info = |name: &str| ValueInfoProto { name: Some(name.into()), ..Default::default() };
    let (input, output) = (vec![info("x")], vec![info(output)]);
    let graph = GraphProto { node, initializer, input, output, ..Default::default() };
    let opset = OperatorSetIdProto { version: Some(17), ..Default::default() };
    let proto = ModelProto { graph: Some(graph), opset_import: vec![opset], ..Default::default() };
    let model = OnnxModel::parse(proto.encode_to_vec().into(), None).map_err(|e| e.to_string())?;
    let feeds = BTreeMap::from([("x".to_string(), Feed::Input { shape: x.to_vec(), elem: Elem::F32 })]);
    record_graph(&model, &feeds).map(|_| ()).map_err(|e| e.to_string())
}

/// `count` tensors of a million whole numbers, made of one and added up; `early` as soon as each is made.
fn sums(count: usize, early: bool) -> Vec<NodeProto> {
    let made = |i: usize| format!("made{i}");
    let sum = |i: usize| if i == 0 { made(0) } else { format!("sum{i}") };
    let (mut makers, mut adders) = (vec![], vec![]);
    for i in 0..count {
        makers.push(node("Expand", &["one", "extents"], &made(i)));
        // Equal nodes differ by what they are made of.
        makers.push(node("Add", &[&made(i), "one"], &format!("more{i}")));
        if i > 0 {
            adders.push(node("Max", &[&sum(i - 1), &format!("more{i}")], &sum(i)));
        }
        if early && i > 0 {
            makers.append(&mut adders);
        }
    }
    makers.extend(adders);
    makers.push(node("Shape", &[&sum(count - 1)], "shape"));
    makers
}

const MILLION: [i64; 2] = [1000, 1000];

#[test]
fn what_a_small_file_makes_at_once_is_bounded_and_what_it_makes_in_turn_is_not() {
    let constants = || vec![whole("one", &[1]), whole("extents", &MILLION)];
    // Each takes 8 MB, of 16: nodes are taken in the order in which they are ready, so that all makers come first.
    assert_eq!(recorded(sums(1, true), constants(), &[1], "shape"), Ok(()));
    let error = recorded(sums(30, false), constants(), &[1], "shape").expect_err("refused");
    assert!(error.contains("before the model runs"), "{error}");
    let mut chain = vec![node("Expand", &["one", "extents"], "sum0")];
    chain.extend((0..100).map(|i| node("Add", &[&format!("sum{i}"), "one"], &format!("sum{}", i + 1))));
    chain.push(node("Shape", &["sum100"], "shape"));
    assert_eq!(recorded(chain, constants(), &[1], "shape"), Ok(()), "a hundred of which two are there at once");
}

#[test]
fn a_larger_file_may_make_more() {
    let extents = || whole("extents", &[3000, 1000]);
    let expand = || vec![node("Expand", &["one", "extents"], "many"), node("Shape", &["many"], "shape")];
    let error = recorded(expand(), vec![whole("one", &[1]), extents()], &[1], "shape").expect_err("refused");
    assert!(error.contains("[3000, 1000] elements of 1 before the model runs"), "{error}");
    let weights = floats("weights", &[1000, 1000]);
    assert_eq!(recorded(expand(), vec![whole("one", &[1]), extents(), weights], &[1], "shape"), Ok(()));
}

#[test]
fn what_an_alias_still_holds_is_not_given_back() {
    let mut nodes = vec![];
    for i in 0..20 {
        nodes.push(node("Expand", &["one", "extents"], &format!("made{i}")));
        nodes.push(node("Identity", &[&format!("made{i}")], &format!("alias{i}")));
    }
    let aliases: Vec<String> = (0..20).map(|i| format!("alias{i}")).collect();
    let all: Vec<&str> = aliases.iter().map(String::as_str).collect();
    let axis = AttributeProto { name: Some("axis".into()), i: Some(0), ..Default::default() };
    nodes.push(NodeProto { attribute: vec![axis], ..node("Concat", &all, "joined") });
    nodes.push(node("Shape", &["joined"], "shape"));
    let constants = vec![whole("one", &[1]), whole("extents", &MILLION)];
    let error = recorded(nodes, constants, &[1], "shape").expect_err("refused");
    assert!(error.contains("before the model runs"), "{error}");
}

#[test]
fn copies_of_what_was_made_in_the_graph_count_too() {
    // A table that the host knows, once for each node that takes it.
    let mut nodes = vec![node("Expand", &["zero", "extents"], "table")];
    nodes.extend((0..20).map(|i| node("Gather", &["x", "table"], &format!("y{i}"))));
    let error = recorded(nodes, vec![whole("zero", &[0]), whole("extents", &MILLION)], &[1], "y19");
    let error = error.expect_err("refused");
    assert!(error.contains("before the model runs"), "{error}");
}

#[test]
fn sequences_beyond_4096_steps_are_refused() {
    let layer = || {
        let hidden = AttributeProto { name: Some("hidden_size".into()), i: Some(1), ..Default::default() };
        vec![NodeProto { attribute: vec![hidden], ..node("RNN", &["x", "w", "u"], "y") }]
    };
    let weights = || vec![floats("w", &[1, 1, 1]), floats("u", &[1, 1, 1])];
    assert_eq!(recorded(layer(), weights(), &[4096, 1, 1], "y"), Ok(()));
    let error = recorded(layer(), weights(), &[4097, 1, 1], "y").expect_err("refused");
    assert!(error.contains("a sequence of 4097 steps; up to 4096 are recorded"), "{error}");
}

#[test]
fn constants_that_are_computed_as_they_are_read_are_bounded_too() {
    let nodes = || vec![node("ConstantOfShape", &["extents"], "zeros"), node("ReduceSum", &["zeros"], "y")];
    let error = recorded(nodes(), vec![whole("extents", &[1 << 20, 1 << 20])], &[1], "y").expect_err("refused");
    assert!(error.contains("[1048576, 1048576] elements of"), "{error}");
    assert_eq!(recorded(nodes(), vec![whole("extents", &[1 << 12, 1 << 12])], &[1], "y"), Ok(()));
}

#[test]
fn parts_that_no_output_takes_are_refused_before_they_are_counted() {
    let parts = |number: i64| {
        let mut split = node("Split", &["x"], "y");
        split.output.push("z".into());
        let (name, i) = (Some("num_outputs".into()), Some(number));
        split.attribute = vec![AttributeProto { name, i, r#type: Some(2), ..Default::default() }];
        recorded(vec![split], vec![], &[6], "y")
    };
    assert_eq!(parts(2), Ok(()));
    let error = parts(1 << 40).expect_err("refused");
    assert!(error.contains("num_outputs is 1099511627776, but it has 2 outputs"), "{error}");
}

#[test]
fn a_mirrored_border_beyond_what_a_file_may_make_is_refused() {
    let padded = |by: i64| {
        let mut pad = node("Pad", &["x", "pads"], "y");
        let (name, s) = (Some("mode".into()), Some("reflect".into()));
        pad.attribute = vec![AttributeProto { name, s, r#type: Some(3), ..Default::default() }];
        recorded(vec![pad], vec![whole("pads", &[0, by])], &[8], "y")
    };
    assert_eq!(padded(1000), Ok(()));
    let error = padded(16_777_215).expect_err("refused");
    assert!(error.contains("before the model runs"), "{error}");
    assert!(padded(i64::MAX).is_err() && padded(i64::MIN).is_err());
}
