//! Products of matrices.

use chiaro_graph::plan::{MatMulShape, Step};
use chiaro_shaders::kernels::{MatMul, MatOperand};
use chiaro_shaders::{ShaderError, Tile};

use super::{Dispatch, Variants, columns, composed, extent, input_elem, output_elem, split};

pub(super) fn dispatches(step: &Step, shape: &MatMulShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let batch = merged_batch(shape);
    let all = batch.iter().map(|b| b.0).product();
    let [outer, inner] = match batch[..] {
        [] => [(1, 0, 0), (1, 0, 0)],
        [one] => [(1, 0, 0), one],
        [outer, inner] => [outer, inner],
        // The strides of these axes are put in below; those here tell how vectors are aligned.
        _ => [(1, 0, 0), (all, gcd(batch.iter().map(|b| b.1)), gcd(batch.iter().map(|b| b.2)))],
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
        columns: columns::of(step),
    };
    let (tile, wanted) = split(shape, step.columns.is_some(), variants);
    let parts = product.parts(&tile, wanted);
    let mut kernel = product.kernel(&tile, parts)?;
    if batch.len() > 2 {
        let a = with_batch("fn a_row(z: u32, m: u32) -> ARow", "ARow", "min(m, A_LAST) * A_M", "A", &batch, |b| b.1);
        let b =
            with_batch("fn b_column(z: u32, n: u32) -> BColumn", "BColumn", "min(n, B_LAST) * B_N", "B", &batch, |b| {
                b.2
            });
        kernel = kernel.map_source(|source| source.replace_fn("a_row", &a).replace_fn("b_column", &b));
    }
    if parts > 1 {
        return split::dispatches(step, kernel, parts, extent(all * shape.m * shape.n)?);
    }
    columns::with_merge(step, composed(step, kernel)?, variants)
}

/// The tile of a product of which columns are reduced or not.
pub(super) fn tile(shape: &MatMulShape, reduces: bool, variants: &Variants) -> Tile {
    split(shape, reduces, variants).0
}

/// f32 elements of scratch of a product whose terms are summed in parts.
pub(super) fn scratch(shape: &MatMulShape, variants: &Variants) -> usize {
    match split(shape, false, variants).1 {
        1 => 0,
        parts => parts as usize * shape.batch.iter().product::<usize>() * shape.m * shape.n,
    }
}

/// The tile, and the parts in which terms are summed: more than one where the tiles of the result alone do not fill the device,
/// and at most as many as without any choice, since scratch is planned so.
fn split(shape: &MatMulShape, reduces: bool, variants: &Variants) -> (Tile, u32) {
    let product = shape.product();
    let parts = |variants: &Variants| if reduces { 1 } else { variants.product_parts(product) as u32 };
    match parts(variants).min(parts(&variants.plain())) {
        1 => (variants.tile(product), 1),
        parts => (split::tile(product, variants).0, parts),
    }
}

type BatchAxis = (usize, usize, usize);

/// The function that finds the first element of a row or column, for any number of batch axes.
fn with_batch(
    head: &str,
    result: &str,
    within: &str,
    operand: &str,
    batch: &[BatchAxis],
    stride: fn(&BatchAxis) -> usize,
) -> String {
    let mut inner = 1;
    let mut terms = vec![];
    for axis in batch.iter().rev() {
        terms.push(format!("z / PARTS / {inner}u % {}u * {}u", axis.0, stride(axis)));
        inner *= axis.0;
    }
    format!("{head} {{\n    return {result}(({} + {within}) / {operand}_WIDTH);\n}}\n", terms.join(" + "))
}

/// The greatest common divisor of all numbers; 0 if all are 0.
fn gcd(numbers: impl Iterator<Item = usize>) -> usize {
    numbers.fold(0, |mut a, mut b| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

/// The batch axes as (extent, stride of a, stride of b), without those of extent 1, neighbours merged where both operands
/// cross them in one stride.
fn merged_batch(shape: &MatMulShape) -> Vec<BatchAxis> {
    let mut merged: Vec<BatchAxis> = vec![];
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
