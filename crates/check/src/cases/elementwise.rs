//! Every row of the elementwise table: floats, integers where they are taken, broadcasting, and extreme operands.

use crate::case::{Case, Kink};
use crate::draw::Draw;
use chiaro_graph::{Class, DType, Elementwise};

/// Operands at which unstable formulas show: zeros of both signs, tiny and large values.
const EXTREMES: &[f64] =
    &[0.0, -0.0, 1e-4, -1e-4, 0.25, -0.25, 1.0, -1.0, 2.5, -2.5, 5.0, -5.0, 12.0, -12.0, 30.0, -30.0, 80.0, -80.0];

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    for &op in Elementwise::ALL {
        all.extend(floats(op));
        all.extend(others(op));
        all.extend(extremes(op));
    }
    all.push(large());
    all.extend(casts());
    all
}

fn new(op: Elementwise, variant: &str) -> Case {
    Case::new(format!("elementwise/{}{variant}", op.name()), move |g, v| g.map(op, v))
}

/// Operands of the given shapes from the row's interval, of the class' float (or bool) types.
fn with_shapes(op: Elementwise, variant: &str, shapes: &[&[usize]]) -> Case {
    let [low, high] = op.sample_interval();
    let mut case = new(op, variant);
    for (i, (name, shape)) in op.operands().iter().zip(shapes.iter().cycle()).enumerate() {
        case = match op.class() {
            Class::Logic => case.fixed(name, shape, DType::Bool, Draw::Bools),
            Class::Select if i == 0 => case.fixed(name, shape, DType::Bool, Draw::Bools),
            Class::Compare => case.fixed(name, shape, DType::F32, Draw::Ties(0.5)),
            Class::Check => {
                let values = [1.0, f64::NAN, f64::INFINITY, -3.5, f64::NEG_INFINITY, 0.0, f64::from(f32::MAX)];
                case.fixed(name, shape, DType::F32, Draw::Values(values.to_vec()))
            }
            Class::Float | Class::Number | Class::Select => case.float(name, shape, Draw::Uniform(low, high)),
        };
    }
    match op.class() {
        Class::Logic | Class::Compare | Class::Check | Class::Select => case.exact(),
        Class::Float | Class::Number => case,
    }
}

fn floats(op: Elementwise) -> Vec<Case> {
    let mut all = vec![with_shapes(op, "", &[&[3, 37]])];
    if op.operands().len() > 1 {
        all.push(with_shapes(op, "_broadcast", &[&[2, 3, 5], &[3, 1], &[5]]));
        all.push(with_shapes(op, "_scalar", &[&[], &[7], &[2, 1, 1]]));
    }
    all
}

/// Integers, and conditions between them.
fn others(op: Elementwise) -> Vec<Case> {
    let with = |variant: &str, dtype: DType, low: i64, high: i64| {
        let mut case = new(op, variant).exact();
        for (i, name) in op.operands().iter().enumerate() {
            let condition = op.class() == Class::Select && i == 0;
            let (dtype, draw) = if condition { (DType::Bool, Draw::Bools) } else { (dtype, Draw::Integers(low, high)) };
            case = case.fixed(name, &[5, 13], dtype, draw);
        }
        case
    };
    match op.class() {
        Class::Number => vec![
            with("_i32", DType::I32, -9, 10),
            with("_i32_wraps", DType::I32, -2_000_000_000, 2_000_000_000),
            with("_u32", DType::U32, 0, 4_000_000_000),
        ],
        Class::Compare | Class::Select => {
            vec![with("_i32", DType::I32, -3, 4), with("_u32", DType::U32, 4_294_967_290, 4_294_967_296)]
        }
        Class::Float | Class::Logic | Class::Check => vec![],
    }
}

fn extremes(op: Elementwise) -> Vec<Case> {
    use Elementwise as E;
    let draw = Draw::Values(EXTREMES.to_vec());
    let scalars: &'static [f64] = match op {
        E::Tanh | E::Erf | E::Sigmoid | E::Relu | E::Relu6 | E::Selu | E::Gelu | E::GeluTanh | E::Silu | E::Mish => &[],
        E::Hardswish | E::Hardsigmoid | E::Abs | E::Sign | E::Square | E::Floor | E::Ceil | E::Round => &[],
        E::LeakyRelu => &[0.2],
        E::Elu => &[0.5],
        E::Softplus => &[2.0, 20.0],
        E::Clamp => &[-1.0, 2.5],
        E::Maximum | E::Minimum => {
            let ties = Case::new(format!("elementwise/{}_ties", op.name()), move |g, v| g.map(op, v));
            let ties = ties.float("x", &[4, 9], Draw::Ties(1.0)).float("y", &[4, 9], Draw::Ties(1.0));
            return vec![ties.exact().kink(Kink::Convention)];
        }
        _ => return vec![],
    };
    let case = Case::new(format!("elementwise/{}_extremes", op.name()), move |g, v| g.map_scalars(op, v[0], scalars));
    vec![case.float("x", &[2, 9], draw).kink(Kink::Convention)]
}

/// More elements than one dimension of workgroups covers.
fn large() -> Case {
    let case = Case::new("elementwise/large", |g, v| {
        let s = g.unary(Elementwise::Sigmoid, v[0])?;
        g.mul(s, v[1])
    });
    case.float("x", &[67, 4099], Draw::Normal).float("y", &[4099], Draw::Normal)
}

fn casts() -> Vec<Case> {
    let all = [DType::F32, DType::I32, DType::U32, DType::Bool];
    let mut out = vec![];
    for from in all {
        for to in all.into_iter().filter(|&to| to != from) {
            let draw = match from {
                DType::Bool => Draw::Bools,
                DType::U32 => Draw::Integers(0, 4_000_000_000),
                _ if to == DType::U32 && from == DType::F32 => Draw::Uniform(0.0, 900.0),
                DType::I32 => Draw::Integers(-5, 6),
                _ => Draw::Values(vec![0.0, -0.0, 0.3, -0.3, 1.0, -1.75, 2.5, 1000.25]),
            };
            let case = Case::new(format!("cast/{from}_to_{to}"), move |g, v| g.cast(v[0], to));
            out.push(case.fixed("x", &[3, 11], from, draw).exact());
        }
    }
    out
}
