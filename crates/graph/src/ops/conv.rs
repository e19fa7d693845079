//! Convolutions, channels last.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{ConvSpec, Op};
use crate::plan::{Kernel, Product};
use crate::shape::{MAX_WINDOW, by, count, four};

impl ConvSpec {
    /// The convolution of x `[N,H,W,I]` with a weight `[O,KH,KW,I/groups]`: the shape rule of [`Graph::conv2d`].
    ///
    /// # Errors
    /// What does not fit.
    pub fn geometry(&self, x: &[usize], w: &[usize]) -> std::result::Result<ConvShape, String> {
        let (Ok(x), Ok(w)) = (<[usize; 4]>::try_from(x), <[usize; 4]>::try_from(w)) else {
            return Err("takes x [N,H,W,I], weight [O,KH,KW,I/groups]".into());
        };
        self.check(&x)?;
        let ([n, height, width, i], [o, kh, kw, ig]) = (x, w);
        if ig.checked_mul(self.groups) != Some(i) || o % self.groups != 0 {
            return Err(format!("{i} input and {o} output channels do not fit {} groups of {ig} inputs", self.groups));
        }
        let (Some(oh), Some(ow)) = (self.output(0, height, kh), self.output(1, width, kw)) else {
            return Err("the kernel is larger than the padded image".into());
        };
        Ok(ConvShape { spec: self.clone(), x, w, y: [n, oh, ow, o] })
    }

    /// Whether the numbers are in their ranges for images x `[N,H,W,C]`.
    fn check(&self, x: &[usize]) -> std::result::Result<(), String> {
        if self.groups == 0 || self.stride.iter().chain(&self.dilation).any(|&n| n == 0) {
            return Err(format!("strides, dilations and groups must be positive ({self})"));
        }
        let window = self.stride.iter().chain(&self.dilation).chain(&self.padding).chain(&x[1..3]);
        if window.copied().any(|n| n > MAX_WINDOW) {
            return Err(format!("extents, strides, dilations and padding may be at most {MAX_WINDOW} ({self})"));
        }
        Ok(())
    }
}

impl Graph {
    /// Convolution of x `[N,H,W,I]` with weight `[O,KH,KW,I/groups]`, giving `[N,OH,OW,O]`. A 1x1 convolution of
    /// stride 1 without padding becomes a matrix product.
    ///
    /// Of infinities and NaN in x, results are infinite or NaN at least where the definition says so. The CPU's method for 3x3 filters
    /// (Winograd's) mixes the 6x6 pixels under each 4x4 results, of which all may become NaN.
    ///
    /// # Errors
    /// If ranks, channels, groups or extents do not fit, or the types are no floats of one type.
    pub fn conv2d(&mut self, x: Var, weight: Var, spec: &ConvSpec) -> Result<Var> {
        self.check_floats("conv2d", &[x, weight])?;
        let (sx, sw) = (self.shape(x).to_vec(), self.shape(weight).to_vec());
        let geometry = spec.geometry(&sx, &sw).map_err(|detail| self.shape_error("conv2d", &[&sx, &sw], detail))?;
        let ([n, h, w, i], [o, kh, kw, _]) = (geometry.x, geometry.w);
        let plain = ConvSpec { dilation: spec.dilation, ..ConvSpec::default() };
        if [kh, kw] == [1, 1] && *spec == plain {
            let flat = self.reshape(x, &[n * h * w, i])?;
            let matrix = self.reshape(weight, &[o, i])?;
            let y = self.matmul(flat, matrix, false, true)?;
            return self.reshape(y, &[n, h, w, o]);
        }
        let dtype = self.dtype(x);
        self.record("conv2d", Op::Conv2d(spec.clone()), vec![x, weight], geometry.y.to_vec(), dtype)
    }

