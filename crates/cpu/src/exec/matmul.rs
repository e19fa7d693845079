//! Matrix products over batches that broadcast.

use super::epilogue::StepEpilogue;
use super::operands::Operands;
use super::{Action, Builder, ExecContext};
use crate::kernels::{MatmulShape, NoEpilogue, PackedMatrix, RightOperand, matmul};
use crate::raw::memory::{Block, MemoryRegion};
use chiaro_graph::plan::MatMulShape;
use rayon::prelude::*;
use std::sync::Arc;

/// Bytes of weights that are worth a second copy in the order of the kernels.
const COPIED: usize = 1 << 26;

/// A product of matrices with its epilogue.
pub(crate) struct MatMul {
    /// The innermost batch axis; the calls below cover the others.
    shape: MatmulShape,
    /// First elements of a and b of each call.
    calls: Vec<[usize; 2]>,
    a: MemoryRegion,
    b: MemoryRegion,
    kept: Option<Kept>,
    turned: Option<Turned>,
    ending: StepEpilogue,
}

/// The product of few rows with weights, turned over: the weights are read where they lie, and the rows, which are fewer, are packed.
struct Turned {
    rows: PackedMatrix,
    /// The result, turned over.
    sums: MemoryRegion,
}

/// Terms from which on packing weights costs more than turning the result.
const LONG: usize = 1024;

impl Turned {
    fn new(shape: &MatmulShape, builder: &mut Builder) -> Option<Turned> {
        let pays = 2 * shape.m <= shape.n && shape.k >= LONG;
        pays.then(|| Turned { rows: PackedMatrix::new(), sums: builder.allocate(4 * shape.m * shape.n) })
    }

    /// `c = a * b`, where b is stored `[N, K]`: the same sums in the same order as of the plain product.
    fn run(&mut self, context: &mut ExecContext<'_>, shape: &MatmulShape, [a, b]: [&[f32]; 2], c: &mut [f32]) {
        let MatmulShape { m, n, .. } = *shape;
        let turned = MatmulShape { m: n, n: m, ..*shape };
        self.rows.pack(context.workspace, &turned, a);
        let sums = self.sums.all_mut();
        matmul(context.workspace, &turned, b, RightOperand::Packed(&self.rows), sums, &NoEpilogue);
        c.par_chunks_mut(n).enumerate().for_each(|(row, c)| {
            c.iter_mut().zip(sums[row..].iter().step_by(m)).for_each(|(c, sum)| *c = *sum);
        });
    }
}

/// Weights that may stay the same from run to run.
struct Kept {
    block: Arc<Block>,
    packed: PackedMatrix,
    /// Versions of the block when they were seen and packed.
    seen: u64,
    version: u64,
}

impl Kept {
    /// The packed weights, if they are those of the run before: what changes every step is not worth packing as a whole.
    fn packed(&mut self, context: &ExecContext<'_>, shape: &MatmulShape, b: &[f32]) -> Option<&PackedMatrix> {
        let version = self.block.version();
        let unchanged = version != 0 && version == self.seen;
        self.seen = version;
        if unchanged && version != self.version {
            self.packed.pack(context.workspace, shape, b);
            self.version = version;
        }
        unchanged.then_some(&self.packed)
    }
}

impl MatMul {
    pub fn new(shape: &MatMulShape, o: &mut Operands<'_>) -> MatMul {
        let axes = merged(shape);
        let (last, outer) = axes.split_last().map_or(([1, 0, 0], &[][..]), |(l, o)| (*l, o));
        let mut calls = vec![[0, 0]];
        for &[n, a, b] in outer {
            calls = calls.iter().flat_map(|&[x, y]| (0..n).map(move |i| [x + i * a, y + i * b])).collect();
        }
        let rows = calls.len() * last[0] * shape.m;
        let (a, b) = (o.input(0), o.input(1));
        let ending = StepEpilogue::new(&o.step.program, &o.bounds, rows, shape.n, o.builder);
        let shape = MatmulShape {
            m: shape.m,
            n: shape.n,
            k: shape.k,
            a_transposed: shape.ta,
            b_transposed: shape.tb,
            batch: last[0],
            a_stride: last[1],
            b_stride: last[2],
        };
        let one = shape.batch == 1 && calls.len() == 1 && shape.b_transposed && !shape.a_transposed;
        let kept = o.lasting(1).filter(|_| one && 4 * shape.n * shape.k <= COPIED);
        let kept = kept.map(|block| Kept { block, packed: PackedMatrix::new(), seen: 0, version: 0 });
        let turned = if one { Turned::new(&shape, o.builder) } else { None };
        MatMul { shape, calls, a, b, kept, turned, ending }
    }
}

/// Batch axes as `[extent, stride of a, stride of b]`, neighbours merged where both operands allow it.
fn merged(shape: &MatMulShape) -> Vec<[usize; 3]> {
    let mut axes: Vec<[usize; 3]> = vec![];
    for (i, &n) in shape.batch.iter().enumerate() {
        let (a, b) = (shape.a_strides[i], shape.b_strides[i]);
        match axes.last_mut() {
            _ if n == 1 => {}
            Some(above) if above[1] == a * n && above[2] == b * n => *above = [above[0] * n, a, b],
            _ => axes.push([n, a, b]),
        }
    }
    axes
}

impl Action for MatMul {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let rows = self.shape.batch * self.shape.m;
        for (i, &[a, b]) in self.calls.iter().enumerate() {
            let c = self.ending.out.floats_mut(i * rows * self.shape.n, rows * self.shape.n);
            let (a, b) = (&self.a.all()[a..], &self.b.all()[b..]);
            let packed = self.kept.as_mut().and_then(|kept| kept.packed(context, &self.shape, b));
            if let (None, Some(turned)) = (packed, &mut self.turned) {
                self.ending.finish(context, i * rows, |context, epilogue| {
                    turned.run(context, &self.shape, [a, b], c);
                    epilogue.apply(0, self.shape.m, 0, self.shape.n, c, self.shape.n);
                });
                continue;
            }
            let b = packed.map_or(RightOperand::Plain(b), RightOperand::Packed);
            self.ending.finish(context, i * rows, |context, epilogue| {
                matmul(context.workspace, &self.shape, a, b, c, epilogue);
            });
        }
        self.ending.after(context);
    }
}
