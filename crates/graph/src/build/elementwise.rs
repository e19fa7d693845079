//! Builder methods of elementwise ops, casts, scalars and random numbers.

use crate::dtype::{DType, Scalar};
use crate::elementwise::{Class, Elementwise};
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{Op, RandomKind};
use crate::shape::broadcast;

impl Graph {
    /// A single number of type `dtype`.
    pub fn scalar(&mut self, value: f64, dtype: DType) -> Var {
        self.push(Op::Scalar(Scalar { value, dtype }), vec![], vec![], dtype)
    }

    /// A tensor filled with one number.
    ///
    /// # Errors
    /// If an extent is 0.
    pub fn full(&mut self, shape: &[usize], value: f64, dtype: DType) -> Result<Var> {
        self.check_extents("full", shape)?;
        let s = self.scalar(value, dtype);
        Ok(self.expand(s, shape))
    }

    /// Applies an elementwise op; operands broadcast to one shape.
    ///
    /// # Errors
    /// If the operands' number, types or shapes do not fit.
    pub fn map(&mut self, op: Elementwise, operands: &[Var]) -> Result<Var> {
        let dtypes: Vec<DType> = operands.iter().map(|&v| self.dtype(v)).collect();
        let dtype = self.map_dtype(op, &dtypes)?;
        let mut shape = vec![];
        for &v in operands {
            shape = broadcast(&shape, self.shape(v)).ok_or_else(|| {
                let shapes: Vec<&[usize]> = operands.iter().map(|&v| self.shape(v)).collect();
                self.shape_error(op.name(), &shapes, "shapes do not broadcast".into())
            })?;
        }
        let inputs = operands.iter().map(|&v| self.expand(v, &shape)).collect();
        Ok(self.push(Op::Map(op), inputs, shape, dtype))
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

    /// x + y, broadcasting.
    ///
    /// # Errors
    /// If types or shapes do not fit.
    pub fn add(&mut self, x: Var, y: Var) -> Result<Var> {
        self.map(Elementwise::Add, &[x, y])
    }

    /// x - y, broadcasting.
    ///
    /// # Errors
    /// If types or shapes do not fit.
    pub fn sub(&mut self, x: Var, y: Var) -> Result<Var> {
        self.map(Elementwise::Sub, &[x, y])
    }

    /// x y, broadcasting.
    ///
    /// # Errors
    /// If types or shapes do not fit.
    pub fn mul(&mut self, x: Var, y: Var) -> Result<Var> {
        self.map(Elementwise::Mul, &[x, y])
    }

    /// x / y, broadcasting; floats only.
    ///
    /// # Errors
    /// If types or shapes do not fit.
    pub fn div(&mut self, x: Var, y: Var) -> Result<Var> {
        self.map(Elementwise::Div, &[x, y])
    }

    /// An elementwise op whose operands after the first are numbers: `map_scalars(LeakyRelu, x, &[0.01])`.
    ///
    /// # Errors
    /// If the operands' number or types do not fit.
    pub fn map_scalars(&mut self, op: Elementwise, x: Var, numbers: &[f64]) -> Result<Var> {
        let dtype = self.dtype(x);
        let mut operands = vec![x];
        operands.extend(numbers.iter().map(|&n| self.scalar(n, dtype)));
        self.map(op, &operands)
    }

    /// max(x, 0).
    ///
    /// # Errors
    /// If x is no float.
    pub fn relu(&mut self, x: Var) -> Result<Var> {
        self.unary(Elementwise::Relu, x)
    }

    /// x to a fixed power; whole powers up to 4 in size and halves work for every x that they are defined for.
    ///
    /// # Errors
    /// If x is no float.
    pub fn powf(&mut self, x: Var, exponent: f64) -> Result<Var> {
        use Elementwise::{Mul, Pow, Reciprocal, Rsqrt, Sqrt, Square};
        if exponent < 0.0 && exponent != -0.5 && exponent >= -4.0 && (exponent.fract() == 0.0) {
            let positive = self.powf(x, -exponent)?;
            return self.unary(Reciprocal, positive);
        }
        match exponent {
            0.0 => self.map_scalars(Mul, x, &[0.0]).and_then(|z| self.map_scalars(Elementwise::Add, z, &[1.0])),
            1.0 => Ok(x),
            2.0 => self.unary(Square, x),
            3.0 => self.unary(Square, x).and_then(|s| self.mul(s, x)),
            4.0 => self.unary(Square, x).and_then(|s| self.unary(Square, s)),
            0.5 => self.unary(Sqrt, x),
            -0.5 => self.unary(Rsqrt, x),
            _ => self.map_scalars(Pow, x, &[exponent]),
        }
    }

    /// x where the condition holds, else y.
    ///
    /// # Errors
    /// If types or shapes do not fit.
    pub fn where_(&mut self, condition: Var, x: Var, y: Var) -> Result<Var> {
        self.map(Elementwise::Where, &[condition, x, y])
    }

    /// x kept between bounds; either may be absent.
    ///
    /// # Errors
    /// If x is no float.
    pub fn clamp(&mut self, x: Var, min: Option<f64>, max: Option<f64>) -> Result<Var> {
        self.map_scalars(
            Elementwise::Clamp,
            x,
            &[min.unwrap_or(f64::from(f32::MIN)), max.unwrap_or(f64::from(f32::MAX))],
        )
    }

    /// Converts to another type: float to int truncates, anything to bool tests for non-zero.
    pub fn cast(&mut self, x: Var, dtype: DType) -> Var {
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

    /// 0, 1, ..., n-1 as i32.
    ///
    /// # Errors
    /// If n is 0.
    pub fn iota(&mut self, n: usize) -> Result<Var> {
        self.check_extents("iota", &[n])?;
        Ok(self.push(Op::Iota, vec![], vec![n], DType::I32))
    }

    /// Random f32 numbers from Philox 4x32-10 (Salmon et al., 2011), a fresh stream a call. `key` is `u32 [3]`:
    /// low and high half of the seed, and the step.
    ///
    /// # Errors
    /// If the key's shape or type differ.
    pub fn random(&mut self, kind: RandomKind, shape: &[usize], key: Var) -> Result<Var> {
        if self.shape(key) != [3] || self.dtype(key) != DType::U32 {
            return Err(self.shape_error("random", &[self.shape(key)], "the key must be u32 [3]".into()));
        }
        self.check_extents("random", shape)?;
        let salt = self.next_salt();
        Ok(self.push(Op::Random { kind, salt }, vec![key], shape.to_vec(), DType::F32))
    }

    /// Zeroes each element with probability `p` and scales the others by 1/(1-p) (arXiv:1207.0580).
    ///
    /// # Errors
    /// If x is no float, p is outside [0, 1) or the key is no `u32 [3]`.
    pub fn dropout(&mut self, x: Var, p: f64, key: Var) -> Result<Var> {
        if !(0.0..1.0).contains(&p) {
            return Err(self.shape_error(
                "dropout",
                &[self.shape(x)],
                format!("the probability {p} is outside [0, 1)"),
            ));
        }
        if p == 0.0 {
            return Ok(x);
        }
        let shape = self.shape(x).to_vec();
        let uniform = self.random(RandomKind::Uniform, &shape, key)?;
        let keep = self.map_scalars(Elementwise::GreaterEqual, uniform, &[p])?;
        let scaled = self.map_scalars(Elementwise::Mul, x, &[1.0 / (1.0 - p)])?;
        let zero = self.scalar(0.0, self.dtype(x));
        self.where_(keep, scaled, zero)
    }

    /// 1 where the last axis' position equals the index, else 0: `[...]` i32 to `[..., classes]`.
    ///
    /// # Errors
    /// If the index is no i32 or there is no class.
    pub fn one_hot(&mut self, index: Var, classes: usize, dtype: DType) -> Result<Var> {
        let mut shape = self.shape(index).to_vec();
        shape.push(1);
        let index = self.reshape(index, &shape)?;
        let positions = self.iota(classes)?;
        let hit = self.map(Elementwise::Equal, &[index, positions])?;
        Ok(self.cast(hit, dtype))
    }
}
