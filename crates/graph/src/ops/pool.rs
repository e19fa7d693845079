//! Pooling over `[N,H,W,C]`.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{AvgDivisor, Op, PoolSpec};
use crate::plan::Kernel;
use crate::shape::{MAX_WINDOW, by, four};
use crate::tensor::Tensor;

/// Most elements of a constant that a builder method makes, 128 MiB: enough to resize an extent of 5792 to the same.
const MAX_MADE: usize = 1 << 25;

/// What an image is resized by.
#[derive(Clone, Copy)]
pub(crate) enum Resizing {
    /// A matrix for each axis.
    Matrices,
    /// The indices of rows and columns.
    Indices,
}

impl PoolSpec {
    /// The shape of the pooled x `[N,H,W,C]`: the shape rule of [`Graph::max_pool2d`] and [`Graph::avg_pool2d`].
    ///
    /// # Errors
    /// What does not fit.
    pub fn result(&self, x: &[usize]) -> std::result::Result<Vec<usize>, String> {
        let fail = |detail: &str| Err(format!("{detail} ({self})"));
        let &[n, h, w, c] = x else {
            return fail("takes [N,H,W,C]");
        };
        let numbers = self.kernel.iter().chain(&self.stride).chain(&self.dilation);
        if numbers.copied().any(|n| n == 0) || (0..2).any(|a| self.padding[a] > self.kernel[a] / 2) {
            return fail("needs positive numbers and padding of at most half the kernel");
        }
        if [h, w].iter().chain(&self.kernel).chain(&self.stride).chain(&self.dilation).any(|&n| n > MAX_WINDOW) {
            return fail(&format!("extents, windows, strides and dilations may be at most {MAX_WINDOW}"));
        }
        let (Some(oh), Some(ow)) = (self.output(0, h), self.output(1, w)) else {
            return fail("the window is larger than the padded image");
        };
        Ok(vec![n, oh, ow, c])
    }
}

impl Graph {
    fn pooled_shape(&self, op: &str, x: Var, spec: &PoolSpec) -> Result<Vec<usize>> {
        self.check_floats(op, &[x])?;
        let x = self.shape(x);
        let shape = spec.result(x).map_err(|detail| self.shape_error(op, &[x], detail))?;
        self.check_extents(op, &shape).map(|()| shape)
    }

    /// Largest element of each window; NaN counts as the largest. Minus infinity where the window lies wholly in the padding, which
    /// a dilated one can.
    ///
    /// # Errors
    /// If the window does not fit or x is no float.
    pub fn max_pool2d(&mut self, x: Var, spec: &PoolSpec) -> Result<Var> {
        let shape = self.pooled_shape("max_pool2d", x, spec)?;
        let dtype = self.dtype(x);
        Ok(self.push(Op::MaxPool2d(spec.clone()), vec![x], shape, dtype))
    }

    /// Flat position in the H x W plane (i32) of each window's first largest element; 0 where the window lies wholly in the padding.
    ///
    /// # Errors
    /// If the window does not fit or x is no float.
    pub fn max_pool2d_index(&mut self, x: Var, spec: &PoolSpec) -> Result<Var> {
        let shape = self.pooled_shape("max_pool2d_index", x, spec)?;
        Ok(self.push(Op::MaxPool2dIndex(spec.clone()), vec![x], shape, DType::I32))
    }

    /// Mean of each window.
    ///
    /// # Errors
    /// If the window does not fit or is dilated, the divisor is 0 or x is no float.
    pub fn avg_pool2d(&mut self, x: Var, spec: &PoolSpec, divisor: AvgDivisor) -> Result<Var> {
        let shape = self.pooled_shape("avg_pool2d", x, spec)?;
        if spec.dilation != [1, 1] || divisor == AvgDivisor::Fixed(0) {
            return Err(self.shape_error(
                "avg_pool2d",
                &[self.shape(x)],
                format!("dilation or zero divisor: {spec:?}"),
            ));
        }
        let dtype = self.dtype(x);
        Ok(self.push(Op::AvgPool2d(spec.clone(), divisor), vec![x], shape, dtype))
    }

