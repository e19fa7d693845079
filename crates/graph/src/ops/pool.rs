//! Pooling over `[N,H,W,C]`.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{AvgDivisor, Op, PoolSpec};
use crate::plan::Kernel;
use crate::shape::{MAX_WINDOW, by, four};

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
