//! The table of elementwise ops: one row adds an op to both backends, the reference, gradients, tests and benchmarks.
//!
//! A row reads: class, name, the builder's method, operands (with their usual numbers, where they have any); the value (the same tokens are compiled for f32 and f64), `int` the value for integers;
//! the WGSL expression; the interval from which tests draw operands; the cost; the gradient, given the cotangent `d` and the result `o`.
//!
//! NaN: an op of a NaN is NaN, but for comparisons (false; `NotEqual` is true), `IsFinite` (false), a selection that takes the other
//! value, and the powers that are 1. On every backend: WGSL lets compilers assume that floats are finite, so where one of its
//! functions loses a NaN, the row looks at the bits (`is_nan`). What remains to a GPU's compiler is to fold x - x and x times the
//! number 0 to 0, and to take numbers below 1.2e-38 for 0. `tests/special_values.rs` in the workspace has the list.

use super::Class;
use super::lane::{Lane, Real as _, Wide};
use crate::dtype::DType;
use crate::error::Result;
use crate::grad::expr::E;
use crate::graph::{Arg, Graph, Var};

macro_rules! elementwise {
    ($( $(#[$doc:meta])* $class:ident $Op:ident $method:ident($($arg:ident $(= $usual:literal)?),+):
        $cpu:expr $(, int $int:expr)?; $wgsl:literal; in [$lo:expr, $hi:expr], cost $cost:literal;
        $d:ident $o:ident => [$($grad:expr),+]; )+) => {
        /// An elementwise op; see the table's rows for what each computes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Elementwise { $( $(#[$doc])* $Op, )+ }

        impl Elementwise {
            /// Every op, in the table's order.
            pub const ALL: &'static [Elementwise] = &[$(Elementwise::$Op),+];

            /// The op's name.
            pub fn name(self) -> &'static str {
                match self { $(Elementwise::$Op => stringify!($Op)),+ }
            }

            /// What the op accepts and gives.
            pub fn class(self) -> Class {
                match self { $(Elementwise::$Op => Class::$class),+ }
            }

            /// Names of the operands, as the WGSL expression uses them.
            pub fn operands(self) -> &'static [&'static str] {
                match self { $(Elementwise::$Op => &[$(stringify!($arg)),+]),+ }
            }

            /// The WGSL expression over the operands' names.
            pub fn wgsl(self) -> &'static str {
                match self { $(Elementwise::$Op => $wgsl),+ }
            }

            /// The interval in which the op is defined and away from large slopes; tests draw operands from it.
            pub fn sample_interval(self) -> [f64; 2] {
                match self { $(Elementwise::$Op => [$lo, $hi]),+ }
            }

            /// The usual numbers of the operands behind the first, where there are any: the slope of a leaky ReLU.
            pub fn usual_numbers(self) -> &'static [f64] {
                match self { $(Elementwise::$Op => &[$($($usual,)?)+]),+ }
            }

            /// Roughly what it costs, in multiply-adds.
            pub(crate) fn cost(self) -> usize {
                match self { $(Elementwise::$Op => $cost),+ }
            }

            /// The value in 64-bit floats, integers and truth values included.
            pub fn eval_f64(self, operands: [f64; 3]) -> f64 {
                match self { $(Elementwise::$Op => {
                    let mut it = operands.into_iter();
                    $(let $arg = it.next().unwrap_or_default();)+
                    elementwise!(@wide $class ($($arg),+) $cpu)
                }),+ }
            }

            /// Applies the op to 32-bit lanes holding values of `dtype` (of the result's type for a selection). All slices
            /// have one length; operands that the op does not have are ignored. Always inlined, so that a caller
            /// compiled for wider vectors gets loops of that width.
            #[inline(always)]
            pub fn map_lanes(self, dtype: DType, x: &[u32], y: &[u32], z: &[u32], out: &mut [u32]) {
                match self { $(Elementwise::$Op => {
                    elementwise!(@lanes $class dtype x y z out ($($arg),+) $cpu $(, $int)?)
                }),+ }
            }

            /// Cotangents of the operands, given that of the result (`None` where there is none).
            pub(crate) fn gradient<'g>(self, operands: &[E<'g>], d: E<'g>, o: E<'g>) -> Vec<Option<E<'g>>> {
                match self { $(Elementwise::$Op => {
                    let ($d, $o) = (d, o);
                    let mut it = operands.iter().copied();
                    $(let $arg = it.next().unwrap_or(d);)+
                    let _ = ($o, $($arg),+);
                    vec![$(Option::<E<'g>>::from($grad)),+]
                }),+ }
            }
        }

        /// The elementwise ops as methods. Operands are values or numbers, which take the type of the values beside them, and
        /// broadcast to one shape. An error says which types or shapes do not fit, or that there is no value among the operands.
        #[allow(clippy::missing_errors_doc, reason = "said once, above")]
        impl Graph {
            $(
                $(#[$doc])*
                pub fn $method(&mut self, $($arg: impl Into<Arg>),+) -> Result<Var> {
                    self.map_args(Elementwise::$Op, &[$($arg.into()),+])
                }
            )+
        }
    };

    (@wide Select ($c:ident, $x:ident, $y:ident) $cpu:expr) => {{ let $c = bool::from_wide($c); $cpu }};
    (@wide Logic ($($arg:ident),+) $cpu:expr) => {{ $(let $arg = bool::from_wide($arg);)+ $cpu.to_wide() }};
    (@wide Compare ($($arg:ident),+) $cpu:expr) => { $cpu.to_wide() };
    (@wide Check ($($arg:ident),+) $cpu:expr) => { $cpu.to_wide() };
    (@wide $class:ident ($($arg:ident),+) $cpu:expr) => { $cpu };

    (@lanes Select $t:ident $x:ident $y:ident $z:ident $out:ident ($c:ident, $a:ident, $b:ident) $cpu:expr) => {
        map($x, $y, $z, $out, #[inline(always)] |c, a, b| { let ($c, $a, $b) = (bool::from_lane(c), a, b); $cpu })
    };
    (@lanes Logic $t:ident $x:ident $y:ident $z:ident $out:ident ($($arg:ident),+) $cpu:expr) => {
        elementwise!(@map bool $x $y $z $out ($($arg),+) $cpu)
    };
    (@lanes Number $t:ident $x:ident $y:ident $z:ident $out:ident ($($arg:ident),+) $cpu:expr, $int:expr) => {
        match $t {
            DType::I32 => elementwise!(@map i32 $x $y $z $out ($($arg),+) $int),
            DType::U32 | DType::Bool => elementwise!(@map u32 $x $y $z $out ($($arg),+) $int),
            DType::F32 | DType::F16 => elementwise!(@map f32 $x $y $z $out ($($arg),+) $cpu),
        }
    };
    (@lanes Compare $t:ident $x:ident $y:ident $z:ident $out:ident ($($arg:ident),+) $cpu:expr) => {
        match $t {
            DType::I32 => elementwise!(@map i32 $x $y $z $out ($($arg),+) $cpu),
            DType::U32 | DType::Bool => elementwise!(@map u32 $x $y $z $out ($($arg),+) $cpu),
            DType::F32 | DType::F16 => elementwise!(@map f32 $x $y $z $out ($($arg),+) $cpu),
        }
    };
    (@lanes $class:ident $t:ident $x:ident $y:ident $z:ident $out:ident ($($arg:ident),+) $cpu:expr) => {{
        let _ = $t;
        elementwise!(@map f32 $x $y $z $out ($($arg),+) $cpu)
    }};

    (@map $ty:ident $x:ident $y:ident $z:ident $out:ident ($a:ident) $cpu:expr) => {
        map($x, $y, $z, $out, #[inline(always)] |a, _, _| { let $a = $ty::from_lane(a); ($cpu).to_lane() })
    };
    (@map $ty:ident $x:ident $y:ident $z:ident $out:ident ($a:ident, $b:ident) $cpu:expr) => {
        map($x, $y, $z, $out, #[inline(always)] |a, b, _| {
            let ($a, $b) = ($ty::from_lane(a), $ty::from_lane(b));
            ($cpu).to_lane()
        })
    };
    (@map $ty:ident $x:ident $y:ident $z:ident $out:ident ($a:ident, $b:ident, $c:ident) $cpu:expr) => {
        map($x, $y, $z, $out, #[inline(always)] |a, b, c| {
            let ($a, $b, $c) = ($ty::from_lane(a), $ty::from_lane(b), $ty::from_lane(c));
            ($cpu).to_lane()
        })
    };
}

