//! Products of matrices.

use chiaro_graph::plan::{MatMulShape, Step};
use chiaro_shaders::ShaderError;
use chiaro_shaders::kernels::{MatMul, MatOperand};

use super::{Dispatch, Variants, composed, extent, input_elem, output_elem, pointwise};

pub(super) fn dispatches(step: &Step, shape: &MatMulShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    if shape.k == 0 {
        // Sums of nothing: the epilogue alone, of zeros.
        return pointwise::dispatches(step);
    }
    let batch = merged_batch(shape);
    let [outer, inner] = match batch[..] {
        [] => [(1, 0, 0), (1, 0, 0)],
        [one] => [(1, 0, 0), one],
        [outer, inner] => [outer, inner],
        _ => return Err(ShaderError::Invalid(format!("{}: more than two batch axes that broadcast", step.label))),
    };
    let operand = |input: usize, transposed: bool, strides: [usize; 2]| {
        let batch_strides = [extent(strides[0])?, extent(strides[1])?];
        Ok(MatOperand { transposed, batch_strides, elem: input_elem(step, input)? })
    };
    let product = MatMul {
        batch: [extent(outer.0)?, extent(inner.0)?],
        m: extent(shape.m)?,
        n: extent(shape.n)?,
        k: extent(shape.k)?,
        a: operand(0, shape.ta, [outer.1, inner.1])?,
        b: operand(1, shape.tb, [outer.2, inner.2])?,
        out: output_elem(step),
    };
    let tile = variants.tile(shape.m, shape.n, outer.0 * inner.0);
    Ok(vec![composed(step, product.kernel(&tile)?)?])
}

/// The batch axes as (extent, stride of a, stride of b), without those of extent 1, neighbours merged where both operands
/// cross them in one stride.
fn merged_batch(shape: &MatMulShape) -> Vec<(usize, usize, usize)> {
    let mut merged: Vec<(usize, usize, usize)> = vec![];
    for ((&n, &a), &b) in shape.batch.iter().zip(&shape.a_strides).zip(&shape.b_strides) {
        match merged.last_mut() {
            _ if n == 1 => {}
            Some(last) if last.1 == a * n && last.2 == b * n => *last = (last.0 * n, a, b),
            _ => merged.push((n, a, b)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_axes_merge_where_no_operand_broadcasts_between_them() {
        let shape = |batch: &[usize], a: &[usize], b: &[usize]| MatMulShape {
            batch: batch.to_vec(),
            a_strides: a.to_vec(),
            b_strides: b.to_vec(),
            m: 2,
            n: 2,
            k: 2,
            ta: false,
            tb: false,
        };
        assert_eq!(merged_batch(&shape(&[3, 4, 5], &[80, 20, 4], &[0, 0, 0])), [(60, 4, 0)]);
        assert_eq!(merged_batch(&shape(&[3, 1, 5], &[20, 0, 4], &[0, 0, 4])), [(3, 20, 0), (5, 4, 4)]);
        assert_eq!(merged_batch(&shape(&[1, 1], &[0, 0], &[0, 0])), []);
    }
}
