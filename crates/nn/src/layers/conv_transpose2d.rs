//! Transposed convolution layer.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{ConvSpec, Result, Var};

/// Transposed convolution of `[N,H,W,I]` to `[N,OH,OW,O]`, OH = (H - 1) stride - 2 padding + kernel: what makes images larger in
/// generators and decoders. Parameters: `weight` `[I,KH,KW,O]`, `bias` `[O]`.
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    /// Channels of the result.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Stride and padding.
    pub spec: ConvSpec,
    /// Add a bias.
    pub bias: bool,
    /// How the weight starts.
    pub weight_init: Init,
}

impl ConvTranspose2d {
    /// A square kernel with stride 1, no padding, bias and PyTorch's initial values.
    pub fn new(out_channels: usize, kernel: usize) -> ConvTranspose2d {
        let weight_init = Init::torch_weight();
        ConvTranspose2d { out_channels, kernel, spec: ConvSpec::default(), bias: true, weight_init }
    }

    /// The same step in both directions.
    pub fn stride(mut self, stride: usize) -> ConvTranspose2d {
        self.spec.stride = [stride; 2];
        self
    }

    /// So many pixels less at each side.
    pub fn padding(mut self, padding: usize) -> ConvTranspose2d {
        self.spec.padding = [padding; 4];
        self
    }

    /// Leaves the bias out, as before a normalisation.
    pub fn without_bias(mut self) -> ConvTranspose2d {
        self.bias = false;
        self
    }

    /// Extents of weight and result.
    fn shapes(&self, x: &[usize]) -> Option<[[usize; 4]; 2]> {
        let &[n, h, w, channels] = x else { return None };
        if self.spec.dilation != [1; 2] || self.spec.groups != 1 {
            return None;
        }
        let side = |axis: usize, extent: usize| {
            let full = (extent.checked_sub(1)?).checked_mul(self.spec.stride[axis])?.checked_add(self.kernel)?;
            full.checked_sub(self.spec.padding[2 * axis].checked_add(self.spec.padding[2 * axis + 1])?)
        };
        let weight = [channels, self.kernel, self.kernel, self.out_channels];
        Some([weight, [n, side(0, h)?, side(1, w)?, self.out_channels]])
    }
}

impl Module for ConvTranspose2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some([weight, y]) = self.shapes(x) else {
            return Err(declare.error(
                "conv_transpose2d",
                &[x],
                "takes x [N,H,W,I], padding inside the result, no dilation and one group".into(),
            ));
        };
        declare.parameter("weight", &weight, self.weight_init)?;
        if self.bias {
            let fan_in = weight[1..].iter().product();
            declare.parameter("bias", &[self.out_channels], Init::torch_bias(fan_in))?;
        }
        // It is the gradient of the convolution that makes x of the result.
        if let Ok(geometry) = self.spec.geometry(&y, &weight) {
            declare.product(geometry.input_grad_product());
        }
        Ok(y.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let (x, weight) = (ctx.operand(x)?, ctx.weight("weight")?);
        let y = ctx.graph().conv_transpose2d(x, weight, &self.spec, [0, 0])?;
        if !self.bias {
            return Ok(y);
        }
        let bias = ctx.parameter("bias")?;
        ctx.add_bias(y, bias)
    }

    fn kind(&self) -> &'static str {
        "ConvTranspose2d"
    }
}
