//! The sizes of a 2-d convolution.

/// Sizes of a convolution from `[batch, height, width, channels_in]` to `[batch, out_height, out_width, channels_out]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvExtents {
    /// Images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Pixels of an input row.
    pub width: usize,
    /// Input channels, a multiple of `groups`.
    pub channels_in: usize,
    /// Output channels, a multiple of `groups`.
    pub channels_out: usize,
    /// Height and width of the filter.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zeros around the image: top, bottom, left, right.
    pub padding: [usize; 4],
    /// Vertical and horizontal distance of filter taps.
    pub dilation: [usize; 2],
    /// Groups of channels that do not mix.
    pub groups: usize,
    /// Rows and pixels of an output image where they are fewer than the windows that fit: the input of a transposed
    /// convolution whose output padding is at least its stride.
    pub out: Option<[usize; 2]>,
}

impl ConvExtents {
    /// A square convolution with stride, padding on all sides, no dilation and one group.
    #[must_use]
    pub fn square(image: [usize; 4], channels_out: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            batch: image[0],
            height: image[1],
            width: image[2],
            channels_in: image[3],
            channels_out,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
            dilation: [1; 2],
            groups: 1,
            out: None,
        }
    }

    fn out(&self, axis: usize, size: usize) -> usize {
        let padded = size + self.padding[2 * axis] + self.padding[2 * axis + 1];
        let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let fitting = padded.checked_sub(reach).map_or(0, |rest| rest / self.stride[axis] + 1);
        let out = self.out.map_or(fitting, |out| out[axis]);
        assert!(out <= fitting, "{out} windows where {fitting} fit: {self:?}");
        out
    }

    /// Rows of an output image.
    #[must_use]
    pub fn out_height(&self) -> usize {
        self.out(0, self.height)
    }

    /// Pixels of an output row.
    #[must_use]
    pub fn out_width(&self) -> usize {
        self.out(1, self.width)
    }

    /// Taps of the filter.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Floats of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels_in
    }

    /// Floats of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.channels_out
    }

    /// Floats of the weights.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.channels_out * self.taps() * self.channels_in / self.groups
    }

    /// Multiplications and additions of one direction, padding counted in (as other libraries count).
    #[must_use]
    pub fn flops(&self) -> u64 {
        2 * self.output_len() as u64 * (self.taps() * self.channels_in / self.groups) as u64
    }

    /// Whether every channel is filtered alone.
    #[must_use]
    pub fn is_depthwise(&self) -> bool {
        self.groups == self.channels_in && self.channels_in == self.channels_out && self.groups > 1
    }
}
