//! NaN, infinities, zeros of both signs, numbers too small to be normal and huge ones in every elementwise op, cast and reduction: the
//! CPU and the GPU give what the reference gives, but for the differences that stand here with their reasons.

mod support;

use chiaro::Backend;
use chiaro::cpu::reference::Reference;
use chiaro::graph::{Class, ConvSpec, Data, Elementwise, ReduceKind, evaluate};
use chiaro::{DType, Graph, Tensor};

const TINY: f32 = 1e-40;
const FLOATS: [f32; 19] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    TINY,
    -TINY,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    1.0,
    -1.0,
    0.5,
    -2.0,
    3.0,
    -3.0,
    5.0,
    -6.5,
    1e20,
];
const INTEGERS: [i32; 8] = [0, 1, -1, 7, -100, i32::MAX, i32::MIN, i32::MIN + 1];
const WORDS: [u32; 6] = [0, 1, 7, 1 << 31, u32::MAX - 1, u32::MAX];

/// A difference that is allowed: where, and why.
struct Allowed {
    op: Elementwise,
    /// On the GPU alone, or on the CPU too.
    gpu: bool,
    /// Of these operands.
    of: fn([f32; 3]) -> bool,
    /// Kept here so that no entry is without one.
    _because: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        op: Elementwise::Sin,
        gpu: true,
        of: |[x, ..]| x.abs() > 100.0,
        _because: "WGSL asks for digits between -π and π alone",
    },
    Allowed {
        op: Elementwise::Cos,
        gpu: true,
        of: |[x, ..]| x.abs() > 100.0,
        _because: "WGSL asks for digits between -π and π alone",
    },
    Allowed {
        op: Elementwise::Div,
        gpu: true,
        of: |[_, y, _]| y.abs() > 8.5e37,
        _because: "WGSL asks for digits where the divisor is at most 2^126: its reciprocal may be taken for 0",
    },
    Allowed { op: Elementwise::Reciprocal, gpu: true, of: |[x, ..]| x.abs() > 8.5e37, _because: "the same" },
    Allowed {
        op: Elementwise::Tanh,
        gpu: true,
        of: |[x, ..]| x != 0.0 && x.abs() < 1e-6,
        _because: "WGSL bounds the absolute error alone; 3e-8 on software Vulkan",
    },
    Allowed {
        op: Elementwise::Elu,
        gpu: true,
        of: |[x, ..]| x != 0.0 && x.abs() < 1e-6,
        _because: "e^x - 1 of an e^x that is a step below 1",
    },
    Allowed { op: Elementwise::Selu, gpu: true, of: |[x, ..]| x != 0.0 && x.abs() < 1e-6, _because: "the same" },
    Allowed {
        op: Elementwise::Log,
        gpu: true,
        of: |[x, ..]| x.is_subnormal(),
        _because: "logarithms of numbers below 1.2e-38 are neither theirs nor those of 0 on some drivers",
    },
    Allowed { op: Elementwise::Pow, gpu: true, of: |[x, ..]| x.is_subnormal(), _because: "made of the same logarithm" },
    Allowed {
        op: Elementwise::Gelu,
        gpu: false,
        of: |[x, ..]| (-7.0..-4.0).contains(&x),
        _because: "1 + erf is below the digits of 1, as in PyTorch's 32 bits",
    },
    Allowed {
        op: Elementwise::Softplus,
        gpu: false,
        of: |[x, beta, _]| {
            let finite = x.is_finite() && beta.is_finite() && x != 0.0 && beta != 0.0;
            finite && !(x * beta).is_normal()
        },
        _because: "beta x is too large or too small for 32 bits, not for the reference's 64",
    },
    Allowed {
        op: Elementwise::LeakyRelu,
        gpu: false,
        of: |[x, slope, _]| (x * slope).is_infinite(),
        _because: "the same of slope x",
    },
];

/// Numbers that a device may take for 0 are 0.
fn flushed(v: f32) -> f32 {
    if v.is_subnormal() { 0.0f32.copysign(v) } else { v }
}

