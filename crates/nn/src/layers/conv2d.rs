//! Convolution layer.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{ConvSpec, Result, Var};

/// Convolution of `[N,H,W,I]` to `[N,OH,OW,O]`. Parameters: `weight` `[O,KH,KW,I/groups]`, `bias` `[O]`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// Channels of the result.
    pub out_channels: usize,
    /// Kernel extents, rows then columns.
    pub kernel: [usize; 2],
    /// Stride, padding, dilation and groups.
    pub spec: ConvSpec,
    /// Add a bias.
    pub bias: bool,
    /// How the weight starts.
    pub weight_init: Init,
    /// How the bias starts; PyTorch's default, which depends on the fan in, if absent.
    pub bias_init: Option<Init>,
}

impl Conv2d {
    /// A square kernel with stride 1, no padding, bias and PyTorch's initial values.
    pub fn new(out_channels: usize, kernel: usize) -> Conv2d {
        Conv2d {
            out_channels,
            kernel: [kernel; 2],
            spec: ConvSpec::default(),
            bias: true,
            weight_init: Init::torch_weight(),
            bias_init: None,
        }
    }

    /// The same step in both directions.
    pub fn stride(mut self, stride: usize) -> Conv2d {
        self.spec.stride = [stride; 2];
        self
    }

    /// The same number of zeros on all four sides.
    pub fn padding(mut self, padding: usize) -> Conv2d {
        self.spec.padding = [padding; 4];
        self
    }

    /// Groups of channels; as many as channels for a depthwise convolution.
    pub fn groups(mut self, groups: usize) -> Conv2d {
        self.spec.groups = groups;
        self
    }

    /// Leaves the bias out, as before a normalisation.
    pub fn without_bias(mut self) -> Conv2d {
        self.bias = false;
        self
    }

    /// Another start of the weight.
    pub fn weight_init(mut self, init: Init) -> Conv2d {
        self.weight_init = init;
        self
    }
}

impl Module for Conv2d {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[_, _, _, channels] = x else {
            return Err(declare.error("conv2d", &[x], "takes x [N,H,W,C]".into()));
        };
        let Some(inputs) = channels.checked_div(self.spec.groups).filter(|n| n * self.spec.groups == channels) else {
            let detail = format!("{channels} channels do not split into {} groups", self.spec.groups);
            return Err(declare.error("conv2d", &[x], detail));
        };
        let weight = [self.out_channels, self.kernel[0], self.kernel[1], inputs];
        let geometry =
            self.spec.geometry(x, &weight).map_err(|detail| declare.error("conv2d", &[x, &weight], detail))?;
        declare.parameter("weight", &weight, self.weight_init)?;
        if self.bias {
            let fan_in = weight[1..].iter().product();
            let init = self.bias_init.unwrap_or_else(|| Init::torch_bias(fan_in));
            declare.parameter("bias", &[self.out_channels], init)?;
        }
        declare.product(geometry.forward_product());
        Ok(geometry.y.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let (x, weight) = (ctx.operand(x)?, ctx.weight("weight")?);
        let y = ctx.graph().conv2d(x, weight, &self.spec)?;
        if !self.bias {
            return Ok(y);
        }
        let bias = ctx.parameter("bias")?;
        ctx.add_bias(y, bias)
    }

    fn kind(&self) -> &'static str {
        "Conv2d"
    }
}
