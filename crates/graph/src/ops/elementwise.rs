//! Elementwise ops, casts and scalars.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules, one};
use crate::dtype::{DType, Scalar};
use crate::elementwise::{Class, Elementwise};
use crate::error::Result;
use crate::grad::rule;
use crate::graph::{Arg, Graph, Var};
use crate::op::Op;
use crate::plan::Kernel;
use crate::shape::broadcast;

impl Graph {
    /// A single number of type `dtype`; one that is too large for a float type is infinite.
    ///
    /// # Errors
    /// If an integer type cannot hold it: a fraction, a negative u32.
    pub fn scalar(&mut self, value: f64, dtype: DType) -> Result<Var> {
        let scalar = self.number("scalar", value, dtype)?;
        Ok(self.push(Op::Scalar(scalar), vec![], vec![], dtype))
    }

    pub(crate) fn number(&self, op: &str, value: f64, dtype: DType) -> Result<Scalar> {
        Scalar::new(value, dtype).ok_or_else(|| self.dtype_error(op, &[dtype], format!("{value} is no {dtype}")))
    }

    /// A tensor filled with one number.
    ///
    /// # Errors
    /// If the type cannot hold the number or the shape is too large.
    pub fn full(&mut self, shape: &[usize], value: f64, dtype: DType) -> Result<Var> {
        self.check_extents("full", shape)?;
        let s = self.scalar(value, dtype)?;
        Ok(self.expand(s, shape))
    }

    /// Applies an elementwise op; operands broadcast to one shape.
    ///
    /// # Errors
    /// If the operands' number, types or shapes do not fit.
    pub fn map(&mut self, op: Elementwise, operands: &[Var]) -> Result<Var> {
        self.check_own(op.name(), operands)?;
        let dtypes: Vec<DType> = operands.iter().map(|&v| self.dtype(v)).collect();
        let dtype = self.map_dtype(op, &dtypes)?;
        let mut shape = vec![];
        for &v in operands {
            shape = broadcast(&shape, self.shape(v)).ok_or_else(|| {
                let shapes: Vec<&[usize]> = operands.iter().map(|&v| self.shape(v)).collect();
                self.shape_error(op.name(), &shapes, "shapes do not broadcast".into())
            })?;
        }
        self.check_extents(op.name(), &shape)?;
        let inputs = operands.iter().map(|&v| self.expand(v, &shape)).collect();
        Ok(self.push(Op::Map(op), inputs, shape, dtype))
    }

    /// [`Graph::map`] of values and numbers; numbers are scalars of the type of the values that they stand beside.
    pub(crate) fn map_args(&mut self, op: Elementwise, args: &[Arg]) -> Result<Var> {
        let among = if op.class() == Class::Select { &args[1..] } else { args };
        let value = among.iter().find_map(|arg| match arg {
            Arg::Value(v) => Some(*v),
            Arg::Number(_) => None,
        });
        let dtype = match value {
            Some(v) => {
                self.check_own(op.name(), &[v])?;
                self.dtype(v)
            }
            None => return Err(self.dtype_error(op.name(), &[], "takes a value, not numbers alone".into())),
        };
        let mut operands = vec![];
        for arg in args {
            operands.push(match arg {
                Arg::Value(v) => *v,
                Arg::Number(number) => self.scalar(*number, dtype)?,
            });
        }
        self.map(op, &operands)
    }

    fn map_dtype(&self, op: Elementwise, dtypes: &[DType]) -> Result<DType> {
        let fail = |detail: &str| Err(self.dtype_error(op.name(), dtypes, detail.into()));
        if dtypes.len() != op.operands().len() {
            return fail(&format!("takes {} operands", op.operands().len()));
        }
        let first = dtypes[0];
        let equal = dtypes.iter().all(|&d| d == first);
        match op.class() {
            Class::Float if !equal || !first.is_float() => fail("takes floats of one type"),
            Class::Number | Class::Compare if !equal || first == DType::Bool => fail("takes numbers of one type"),
            Class::Logic if !equal || first != DType::Bool => fail("takes bools"),
            Class::Check if !first.is_float() => fail("takes a float"),
            Class::Select if first != DType::Bool || dtypes[1] != dtypes[2] => fail("takes a bool and two of one type"),
            Class::Select => Ok(dtypes[1]),
            Class::Float | Class::Number => Ok(first),
            Class::Compare | Class::Logic | Class::Check => Ok(DType::Bool),
        }
    }

    /// Applies an elementwise op of one operand.
    ///
    /// # Errors
    /// If the operand's type does not fit.
    pub fn unary(&mut self, op: Elementwise, x: Var) -> Result<Var> {
        self.map(op, &[x])
    }