    /// Mean over the whole image: `[N,H,W,C]` to `[N,C]`.
    ///
    /// # Errors
    /// If x has not four axes or is no float.
    pub fn global_avg_pool2d(&mut self, x: Var) -> Result<Var> {
        self.check_floats("global_avg_pool2d", &[x])?;
        if self.shape(x).len() != 4 {
            return Err(self.shape_error("global_avg_pool2d", &[self.shape(x)], "takes [N,H,W,C]".into()));
        }
        self.mean(x, &[1, 2], false)
    }

    /// Mean over `out[0]` x `out[1]` regions that cover the image: output i averages rows floor(i H / OH) to
    /// ceil((i+1) H / OH). Regions are products of row and column ranges, so this is two small matrix products.
    ///
    /// # Errors
    /// If x has not four axes or is no float, or an extent is 0 or too large.
    pub fn adaptive_avg_pool2d(&mut self, x: Var, out: [usize; 2]) -> Result<Var> {
        self.check_resized("adaptive_avg_pool2d", x, out, Resizing::Matrices)?;
        if out == [1, 1] {
            return self.mean(x, &[1, 2], true);
        }
        if self.shape(x)[1..3] == out {
            return Ok(x);
        }
        let matrix = |input: usize, output: usize| {
            let mut m = vec![0.0; output * input];
            for i in 0..output {
                let (a, b) = region(input, output, i);
                m[i * input + a..i * input + b].fill(1.0 / (b - a) as f64);
            }
            m
        };
        let rows = matrix(self.shape(x)[1], out[0]);
        let columns = matrix(self.shape(x)[2], out[1]);
        self.separable(x, out, &rows, &columns)
    }

    /// Largest element of each of `out[0]` x `out[1]` regions, as in [`Graph::adaptive_avg_pool2d`]. Regions are gathered, the
    /// shorter ones repeating their last row or column, and pooled.
    ///
    /// # Errors
    /// If x has not four axes or is no float, or an extent is 0 or too large.
    pub fn adaptive_max_pool2d(&mut self, x: Var, out: [usize; 2]) -> Result<Var> {
        self.check_floats("adaptive_max_pool2d", &[x])?;
        self.check_resized("adaptive_max_pool2d", x, out, Resizing::Indices)?;
        let mut x = x;
        let mut kernel = [1; 2];
        for axis in 0..2 {
            let input = self.shape(x)[1 + axis];
            let regions = || (0..out[axis]).map(|i| region(input, out[axis], i));
            let longest = regions().map(|(a, b)| b - a).max().unwrap_or(1);
            kernel[axis] = longest;
            let rows: Vec<f64> =
                regions().flat_map(|(a, b)| (0..longest).map(move |k| (a + k).min(b - 1) as f64)).collect();
            let index = self.host_constant(&[rows.len()], DType::I32, &rows)?;
            x = self.index_select(x, index, 1 + axis)?;
        }
        self.max_pool2d(x, &PoolSpec { kernel, stride: kernel, ..PoolSpec::square(1) })
    }

    /// Refuses what cannot be resized, and constants beyond all reason.
    pub(crate) fn check_resized(&self, op: &str, x: Var, out: [usize; 2], by: Resizing) -> Result<()> {
        self.check_own(op, &[x])?;
        let fail = |detail: String| Err(self.shape_error(op, &[self.shape(x), &out], detail));
        let &[n, h, w, c] = self.shape(x) else {
            return fail("takes [N,H,W,C]".into());
        };
        for (input, output) in [(h, out[0]), (w, out[1])] {
            let made = match by {
                Resizing::Matrices => input.checked_mul(output),
                Resizing::Indices => output.checked_mul(2).and_then(|n| n.checked_add(input)),
            };
            if made.is_none_or(|n| n > MAX_MADE) {
                return fail(format!("from {input} to {output} takes a constant of more than {MAX_MADE} elements"));
            }
        }
        self.check_extents(op, &[n, out[0], out[1], c])?;
        match by {
            Resizing::Matrices => self.check_floats(op, &[x]),
            Resizing::Indices => Ok(()),
        }
    }