#[inline(always)]
fn map(x: &[u32], y: &[u32], z: &[u32], out: &mut [u32], f: impl Fn(u32, u32, u32) -> u32) {
    for (((o, &a), &b), &c) in out.iter_mut().zip(x).zip(y).zip(z) {
        *o = f(a, b, c);
    }
}

elementwise! {
    /// x + y
    Number Add add(x, y): x + y, int x.wrapping_add(y); "x + y"; in [-2.0, 2.0], cost 1; d _o => [d, d];
    /// x - y
    Number Sub sub(x, y): x - y, int x.wrapping_sub(y); "x - y"; in [-2.0, 2.0], cost 1; d _o => [d, -d];
    /// x y
    Number Mul mul(x, y): x * y, int x.wrapping_mul(y); "x * y"; in [-2.0, 2.0], cost 1; d _o => [d * y, d * x];
    /// x / y
    Float Div div(x, y): x / y; "x / y"; in [0.4, 2.5], cost 1; d o => [d / y, -(d * o) / y];
    /// The larger of x and y; a tie shares the gradient
    Number Maximum maximum(x, y): if x > y || x.is_nan() { x } else { y }, int x.max(y); "select(y, x, x > y || is_nan(x))";
        in [-2.0, 2.0], cost 1; d _o => [d * (x.gt(y).float() + x.equal(y).float() * 0.5), d * (y.gt(x).float() + x.equal(y).float() * 0.5)];
    /// The smaller of x and y; a tie shares the gradient
    Number Minimum minimum(x, y): if x < y || x.is_nan() { x } else { y }, int x.min(y); "select(y, x, x < y || is_nan(x))";
        in [-2.0, 2.0], cost 1; d _o => [d * (y.gt(x).float() + x.equal(y).float() * 0.5), d * (x.gt(y).float() + x.equal(y).float() * 0.5)];
    /// x to the power y, as C's pow: of negative x for whole y, 1 for y = 0 and for x = 1 even of NaN. No gradient of x for y = 0, and
    /// none of y where x is 0 and y is not negative
    Float Pow pow(x, y): x.powf(y); "power(x, y)"; in [0.3, 2.5], cost 4;
        d o => [(d * y * x.pow(y - 1.0)).keep(y.equal(0.0).not()),
            (d * o * x.map(Elementwise::Log)).keep(x.equal(0.0).and(y.ge(0.0)).not())];
    /// x = y
    Compare Equal equal(x, y): x == y; "x == y"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x ≠ y
    Compare NotEqual not_equal(x, y): x != y; "!(x == y)"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x < y
    Compare Less less(x, y): x < y; "x < y"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x ≤ y
    Compare LessEqual less_equal(x, y): x <= y; "x <= y"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x > y
    Compare Greater greater(x, y): x > y; "x > y"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x ≥ y
    Compare GreaterEqual greater_equal(x, y): x >= y; "x >= y"; in [-2.0, 2.0], cost 1; _d _o => [None, None];
    /// x and y
    Logic And and(x, y): x && y; "x && y"; in [0.0, 1.0], cost 1; _d _o => [None, None];
    /// x or y
    Logic Or or(x, y): x || y; "x || y"; in [0.0, 1.0], cost 1; _d _o => [None, None];
    /// not x
    Logic Not not(x): !x; "!x"; in [0.0, 1.0], cost 1; _d _o => [None];
    /// x where c holds, else y
    Select Where where_(c, x, y): if c { x } else { y }; "select(y, x, c)"; in [-2.0, 2.0], cost 1; d _o => [None, d.keep(c), d.keep(c.not())];
    /// Neither infinite nor NaN; the bits are looked at, since compilers may assume that floats are finite
    Check IsFinite is_finite(x): x.is_finite(); "(bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u"; in [-2.0, 2.0], cost 1; _d _o => [None];
    /// x between lo and hi; hi where the bounds cross
    Float Clamp clamp_between(x, lo, hi): { let v = if x < lo { lo } else { x }; if v > hi { hi } else { v } };
        "select(select(x, lo, x < lo), hi, select(x, lo, x < lo) > hi)"; in [-2.0, 2.0], cost 1;
        d _o => [d.keep(x.ge(lo).and(hi.ge(x))), d.keep(lo.gt(x).and(hi.gt(lo))), d.keep(x.gt(hi).or(lo.gt(hi)))];
    /// -x
    Float Neg neg(x): -x; "-x"; in [-2.0, 2.0], cost 1; d _o => [-d];
    /// |x|
    Float Abs abs(x): x.abs(); "abs(x)"; in [-2.0, 2.0], cost 1; d _o => [d * x.map(Elementwise::Sign)];
    /// -1, 0 or 1; NaN of NaN (PyTorch gives 0)
    Float Sign sign(x): if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }; "select(sign(x), x, is_nan(x))"; in [-2.0, 2.0], cost 1; _d _o => [None];
    /// The largest integer not above x
    Float Floor floor(x): x.floor(); "floor(x)"; in [-2.0, 2.0], cost 1; _d _o => [None];
    /// The smallest integer not below x
    Float Ceil ceil(x): x.ceil(); "ceil(x)"; in [-2.0, 2.0], cost 1; _d _o => [None];
    /// The nearest integer, ties to even
    Float Round round(x): x.round_ties_even(); "round(x)"; in [-2.0, 2.0], cost 1; _d _o => [None];
    /// x²
    Float Square square(x): x * x; "x * x"; in [-2.0, 2.0], cost 1; d _o => [d * x * 2.0];
    /// 1 / x
    Float Reciprocal reciprocal(x): 1.0 / x; "1.0 / x"; in [0.3, 3.0], cost 1; d o => [-(d * o * o)];
    /// √x
    Float Sqrt sqrt(x): x.sqrt(); "sqrt(x)"; in [0.2, 4.0], cost 1; d o => [d * 0.5 / o];
    /// 1 / √x
    Float Rsqrt rsqrt(x): 1.0 / x.sqrt(); "1.0 / sqrt(x)"; in [0.2, 4.0], cost 1; d o => [d * -0.5 * o * o * o];
    /// e to the power x
    Float Exp exp(x): x.exp(); "exp(x)"; in [-2.0, 2.0], cost 4; d o => [d * o];
    /// Natural logarithm
    Float Log log(x): x.ln(); "log(x)"; in [0.2, 4.0], cost 4; d _o => [d / x];
    /// Sine of x in radians
    Float Sin sin(x): x.sin(); "sin(x)"; in [-2.0, 2.0], cost 4; d _o => [d * x.map(Elementwise::Cos)];
    /// Cosine of x in radians
    Float Cos cos(x): x.cos(); "cos(x)"; in [-2.0, 2.0], cost 4; d _o => [-(d * x.map(Elementwise::Sin))];
    /// Hyperbolic tangent; the operand is clamped in WGSL since some drivers return NaN for large ones
    Float Tanh tanh(x): x.tanh(); "select(tanh(clamp(x, -15.0, 15.0)), x, is_nan(x))"; in [-2.0, 2.0], cost 4; d o => [d * (1.0 - o * o)];
    /// The error function
    Float Erf erf(x): x.error_function(); "erf(x)"; in [-2.0, 2.0], cost 4;
        d _o => [d * (-(x * x)).map(Elementwise::Exp) * std::f64::consts::FRAC_2_SQRT_PI];
    /// 1 / (1 + e^-x), without overflow
    Float Sigmoid sigmoid(x): { let e = (-x.abs()).exp(); if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) } };
        "select(exp(-abs(x)), 1.0, x >= 0.0) / (1.0 + exp(-abs(x)))"; in [-4.0, 4.0], cost 4; d o => [d * o * (1.0 - o)];
    /// max(x, 0); the gradient at 0 is 0
    Float Relu relu(x): if x < 0.0 { 0.0 } else { x }; "select(x, 0.0, x < 0.0)"; in [-2.0, 2.0], cost 1; d o => [d.keep(o.gt(0.0))];
    /// min(max(x, 0), 6); the gradient at 0 is 0
    Float Relu6 relu6(x): x.clamp(0.0, 6.0); "select(clamp(x, 0.0, 6.0), x, is_nan(x))"; in [-8.0, 8.0], cost 1;
        d o => [d.keep(o.gt(0.0).and(o.lt(6.0)))];
    /// x, or slope x where x is not positive
    Float LeakyRelu leaky_relu(x, slope = 0.01): if x > 0.0 { x } else { slope * x }; "select(slope * x, x, x > 0.0)"; in [-2.0, 2.0], cost 1;
        d _o => [x.gt(0.0).choose(d, d * slope), (d * x).keep(x.le(0.0))];
    /// x, or alpha (e^x - 1) where x is not positive (arXiv:1511.07289)
    Float Elu elu(x, alpha = 1.0): if x > 0.0 { x } else { alpha * (x.exp() - 1.0) }; "select(alpha * (exp(x) - 1.0), x, x > 0.0)";
        in [-2.0, 2.0], cost 4; d o => [x.gt(0.0).choose(d, d * (o + alpha)), (d * (x.map(Elementwise::Exp) - 1.0)).keep(x.le(0.0))];
    /// Scaled ELU with the constants of arXiv:1706.02515
    Float Selu selu(x): 1.0507009873554805 * (if x > 0.0 { x } else { 1.6732632423543772 * (x.exp() - 1.0) });
        "1.0507009873554805 * select(1.6732632423543772 * (exp(x) - 1.0), x, x > 0.0)"; in [-2.0, 2.0], cost 4;
        d o => [x.gt(0.0).choose(d * 1.0507009873554805, d * (o + 1.7580993408473766))];
    /// x Φ(x), with the error function (arXiv:1606.08415)
    Float Gelu gelu(x): 0.5 * x * (1.0 + (x * 0.7071067811865476).error_function()); "0.5 * x * (1.0 + erf(x * 0.7071067811865476))";
        in [-3.0, 3.0], cost 4;
        d _o => [d * (((x * std::f64::consts::FRAC_1_SQRT_2).map(Elementwise::Erf) + 1.0) * 0.5
            + x * (x * x * -0.5).map(Elementwise::Exp) * 0.3989422804014327)];
    /// x Φ(x) by the tanh approximation of arXiv:1606.08415, written with (1 + tanh u)/2 = sigmoid(2u), which does not cancel
    Float GeluTanh gelu_tanh(x): {
            let v = 1.5957691216057308 * (x + 0.044715 * x * x * x);
            let e = (-v.abs()).exp();
            x * (if v >= 0.0 { 1.0 } else { e }) / (1.0 + e)
        };
        "x * select(exp(-abs(1.5957691216057308 * (x + 0.044715 * x * x * x))), 1.0, x >= 0.0) / (1.0 + exp(-abs(1.5957691216057308 * (x + 0.044715 * x * x * x))))";
        in [-3.0, 3.0], cost 4;
        d _o => [{ let s = ((x + x * x * x * 0.044715) * 1.5957691216057308).map(Elementwise::Sigmoid);
            d * (s + x * s * (1.0 - s) * (x * x * 0.134145 + 1.0) * 1.5957691216057308) }];
    /// x sigmoid(x), also called swish
    Float Silu silu(x): { let e = (-x.abs()).exp(); x * (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e) };
        "x * select(exp(-abs(x)), 1.0, x >= 0.0) / (1.0 + exp(-abs(x)))"; in [-4.0, 4.0], cost 4;
        d _o => [{ let s = x.map(Elementwise::Sigmoid); d * s * (x * (1.0 - s) + 1.0) }];
    /// x tanh(softplus(x)) (arXiv:1908.08681)
    Float Mish mish(x): { let e = x.min(20.0).exp(); let n = e * (e + 2.0); x * (n / (n + 2.0)) };
        "x * (exp(min(x, 20.0)) * (exp(min(x, 20.0)) + 2.0) / (exp(min(x, 20.0)) * (exp(min(x, 20.0)) + 2.0) + 2.0))"; in [-3.0, 3.0], cost 4;
        d _o => [{ let e = x.minimum(20.0).map(Elementwise::Exp); let n = e * (e + 2.0); let t = n / (n + 2.0);
            d * (t + x * (1.0 - t * t) * x.map(Elementwise::Sigmoid)) }];
    /// ln(1 + e^(beta x)) / beta, and x itself where beta x exceeds the threshold
    Float Softplus softplus(x, beta = 1.0, threshold = 20.0): { let v = x * beta; if v > threshold { x } else { (v.max(0.0) + (-v.abs()).exp().ln_1p()) / beta } };
        "select((max(x * beta, 0.0) + log_1p(exp(-abs(x * beta)))) / beta, x, x * beta > threshold)"; in [0.3, 2.0], cost 4;
        d o => [{ let v = x * beta; v.gt(threshold).choose(d, d * v.map(Elementwise::Sigmoid)) },
            { let v = x * beta; (d * (x * v.map(Elementwise::Sigmoid) - o) / beta).keep(v.le(threshold)) }, None];
    /// x relu6(x + 3) / 6 (arXiv:1905.02244)
    Float Hardswish hardswish(x): x * (x + 3.0).clamp(0.0, 6.0) / 6.0; "x * clamp(x + 3.0, 0.0, 6.0) / 6.0"; in [-5.0, 5.0], cost 1;
        d _o => [x.gt(3.0).choose(d, (d * (x * (1.0 / 3.0) + 0.5)).keep(x.gt(-3.0)))];
    /// relu6(x + 3) / 6
    Float Hardsigmoid hardsigmoid(x): (x + 3.0).clamp(0.0, 6.0) / 6.0; "select(clamp(x + 3.0, 0.0, 6.0) / 6.0, x, is_nan(x))"; in [-5.0, 5.0], cost 1;
        d _o => [(d * (1.0 / 6.0)).keep(x.gt(-3.0).and(x.lt(3.0)))];
}