    /// Transposed convolution: the adjoint of `conv2d` applied to x `[N,H,W,I]` with weight `[I,KH,KW,O/groups]`, giving
    /// `[N,OH,OW,O]` with OH = (H-1) stride - padding + dilation (KH-1) + 1 + `output_padding`.
    ///
    /// # Errors
    /// If ranks, channels, groups or extents do not fit, or the types are no floats of one type.
    pub fn conv_transpose2d(
        &mut self,
        x: Var,
        weight: Var,
        spec: &ConvSpec,
        output_padding: [usize; 2],
    ) -> Result<Var> {
        self.check_floats("conv_transpose2d", &[x, weight])?;
        let (sx, sw) = (self.shape(x).to_vec(), self.shape(weight).to_vec());
        let (&[n, h, w, i], &[wi, kh, kw, og]) = (&sx[..], &sw[..]) else {
            return Err(self.shape_error(
                "conv_transpose2d",
                &[&sx, &sw],
                "takes x [N,H,W,I], weight [I,KH,KW,O/groups]".into(),
            ));
        };
        spec.check(&sx).map_err(|detail| self.shape_error("conv_transpose2d", &[&sx, &sw], detail))?;
        let extent = |axis: usize, input: usize, kernel: usize| {
            let reach = spec.dilation[axis].checked_mul(kernel - 1)?.checked_add(1)?;
            let spread = (input - 1).checked_mul(spec.stride[axis])?;
            let full = spread.checked_add(reach)?.checked_add(output_padding[axis])?;
            let cut = spec.padding[2 * axis].checked_add(spec.padding[2 * axis + 1])?;
            full.checked_sub(cut).filter(|&e| e > 0 && full <= MAX_WINDOW)
        };
        let fits =
            wi == i && i % spec.groups == 0 && (0..2).all(|a| output_padding[a] < spec.stride[a].max(spec.dilation[a]));
        let channels = og.checked_mul(spec.groups);
        let (Some(oh), Some(ow), Some(o), true) = (extent(0, h, kh), extent(1, w, kw), channels, fits) else {
            return Err(self.shape_error("conv_transpose2d", &[&sx, &sw], format!("do not fit ({spec})")));
        };
        let dtype = self.dtype(x);
        self.record("conv_transpose2d", Op::Conv2dInputGrad(spec.clone()), vec![x, weight], vec![n, oh, ow, o], dtype)
    }

    /// Gradient of a convolution's input from dy and the weight.
    pub(crate) fn conv2d_input_grad(&mut self, dy: Var, weight: Var, spec: &ConvSpec, shape: &[usize]) -> Var {
        let dtype = self.dtype(dy);
        self.push(Op::Conv2dInputGrad(spec.clone()), vec![dy, weight], shape.to_vec(), dtype)
    }

    /// Gradient of a convolution's weight from the input and dy.
    pub(crate) fn conv2d_weight_grad(&mut self, x: Var, dy: Var, spec: &ConvSpec, shape: &[usize]) -> Var {
        let dtype = self.dtype(x);
        let gradient = self.push(Op::Conv2dWeightGrad(spec.clone()), vec![x, dy], shape.to_vec(), dtype);
        self.rounded_last(gradient)
    }
}

/// Shapes of a convolution's three tensors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Stride, padding, dilation, groups.
    pub spec: ConvSpec,
    /// `[N,H,W,I]`
    pub x: [usize; 4],
    /// `[O,KH,KW,I/groups]`
    pub w: [usize; 4],
    /// `[N,OH,OW,O]`
    pub y: [usize; 4],
}

impl ConvShape {
    /// Pixels of all images by the weights of a group.
    pub fn forward_product(&self) -> Product {
        let groups = self.spec.groups;
        let (m, k) = (count(&self.y[..3]), count(&self.w[1..]));
        Product { batch: groups, m, n: self.w[0] / groups, k, busy_rows: false }
    }

    /// Pixels of all images by channels. With a stride they fall into phases, each with its own part of the taps.
    pub fn input_grad_product(&self) -> Product {
        let batch = self.spec.groups.saturating_mul(count(&self.spec.stride));
        let k = (count(&self.w[..3]) / batch).max(1);
        Product { batch, m: self.phase_rows(), n: self.w[3], k, busy_rows: true }
    }

    /// Output channels by taps of input channels, summed over the pixels of all images.
    pub fn weight_grad_product(&self) -> Product {
        let groups = self.spec.groups;
        let (m, n) = (self.w[0] / groups, count(&self.w[1..]));
        Product { batch: groups, m, n, k: count(&self.y[..3]), busy_rows: false }
    }

    /// Whether every channel of x is a group of its own.
    pub fn is_depthwise(&self) -> bool {
        self.spec.groups > 1 && self.spec.groups == self.x[3]
    }

