//! Convolution and its two gradients through the kernels, packed weights kept while they do not change.

use super::epilogue::StepEpilogue;
use super::operands::Operands;
use super::{Action, ExecContext};
use crate::kernels::{self, PackedWeights, conv2d, conv2d_input_gradient, conv2d_weight_gradient};
use crate::raw::memory::{Block, MemoryRegion};
use chiaro_graph::plan::ConvShape;
use std::sync::Arc;

/// A convolution or its input gradient, with its epilogue.
pub(crate) struct Conv {
    shape: kernels::ConvExtents,
    backward: bool,
    x: MemoryRegion,
    w: MemoryRegion,
    packed: PackedWeights,
    /// Block of weights that may stay the same, and its version when they were packed.
    kept: Option<Arc<Block>>,
    version: u64,
    ending: StepEpilogue,
}

impl Conv {
    pub fn new(shape: &ConvShape, backward: bool, o: &mut Operands<'_>) -> Conv {
        let out = if backward { shape.x } else { shape.y };
        let (x, w) = (o.input(0), o.input(1));
        let ending = StepEpilogue::new(&o.step.program, &o.bounds, out[0] * out[1] * out[2], out[3], o.builder);
        let (packed, kept) = (PackedWeights::new(), o.lasting(1));
        Conv { shape: sizes(shape), backward, x, w, packed, kept, version: 0, ending }
    }

    fn pack(&mut self, context: &mut ExecContext<'_>) {
        let version = self.kept.as_ref().map_or(0, |b| b.version());
        if version != 0 && version == self.version {
            return;
        }
        self.version = version;
        match self.backward {
            false => self.packed.pack_forward(context.workspace, &self.shape, self.w.all()),
            true => self.packed.pack_input_gradient(context.workspace, &self.shape, self.w.all()),
        }
    }
}

fn sizes(shape: &ConvShape) -> kernels::ConvExtents {
    let [batch, height, width, channels_in] = shape.x;
    kernels::ConvExtents {
        batch,
        height,
        width,
        channels_in,
        channels_out: shape.w[0],
        kernel: [shape.w[1], shape.w[2]],
        stride: shape.spec.stride,
        padding: shape.spec.padding,
        dilation: shape.spec.dilation,
        groups: shape.spec.groups,
        out: Some([shape.y[1], shape.y[2]]),
    }
}

impl Action for Conv {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        self.pack(context);
        let (x, w, y) = (self.x.all(), self.w.all(), self.ending.out.all_mut());
        self.ending.finish(context, 0, |context, epilogue| match self.backward {
            false => conv2d(context.workspace, &self.packed, w, x, y, epilogue),
            true => conv2d_input_gradient(context.workspace, &self.packed, w, x, y, epilogue),
        });
        self.ending.after(context);
    }
}

/// The weight gradient.
pub(crate) struct WeightGrad {
    shape: kernels::ConvExtents,
    x: MemoryRegion,
    dy: MemoryRegion,
    out: MemoryRegion,
}

impl WeightGrad {
    pub fn new(shape: &ConvShape, o: &mut Operands<'_>, out: MemoryRegion) -> WeightGrad {
        WeightGrad { shape: sizes(shape), x: o.input(0), dy: o.input(1), out }
    }
}

impl Action for WeightGrad {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let (x, dy) = (self.x.all(), self.dy.all());
        conv2d_weight_gradient(context.workspace, &self.shape, x, dy, self.out.all_mut());
    }
}
