//! Matrix products over batches that broadcast.

use super::epilogue::StepEpilogue;
use super::operands::Operands;
use super::{Action, ExecContext};
use crate::kernels::{MatmulShape, PackedMatrix, RightOperand, matmul};
use crate::raw::memory::{Block, MemoryRegion};
use chiaro_graph::plan::MatMulShape;
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
    ending: StepEpilogue,
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
        MatMul { shape, calls, a, b, kept, ending }
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
            let b = match self.kept.as_mut().and_then(|kept| kept.packed(context, &self.shape, b)) {
                Some(packed) => RightOperand::Packed(packed),
                None => RightOperand::Plain(b),
            };
            self.ending.finish(context, i * rows, |context, epilogue| {
                matmul(context.workspace, &self.shape, a, b, c, epilogue);
            });
        }
        self.ending.after(context);
    }
}