    /// An elementwise op whose operands after the first are numbers: `map_scalars(LeakyRelu, x, &[0.01])`.
    ///
    /// # Errors
    /// If the operands' number or types do not fit, or x is of a type that cannot hold the numbers.
    pub fn map_scalars(&mut self, op: Elementwise, x: Var, numbers: &[f64]) -> Result<Var> {
        self.check_own(op.name(), &[x])?;
        let dtype = self.dtype(x);
        let mut operands = vec![x];
        for &n in numbers {
            operands.push(self.scalar(n, dtype)?);
        }
        self.map(op, &operands)
    }

    /// x to a fixed power; whole powers up to 4 in size and halves work for every x that they are defined for.
    ///
    /// # Errors
    /// If x is no float.
    pub fn powf(&mut self, x: Var, exponent: f64) -> Result<Var> {
        use Elementwise::{Pow, Reciprocal, Rsqrt, Sqrt, Square};
        self.check_floats("powf", &[x])?;
        if exponent < 0.0 && exponent != -0.5 && exponent >= -4.0 && (exponent.fract() == 0.0) {
            let positive = self.powf(x, -exponent)?;
            return self.unary(Reciprocal, positive);
        }
        match exponent {
            0.0 => {
                let (shape, dtype) = (self.shape(x).to_vec(), self.dtype(x));
                self.full(&shape, 1.0, dtype)
            }
            1.0 => Ok(x),
            2.0 => self.unary(Square, x),
            3.0 => self.unary(Square, x).and_then(|s| self.mul(s, x)),
            4.0 => self.unary(Square, x).and_then(|s| self.unary(Square, s)),
            0.5 => self.unary(Sqrt, x),
            -0.5 => self.unary(Rsqrt, x),
            _ => self.map_scalars(Pow, x, &[exponent]),
        }
    }

    /// x kept between bounds; either may be absent. NaN stays NaN; where the bounds cross, the result is `max`.
    ///
    /// # Errors
    /// If x is no float or a bound is NaN.
    pub fn clamp(&mut self, x: Var, min: Option<f64>, max: Option<f64>) -> Result<Var> {
        self.check_floats("clamp", &[x])?;
        let dtype = self.dtype(x);
        if [min, max].into_iter().flatten().any(f64::is_nan) {
            return Err(self.dtype_error("clamp", &[dtype], format!("NaN is no bound: {min:?} to {max:?}")));
        }
        // One bound alone is a selection: there is no number that infinity would not be clamped to.
        let (min, max) = (min.filter(|&m| m != f64::NEG_INFINITY), max.filter(|&m| m != f64::INFINITY));
        let (beyond, bound) = match (min, max) {
            (Some(low), Some(high)) => return self.map_scalars(Elementwise::Clamp, x, &[low, high]),
            (Some(low), None) => (Elementwise::Less, low),
            (None, Some(high)) => (Elementwise::Greater, high),
            (None, None) => return Ok(x),
        };
        let bound = self.scalar(bound, dtype)?;
        let is_beyond = self.map(beyond, &[x, bound])?;
        self.where_(is_beyond, bound, x)
    }

    /// Converts to another type: float to int truncates, anything to bool tests for non-zero.
    ///
    /// # Errors
    /// If x is of another graph.
    pub fn cast(&mut self, x: Var, dtype: DType) -> Result<Var> {
        self.check_own("cast", &[x])?;
        Ok(self.converted(x, dtype))
    }

    /// [`Graph::cast`] of a value that is known to be of this graph.
    pub(crate) fn converted(&mut self, x: Var, dtype: DType) -> Var {
        if self.dtype(x) == dtype {
            return x;
        }
        // A 16-bit value that was widened comes back as it was.
        if let (DType::F16, Op::Cast(DType::F32), &[narrow]) = (dtype, &self.node(x).op, &self.node(x).inputs[..])
            && self.dtype(narrow) == DType::F16
        {
            return narrow;
        }
        let shape = self.shape(x).to_vec();
        self.push(Op::Cast(dtype), vec![x], shape, dtype)
    }
}

/// A number that stands in the code of whatever uses it.
pub(super) struct Number;

impl Rules for Number {
    fn role(&self) -> Role {
        Role::Pointwise
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, _: Backward) -> Cotangents {
        Ok(vec![])
    }
}

/// An elementwise op: what is asked of it stands in its row of the table.
pub(super) struct Map(pub Elementwise);

impl Rules for Map {
    fn role(&self) -> Role {
        Role::Pointwise
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let Backward { graph, node, d, inputs, .. } = at;
        let n = inputs.len();
        let values: Vec<Var> = inputs.into_iter().chain([d, node]).collect();
        rule(graph, &values, |e| self.0.gradient(&e[..n], e[n], e[n + 1]))
    }
}

/// A conversion between types.
pub(super) struct Cast;

impl Rules for Cast {
    fn role(&self) -> Role {
        Role::Pointwise
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let dtype = at.graph.dtype(at.x());
        one(at.graph.cast(at.d, dtype))
    }
}
