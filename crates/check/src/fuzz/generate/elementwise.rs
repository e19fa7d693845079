//! Elementwise calls: every row of the table, on operands for which it is defined.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::{Class, DType, Elementwise};

/// Rows with this many operands among some classes.
fn rows(operands: usize, classes: &[Class]) -> Vec<Elementwise> {
    let fits = |e: &&Elementwise| e.operands().len() == operands && classes.contains(&e.class());
    Elementwise::ALL.iter().filter(fits).copied().collect()
}

impl Gen {
    /// A new float of a shape.
    pub fn new_float(&mut self, shape: &[usize]) -> Option<V> {
        let dtype = if self.halves && self.rng.percent(30) { DType::F16 } else { DType::F32 };
        self.float_like(shape, dtype)
    }

    /// A new float of a shape and type: given, fixed, or a state.
    pub fn float_like(&mut self, shape: &[usize], dtype: DType) -> Option<V> {
        let kind = match self.rng.below(10) {
            0 => LeafKind::Constant,
            1..3 if self.states_wanted && self.may_declare(dtype) => LeafKind::State,
            _ => LeafKind::Input,
        };
        let draw = match self.rng.below(8) {
            // Many equals, zeros among them.
            0 => Draw::Integers(-2, 3),
            1 => Draw::Values(vec![0.0, 1.0, -1.0, 0.5, 1.5]),
            2 => Draw::Uniform(0.25, 2.0),
            _ => Draw::Uniform(-2.0, 2.0),
        };
        self.leaf(kind, shape, dtype, draw)
    }

    /// A float: one that is there, or a new one.
    pub fn float(&mut self) -> Option<V> {
        let new = self.rng.percent(12);
        let found = if new { None } else { self.some(|g, v| g.dtype(v).is_float()) };
        match found {
            Some(v) => Some(v),
            None => {
                let rank = self.rng.pick(&[0, 1, 2, 2, 3, 4, 4]);
                let shape = self.sizes.shape(&mut self.rng, rank);
                self.new_float(&shape)
            }
        }
    }

    /// The value in another type.
    pub fn typed(&mut self, x: V, dtype: DType) -> Option<V> {
        if self.dtype(x) == dtype { Some(x) } else { self.call(Call::Cast { x, dtype }) }
    }

    /// A value that broadcasts with one of this shape: one that is there, or a new one.
    pub fn partner(&mut self, shape: &[usize], dtype: DType) -> Option<V> {
        let fits = |g: &Gen, v: V| {
            let joint = chiaro_graph::shape::broadcast(shape, &g.shape(v));
            g.dtype(v).is_float() && joint.is_some_and(|s| g.sizes.fits(&s))
        };
        let there = self.rng.percent(70).then(|| self.some(fits)).flatten();
        let v = match there {
            Some(v) => v,
            None => {
                let cut = if self.rng.percent(50) { 0 } else { self.rng.within(0, shape.len()) };
                let mut own = shape[cut..].to_vec();
                for n in &mut own {
                    *n = if self.rng.percent(25) { 1 } else { *n };
                }
                self.float_like(&own, dtype)?
            }
        };
        self.typed(v, dtype)
    }

