//! The last stage of a convolution: products at the positions become outputs.

use super::lines::{self, EDGE, EachVector, Floats, LANES, OUT, lane, square};
use super::tiles::{Groups, TileGrid};
use crate::kernels::Workspace;
use crate::raw::simd::Vectorize;

/// Products at the positions: `[position][tile][column]`.
pub(super) struct Products<'a> {
    pub(super) grid: &'a TileGrid,
    pub(super) m: &'a [f32],
    /// Columns, and floats between tiles.
    pub(super) cols: usize,
    pub(super) step: usize,
    pub(super) groups: &'a Groups,
}

/// Where outputs go: pixel `first` and column `col` are the first of `y`.
pub(super) struct Lines<'a> {
    pub(super) y: &'a mut [f32],
    pub(super) first: usize,
    pub(super) col: usize,
    /// Floats between pixels.
    pub(super) pixel: usize,
}

impl Products<'_> {
    /// Transforms one tile back.
    pub(super) fn back(&self, workspace: &Workspace, tile: usize, lines: &mut Lines) {
        let [image, ty, tx] = self.grid.position(tile);
        let [height, width] = self.grid.geometry.output;
        let pixel = (image * height + OUT * ty) * width + OUT * tx - lines.first;
        workspace.level().vectorize(Back {
            m: &self.m[(tile - self.groups.tiles.start) * self.step..],
            position: self.groups.products_len(self.step),
            cols: self.cols,
            y: &mut lines.y[pixel * lines.pixel + lines.col..],
            pixel: lines.pixel,
            line: width * lines.pixel,
            size: [OUT.min(height - OUT * ty), OUT.min(width - OUT * tx)],
        });
    }
}

/// One tile of outputs from its products.
struct Back<'a> {
    m: &'a [f32],
    /// Floats between positions.
    position: usize,
    cols: usize,
    y: &'a mut [f32],
    pixel: usize,
    line: usize,
    /// Lines and pixels of the tile that lie in the image.
    size: [usize; 2],
}

impl Vectorize for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        self.each::<FMA>(self.cols);
    }
}

impl EachVector for Back<'_> {
    type Between = [[Floats; EDGE]; OUT];

    #[inline(always)]
    fn vector<const FMA: bool, const N: usize>(&mut self, between: &mut Self::Between, c: usize) {
        let load = |i: usize, j: usize| lane::<LANES>(&self.m[(i * EDGE + j) * self.position + c..]);
        square(between, load, lines::output::<FMA>, |i, j, lane| {
            if i < self.size[0] && j < self.size[1] {
                self.y[i * self.line + j * self.pixel + c..][..N].copy_from_slice(&lane[..N]);
            }
        });
    }
}
