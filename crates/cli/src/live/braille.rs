//! Curves in braille letters, each of which has two columns and four rows of dots.

/// The bit of each dot of a letter, by column and row.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
/// The letter without dots.
const EMPTY: u32 = 0x2800;

/// A field of so many letters.
pub struct Field {
    letters: Vec<Vec<u32>>,
}

impl Field {
    pub fn new(columns: usize, rows: usize) -> Field {
        Field { letters: vec![vec![EMPTY; columns]; rows] }
    }

    /// Joins points whose coordinates are shares of the field, from its lower left corner.
    pub fn curve(&mut self, points: &[(f64, f64)]) {
        let dots = [self.letters.first().map_or(0, Vec::len) * 2, self.letters.len() * 4];
        if dots.contains(&0) {
            return;
        }
        let place = |(x, y): (f64, f64)| [x * (dots[0] - 1) as f64, (1.0 - y) * (dots[1] - 1) as f64];
        let pairs = points.windows(2).map(|pair| (place(pair[0]), place(pair[1])));
        let single = points.first().map(|point| (place(*point), place(*point)));
        for (from, to) in single.into_iter().chain(pairs) {
            let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0);
            for step in 0..=steps as usize {
                let at = |axis: usize| (from[axis] + (to[axis] - from[axis]) * step as f64 / steps).round();
                let [x, y] = [at(0), at(1)].map(|v| v.max(0.0) as usize);
                if let Some(letter) = self.letters.get_mut(y / 4).and_then(|row| row.get_mut(x / 2)) {
                    *letter |= DOTS[x % 2][y % 4];
                }
            }
        }
    }

    /// Its rows.
    pub fn rows(&self) -> Vec<String> {
        let row = |row: &Vec<u32>| row.iter().filter_map(|letter| char::from_u32(*letter)).collect();
        self.letters.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Field;

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let mut field = Field::new(2, 1);
        field.curve(&[(0.0, 0.0), (1.0, 1.0)]);
        // Lower left to upper right, a dot a column.
        assert_eq!(field.rows(), ["⡠⠊"]);
        let mut empty = Field::new(0, 3);
        empty.curve(&[(0.0, 0.0), (1.0, 1.0)]);
        assert_eq!(empty.rows(), ["", "", ""]);
    }
}
