//! Matrix products of any transposition, batched, with an epilogue.
//! Rows of A that are contiguous in k go to the row kernel, columns to the outer-product kernel; B is read in place or packed.

use super::transpose::transpose_rows;
use super::workspace::{Aligned, ScratchArena, scratch};
use super::{ColumnEnding, EPILOGUE, Epilogue, PackedMatrix, Workspace, finish, row_tiles};
use crate::raw::simd::{Kernels, MAX_MR, Outer, PAD, Panel, Pick, Rows, TilePlace};
use crate::raw::tile::{Output, OutputTile, Splits};
use std::ops::Range;

/// Sizes of `C[M, N] = op(A)[M, K] * op(B)[K, N]`, repeated over a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatmulShape {
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// A is stored `[K, M]`.
    pub a_transposed: bool,
    /// B is stored `[N, K]`.
    pub b_transposed: bool,
    /// Number of products. C is `[batch, M, N]`.
    pub batch: usize,
    /// Floats between the As of neighbouring products; 0 repeats one.
    pub a_stride: usize,
    /// Floats between the Bs of neighbouring products; 0 repeats one.
    pub b_stride: usize,
}

impl MatmulShape {
    /// One product of plain matrices.
    #[must_use]
    pub fn new(m: usize, n: usize, k: usize) -> Self {
        Self { m, n, k, a_transposed: false, b_transposed: false, batch: 1, a_stride: 0, b_stride: 0 }
    }

    /// Multiplications and additions.
    #[must_use]
    pub fn flops(&self) -> u64 {
        2 * (self.batch * self.m * self.n) as u64 * self.k as u64
    }
}

/// The right operand of a product.
#[derive(Clone, Copy)]
pub enum RightOperand<'a> {
    /// As the shape says that it is stored.
    Plain(&'a [f32]),
    /// One matrix, stored `[N, K]`, packed before.
    Packed(&'a PackedMatrix),
}

/// Floats up to which an operand is used where it lies; the rows of a larger one would fall into few cache sets.
const IN_PLACE: usize = 1 << 13; // measured: benches/kernels.rs

/// `C = op(A) * op(B)`; C is overwritten, then `epilogue` sees it as rows of N floats, `batch * M` of them.
pub fn matmul<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    shape: &MatmulShape,
    a: &[f32],
    b: RightOperand,
    c: &mut [f32],
    epilogue: &E,
) {
    let MatmulShape { m, n, k, batch, .. } = *shape;
    assert_eq!(c.len(), batch * m * n);
    let last = |stride: usize| batch.saturating_sub(1) * stride;
    assert!(c.is_empty() || a.len() >= last(shape.a_stride) + m * k);
    assert!(a.len() < PAD as usize);
    match b {
        RightOperand::Plain(b) => {
            assert!((c.is_empty() || b.len() >= last(shape.b_stride) + k * n) && b.len() < PAD as usize);
        }
        RightOperand::Packed(b) => assert!(b.suits(shape, workspace.kernels().nr())),
    }
    if c.is_empty() {
        return;
    }
    workspace.prepare(k);
    let kernels = workspace.kernels();
    let share = workspace as &Workspace;
    let mut output = Output::matrix(c, batch * m, n, n);
    let (rows, cols) = splits(kernels, shape, matches!(b, RightOperand::Packed(_)));
    let ending = epilogue.columns().filter(|_| !shape.a_transposed);
    output.for_each(&rows, &cols, |mut tile| {
        let product = tile.row_range().start / m;
        let a = &a[product * shape.a_stride..][..m * k];
        let b = match b {
            RightOperand::Plain(b) => RightOperand::Plain(&b[product * shape.b_stride..][..k * n]),
            RightOperand::Packed(_) => b,
        };
        let mut arena = share.arena();
        let task = Task { workspace: share, shape, a, b, first_row: product * m, ending: ending.as_ref() };
        task.run(&mut arena, &mut tile, epilogue);
    });
}

/// Bytes of packed columns that a task of all columns may walk again and again: they should stay in L2.
const PANEL_BYTES: usize = 1 << 20; // that of the convolutions