    /// A constant from 64-bit values.
    pub(crate) fn host_constant(&mut self, shape: &[usize], dtype: DType, values: &[f64]) -> Result<Var> {
        let tensor = Tensor::from_f64(shape, dtype, values).ok_or_else(|| {
            self.shape_error("constant", &[shape, &[values.len()]], "numbers of elements differ".into())
        })?;
        self.constant(tensor)
    }

    /// Applies a matrix `[OH,H]` to the rows and `[OW,W]` to the columns of x `[N,H,W,C]`.
    pub(crate) fn separable(&mut self, x: Var, out: [usize; 2], rows: &[f64], columns: &[f64]) -> Result<Var> {
        let &[n, h, w, c] = self.shape(x) else {
            return Err(self.shape_error("resize", &[self.shape(x)], "takes [N,H,W,C]".into()));
        };
        let dtype = self.dtype(x);
        let rows = self.host_constant(&[1, out[0], h], dtype, rows)?;
        let columns = self.host_constant(&[1, out[1], w], dtype, columns)?;
        let flat = self.reshape(x, &[n, h, w * c])?;
        let tall = self.matmul(rows, flat, false, false)?;
        let flat = self.reshape(tall, &[n * out[0], w, c])?;
        let wide = self.matmul(columns, flat, false, false)?;
        self.reshape(wide, &[n, out[0], out[1], c])
    }
}

/// First and end index of an adaptive pooling region.
fn region(input: usize, output: usize, i: usize) -> (usize, usize) {
    (i * input / output, ((i + 1) * input).div_ceil(output))
}

/// Shapes of a pooling's two tensors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolShape {
    /// The window.
    pub spec: PoolSpec,
    /// `[N,H,W,C]`
    pub x: [usize; 4],
    /// `[N,OH,OW,C]`
    pub y: [usize; 4],
}

impl PoolShape {
    /// The shape in reports.
    pub(crate) fn words(&self) -> String {
        format!("{} window {} / {}", by(&self.x), by(&self.spec.kernel), by(&self.spec.stride))
    }

    fn of(spec: &PoolSpec, [x, y]: [&[usize]; 2]) -> PoolShape {
        PoolShape { spec: spec.clone(), x: four(x), y: four(y) }
    }
}

/// The largest of each window.
pub(super) struct Max<'a>(pub &'a PoolSpec);

impl Rules for Max<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::MaxPool2d(PoolShape::of(self.0, [place.operand(0), place.result()])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (shape, dtype) = (at.shape(0), at.graph.node(at.node).dtype);
        let inputs = vec![at.x(), at.node, at.d];
        Ok(vec![Some(at.graph.push(Op::MaxPool2dGrad(self.0.clone()), inputs, shape, dtype))])
    }
}

/// Where it lies.
pub(super) struct MaxIndex<'a>(pub &'a PoolSpec);

impl Rules for MaxIndex<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::MaxPool2dIndex(PoolShape::of(self.0, [place.operand(0), place.result()])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        at.refused("")
    }
}

/// The gradient of [`Max`].
pub(super) struct MaxGrad<'a>(pub &'a PoolSpec);

impl Rules for MaxGrad<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::MaxPool2dGrad(PoolShape::of(self.0, [place.operand(0), place.operand(1)])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        at.refused("")
    }
}

/// The mean of each window.
pub(super) struct Average<'a>(pub &'a PoolSpec, pub AvgDivisor);

impl Rules for Average<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::AvgPool2d(PoolShape::of(self.0, [place.operand(0), place.result()]), self.1))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (shape, dtype) = (at.shape(0), at.graph.node(at.node).dtype);
        Ok(vec![Some(at.graph.push(Op::AvgPool2dGrad(self.0.clone(), self.1), vec![at.d], shape, dtype))])
    }
}

/// The gradient of [`Average`].
pub(super) struct AverageGrad<'a>(pub &'a PoolSpec, pub AvgDivisor);

impl Rules for AverageGrad<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::AvgPool2dGrad(PoolShape::of(self.0, [place.result(), place.operand(0)]), self.1))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (shape, dtype) = (at.shape(0), at.graph.node(at.node).dtype);
        Ok(vec![Some(at.graph.push(Op::AvgPool2d(self.0.clone(), self.1), vec![at.d], shape, dtype))])
    }
}
