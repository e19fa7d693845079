//! Tensors without elements: refused where a shape enters a graph, so that no op and no kernel ever meets one.

use chiaro_graph::{DType, Data, Graph, RandomKind, Result, Tensor};

#[track_caller]
fn refused<T: std::fmt::Debug>(made: Result<T>, name: &str) {
    let message = made.expect_err("a tensor without elements").to_string();
    assert!(message.contains(name) && message.contains("an extent is 0"), "{message}");
}

#[test]
fn every_source_of_shapes_refuses_an_extent_of_0() {
    let mut g = Graph::new();
    refused(g.input("x", &[0], DType::F32), "input \"x\"");
    refused(g.input("x", &[2, 0, 3], DType::F32), "input \"x\"");
    refused(g.constant(Tensor::zeros([3, 0], DType::F32)), "constant");
    refused(g.full(&[0, 4], 1.0, DType::F32), "full");
    refused(g.iota(0), "iota");
    let key = g.constant(Tensor::new([3], Data::U32(vec![1, 2, 3])).expect("three")).expect("three words");
    refused(g.random(RandomKind::Uniform, &[0], key), "random");
    let arena = g.arena("a", DType::F32).expect("new");
    refused(g.arena_values(arena), "arena \"a\" without a state");
    refused(g.arena_like(arena, "b"), "arena \"a\" without a state");
    refused(g.state(arena, "s", &[0]), "state \"s\"");
    let one = g.input("one", &[1], DType::F32).expect("an element");
    refused(g.broadcast_to(one, &[0]), "broadcast_to");
    let label = g.cast(one, DType::I32).expect("a float");
    refused(g.one_hot(label, 0, DType::F32), "iota");
}

#[test]
fn no_op_makes_a_tensor_without_elements_of_others() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3, 3, 4], DType::F32).expect("positive extents");
    assert!(g.narrow(x, 0, 1, 1).is_err());
    assert!(g.slice(x, &[0; 4], &[2, 0, 3, 4], &[1; 4]).is_err());
    assert!(g.reshape(x, &[0]).is_err());
    assert!(g.concat(&[], 0).is_err());
    assert!(g.adaptive_avg_pool2d(x, [0, 1]).is_err() && g.adaptive_max_pool2d(x, [1, 0]).is_err());
    assert!(g.resize2d(x, [0, 2], chiaro_graph::ResizeMode::Nearest).is_err());
    let spec = chiaro_graph::PoolSpec { ceil_mode: true, stride: [9; 2], ..chiaro_graph::PoolSpec::square(3) };
    assert_eq!(g.max_pool2d(x, &spec).map(|y| g.shape(y).to_vec()).expect("one window"), [2, 1, 1, 4]);
}
