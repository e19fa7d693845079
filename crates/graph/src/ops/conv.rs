//! Builder methods of convolutions, channels last.

use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{ConvSpec, Op};
use crate::plan::ConvShape;
use crate::shape::MAX_WINDOW;

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
