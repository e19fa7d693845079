//! Images of packed pixels, one number at a time.

use super::value::{Value, build};

/// Operands: pixels, index, moves, affine; the contract stands at `Graph::load_images`.
pub(super) fn load(operands: &[Value<'_>], shape: &[usize]) -> Vec<f64> {
    let [pixels, index, moves, affine] = [0, 1, 2, 3].map(|i| operands[i]);
    let (height, width, channels) = (shape[1], shape[2], shape[3]);
    build(shape, |at| {
        let [n, y, x, c] = [at[0], at[1], at[2], at[3]];
        let moved = |i: usize| moves.data[3 * n + i] as i64;
        let column = if moved(2) == 0 { x } else { width - 1 - x };
        let (row, column) = (y as i64 + moved(0), column as i64 + moved(1));
        if !(0..height as i64).contains(&row) || !(0..width as i64).contains(&column) {
            return 0.0;
        }
        let image = (index.data[n].max(0.0) as usize).min(pixels.shape[0] - 1);
        let place = (row as usize * width + column as usize) * channels + c;
        let word = pixels.data[image * pixels.shape[1] + place / 4] as u32;
        f64::from(word.to_le_bytes()[place % 4]) * affine.data[c] + affine.data[channels + c]
    })
}
