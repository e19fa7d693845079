//! The elementwise ops as methods of the builder: values and numbers side by side.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{DType, Elementwise, Graph, Tensor, Var, evaluate};

fn values(record: impl Fn(&mut Graph, Var, Var) -> chiaro_graph::Result<Var>) -> Vec<f64> {
    let mut g = Graph::new();
    let x = g.input("x", &[3], DType::F32).expect("input");
    let n = g.input("n", &[1], DType::I32).expect("input");
    let y = record(&mut g, x, n).expect("recorded");
    g.output("y", y).expect("output");
    let x = Tensor::f32([3], vec![-2.0, 0.5, 4.0]).expect("three");
    let n = Tensor::i32([1], vec![3]).expect("one");
    evaluate(&mut Reference::new(), &g, &[x, n]).expect("runs")[0].to_f64()
}

#[test]
fn numbers_stand_on_either_side_and_take_the_type_of_the_value() {
    assert_eq!(values(|g, x, _| g.sub(1.0, x)), [3.0, 0.5, -3.0]);
    assert_eq!(values(|g, x, _| g.maximum(x, 0.0)), [0.0, 0.5, 4.0]);
    assert_eq!(values(|g, x, _| g.leaky_relu(x, 0.5)), [-1.0, 0.5, 4.0]);
    assert_eq!(values(|g, x, _| g.clamp_between(x, -1.0, 1.0)), [-1.0, 0.5, 1.0]);
    assert_eq!(values(|g, _, n| g.mul(n, 2.0)), [6.0]);
    assert_eq!(
        values(|g, x, _| {
            let positive = g.greater(x, 0.0)?;
            g.where_(positive, x, -1.0)
        }),
        [-1.0, 0.5, 4.0]
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut g = Graph::new();
    let n = g.input("n", &[1], DType::I32).expect("input");
    let foreign = Graph::new().input("x", &[1], DType::F32).expect("input");
    for (result, part) in [
        (g.add(1.0, 2.0), "not numbers alone"),
        (g.mul(n, 0.5), "0.5 is no i32"),
        (g.exp(n), "takes floats"),
        (g.add(foreign, 1.0), "another graph"),
    ] {
        let error = result.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn usual_numbers_are_as_many_as_operands_behind_the_first_or_none() {
    for op in Elementwise::ALL {
        let numbers = op.usual_numbers().len();
        assert!(numbers == 0 || numbers + 1 == op.operands().len(), "{}", op.name());
    }
    assert_eq!(Elementwise::Softplus.usual_numbers(), [1.0, 20.0]);
}
