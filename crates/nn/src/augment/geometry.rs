//! Matrices from places of the result, (row, column, 1), to places of the image. `a.then(b)` is the change `a` of the image followed by `b`: the
//! place in the result goes through `b` first.

use chiaro_graph::PLACE_ONE;

/// A projective map of places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix([[f64; 3]; 3]);

impl Matrix {
    pub const IDENTITY: Matrix = Matrix([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    pub fn then(self, next: Matrix) -> Matrix {
        let entry = |i: usize, j: usize| (0..3).map(|k| self.0[i][k] * next.0[k][j]).sum();
        Matrix(std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))))
    }

    /// As `Graph::sample_images` takes it.
    pub fn fixed(self) -> [i32; 9] {
        let whole = self.0[2][2];
        // What a perspective moved behind the viewer stays there: only what is in front is brought to the usual scale.
        let one = f64::from(PLACE_ONE) / if whole > 1e-3 { whole } else { 1.0 };
        std::array::from_fn(|i| (self.0[i / 3][i % 3] * one).round() as i32)
    }

    /// Where a row and column of the result are taken from.
    #[cfg(test)]
    pub fn at(self, [row, column]: [f64; 2]) -> [f64; 2] {
        let [u, v, w] = [0, 1, 2].map(|i| self.0[i][0] * row + self.0[i][1] * column + self.0[i][2]);
        [u / w, v / w]
    }

    /// Down and to the right by so many pixels of the image.
    pub fn shift(rows: f64, columns: f64) -> Matrix {
        Matrix([[1.0, 0.0, rows], [0.0, 1.0, columns], [0.0, 0.0, 1.0]])
    }

    /// Mirrored in rows, in columns.
    pub fn flips([h, w]: [usize; 2], [rows, columns]: [bool; 2]) -> Matrix {
        let of = |mirrored: bool, n: usize| if mirrored { (-1.0, n as f64 - 1.0) } else { (1.0, 0.0) };
        let ((down, top), (across, left)) = (of(rows, h), of(columns, w));
        Matrix([[down, 0.0, top], [0.0, across, left], [0.0, 0.0, 1.0]])
    }

    /// A part of the image stretched to its whole size: at least `least` of its area, the aspect up to 4/3 of the image's either way.
    pub fn resized_crop([h, w]: [usize; 2], least: f64, [area, aspect, down, across]: [f64; 4]) -> Matrix {
        let area = least + (1.0 - least) * area;
        let aspect = ((2.0 * aspect - 1.0) * (4.0f64 / 3.0).ln()).exp();
        let share = [area * aspect, area / aspect].map(|s| s.sqrt().min(1.0));
        let from = |n: usize, share: f64, u: f64| u * (1.0 - share) * n as f64;
        Matrix::part(share, [from(h, share[0], down), from(w, share[1], across)])
    }

    /// The part of these shares of the sides that begins at this edge, stretched to the whole.
    pub fn part([tall, wide]: [f64; 2], [top, left]: [f64; 2]) -> Matrix {
        // Middles of pixels are half a pixel from their edges.
        let along = |share: f64, from: f64| from + 0.5 * share - 0.5;
        Matrix([[tall, 0.0, along(tall, top)], [0.0, wide, along(wide, left)], [0.0, 0.0, 1.0]])
    }

    /// Turned and sheared around the middle, in degrees, then moved by shares of the sides.
    pub fn affine([h, w]: [usize; 2], turn: f64, shear: [f64; 2], translate: [f64; 2]) -> Matrix {
        let middle = [h, w].map(|n| (n as f64 - 1.0) / 2.0);
        let (sin, cos) = turn.to_radians().sin_cos();
        let [down, across] = shear.map(|s| s.to_radians().tan());
        let turned = Matrix([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]]);
        let sheared = Matrix([[1.0, down, 0.0], [across, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        let moved = Matrix::shift(-translate[0] * h as f64, -translate[1] * w as f64);
        let around = Matrix::shift(middle[0], middle[1]).then(sheared).then(turned);
        around.then(Matrix::shift(-middle[0], -middle[1])).then(moved)
    }

    /// The corners moved inwards by up to `by` of half the sides; eight random numbers.
    pub fn perspective(size: [usize; 2], by: f64, inwards: &[f64]) -> Matrix {
        let toward = |at: f64, end: f64, u: f64| if at == 0.0 { u * by * end / 2.0 } else { end - u * by * end / 2.0 };
        let [bottom, right] = size.map(|n| n as f64 - 1.0);
        let corners = corners(size);
        Matrix::moved_corners(
            size,
            std::array::from_fn(|i| {
                [toward(corners[i][0], bottom, inwards[2 * i]), toward(corners[i][1], right, inwards[2 * i + 1])]
            }),
        )
    }

    /// The corners (upper left, upper right, lower left, lower right) moved to these rows and columns.
    pub fn moved_corners(size: [usize; 2], moved: [[f64; 2]; 4]) -> Matrix {
        let mut equations = [[0.0; 9]; 8];
        for (i, ([row, column], [y, x])) in corners(size).into_iter().zip(moved).enumerate() {
            // The moved corner (y, x) of the result shows the image's corner.
            equations[2 * i] = [y, x, 1.0, 0.0, 0.0, 0.0, -row * y, -row * x, row];
            equations[2 * i + 1] = [0.0, 0.0, 0.0, y, x, 1.0, -column * y, -column * x, column];
        }
        match solved(equations) {
            Some(m) => Matrix([[m[0], m[1], m[2]], [m[3], m[4], m[5]], [m[6], m[7], 1.0]]),
            None => Matrix::IDENTITY,
        }
    }
}

/// Middles of the pixels in the corners.
fn corners([h, w]: [usize; 2]) -> [[f64; 2]; 4] {
    let (bottom, right) = (h as f64 - 1.0, w as f64 - 1.0);
    [[0.0, 0.0], [0.0, right], [bottom, 0.0], [bottom, right]]
}

/// Gaussian elimination with row pivots; `None` if the equations have no one solution.
fn solved(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for i in 0..8 {
        let pivot = (i..8).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
        rows.swap(i, pivot);
        if rows[i][i].abs() < 1e-12 {
            return None;
        }
        let pivot = rows[i].map(|v| v / rows[i][i]);
        rows[i] = pivot;
        for (_, row) in rows.iter_mut().enumerate().filter(|(k, _)| *k != i) {
            let factor = row[i];
            row.iter_mut().zip(pivot).for_each(|(v, p)| *v -= factor * p);
        }
    }
    Some(rows.map(|row| row[8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(m: Matrix, row: f64, column: f64) -> [f64; 2] {
        m.at([row, column])
    }

    fn near(a: [f64; 2], b: [f64; 2]) {
        assert!((a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9, "{a:?} {b:?}");
    }

    #[test]
    fn a_quarter_turn_brings_the_right_edge_to_the_top_and_shears_and_shifts_are_as_said() {
        let turned = Matrix::affine([9, 9], 90.0, [0.0; 2], [0.0; 2]);
        // The image turns against the clock: its right middle shows at the top.
        near(place(turned, 0.0, 4.0), [4.0, 8.0]);
        let sheared = Matrix::affine([9, 9], 0.0, [45.0, 0.0], [0.0; 2]);
        near(place(sheared, 4.0, 6.0), [6.0, 6.0]);
        near(place(Matrix::affine([10, 20], 0.0, [0.0; 2], [0.1, -0.25]), 5.0, 5.0), [4.0, 10.0]);
    }

    #[test]
    fn a_crop_stretches_its_part_to_the_whole_and_the_least_share_is_kept() {
        let whole = Matrix::resized_crop([10, 20], 1.0, [0.3, 0.5, 0.7, 0.1]);
        near(place(whole, 0.0, 0.0), [0.0, 0.0]);
        let quarter = Matrix::resized_crop([10, 20], 0.25, [0.0, 0.5, 0.0, 1.0 - 1e-15]);
        // The upper right quarter: its outer edges are those of the image.
        near(place(quarter, -0.5, 19.5), [-0.5, 19.5]);
        near(place(quarter, 9.5, -0.5), [4.5, 9.5]);
    }

    #[test]
    fn corners_in_perspective_show_where_they_were_moved_to() {
        let m = Matrix::perspective([11, 21], 0.5, &[1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.2, 0.4]);
        near(place(m, 2.5, 2.5), [0.0, 0.0]);
        near(place(m, 0.0, 20.0), [0.0, 20.0]);
        near(place(m, 10.0 - 0.5, 20.0 - 2.0), [10.0, 20.0]);
    }

    #[test]
    fn changes_follow_one_another_in_the_order_of_then() {
        let size = [8, 8];
        let m = Matrix::shift(1.0, 2.0).then(Matrix::flips(size, [false, true]));
        // First shifted, then mirrored: the rightmost column shows what the shift brought to the leftmost.
        near(place(m, 0.0, 7.0), [1.0, 2.0]);
        assert_eq!(Matrix::IDENTITY.fixed(), [65536, 0, 0, 0, 65536, 0, 0, 0, 65536]);
    }
}
