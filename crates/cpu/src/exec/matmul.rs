//! Matrix products over batches that broadcast.

use super::epilogue::StepEpilogue;
use super::operands::Operands;
use super::{Action, ExecContext};
use crate::kernels::{MatmulShape, matmul};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::MatMulShape;

/// A product of matrices with its epilogue.
pub(crate) struct MatMul {
    /// The innermost batch axis; the calls below cover the others.
    shape: MatmulShape,
    /// First elements of a and b of each call.
    calls: Vec<[usize; 2]>,
    a: MemoryRegion,
    b: MemoryRegion,
    ending: StepEpilogue,
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
        MatMul { shape, calls, a, b, ending }
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
            self.ending.finish(context, i * rows, |context, epilogue| {
                matmul(context.workspace, &self.shape, a, b, c, epilogue);
            });
        }
        self.ending.after(context);
    }
}