/// Row and column ranges of the tasks: some for each thread.
fn splits(kernels: Kernels, shape: &MatmulShape, packed: bool) -> (Splits, Splits) {
    const LEAST: usize = 1 << 18;
    let tasks = (4 * rayon::current_num_threads()).min(shape.flops() as usize / LEAST).div_ceil(shape.batch);
    let panels = shape.n.div_ceil(kernels.nr());
    let row_tiles = shape.m.div_ceil(kernels.mr());
    // Every row range packs or streams its own columns of B again: columns are split first. Packed ones are only read, and
    // tasks of whole rows write without gaps, if there are enough of them.
    let bytes = shape.k * shape.n * size_of::<f32>();
    let col_parts = match packed && row_tiles >= 2 * tasks {
        true => bytes.div_ceil(PANEL_BYTES).min(tasks),
        false => tasks,
    };
    let col_parts = col_parts.clamp(1, panels);
    let row_parts = tasks.div_ceil(col_parts).clamp(1, row_tiles);
    (
        Splits::sections(shape.batch * shape.m, shape.batch, kernels.mr(), row_parts),
        Splits::new(shape.n, kernels.nr(), col_parts),
    )
}

/// One product, of which each tile is a task.
struct Task<'a> {
    workspace: &'a Workspace,
    shape: &'a MatmulShape,
    a: &'a [f32],
    b: RightOperand<'a>,
    /// The row of C that the product's first is.
    first_row: usize,
    /// What the micro-kernels do to their sums; the epilogue is then not called.
    ending: Option<&'a ColumnEnding<'a>>,
}

impl Task<'_> {
    fn run<E: Epilogue + ?Sized>(&self, arena: &mut ScratchArena, tile: &mut OutputTile, epilogue: &E) {
        let kernels = self.workspace.kernels();
        let cols = tile.col_range();
        let ScratchArena { offsets, taps, floats, more, .. } = arena;
        let mut a_packed =
            (self.shape.a_transposed && self.a.len() > IN_PLACE).then(|| more.grow(self.shape.k * MAX_MR));
        let group = group_width(kernels, self.shape, cols.len());
        for col in cols.clone().step_by(group) {
            let group = col..(col + group).min(cols.end);
            let last = group.end == cols.end;
            let panels = Panels::new(kernels, self.shape, self.b, group, floats);
            if self.shape.a_transposed {
                self.outer(&panels, [offsets, taps], a_packed.as_deref_mut(), tile);
            } else {
                self.rows(&panels, scratch(offsets, kernels.mr()), tile, last.then_some(epilogue));
            }
        }
        if self.shape.a_transposed {
            let rows = tile.row_range();
            row_tiles(rows, kernels.mr()).for_each(|(row, mr)| finish(tile, row, mr, self.shape.n, epilogue));
        }
    }

    /// Products of rows of A. After the last columns the epilogue follows while the rows are in cache.
    fn rows<E: Epilogue + ?Sized>(
        &self,
        panels: &Panels,
        a_list: &mut [u32],
        tile: &mut OutputTile,
        epilogue: Option<&E>,
    ) {
        let Self { workspace, shape, first_row, ending, .. } = *self;
        let kernels = workspace.kernels();
        let (rows, cols) = (tile.row_range(), tile.col_range().len());
        let mut finished = rows.start;
        for (row, mr) in row_tiles(rows.clone(), kernels.mr()) {
            for (r, offset) in a_list[..mr].iter_mut().enumerate() {
                *offset = ((row - first_row + r) * shape.k) as u32;
            }
            let a = Rows::new(self.a, workspace.zeros(), &a_list[..mr], &[0], shape.k);
            for ((col, cols), b) in panels.iter() {
                let place = TilePlace { row, rows: mr, col, cols };
                kernels.rows(&a, Panel { b, step: panels.step }, tile, place, ending);
            }
            let ready = row + mr - finished;
            if let (None, Some(epilogue)) = (ending, epilogue)
                && (ready * cols >= EPILOGUE || row + mr == rows.end)
            {
                finish(tile, finished, ready, shape.n, epilogue);
                finished = row + mr;
            }
        }
    }

    /// Products of columns of A, packed a few at a time if there is room for them.
    fn outer(
        &self,
        panels: &Panels,
        [offsets, taps]: [&mut Vec<u32>; 2],
        mut a_packed: Option<&mut [f32]>,
        tile: &mut OutputTile,
    ) {
        let Self { shape, first_row, .. } = *self;
        let kernels = self.workspace.kernels();
        let a_step = if a_packed.is_some() { MAX_MR } else { shape.m };
        let (a_list, b_list) = (scratch(offsets, shape.k), scratch(taps, shape.k));
        for (k, (a, b)) in a_list.iter_mut().zip(b_list.iter_mut()).enumerate() {
            (*a, *b) = ((k * a_step) as u32, (k * panels.step) as u32);
        }
        for (row, mr) in row_tiles(tile.row_range(), kernels.mr()) {
            let (a, from) = match &mut a_packed {
                Some(packed) => {
                    pack_columns(self.a, shape.m, row - first_row, mr, packed);
                    (&packed[..], 0)
                }
                None => (self.a, row - first_row),
            };
            for ((col, cols), b) in panels.iter() {
                let place = TilePlace { row, rows: mr, col, cols };
                kernels.outer(&Outer::new(a, a_list, b, b_list), Pick::From(from), 0, tile, place, false);
            }
        }
    }
}

