//! Depthwise 2-D convolution and its two gradients, with the bindings of [`Conv2d`]: one launch for all groups.

use super::Conv2d;
use crate::dispatch::spread_elements;
use crate::{ShaderError, ShaderKernel, Source};

impl Conv2d {
    fn depthwise(&self, name: &'static str, out: [u32; 2], dims: [u32; 4]) -> Result<ShaderKernel, ShaderError> {
        let source = self.set_shape(Source::new(name), out);
        let count = dims.iter().map(|&d| u64::from(d)).product();
        Ok(ShaderKernel::new(name, source, spread_elements(name, count)?))
    }

    pub(super) fn depthwise_forward(&self, out: [u32; 2]) -> Result<ShaderKernel, ShaderError> {
        if let Some(kernel) = self.strips_forward(out) {
            return kernel;
        }
        let dims = [self.batch, out[0], out[1], self.out_channels];
        Ok(self.depthwise("depthwise", out, dims)?.map_source(|s| {
            s.set_alias("XElem", self.x.wgsl()).set_alias("WElem", self.w.wgsl()).set_alias("OutElem", self.y.wgsl())
        }))
    }

    pub(super) fn depthwise_input_grad(&self, out: [u32; 2]) -> Result<ShaderKernel, ShaderError> {
        if let Some(kernel) = self.strips_input_grad(out) {
            return kernel;
        }
        let dims = [self.batch, self.input[0], self.input[1], self.in_channels];
        Ok(self.depthwise("depthwise_input_grad", out, dims)?.map_source(|s| {
            s.set_alias("GradElem", self.y.wgsl())
                .set_alias("WElem", self.w.wgsl())
                .set_alias("OutElem", self.dx.wgsl())
        }))
    }

    pub(super) fn depthwise_weight_grad(
        &self,
        out: [u32; 2],
        parts: u32,
        chunk: u32,
    ) -> Result<ShaderKernel, ShaderError> {
        if let Some(kernel) = self.strips_weight_grad(out, parts) {
            return kernel;
        }
        let dims = [parts, self.kernel[0], self.kernel[1], self.out_channels];
        Ok(self.depthwise("depthwise_weight_grad", out, dims)?.map_source(|s| {
            s.set_alias("XElem", self.x.wgsl())
                .set_alias("GradElem", self.y.wgsl())
                .set_const("PARTS", parts)
                .set_const("CHUNK", chunk)
        }))
    }
}