/// Does a backend's value stand for the reference's?
fn agrees(got: f32, want: f64) -> bool {
    let rounded = want as f32;
    if want.is_nan() || rounded.is_infinite() {
        return got.is_nan() == want.is_nan() && (want.is_nan() || got == rounded);
    }
    // Results too small to be normal may be 0; the largest may have been rounded up to infinity.
    let (error, size) = ((f64::from(got) - want).abs(), want.abs());
    error <= 1e-5 * size + 1.2e-38 || size > 3.4e38 && f64::from(got).abs() > 3.4e38 && got.signum() == rounded.signum()
}

/// All combinations of some values for each of `operands` operands.
fn combined<T: Copy>(values: &[T], operands: usize) -> Vec<Vec<T>> {
    let count = values.len().pow(operands as u32);
    let digit = |i: usize, operand: usize| values[i / values.len().pow(operand as u32) % values.len()];
    (0..operands).map(|operand| (0..count).map(|i| digit(i, operand)).collect()).collect()
}

/// The op over operands of one type; conditions are truth values.
fn run(backend: &mut dyn Backend, op: Elementwise, operands: &[Tensor]) -> Vec<f64> {
    let mut g = Graph::new();
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(i, t)| g.input(&i.to_string(), t.shape(), t.dtype()).expect("a new name"))
        .collect();
    let y = g.map(op, &inputs).expect("operands of the op's types");
    g.output("y", y).expect("a new name");
    evaluate(backend, &g, operands).unwrap_or_else(|e| panic!("{}: {e}", op.name()))[0].to_f64()
}

fn floats(values: &[f32]) -> Tensor {
    Tensor::f32([values.len()], values.to_vec()).expect("as many")
}

/// Where an op of floats gives what it may not.
fn wrong_floats(backend: &mut dyn Backend, gpu: bool, op: Elementwise) -> Vec<String> {
    let operands = combined(&FLOATS, op.operands().len());
    let truth = |values: &[f32]| values.iter().map(|&v| u32::from(v > 0.0)).collect();
    let tensors = |flush: bool| -> Vec<Tensor> {
        let tensor = |(i, values): (usize, &Vec<f32>)| match (op.class(), i) {
            (Class::Logic, _) | (Class::Select, 0) => {
                Tensor::new([values.len()], Data::Bool(truth(values))).expect("as many")
            }
            _ if flush => floats(&values.iter().copied().map(flushed).collect::<Vec<_>>()),
            _ => floats(values),
        };
        operands.iter().enumerate().map(tensor).collect()
    };
    let got = run(backend, op, &tensors(false));
    let want = run(&mut Reference::new(), op, &tensors(false));
    let want_flushed = run(&mut Reference::new(), op, &tensors(true));
    let mut wrong = vec![];
    for (i, &got) in got.iter().enumerate() {
        let mut at = [0.0; 3];
        operands.iter().zip(&mut at).for_each(|(values, at)| *at = values[i]);
        let allowed = ALLOWED.iter().any(|a| a.op == op && (gpu || !a.gpu) && (a.of)(at));
        let right = agrees(got as f32, want[i]) || gpu && agrees(got as f32, want_flushed[i]);
        if !right && !allowed {
            wrong.push(format!("{}({:?}) = {got:e}, not {:e}", op.name(), &at[..operands.len()], want[i]));
        }
    }
    wrong
}

fn check_integers(backend: &mut dyn Backend, op: Elementwise) {
    let n = op.operands().len();
    let signed = combined(&INTEGERS, n).into_iter().map(|v| Tensor::i32([v.len()], v).expect("as many"));
    let unsigned = combined(&WORDS, n).into_iter().map(|v| Tensor::new([v.len()], Data::U32(v)).expect("as many"));
    for operands in [signed.collect::<Vec<_>>(), unsigned.collect()] {
        let (got, want) = (run(backend, op, &operands), run(&mut Reference::new(), op, &operands));
        assert_eq!(got, want, "{} of {}", op.name(), operands[0].dtype());
    }
}