/// `data[panel][k][..nr] = b[k][panel columns]`, row by row of B so that long runs are read.
fn pack_rows(b: &[f32], n: usize, cols: Range<usize>, nr: usize, data: &mut [f32]) {
    fn fixed<const N: usize>(from: &[f32], to: &mut [f32]) {
        to[..N].copy_from_slice(&from[..N]);
    }
    let depth = b.len() / n;
    for (k, row) in b.chunks_exact(n).enumerate() {
        for (i, from) in row[cols.clone()].chunks(nr).enumerate() {
            let to = &mut data[(i * depth + k) * nr..][..nr];
            // Copies of a fixed length are a few moves instead of a call.
            match from.len() {
                32 => fixed::<32>(from, to),
                16 if nr == 16 => fixed::<16>(from, to),
                8 if nr == 8 => fixed::<8>(from, to),
                len => {
                    to[..len].copy_from_slice(from);
                    to[len..].fill(0.0);
                }
            }
        }
    }
}

/// `packed[k][..MAX_MR] = a[k][row..row + rows]` of a transposed A.
fn pack_columns(a: &[f32], m: usize, row: usize, rows: usize, packed: &mut [f32]) {
    let pairs = packed.chunks_exact_mut(MAX_MR).zip(a.chunks_exact(m));
    if row + MAX_MR <= m {
        pairs.for_each(|(to, from)| to.copy_from_slice(&from[row..row + MAX_MR]));
    } else {
        pairs.for_each(|(to, from)| to[..rows].copy_from_slice(&from[row..row + rows]));
    }
}

/// Columns that are packed at once: they should stay in L2 while all rows pass over them.
fn group_width(kernels: Kernels, shape: &MatmulShape, cols: usize) -> usize {
    const BYTES: usize = 1 << 20;
    let panel = shape.k * kernels.nr() * size_of::<f32>();
    kernels.nr() * (BYTES / panel.max(1)).clamp(1, cols.div_ceil(kernels.nr()))
}

/// The columns of op(B) in `cols`, in panels: packed, or where they lie.
struct Panels<'a> {
    data: &'a [f32],
    cols: Range<usize>,
    nr: usize,
    depth: usize,
    /// Floats between rows of a full panel.
    step: usize,
    packed: bool,
}

impl<'a> Panels<'a> {
    fn new(
        kernels: Kernels,
        shape: &MatmulShape,
        b: RightOperand<'a>,
        cols: Range<usize>,
        buffer: &'a mut Aligned,
    ) -> Self {
        let (nr, lanes, depth) = (kernels.nr(), kernels.lanes(), shape.k);
        let b = match b {
            RightOperand::Plain(b) => b,
            RightOperand::Packed(b) => {
                let data = &b.data()[cols.start * depth..cols.end.next_multiple_of(nr) * depth];
                return Self { data, cols, nr, depth, step: nr, packed: true };
            }
        };
        let partial = !cols.len().is_multiple_of(lanes);
        let packed =
            depth > 0 && (shape.b_transposed || depth * shape.n > IN_PLACE || (partial && !shape.a_transposed));
        let data = if packed {
            let data = buffer.grow(cols.len().next_multiple_of(nr) * depth);
            if shape.b_transposed {
                for (i, panel) in data.chunks_exact_mut(nr * depth).enumerate() {
                    let from = cols.start + i * nr;
                    let width = nr.min(cols.end - from);
                    let b = &b[from * depth..(from + width) * depth];
                    transpose_rows(kernels.level(), b, depth, 0..depth, width, panel);
                }
            } else {
                pack_rows(&b[..shape.n * depth], shape.n, cols.clone(), nr, data);
            }
            &*data
        } else {
            b
        };
        Self { data, cols, nr, depth, step: if packed { nr } else { shape.n }, packed }
    }

    /// First column, number of columns and floats of each panel.
    fn iter(&self) -> impl Iterator<Item = ((usize, usize), &[f32])> {
        self.cols.clone().step_by(self.nr).map(|col| {
            let at = if self.packed { (col - self.cols.start) * self.depth } else { col };
            let width = self.nr.min(self.cols.end - col);
            ((col, width), &self.data[at.min(self.data.len())..])
        })
    }
}
