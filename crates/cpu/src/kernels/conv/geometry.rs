//! The sizes of a gathered product, in either direction.

use super::ConvExtents;

/// Which product weights were packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    InputGradient,
}

/// The sizes of a gathered product: images of `in_channels`, `kc` of which each group sums, to images of `out_channels`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) input: [usize; 2],
    pub(crate) in_channels: usize,
    pub(crate) output: [usize; 2],
    pub(crate) out_channels: usize,
    pub(crate) groups: usize,
    pub(crate) kc: usize,
}

impl Geometry {
    pub(crate) fn new(shape: &ConvExtents, direction: Direction) -> Self {
        let inner = [shape.height, shape.width];
        let outer = [shape.out_height(), shape.out_width()];
        let forward = direction == Direction::Forward;
        let pick = |a, b| if forward { a } else { b };
        let in_channels = pick(shape.channels_in, shape.channels_out);
        Self {
            batch: shape.batch,
            input: if forward { inner } else { outer },
            in_channels,
            output: if forward { outer } else { inner },
            out_channels: pick(shape.channels_out, shape.channels_in),
            groups: shape.groups,
            kc: in_channels / shape.groups,
        }
    }

    pub(crate) fn input_len(&self) -> usize {
        self.batch * self.input[0] * self.input[1] * self.in_channels
    }

    pub(crate) fn output_len(&self) -> usize {
        self.batch * self.output[0] * self.output[1] * self.out_channels
    }
}
