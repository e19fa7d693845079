//! The tiles of a convolution, and the transforms of inputs and of output gradients to the positions.

use super::filters::filters_len;
use super::lines::{self, EDGE, EachVector, Floats, GAP, LANES, OUT, POSITIONS, lane, padded, square};
use crate::kernels::Workspace;
use crate::kernels::conv::geometry::Geometry;
use crate::raw::simd::{Blocks, PAD, Vectorize};
use std::ops::Range;

/// A grid of tiles over each output image.
pub(super) struct TileGrid {
    pub(super) geometry: Geometry,
    /// Rows and columns of padding before the input.
    before: [usize; 2],
    /// Tiles down and across an image.
    pub(super) tiles: [usize; 2],
}

impl TileGrid {
    pub(super) fn new(geometry: Geometry, before: [usize; 2]) -> Self {
        Self { geometry, before, tiles: geometry.output.map(|size| size.div_ceil(OUT)) }
    }

    pub(super) fn per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Image, row and column of a tile.
    pub(super) fn position(&self, tile: usize) -> [usize; 3] {
        let (image, rest) = (tile / self.per_image(), tile % self.per_image());
        [image, rest / self.tiles[1], rest % self.tiles[1]]
    }

    /// Offsets of the inputs of a tile.
    fn inputs(&self, tile: usize) -> [u32; POSITIONS] {
        let ([image, ty, tx], [height, width]) = (self.position(tile), self.geometry.input);
        std::array::from_fn(|i| {
            let y = (OUT * ty + i / EDGE).wrapping_sub(self.before[0]);
            let x = (OUT * tx + i % EDGE).wrapping_sub(self.before[1]);
            let inside = y < height && x < width;
            if inside { (((image * height + y) * width + x) * self.geometry.in_channels) as u32 } else { PAD }
        })
    }

    /// Offsets of the outputs of a tile.
    fn outputs(&self, tile: usize) -> [u32; OUT * OUT] {
        let ([image, ty, tx], [height, width]) = (self.position(tile), self.geometry.output);
        std::array::from_fn(|i| {
            let (y, x) = (OUT * ty + i / OUT, OUT * tx + i % OUT);
            let inside = y < height && x < width;
            if inside { (((image * height + y) * width + x) * self.geometry.out_channels) as u32 } else { PAD }
        })
    }
}

/// Tiles that are multiplied together: in memory `[group][position][tile of the group][padded channel]`, with a gap behind each
/// position.
#[derive(Clone)]
pub(super) struct Groups {
    pub(super) tiles: Range<usize>,

    /// Tiles of a group.
    pub(super) rows: usize,
    pub(super) count: usize,
}

impl Groups {
    /// Groups of nearly `most` tiles each.
    pub(super) fn new(tiles: Range<usize>, most: usize) -> Self {
        let rows = tiles.len().div_ceil(tiles.len().div_ceil(most).max(1)).max(1);
        Self { rows, count: tiles.len().div_ceil(rows), tiles }
    }

    /// Floats of a group at one position.
    pub(super) fn position_len(&self, channels: usize) -> usize {
        self.rows * padded(channels) + GAP
    }

    /// Floats of a group.
    pub(super) fn len(&self, channels: usize) -> usize {
        POSITIONS * self.position_len(channels)
    }

    /// Floats of the products of all groups at one position.
    pub(super) fn products_len(&self, cols: usize) -> usize {
        self.count * self.rows * cols + GAP
    }

    /// The products of these groups, of `channels` channels and `a_next` floats apart, with filters of `depth` channels and of `cols` columns
    /// with their padding.
    pub(super) fn blocks(&self, channels: usize, a_next: usize, depth: usize, cols: usize) -> Blocks {
        Blocks {
            positions: POSITIONS,
            groups: self.count,
            rows: self.rows,
            depth,
            cols,
            a_step: padded(channels),
            a_next,
            a_position: self.position_len(channels),
            b_position: filters_len(depth, cols),
            c_position: self.products_len(cols),
        }
    }