    /// Pixels of all images that no window has: those between the windows of a stride that is longer than the filter.
    pub fn pixels_between_windows(&self) -> usize {
        let read = |d: usize| {
            let [stride, dilation, padding] = [self.spec.stride[d], self.spec.dilation[d], self.spec.padding[2 * d]];
            let taps = |window: usize| (0..self.w[1 + d]).map(move |tap| window * stride + tap * dilation);
            let inside = |at: usize| at.checked_sub(padding).filter(|&at| at < self.x[1 + d]);
            let mut seen = vec![false; self.x[1 + d]];
            (0..self.y[1 + d]).flat_map(taps).filter_map(inside).for_each(|at| seen[at] = true);
            seen.into_iter().filter(|&s| s).count()
        };
        self.x[0] * (self.x[1] * self.x[2] - read(0) * read(1))
    }

    /// Rows of each phase of the input gradient.
    pub fn phase_rows(&self) -> usize {
        let stride = self.spec.stride;
        self.x[0] * self.x[1].div_ceil(stride[0]) * self.x[2].div_ceil(stride[1])
    }

    /// The shape in reports.
    pub(crate) fn words(&self) -> String {
        let groups = if self.spec.groups == 1 { String::new() } else { format!(" groups {}", self.spec.groups) };
        format!("{} * {} / {}{groups}", by(&self.x), by(&self.w), by(&self.spec.stride))
    }

    fn of(spec: &ConvSpec, [x, w, y]: [&[usize]; 3]) -> ConvShape {
        ConvShape { spec: spec.clone(), x: four(x), w: four(w), y: four(y) }
    }
}

/// The convolution.
pub(super) struct Forward<'a>(pub &'a ConvSpec);

impl Rules for Forward<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::Conv2d(ConvShape::of(self.0, [place.operand(0), place.operand(1), place.result()])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (x, w) = (at.inputs[0], at.inputs[1]);
        let (sx, sw) = (at.shape(0), at.shape(1));
        let dx = at.needs(0).then(|| at.graph.conv2d_input_grad(at.d, w, self.0, &sx));
        Ok(vec![dx, (at.needed)(w).then(|| at.graph.conv2d_weight_grad(x, at.d, self.0, &sw))])
    }
}

/// The gradient of its input from dy and the weight.
pub(super) struct InputGrad<'a>(pub &'a ConvSpec);

impl Rules for InputGrad<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::Conv2dInputGrad(ConvShape::of(self.0, [place.result(), place.operand(1), place.operand(0)])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        // The adjoint of the adjoint: dy stands where x stood.
        let (dy, w) = (at.inputs[0], at.inputs[1]);
        let (shape, sw, dtype) = (at.shape(0), at.shape(1), at.graph.node(at.node).dtype);
        let dx = at.graph.push(Op::Conv2d(self.0.clone()), vec![at.d, w], shape, dtype);
        Ok(vec![Some(dx), (at.needed)(w).then(|| at.graph.conv2d_weight_grad(at.d, dy, self.0, &sw))])
    }
}

/// The gradient of its weight from x and dy.
pub(super) struct WeightGrad<'a>(pub &'a ConvSpec);

impl Rules for WeightGrad<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::Conv2dWeightGrad(ConvShape::of(self.0, [place.operand(0), place.result(), place.operand(1)])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (x, dy) = (at.inputs[0], at.inputs[1]);
        let (sx, sy, dtype) = (at.shape(0), at.shape(1), at.graph.dtype(dy));
        let d = at.graph.cast(at.d, dtype)?;
        let dx = at.needs(0).then(|| at.graph.conv2d_input_grad(dy, d, self.0, &sx));
        Ok(vec![dx, (at.needed)(dy).then(|| at.graph.push(Op::Conv2d(self.0.clone()), vec![x, d], sy, dtype))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_no_window_has_are_counted() {
        let shape = |extent: usize, kernel: usize, spec: ConvSpec| {
            spec.geometry(&[2, extent, extent, 3], &[5, kernel, kernel, 3]).expect("a convolution")
        };
        let strided = |stride| ConvSpec { stride: [stride; 2], ..ConvSpec::default() };
        // Every second pixel of every second row is read.
        assert_eq!(shape(8, 1, strided(2)).pixels_between_windows(), 2 * (64 - 16));
        assert_eq!(shape(9, 1, strided(2)).pixels_between_windows(), 2 * (81 - 25));
        assert_eq!(shape(8, 3, ConvSpec { padding: [1; 4], ..strided(2) }).pixels_between_windows(), 0);
        // The last row and column are beyond the last window.
        assert_eq!(shape(8, 3, strided(2)).pixels_between_windows(), 2 * (64 - 49));
        assert_eq!(shape(7, 2, ConvSpec { dilation: [2; 2], ..strided(4) }).pixels_between_windows(), 2 * (49 - 16));
    }
}
