//! Builder methods of convolutions, channels last.

use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{ConvSpec, Op};

impl Graph {
    /// Convolution of x `[N,H,W,I]` with weight `[O,KH,KW,I/groups]`, giving `[N,OH,OW,O]`. A 1x1 convolution of
    /// stride 1 without padding becomes a matrix product.
    ///
    /// # Errors
    /// If ranks, channels, groups or extents do not fit.
    pub fn conv2d(&mut self, x: Var, weight: Var, spec: &ConvSpec) -> Result<Var> {
        let (sx, sw) = (self.shape(x).to_vec(), self.shape(weight).to_vec());
        let (&[n, h, w, i], &[o, kh, kw, ig]) = (&sx[..], &sw[..]) else {
            return Err(self.shape_error("conv2d", &[&sx, &sw], "takes x [N,H,W,I], weight [O,KH,KW,I/groups]".into()));
        };
        self.check_conv("conv2d", &sx, &sw, spec)?;
        if self.dtype(x) != self.dtype(weight) || !self.dtype(x).is_float() {
            return Err(self.dtype_error(
                "conv2d",
                &[self.dtype(x), self.dtype(weight)],
                "takes floats of one type".into(),
            ));
        }
        if ig * spec.groups != i || o % spec.groups != 0 {
            let detail = format!("{i} input and {o} output channels do not fit {} groups of {ig} inputs", spec.groups);
            return Err(self.shape_error("conv2d", &[&sx, &sw], detail));
        }
        let plain = ConvSpec { dilation: spec.dilation, ..ConvSpec::default() };
        if [kh, kw] == [1, 1] && *spec == plain {
            let flat = self.reshape(x, &[n * h * w, i])?;
            let matrix = self.reshape(weight, &[o, i])?;
            let y = self.matmul(flat, matrix, false, true)?;
            return self.reshape(y, &[n, h, w, o]);
        }
        let (Some(oh), Some(ow)) = (spec.output(0, h, kh), spec.output(1, w, kw)) else {
            return Err(self.shape_error("conv2d", &[&sx, &sw], "the kernel is larger than the padded image".into()));
        };
        let dtype = self.dtype(x);
        Ok(self.push(Op::Conv2d(spec.clone()), vec![x, weight], vec![n, oh, ow, o], dtype))
    }

    /// Transposed convolution: the adjoint of `conv2d` applied to x `[N,H,W,I]` with weight `[I,KH,KW,O/groups]`, giving
    /// `[N,OH,OW,O]` with OH = (H-1) stride - padding + dilation (KH-1) + 1 + `output_padding`.
    ///
    /// # Errors
    /// If ranks, channels, groups or extents do not fit.
    pub fn conv_transpose2d(
        &mut self,
        x: Var,
        weight: Var,
        spec: &ConvSpec,
        output_padding: [usize; 2],
    ) -> Result<Var> {
        let (sx, sw) = (self.shape(x).to_vec(), self.shape(weight).to_vec());
        let (&[n, h, w, i], &[wi, kh, kw, og]) = (&sx[..], &sw[..]) else {
            return Err(self.shape_error(
                "conv_transpose2d",
                &[&sx, &sw],
                "takes x [N,H,W,I], weight [I,KH,KW,O/groups]".into(),
            ));
        };
        self.check_conv("conv_transpose2d", &sx, &sw, spec)?;
        let extent = |axis: usize, input: usize, kernel: usize| {
            let full = (input - 1) * spec.stride[axis] + spec.dilation[axis] * (kernel - 1) + 1 + output_padding[axis];
            full.checked_sub(spec.padding[2 * axis] + spec.padding[2 * axis + 1]).filter(|&e| e > 0)
        };
        let fits =
            wi == i && i % spec.groups == 0 && (0..2).all(|a| output_padding[a] < spec.stride[a].max(spec.dilation[a]));
        let (Some(oh), Some(ow), true) = (extent(0, h, kh), extent(1, w, kw), fits) else {
            return Err(self.shape_error("conv_transpose2d", &[&sx, &sw], format!("do not fit {spec:?}")));
        };
        let dtype = self.dtype(x);
        let shape = vec![n, oh, ow, og * spec.groups];
        Ok(self.push(Op::Conv2dInputGrad(spec.clone()), vec![x, weight], shape, dtype))
    }

    fn check_conv(&self, op: &str, x: &[usize], w: &[usize], spec: &ConvSpec) -> Result<()> {
        let positive = spec.groups > 0 && spec.stride.iter().chain(&spec.dilation).chain(x).chain(w).all(|&n| n > 0);
        if positive {
            return Ok(());
        }
        Err(self.shape_error(op, &[x, w], format!("extents, strides, dilations and groups must be positive: {spec:?}")))
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