    fn of_group(&self, group: usize) -> impl Iterator<Item = (usize, usize)> {
        let start = self.tiles.start + group * self.rows;
        (start..(start + self.rows).min(self.tiles.end)).enumerate()
    }
}

/// Transforms the inputs of a group of tiles.
pub(super) fn transform_inputs(
    workspace: &Workspace,
    grid: &TileGrid,
    x: &[f32],
    groups: &Groups,
    group: usize,
    to: &mut [f32],
) {
    let channels = grid.geometry.in_channels;
    for (row, tile) in groups.of_group(group) {
        let offsets = grid.inputs(tile);
        workspace.level().vectorize(Inputs { x, offsets, channels, position: groups.position_len(channels), row, to });
    }
}

/// Transforms the output gradients of a group of tiles.
pub(super) fn transform_gradients(
    workspace: &Workspace,
    grid: &TileGrid,
    dy: &[f32],
    groups: &Groups,
    group: usize,
    to: &mut [f32],
) {
    let channels = grid.geometry.out_channels;
    for (row, tile) in groups.of_group(group) {
        let offsets = grid.outputs(tile);
        workspace.level().vectorize(Gradients {
            dy,
            offsets,
            channels,
            position: groups.position_len(channels),
            row,
            to,
        });
    }
}

/// `N` floats at an offset; zeros in the padding.
#[inline(always)]
fn load<const PADDED: bool, const N: usize>(x: &[f32], offset: u32, c: usize) -> Floats {
    if PADDED && offset == PAD { [0.0; LANES] } else { lane::<N>(&x[offset as usize + c..]) }
}

/// One tile, of which parts may lie in the padding.
struct Bordered<T, const PADDED: bool>(T);

/// One tile of inputs, for all channels.
struct Inputs<'a> {
    x: &'a [f32],
    offsets: [u32; POSITIONS],
    channels: usize,
    /// Floats between positions.
    position: usize,
    row: usize,
    to: &'a mut [f32],
}

impl Vectorize for Inputs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (channels, inside) = (self.channels, !self.offsets.contains(&PAD));
        if inside {
            Bordered::<_, false>(self).each::<FMA>(channels)
        } else {
            Bordered::<_, true>(self).each::<FMA>(channels)
        }
    }
}

impl<const PADDED: bool> EachVector for Bordered<Inputs<'_>, PADDED> {
    type Between = [[Floats; EDGE]; EDGE];

    #[inline(always)]
    fn vector<const FMA: bool, const N: usize>(&mut self, between: &mut Self::Between, c: usize) {
        let tile = &mut self.0;
        let load = |i: usize, j: usize| load::<PADDED, N>(tile.x, tile.offsets[i * EDGE + j], c);
        square(between, load, lines::input::<FMA>, |i, j, lane| {
            let at = (i * EDGE + j) * tile.position + tile.row * padded(tile.channels) + c;
            tile.to[at..at + LANES].copy_from_slice(lane);
        });
    }
}

/// One tile of output gradients, for all channels.
struct Gradients<'a> {
    dy: &'a [f32],
    offsets: [u32; OUT * OUT],
    channels: usize,
    /// Floats between positions.
    position: usize,
    row: usize,
    to: &'a mut [f32],
}

impl Vectorize for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (channels, inside) = (self.channels, !self.offsets.contains(&PAD));
        if inside {
            Bordered::<_, false>(self).each::<FMA>(channels)
        } else {
            Bordered::<_, true>(self).each::<FMA>(channels)
        }
    }
}

impl<const PADDED: bool> EachVector for Bordered<Gradients<'_>, PADDED> {
    type Between = [[Floats; OUT]; EDGE];

    #[inline(always)]
    fn vector<const FMA: bool, const N: usize>(&mut self, between: &mut Self::Between, c: usize) {
        let tile = &mut self.0;
        let load = |i: usize, j: usize| load::<PADDED, N>(tile.dy, tile.offsets[i * OUT + j], c);
        square(between, load, lines::output_gradient::<FMA>, |i, j, lane| {
            let at = (i * EDGE + j) * tile.position + tile.row * padded(tile.channels) + c;
            tile.to[at..at + LANES].copy_from_slice(lane);
        });
    }
}
