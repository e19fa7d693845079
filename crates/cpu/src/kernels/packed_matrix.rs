//! A right operand that stays the same from call to call, in the order in which the micro-kernels read it.

use super::transpose::transpose_rows;
use super::workspace::Aligned;
use super::{MatmulShape, Workspace};
use rayon::prelude::*;

/// Terms that a task packs: a matrix of few rows has one panel alone.
const TERMS: usize = 2048;

/// A matrix `[N, K]` in panels of columns of its transpose, each `[k][column]`. Packing again into the same value allocates nothing.
#[derive(Default)]
pub struct PackedMatrix {
    data: Aligned,
    /// Its extents, and the columns of a panel.
    extents: [usize; 3],
}

impl PackedMatrix {
    /// An empty value to pack into.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packs B of one product, which the shape says is stored `[N, K]`.
    pub fn pack(&mut self, workspace: &Workspace, shape: &MatmulShape, b: &[f32]) {
        let MatmulShape { n, k, .. } = *shape;
        let (nr, level) = (workspace.kernels().nr(), workspace.level());
        assert!(shape.b_transposed && shape.batch == 1 && b.len() >= n * k);
        self.extents = [n, k, nr];
        if k == 0 {
            return;
        }
        let data = self.data.grow(n.next_multiple_of(nr) * k);
        data.par_chunks_mut(nr * k).zip(b[..n * k].par_chunks(nr * k)).for_each(|(panel, rows)| {
            panel.par_chunks_mut(nr * TERMS).enumerate().for_each(|(i, part)| {
                let first = i * TERMS;
                transpose_rows(level, rows, k, first..first + part.len() / nr, rows.len() / k, part);
            });
        });
    }

    /// Whether this is B of a product in panels of `nr` columns.
    pub(super) fn suits(&self, shape: &MatmulShape, nr: usize) -> bool {
        shape.b_transposed && !shape.a_transposed && shape.batch == 1 && self.extents == [shape.n, shape.k, nr]
    }

    pub(super) fn data(&self) -> &[f32] {
        self.data.get()
    }
}
