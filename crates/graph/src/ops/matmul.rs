//! Matrix products.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::plan::{Kernel, Product};
use crate::shape::{broadcast, count};
use crate::shape::{strides, with_rank};

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

fn matmul_gradient(
    g: &mut Graph,
    [a, b]: [Var; 2],
    d: Var,
    [ta, tb]: [bool; 2],
    needed: &dyn Fn(Var) -> bool,
) -> Result<Vec<Option<Var>>> {
    let mut part = |wanted: bool, target: Var, [p, q]: [Var; 2], [tp, tq]: [bool; 2]| -> Result<Option<Var>> {
        if !wanted {
            return Ok(None);
        }
        let full = g.matmul(p, q, tp, tq)?;
        let full = g.rounded_last(full);
        let shape = g.shape(target).to_vec();
        g.sum_to(full, &shape).map(Some)
    };
    let da = if ta { part(needed(a), a, [b, d], [tb, true])? } else { part(needed(a), a, [d, b], [false, !tb])? };
    let db = if tb { part(needed(b), b, [d, a], [true, ta])? } else { part(needed(b), b, [a, d], [!ta, false])? };
    Ok(vec![da, db])
}

/// The product of matrices of these extents.
fn matmul_shape(a: &[usize], b: &[usize], out: &[usize], ta: bool, tb: bool) -> MatMulShape {
    let rank = out.len();
    let batch = out[..rank - 2].to_vec();
    let (a, b) = (with_rank(a, rank), with_rank(b, rank));
    let steps = |s: &[usize]| {
        let row = strides(s);
        (0..rank - 2).map(|i| if s[i] == 1 { 0 } else { row[i] }).collect()
    };
    MatMulShape {
        a_strides: steps(&a),
        b_strides: steps(&b),
        batch,
        m: out[rank - 2],
        n: out[rank - 1],
        k: if ta { a[rank - 2] } else { a[rank - 1] },
        ta,
        tb,
    }
}

/// Shapes of a product of matrices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MatMulShape {
    /// Extents of the batch axes.
    pub batch: Vec<usize>,
    /// Elements of the first operand to move for a step along each batch axis (0 where it broadcasts).
    pub a_strides: Vec<usize>,
    /// The same for the second operand.
    pub b_strides: Vec<usize>,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Extent that is summed over.
    pub k: usize,
    /// The first operand is stored `[K,M]`.
    pub ta: bool,
    /// The second operand is stored `[N,K]`.
    pub tb: bool,
}

impl MatMulShape {
    /// The product itself.
    pub fn product(&self) -> Product {
        let batch = count(&self.batch);
        Product { batch, m: self.m, n: self.n, k: self.k, busy_rows: false }
    }

    /// The shape in reports.
    pub(crate) fn words(&self) -> String {
        let batch = count(&self.batch);
        let product = format!("{}x{}x{}", self.m, self.n, self.k);
        if batch == 1 { product } else { format!("{batch} of {product}") }
    }
}

/// A product of matrices; the first or the second operand is stored transposed.
pub(super) struct MatMul {
    pub ta: bool,
    pub tb: bool,
}

impl Rules for MatMul {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::MatMul(matmul_shape(place.operand(0), place.operand(1), place.result(), self.ta, self.tb)))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        // The result may have more digits than the operands, and with it the cotangent.
        let (a, b) = (at.inputs[0], at.inputs[1]);
        let d = at.graph.cast(at.d, at.graph.dtype(a))?;
        matmul_gradient(at.graph, [a, b], d, [self.ta, self.tb], at.needed)
    }
}
