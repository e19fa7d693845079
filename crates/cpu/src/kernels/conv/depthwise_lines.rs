//! Depthwise convolution forward by lines, for the filters of most networks: a run of pixels is in registers, and the image is read once a filter row.

use super::pack::PackedWeights;
use super::{ConvExtents, Direction};
use crate::kernels::{EPILOGUE, Epilogue, Workspace, finish, row_tiles};
use crate::raw::depthwise_lines::{FILTER_ROWS, LineRun};
use crate::raw::tile::{Output, Splits};
use std::ops::Range;

/// Whether weights are for a convolution that [`run`] computes.
pub(crate) fn suits(weights: &PackedWeights) -> bool {
    let shape = weights.shape();
    weights.is_depthwise()
        && weights.direction() == Direction::Forward
        && matches!(shape.kernel[1], 3 | 5)
        && shape.kernel[0] <= FILTER_ROWS
        && matches!(shape.stride[1], 1 | 2)
        && shape.dilation == [1, 1]
}

/// The convolution, its lines shared by the threads.
pub(crate) fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let shape = weights.shape();
    assert_eq!((input.len(), output.len()), (shape.input_len(), shape.output_len()));
    workspace.prepare(0);
    let kernels = workspace.kernels();
    let (width, channels) = (shape.out_width(), shape.channels_in);
    let lines = shape.batch * shape.out_height();
    let ending = epilogue.columns();
    let mut output = Output::matrix(output, lines * width, channels, channels);
    let rows = Splits::new(lines * width, width, 4 * rayon::current_num_threads());
    output.for_each(&rows, &Splits::new(channels, channels, 1), |mut tile| {
        let range = tile.row_range();
        let mut finished = range.start;
        for line in range.start / width..range.end / width {
            let place = Line::new(shape, line);
            for (first, pixels) in row_tiles(0..width, kernels.line_pixels()) {
                let run = place.run(shape, input, weights.tap_major(0), first, pixels);
                let y = tile.dense_rows(line * width + first, pixels).expect("an output without gaps");
                kernels.depthwise_line(&run, y, ending.as_ref());
            }
            let ready = (line + 1) * width - finished;
            if ending.is_none() && (ready * channels >= EPILOGUE || finished + ready == range.end) {
                finish(&mut tile, finished, ready, channels, epilogue);
                finished += ready;
            }
        }
    });
}

/// One line of the output: the filter rows that lie in the image there, and where the first of them does.
struct Line {
    rows: Range<usize>,
    start: isize,
}

impl Line {
    fn new(shape: &ConvExtents, line: usize) -> Line {
        let (image, y) = (line / shape.out_height(), line % shape.out_height());
        let (above, top) = (y * shape.stride[0], shape.padding[0]);
        let rows = top.saturating_sub(above).min(shape.kernel[0])
            ..(shape.height + top).saturating_sub(above).min(shape.kernel[0]);
        let first = (above + rows.start).saturating_sub(top);
        let start = (image * shape.height + first) * shape.width * shape.channels_in;
        Line { rows, start: start as isize }
    }

    /// Some pixels of it.
    fn run<'a>(
        &self,
        shape: &ConvExtents,
        x: &'a [f32],
        weights: &'a [f32],
        first: usize,
        pixels: usize,
    ) -> LineRun<'a> {
        let (stride, left, channels) = (shape.stride[1], shape.padding[2], shape.channels_in);
        let inputs = (pixels - 1) * stride + shape.kernel[1];
        // In pixels of the padded line.
        let before = first * stride;
        let within = |at: usize| at.saturating_sub(before).min(inputs);
        LineRun {
            x,
            weights,
            channels,
            width: shape.kernel[1],
            stride,
            rows: self.rows.start..self.rows.end.max(self.rows.start),
            start: self.start + (before as isize - left as isize) * channels as isize,
            row_step: shape.width * channels,
            inside: within(left)..within(left + shape.width),
        }
    }
}
