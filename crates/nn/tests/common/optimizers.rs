//! Every optimizer case for its ten steps, against PyTorch's parameters after each.

use super::{optimizer, tensor};
use chiaro_check::compare::relative_error;
use chiaro_check::golden::{Golden, GoldenCase};
use chiaro_graph::{Backend, DType, Data, Graph, StateId, Tensor, Var};
use chiaro_nn::{Optimizers, PARAMS, pack_arena, unpack_arena};

/// Runs a case and gives the largest relative error of a parameter after any step.
pub fn worst_error(backend: &mut dyn Backend, golden: &Golden, case: &GoldenCase) -> f64 {
    let (rule, lr) = optimizer(&case.op, case.attrs.json());
    let starts: Vec<Tensor> = (0..).map_while(|i| golden.tensor(&format!("{}/param{i}", case.name)).cloned()).collect();
    assert!(!starts.is_empty(), "{} has no parameters", case.name);
    let graph = update_graph(&starts, &rule);
    let plan = backend.compile(&graph).expect("the update compiles");
    let by_name = |name: &str| starts.get(name.strip_prefix("param")?.parse::<usize>().ok()?);
    let packed = pack_arena(&graph, PARAMS, by_name).expect("parameters fit");
    backend.write_arena(PARAMS, &packed).expect("parameters");
    for (slot, initial) in rule.slots() {
        let values = vec![initial; packed.shape()[0]];
        let values = Tensor::from_f64([values.len()], DType::F32, &values).expect("a vector");
        backend.write_arena(&slot, &values).expect("slot");
    }
    let mut worst = 0.0f64;
    for step in 0..10 {
        let role = |kind: &str, i: usize| row(tensor(golden, &format!("{}/{kind}{i}", case.name)), step);
        let mut inputs: Vec<Tensor> = (0..starts.len()).map(|i| role("grad", i)).collect();
        inputs.push(rule.hyper(lr, step as u64));
        backend.run(plan, &inputs).expect("a step");
        let flat = backend.read_arena(PARAMS).expect("parameters");
        for (i, (_, got)) in unpack_arena(&graph, PARAMS, &flat).expect("parameters").iter().enumerate() {
            let want = role("after", i);
            assert_eq!(got.shape(), want.shape());
            worst = worst.max(relative_error(&got.to_f64(), &want.to_f64()));
        }
    }
    worst
}

fn update_graph(starts: &[Tensor], rule: &Optimizers) -> Graph {
    let mut graph = Graph::new();
    let arena = graph.arena(PARAMS, DType::F32).expect("arena");
    let mut gradients: Vec<(StateId, Var)> = vec![];
    for (i, start) in starts.iter().enumerate() {
        let state = graph.state(arena, &format!("param{i}"), start.shape()).expect("state");
        gradients.push((state, graph.input(&format!("grad{i}"), start.shape(), DType::F32).expect("input")));
    }
    let hyper = graph.input("hyper", &[rule.hyper_len()], DType::F32).expect("input");
    let packed = graph.pack(arena, &gradients).expect("gradients fit");
    rule.apply(&mut graph, arena, packed, hyper, None).expect("the update is recorded");
    graph
}

/// Entry `i` of the first axis.
pub fn row(tensor: &Tensor, i: usize) -> Tensor {
    let shape = tensor.shape()[1..].to_vec();
    let n: usize = shape.iter().product();
    let data = match tensor.data() {
        Data::F32(v) => Data::F32(v[i * n..(i + 1) * n].to_vec()),
        Data::I32(v) => Data::I32(v[i * n..(i + 1) * n].to_vec()),
        other => panic!("golden tensors are f32 or i32, not {other:?}"),
    };
    Tensor::new(shape, data).expect("a row")
}
