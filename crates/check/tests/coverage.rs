//! The case table leaves no op out, and the checks can fail.

use chiaro_check::compare::relative_error;
use chiaro_check::gradient::check_case;
use chiaro_check::verify::{VerifyOptions, verify, verify_graph};
use chiaro_check::{Case, Draw, cases};
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Elementwise, Graph, GraphError, Op, Tensor};
use std::collections::BTreeSet;

/// A name for each op; a new variant does not compile until it is listed here, and then not until a case has it.
fn variant(op: &Op) -> &'static str {
    macro_rules! names {
        ($($Variant:ident),+) => {{
            const ALL: &[&str] = &[$(stringify!($Variant)),+];
            assert_eq!(ALL.len(), VARIANTS);
            match op { $(Op::$Variant { .. } => stringify!($Variant)),+ }
        }};
    }
    names!(
        Input,
        State,
        Arena,
        Scalar,
        Constant,
        Iota,
        Random,
        Map,
        Cast,
        Reshape,
        Transpose,
        Broadcast,
        Slice,
        Pad,
        Concat,
        Pack,
        Reduce,
        ArgReduce,
        Moments,
        MatMul,
        Conv2d,
        Conv2dInputGrad,
        Conv2dWeightGrad,
        MaxPool2d,
        MaxPool2dIndex,
        MaxPool2dGrad,
        AvgPool2d,
        AvgPool2dGrad,
        Softmax,
        CrossEntropy,
        CrossEntropyGrad,
        Gather,
        ScatterAdd,
        IndexSelect,
        IndexAdd,
        Custom,
        WithGradient
    )
}

const VARIANTS: usize = 37;

fn graphs(case: &Case) -> Vec<Graph> {
    let mut all = vec![case.forward().expect("a case that builds")];
    if case.has_gradient().expect("a case that builds") {
        all.push(case.backward(&case.subsets()[0]).expect("a case that differentiates"));
    }
    all
}

#[test]
fn every_op_and_every_elementwise_row_has_a_case() {
    let (mut ops, mut rows) = (BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        for graph in graphs(&case) {
            for node in graph.nodes() {
                ops.insert(variant(&node.op));
                if let Op::Map(e) = node.op {
                    rows.insert(e.name());
                }
            }
        }
    }
    assert_eq!(ops.len(), VARIANTS, "{ops:?}");
    assert_eq!(rows.len(), Elementwise::ALL.len(), "{rows:?}");
}

#[test]
fn every_op_and_every_elementwise_row_is_in_500_random_graphs() {
    let (mut ops, mut rows) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..500 {
        for node in chiaro_check::fuzz::question(seed).graph.nodes() {
            ops.insert(variant(&node.op));
            if let Op::Map(e) = node.op {
                rows.insert(e.name());
            }
        }
    }
    assert_eq!(ops.len(), VARIANTS, "{ops:?}");
    assert_eq!(rows.len(), Elementwise::ALL.len(), "{rows:?}");
}

#[test]
fn names_are_unique() {
    let all = cases();
    let names: BTreeSet<&str> = all.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn one_changed_element_fails_each_case() {
    for case in cases().into_iter().filter(|c| !c.name.ends_with("large")) {
        let name = case.name.clone();
        let options = VerifyOptions { corrupt: Some(0), ..VerifyOptions::default() };
        let report = verify(&mut Reference::new(), &mut Reference::new(), &[case], &options);
        assert!(!report.passed(), "{name} passed with a changed element");
    }
}

#[test]
fn only_the_corrupted_case_fails_and_the_report_says_so() {
    let options = VerifyOptions { filter: Some("softmax".into()), corrupt: Some(2), ..VerifyOptions::default() };
    let report = verify(&mut Reference::new(), &mut Reference::new(), &cases(), &options);
    let failed: Vec<usize> = (0..report.cases.len()).filter(|&i| report.cases[i].failure.is_some()).collect();
    assert_eq!(failed, [2]);
    assert!(!report.passed() && report.to_string().contains("FAIL"));
    let json: serde_json::Value = serde_json::from_str(&report.to_json().expect("plain data")).expect("JSON");
    assert!(json["cases"][2]["failure"].is_string() && json["cases"][1]["failure"].is_null());
    // Nothing selected is no pass.
    let nothing = VerifyOptions { filter: Some("no such case".into()), ..VerifyOptions::default() };
    assert!(!verify(&mut Reference::new(), &mut Reference::new(), &cases(), &nothing).passed());
}

#[test]
fn a_graph_is_compared_from_given_arenas() {
    use std::collections::BTreeMap;
    let case = cases().into_iter().find(|c| c.name == "state/pack_and_update_the_arena").expect("the case");
    let graph = case.forward().expect("a case that builds");
    let values = |v| {
        let arena = &graph.arenas()[0];
        let tensor = Tensor::f32(vec![arena.len], vec![v; arena.len]).expect("as many elements");
        BTreeMap::from([(arena.name.clone(), tensor)])
    };
    let run = |a: &mut Reference, b: &mut Reference, v| {
        verify_graph(a, b, ("arena", &graph), &case.values(), &values(v), (1e-9, false))
    };
    assert!(run(&mut Reference::new(), &mut Reference::new(), 0.5).failure.is_none());
    // Arenas are written by name: one that the graph does not declare is refused.
    let mut other = BTreeMap::from([("elsewhere".to_string(), Tensor::scalar(0.0))]);
    other.extend(values(0.5));
    let (mut a, mut b) = (Reference::new(), Reference::new());
    let report = verify_graph(&mut a, &mut b, ("arena", &graph), &case.values(), &other, (1e-9, false));
    assert!(report.failure.is_some_and(|f| f.contains("elsewhere")));
}

#[test]
fn a_wrong_gradient_is_found() {
    let case = Case::new("control/detached_factor", |g, v| {
        let fixed = g.detach(v[0])?;
        g.mul(v[0], fixed)
    });
    let check = check_case(&case.float("x", &[3, 4], Draw::Normal)).expect("a case that runs");
    assert!(check.failure.is_some() && check.error > 0.1, "{check:?}");
}

#[test]
fn class_weights_of_cross_entropy_refuse_a_gradient_instead_of_giving_zeros() {
    let mut g = Graph::new();
    let mut record = || {
        let logits = g.input("logits", &[2, 3], chiaro_graph::DType::F32)?;
        let target = g.input("target", &[2], chiaro_graph::DType::I32)?;
        let weight = g.input("weight", &[3], chiaro_graph::DType::F32)?;
        let options = chiaro_graph::CrossEntropyOptions { class_weight: Some(weight), ..Default::default() };
        let loss = g.cross_entropy(logits, target, &options)?;
        g.grad(loss, None, &[weight])
    };
    assert!(matches!(record(), Err(GraphError::NotDifferentiable(_))));
}

#[test]
fn draws_are_the_same_on_every_machine() {
    let t = Draw::Normal.tensor(7, 1, &[1000], chiaro_graph::DType::F32).to_f64();
    let mean = t.iter().sum::<f64>() / 1000.0;
    let spread = (t.iter().map(|v| v * v).sum::<f64>() / 1000.0).sqrt();
    assert!(mean.abs() < 0.1 && (spread - 1.0).abs() < 0.1, "mean {mean}, spread {spread}");
    let again = Draw::Normal.tensor(7, 1, &[1000], chiaro_graph::DType::F32).to_f64();
    assert_eq!(relative_error(&t, &again), 0.0);
}
