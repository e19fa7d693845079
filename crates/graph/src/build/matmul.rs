//! Builder methods of matrix products.

use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::shape::{broadcast, count};

impl Graph {
    /// Matrix product of the last two axes; leading axes are batches and broadcast. `ta`/`tb` say that an operand is
    /// stored transposed.
    ///
    /// # Errors
    /// If an operand has less than two axes, inner extents differ, batches do not broadcast or types differ.
    pub fn matmul(&mut self, a: Var, b: Var, ta: bool, tb: bool) -> Result<Var> {
        self.check_floats("matmul", &[a, b])?;
        let (sa, sb) = (self.shape(a).to_vec(), self.shape(b).to_vec());
        let fail = |g: &Graph, detail: &str| g.shape_error("matmul", &[&sa, &sb], detail.into());
        if sa.len() < 2 || sb.len() < 2 {
            return Err(fail(self, "operands need two axes"));
        }
        let matrix = |s: &[usize], t: bool| {
            let (r, c) = (s[s.len() - 2], s[s.len() - 1]);
            if t { (c, r) } else { (r, c) }
        };
        let ((m, ka), (kb, n)) = (matrix(&sa, ta), matrix(&sb, tb));
        if ka != kb {
            return Err(fail(self, &format!("inner extents {ka} and {kb} differ (transposed: {ta}, {tb})")));
        }
        let Some(mut shape) = broadcast(&sa[..sa.len() - 2], &sb[..sb.len() - 2]) else {
            return Err(fail(self, "batch axes do not broadcast"));
        };
        shape.extend([m, n]);
        let dtype = self.dtype(a);
        self.record("matmul", Op::MatMul { ta, tb }, vec![a, b], shape, dtype)
    }

    /// x `[..., in]` times weight `[out, in]` transposed, plus bias `[out]`.
    ///
    /// # Errors
    /// If extents or types differ.
    pub fn linear(&mut self, x: Var, weight: Var, bias: Option<Var>) -> Result<Var> {
        self.check_floats("linear", &[x, weight])?;
        let shape = self.shape(x).to_vec();
        let (Some(&inner), [out, want]) = (shape.last(), self.shape(weight)) else {
            return Err(self.shape_error(
                "linear",
                &[&shape, self.shape(weight)],
                "takes x [..., in], weight [out, in]".into(),
            ));
        };
        if inner != *want {
            return Err(self.shape_error(
                "linear",
                &[&shape, self.shape(weight)],
                format!("x has {inner} features, the weight {want}"),
            ));
        }
        let out = *out;
        if let Some(bias) = bias {
            self.check_floats("linear", &[x, bias])?;
            if self.shape(bias) != [out] {
                return Err(self.shape_error(
                    "linear",
                    &[&shape, self.shape(bias)],
                    format!("the bias must be [{out}]"),
                ));
            }
        }
        let rows = count(&shape[..shape.len() - 1]);
        let flat = self.reshape(x, &[rows, inner])?;
        let mut y = self.matmul(flat, weight, false, true)?;
        if let Some(bias) = bias {
            y = self.add(y, bias)?;
        }
        let result: Vec<usize> = shape[..shape.len() - 1].iter().copied().chain([out]).collect();
        self.reshape(y, &result)
    }
}
