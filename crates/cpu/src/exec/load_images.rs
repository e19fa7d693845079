//! Images of packed pixels: moved, mirrored and normalised, row by row.

use super::gather::inside;
use super::memory::Region;
use super::prepare::Operands;
use super::{Action, Context, for_each};
use crate::kernels::Vectorize;
use chiaro_graph::plan::ImagesShape;

/// Makes images of a set of packed pixels.
pub(crate) struct LoadImages {
    shape: ImagesShape,
    pixels: Region,
    index: Region,
    moves: Region,
    affine: Region,
    out: Region,
}

impl LoadImages {
    pub fn new(shape: ImagesShape, o: &mut Operands<'_>, out: Region) -> LoadImages {
        let [pixels, index, moves, affine] = [0, 1, 2, 3].map(|i| o.input(i));
        LoadImages { shape, pixels, index, moves, affine, out }
    }
}

impl Action for LoadImages {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let ImagesShape { stored, words, y: [n, height, width, channels] } = this.shape;
        let (len, level) = (height * width * channels, context.level);
        for_each(n, len, |i| {
            let image = inside(this.index.lane(i), stored);
            let moved = |k: usize| this.moves.lane(3 * i + k) as i32;
            level.vectorize(Image {
                words: this.pixels.lanes(image * words, words),
                size: [height, width, channels],
                by: [moved(0), moved(1)],
                mirrored: moved(2) != 0,
                affine: this.affine.floats(0, 2 * channels),
                out: this.out.floats_mut(i * len, len),
            });
        });
    }
}

/// One image.
struct Image<'a> {
    words: &'a [u32],
    size: [usize; 3],
    by: [i32; 2],
    mirrored: bool,
    affine: &'a [f32],
    out: &'a mut [f32],
}

impl Vectorize for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let [height, width, channels] = self.size;
        if self.by == [0, 0] && !self.mirrored {
            return normalize(self.words, 0, self.affine, self.out);
        }
        let [dy, dx] = self.by.map(|d| d as isize);
        // The columns of the unmirrored result whose pixels are inside, and their first in the image.
        let first = dx.max(0).min(width as isize) as usize;
        let count = (width as isize - dx.abs()).max(0) as usize;
        let start = (-dx).clamp(0, width as isize) as usize;
        let start = if self.mirrored { width - start - count } else { start };
        for (y, out) in self.out.chunks_exact_mut(width * channels).enumerate() {
            let row = usize::try_from(y as isize + dy).ok().filter(|row| *row < height);
            let Some(row) = row.filter(|_| count > 0) else {
                out.fill(0.0);
                continue;
            };
            let (left, rest) = out.split_at_mut(start * channels);
            let (run, right) = rest.split_at_mut(count * channels);
            left.fill(0.0);
            right.fill(0.0);
            normalize(self.words, (row * width + first) * channels, self.affine, run);
            if self.mirrored {
                mirror(run, channels);
            }
        }
    }
}

/// Normalises the pixels from number `start`, a multiple of the channels, on.
#[inline(always)]
fn normalize(words: &[u32], start: usize, affine: &[f32], out: &mut [f32]) {
    let (scale, shift) = affine.split_at(affine.len() / 2);
    if cfg!(target_endian = "big") {
        for (i, o) in out.iter_mut().enumerate() {
            let (at, c) = (start + i, i % scale.len());
            *o = f32::from(words[at / 4].to_le_bytes()[at % 4]) * scale[c] + shift[c];
        }
        return;
    }
    let pixels: &[u8] = &bytemuck::cast_slice(words)[start..start + out.len()];
    // The usual channel counts as constants, so that the compiler unrolls the inner loop.
    match (scale, shift) {
        (&[scale], &[shift]) => {
            out.iter_mut().zip(pixels).for_each(|(o, &p)| *o = f32::from(p) * scale + shift);
        }
        (&[r, g, b], &[sr, sg, sb]) => {
            let (scale, shift) = ([r, g, b], [sr, sg, sb]);
            for (o, p) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels.as_chunks::<3>().0) {
                *o = std::array::from_fn(|c| f32::from(p[c]) * scale[c] + shift[c]);
            }
        }
        _ => {
            let channels = scale.iter().zip(shift).cycle();
            for ((o, &p), (scale, shift)) in out.iter_mut().zip(pixels).zip(channels) {
                *o = f32::from(p) * scale + shift;
            }
        }
    }
}

/// Brings pixels of `channels` floats into the opposite order.
#[inline(always)]
fn mirror(row: &mut [f32], channels: usize) {
    if channels == 1 {
        return row.reverse();
    }
    let half = row.len() / channels / 2 * channels;
    let (front, back) = row.split_at_mut(row.len() - half);
    for (a, b) in front.chunks_exact_mut(channels).zip(back.chunks_exact_mut(channels).rev()) {
        a.swap_with_slice(b);
    }
}
