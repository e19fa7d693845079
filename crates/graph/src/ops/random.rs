//! Random numbers and dropout.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::dtype::{DType, Scalar};
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{Op, RandomKind};
use crate::plan::Kernel;

impl Graph {
    /// Random f32 numbers from Philox 4x32-10 (Salmon et al., 2011), a fresh stream a call. `key` is `u32 [3]`:
    /// low and high half of the seed, and the step.
    ///
    /// # Errors
    /// If the key's shape or type differ or the shape is too large.
    pub fn random(&mut self, kind: RandomKind, shape: &[usize], key: Var) -> Result<Var> {
        self.check_own("random", &[key])?;
        if self.dtype(key) != DType::U32 {
            return Err(self.dtype_error("random", &[self.dtype(key)], "the key must be u32 [3]".into()));
        }
        if self.shape(key) != [3] {
            return Err(self.shape_error("random", &[self.shape(key)], "the key must be u32 [3]".into()));
        }
        self.check_extents("random", shape)?;
        let salt = self.next_salt();
        Ok(self.push(Op::Random { kind, salt }, vec![key], shape.to_vec(), DType::F32))
    }

    /// Zeroes each element with probability `p` and scales the others by 1/(1-p) (arXiv:1207.0580).
    ///
    /// # Errors
    /// If x is no float, p is outside [0, 1) or so near 1 that x's type cannot hold the scale, or the key is no `u32 [3]`.
    pub fn dropout(&mut self, x: Var, p: f64, key: Var) -> Result<Var> {
        self.check_floats("dropout", &[x])?;
        let (shape, dtype) = (self.shape(x).to_vec(), self.dtype(x));
        let fail = |g: &Graph, detail: String| Err(g.shape_error("dropout", &[&shape], detail));
        if !(0.0..1.0).contains(&p) {
            return fail(self, format!("the probability {p} is outside [0, 1)"));
        }
        let scale = 1.0 / (1.0 - p);
        if Scalar::new(scale, dtype).is_none_or(|s| s.value.is_infinite()) {
            return fail(self, format!("the probability {p} scales by {scale}, which is no {dtype}"));
        }
        if p == 0.0 {
            return Ok(x);
        }
        let uniform = self.random(RandomKind::Uniform, &shape, key)?;
        let keep = self.map_scalars(Elementwise::GreaterEqual, uniform, &[p])?;
        let scaled = self.map_scalars(Elementwise::Mul, x, &[scale])?;
        let zero = self.scalar(0.0, dtype)?;
        self.where_(keep, scaled, zero)
    }
}

/// Random numbers.
pub(super) struct Random;

impl Rules for Random {
    fn role(&self) -> Role {
        Role::Pointwise
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, _: Backward) -> Cotangents {
        Ok(vec![None])
    }
}
