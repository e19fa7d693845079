//! Gradients where elements are equal, which random operands never are, against PyTorch's rules.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{DType, Elementwise, Graph, ReduceKind, Result, Tensor, Var, evaluate};

/// The gradient of `sum(y [1, 10, 100, ...])` with respect to x.
fn gradient(shape: &[usize], x: &[f64], f: impl Fn(&mut Graph, Var) -> Result<Var>) -> Vec<f64> {
    let mut g = Graph::new();
    let v = g.input("x", shape, DType::F32).expect("new");
    let y = f(&mut g, v).expect("fits");
    let n: usize = g.shape(y).iter().product();
    let powers: Vec<f64> = (0..n).map(|i| 10f64.powi(i as i32)).collect();
    let cotangent = Tensor::from_f64(g.shape(y), DType::F32, &powers).expect("as many");
    let cotangent = g.constant(cotangent).expect("elements");
    let dx = g.grad(y, Some(cotangent), &[v]).expect("differentiable")[0];
    g.output("dx", dx).expect("new");
    let input = Tensor::from_f64(shape, DType::F32, x).expect("as many");
    evaluate(&mut Reference::new(), &g, &[input]).expect("runs")[0].to_f64()
}

#[test]
fn equal_extremes_of_amax_and_amin_share_the_gradient_evenly() {
    let x = [1.0, 3.0, 3.0, 2.0, -4.0, 5.0, -4.0, -4.0];
    let rows = |kind| gradient(&[2, 4], &x, move |g, v| g.reduce(kind, v, &[1], false));
    assert_eq!(rows(ReduceKind::Max), [0.0, 0.5, 0.5, 0.0, 0.0, 10.0, 0.0, 0.0]);
    let third = 10.0 / 3.0;
    let want = [1.0, 0.0, 0.0, 0.0, third, 0.0, third, third];
    assert!(rows(ReduceKind::Min).iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", rows(ReduceKind::Min));
    // Over several axes at once all equal elements share, wherever they are.
    let all = gradient(&[2, 2], &[7.0, 1.0, 0.0, 7.0], |g, v| g.reduce(ReduceKind::Max, v, &[-1, -2], true));
    assert_eq!(all, [0.5, 0.0, 0.0, 0.5]);
}

#[test]
fn the_first_of_equal_extremes_takes_the_gradient_where_one_is_selected() {
    let max = gradient(&[4], &[1.0, 3.0, 3.0, 2.0], |g, v| g.select_extreme(ReduceKind::Max, v, 0, false));
    assert_eq!(max, [0.0, 1.0, 0.0, 0.0]);
    let pool = chiaro_graph::PoolSpec::square(2);
    assert_eq!(gradient(&[1, 2, 2, 1], &[5.0; 4], |g, v| g.max_pool2d(v, &pool)), [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn equal_operands_of_maximum_and_minimum_share_the_gradient() {
    for op in [Elementwise::Maximum, Elementwise::Minimum] {
        // Of [2, 2] against 2, [1, 3] against 2.
        let dx = gradient(&[3], &[1.0, 2.0, 3.0], |g, v| g.map_scalars(op, v, &[2.0]));
        let want = if op == Elementwise::Maximum { [0.0, 5.0, 100.0] } else { [1.0, 5.0, 0.0] };
        assert_eq!(dx, want, "{op:?}");
    }
}

#[test]
fn a_bound_of_clamp_passes_the_gradient_of_what_lies_on_it() {
    let x = [-1.0, 0.0, 0.5, 1.0, 2.0];
    let dx = |low, high| gradient(&[5], &x, move |g, v| g.clamp(v, low, high));
    assert_eq!(dx(Some(0.0), Some(1.0)), [0.0, 10.0, 100.0, 1000.0, 0.0]);
    assert_eq!(dx(Some(0.0), None), [0.0, 10.0, 100.0, 1000.0, 10000.0]);
    assert_eq!(dx(None, Some(1.0)), [1.0, 10.0, 100.0, 1000.0, 0.0]);
}