fn ops(backend: &mut dyn Backend, gpu: bool) {
    let mut wrong = vec![];
    for &op in Elementwise::ALL {
        let found = wrong_floats(backend, gpu, op);
        wrong.extend(found.into_iter().take(20));
        if matches!(op.class(), Class::Number | Class::Compare) {
            check_integers(backend, op);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn elementwise_ops_of_special_values_are_the_references_on_the_cpu() {
    ops(&mut support::cpu(), false);
}

#[test]
fn elementwise_ops_of_special_values_are_the_references_on_the_gpu() {
    if let Some(mut gpu) = support::gpu() {
        ops(&mut gpu, true);
    }
}

/// The backends there are, by name.
fn backends() -> Vec<(&'static str, Box<dyn Backend>)> {
    let mut all: Vec<(&str, Box<dyn Backend>)> =
        vec![("reference", Box::new(Reference::new())), ("cpu", Box::new(support::cpu()))];
    all.extend(support::gpu().map(|gpu| ("gpu", Box::new(gpu) as Box<dyn Backend>)));
    all
}

/// Runs a graph of one input on every backend and hands each result on.
fn each(
    x: &Tensor,
    build: impl Fn(&mut Graph, chiaro::Var) -> chiaro::graph::Result<chiaro::Var>,
    f: impl Fn(&str, Vec<f64>),
) {
    let mut g = Graph::new();
    let v = g.input("x", x.shape(), x.dtype()).expect("a new name");
    let y = build(&mut g, v).expect("a graph");
    g.output("y", y).expect("a new name");
    for (name, mut backend) in backends() {
        f(name, evaluate(&mut *backend, &g, std::slice::from_ref(x)).expect("a step")[0].to_f64());
    }
}

/// `assert_eq` in which NaN is NaN.
#[track_caller]
fn assert_same(got: &[f64], want: &[f64], what: &str) {
    let same = got.len() == want.len() && got.iter().zip(want).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
    assert!(same, "{what}: {got:?}, not {want:?}");
}

/// Beyond an integer type its ends, NaN 0 (as Rust has it; PyTorch leaves it to the processor); as a truth value NaN is not 0.
#[test]
fn casts_of_special_values_are_defined_and_equal_everywhere() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 2.5, -2.5, 3e9, -3e9, 5e9, 2_147_483_520.0];
    let x = floats(&values);
    let (low, high) = (f64::from(i32::MIN), f64::from(i32::MAX));
    let wanted = [
        (DType::I32, vec![0.0, high, low, 0.0, 2.0, -2.0, high, low, high, 2_147_483_520.0]),
        (DType::U32, {
            let most = f64::from(u32::MAX);
            vec![0.0, most, 0.0, 0.0, 2.0, 0.0, 3e9, 0.0, most, 2_147_483_520.0]
        }),
        (DType::Bool, vec![1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ];
    for (to, want) in wanted {
        each(&x, |g, v| g.cast(v, to), |name, got| assert_same(&got, &want, &format!("{to} on {name}")));
    }
}

#[test]
fn powers_are_those_of_c_for_negative_bases_zeros_and_infinities() {
    let x = [-2.0, -0.0, 0.0, 3.0, f64::NEG_INFINITY, f64::INFINITY, f64::NAN, 1.0];
    let input = Tensor::from_f64([x.len()], DType::F32, &x).expect("as many");
    for exponent in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, 2.5, -2.5, 1.5] {
        let want: Vec<f64> = x.iter().map(|v| f64::from(v.powf(exponent) as f32)).collect();
        each(
            &input,
            |g, v| g.powf(v, exponent),
            |name, got| {
                for (got, want) in got.iter().zip(&want) {
                    assert!(agrees(*got as f32, *want), "to the power {exponent} on {name}: {got} for {want}");
                }
            },
        );
    }
}

#[test]
fn infinities_may_be_clamped_and_may_be_bounds() {
    let inf = f64::INFINITY;
    let x = [f64::NAN, inf, -inf, 2.0, -2.0];
    let input = Tensor::from_f64([5], DType::F32, &x).expect("five");
    for (min, max, want) in [
        (Some(0.0), None, [f64::NAN, inf, 0.0, 2.0, 0.0]),
        (None, Some(0.0), [f64::NAN, 0.0, -inf, 0.0, -2.0]),
        (Some(-1.0), Some(1.0), [f64::NAN, 1.0, -1.0, 1.0, -1.0]),
        (Some(-inf), Some(inf), x),
        (Some(inf), None, [f64::NAN, inf, inf, inf, inf]),
        (Some(0.0), Some(-inf), [f64::NAN, -inf, -inf, -inf, -inf]),
    ] {
        let what = |name: &str| format!("{min:?} to {max:?} on {name}");
        each(&input, |g, v| g.clamp(v, min, max), |name, got| assert_same(&got, &want, &what(name)));
    }
}

#[test]
fn the_gradient_of_a_power_is_0_where_pytorch_says_so() {
    let x = Tensor::f32([4], vec![0.0, -2.0, 3.0, 0.5]).expect("four");
    let y = [0.0f32, 0.0, 2.0, 3.0];
    let build = |g: &mut Graph, v| {
        let y = g.constant(floats(&y))?;
        let p = g.map(Elementwise::Pow, &[v, y])?;
        let s = g.sum_all(p)?;
        Ok(g.grad(s, None, &[v])?[0])
    };
    each(&x, build, |name, got| {
        for (got, want) in got.iter().zip([0.0, 0.0, 6.0, 0.75]) {
            assert!((got - want).abs() < 1e-5, "{name}: {got} for {want}");
        }
    });
}

#[test]
fn reductions_of_special_values_are_equal_everywhere() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let rows = [[1.0, nan, 3.0], [inf, 1.0, -2.0], [-inf, 0.0, 5.0], [inf, -inf, 0.0], [-0.0, 0.0, -1.0]];
    let x = Tensor::f32([5, 3], rows.concat()).expect("as many");
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for (kind, want) in [
        (ReduceKind::Sum, [nan, inf, -inf, nan, -1.0]),
        (ReduceKind::Max, [nan, inf, 5.0, inf, 0.0]),
        (ReduceKind::Min, [nan, -2.0, -inf, -inf, -1.0]),
    ] {
        each(
            &x,
            |g, v| g.reduce(kind, v, &[1], false),
            |name, got| assert_same(&got, &want, &format!("{kind:?} {name}")),
        );
    }
    for (kind, want) in [(ReduceKind::Max, [1.0, 0.0, 2.0, 0.0, 0.0]), (ReduceKind::Min, [1.0, 2.0, 0.0, 1.0, 2.0])] {
        each(
            &x,
            |g, v| g.arg_reduce(kind, v, 1, false),
            |name, got| {
                assert_same(&got, &want, &format!("position {kind:?} {name}"));
            },
        );
    }
    each(
        &x,
        |g, v| g.softmax(v, 1, false),
        |name, got| {
            assert_same(&got[..6], &[nan; 6], name);
            assert!(got[6] == 0.0 && (got[7] + got[8] - 1.0).abs() < 1e-6, "{name}: {got:?}");
            assert_same(&got[9..12], &[nan; 3], name);
        },
    );
}

/// PyTorch's `conv_transpose2d` of ones with dilation 2 and output padding 1: nothing falls on the last row and column.
#[test]
fn output_padding_beyond_the_stride_gives_rows_of_zeros() {
    let x = Tensor::f32([1, 3, 3, 1], vec![1.0; 9]).expect("nine");
    let build = |g: &mut Graph, v| {
        let w = g.full(&[1, 3, 3, 1], 1.0, DType::F32)?;
        g.conv_transpose2d(v, w, &ConvSpec { dilation: [2, 2], ..ConvSpec::default() }, [1, 1])
    };
    // Taps 0, 2, 4 of pixels 0, 1, 2.
    let line = [1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0, 0.0];
    let want: Vec<f64> = (0..64).map(|i| line[i / 8] * line[i % 8]).collect();
    each(&x, build, |name, got| assert_same(&got, &want, name));
}