    fn lowest(&self, v: V) -> f64 {
        self.numbers(v).iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest size of a value.
    pub fn reach(&self, v: V) -> f64 {
        self.numbers(v).iter().fold(0.0, |m, x| x.abs().max(m))
    }

    /// The operand, or one made of it for which the op is defined and not steep.
    fn fit(&mut self, op: Elementwise, operand: usize, x: V) -> Option<V> {
        use Elementwise as E;
        let positive = matches!((op, operand), (E::Log | E::Sqrt | E::Rsqrt | E::Pow, 0) | (E::Softplus, 1));
        let away = matches!((op, operand), (E::Div, 1) | (E::Reciprocal, 0));
        let small = matches!((op, operand), (E::Exp | E::Sin | E::Cos, 0) | (E::Pow, 1));
        let nearest = self.numbers(x).iter().fold(f64::INFINITY, |m, v| v.abs().min(m));
        if (positive && self.lowest(x) < 0.05) || (away && nearest < 0.05) {
            let size = self.call(Call::Map { op: E::Abs, operands: vec![x] })?;
            return self.call(Call::MapScalars { op: E::Add, x: size, numbers: vec![0.25] });
        }
        if small && self.reach(x) > 3.0 {
            return self.call(Call::Map { op: E::Tanh, operands: vec![x] });
        }
        Some(x)
    }

    /// A truth value of a shape: compared, given, or one that is there.
    pub fn truth(&mut self, shape: &[usize]) -> Option<V> {
        let there = self.some(|g, v| g.dtype(v) == DType::Bool && g.shape(v) == shape);
        if let Some(v) = there.filter(|_| self.rng.percent(40)) {
            return Some(v);
        }
        if self.rng.percent(20) {
            return self.leaf(LeafKind::Input, shape, DType::Bool, Draw::Bools);
        }
        let x = self.some(|g, v| g.dtype(v).is_float() && g.shape(v) == shape);
        let x = match x {
            Some(x) => x,
            None => self.new_float(shape)?,
        };
        if self.rng.percent(15) {
            return self.call(Call::Map { op: Elementwise::IsFinite, operands: vec![x] });
        }
        let op = self.rng.pick(&rows(2, &[Class::Compare]));
        let number = self.rng.pick(&[0.0, 0.5, 1.0]);
        if self.rng.percent(40) {
            return self.call(Call::MapScalars { op, x, numbers: vec![number] });
        }
        let y = self.partner(shape, self.dtype(x))?;
        self.call(Call::Map { op, operands: vec![x, y] }).filter(|&v| self.shape(v) == shape)
    }
}

/// A row of one operand.
pub(super) fn unary(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let op = g.rng.pick(&rows(1, &[Class::Float]));
    let x = g.fit(op, 0, x)?;
    g.call(Call::Map { op, operands: vec![x] })
}

/// A row of two operands that broadcast.
pub(super) fn binary(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let usual = [Elementwise::Add, Elementwise::Sub, Elementwise::Mul];
    let all = rows(2, &[Class::Float, Class::Number]);
    let op = if g.rng.percent(50) { g.rng.pick(&usual) } else { g.rng.pick(&all) };
    let y = g.partner(&g.shape(x), g.dtype(x))?;
    let pair = if g.rng.percent(50) { [x, y] } else { [y, x] };
    let operands = vec![g.fit(op, 0, pair[0])?, g.fit(op, 1, pair[1])?];
    g.call(Call::Map { op, operands })
}

/// A row whose operands behind the first are numbers, powers and bounds.
pub(super) fn numbers(g: &mut Gen) -> Option<V> {
    use Elementwise as E;
    let x = g.float()?;
    let c: f64 = g.rng.pick(&[0.5, 2.0, 1.5, -0.75, 0.1]);
    match g.rng.below(6) {
        0 => {
            let bounds = [(Some(-1.0), None), (None, Some(0.5)), (Some(-0.5), Some(1.0)), (None, None)];
            let (min, max) = g.rng.pick(&bounds);
            g.call(Call::Clamp { x, min, max })
        }
        1 => {
            let exponent = g.rng.pick(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.5, -0.5, -1.0, -2.0, 1.5]);
            let whole = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].contains(&exponent);
            let x = if whole { x } else { g.fit(E::Log, 0, x)? };
            g.call(Call::Powf { x, exponent })
        }
        2 => g.call(Call::MapScalars { op: E::LeakyRelu, x, numbers: vec![0.1] }),
        3 => g.call(Call::MapScalars { op: E::Elu, x, numbers: vec![c.abs()] }),
        4 => g.call(Call::MapScalars { op: E::Softplus, x, numbers: vec![c.abs(), 20.0] }),
        _ => {
            let op = g.rng.pick(&[E::Add, E::Sub, E::Mul, E::Div, E::Maximum, E::Minimum]);
            g.call(Call::MapScalars { op, x, numbers: vec![c] })
        }
    }
}

/// Truth values, and selections by them; the rows of three floats.
pub(super) fn selection(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let shape = g.shape(x);
    if g.rng.percent(25) {
        let op = g.rng.pick(&rows(3, &[Class::Float]));
        let (second, third) = (g.partner(&shape, g.dtype(x))?, g.partner(&shape, g.dtype(x))?);
        let second = g.fit(op, 1, second)?;
        return g.call(Call::Map { op, operands: vec![x, second, third] });
    }
    let mut condition = g.truth(&shape)?;
    if g.rng.percent(30) {
        let op = g.rng.pick(&rows(2, &[Class::Logic]));
        let other = g.truth(&shape)?;
        condition = g.call(Call::Map { op, operands: vec![condition, other] })?;
    }
    if g.rng.percent(15) {
        condition = g.call(Call::Map { op: Elementwise::Not, operands: vec![condition] })?;
    }
    if g.rng.percent(25) {
        let dtype = g.dtype(x);
        return g.call(Call::Cast { x: condition, dtype });
    }
    let y = g.partner(&shape, g.dtype(x))?;
    g.call(Call::Map { op: Elementwise::Where, operands: vec![condition, x, y] })
}

/// Whole numbers.
pub(super) fn integers(g: &mut Gen) -> Option<V> {
    let there = g.some(|g, v| g.dtype(v) == DType::I32);
    let x = match there.filter(|_| g.rng.percent(60)) {
        Some(x) => x,
        None => match g.rng.below(3) {
            0 => {
                let n = g.sizes.extent(&mut g.rng);
                g.call(Call::Iota { n })?
            }
            1 => {
                let x = g.float()?;
                g.call(Call::Cast { x, dtype: DType::I32 })?
            }
            _ => {
                let shape = g.sizes.shape(&mut g.rng, 2);
                g.leaf(LeafKind::Input, &shape, DType::I32, Draw::Integers(-9, 10))?
            }
        },
    };
    let shape = g.shape(x);
    match g.rng.below(4) {
        0 => g.call(Call::Cast { x, dtype: DType::F32 }),
        1 => g.call(Call::MapScalars { op: Elementwise::Mul, x, numbers: vec![3.0] }),
        2 => g.call(Call::MapScalars { op: Elementwise::Greater, x, numbers: vec![1.0] }),
        _ => {
            let op = g.rng.pick(&rows(2, &[Class::Number]));
            let y = g.leaf(LeafKind::Input, &shape, DType::I32, Draw::Integers(-5, 6))?;
            g.call(Call::Map { op, operands: vec![x, y] })
        }
    }
}
