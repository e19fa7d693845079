//! The domain of a program as rows of columns, and where its points lie in an operand.

use chiaro_graph::plan::{Instr, Program, View};
use chiaro_graph::shape::count;

/// A domain with its last axis (the columns) apart; the other axes together are the rows.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub outer: Vec<usize>,
    pub rows: usize,
    pub cols: usize,
}

impl Grid {
    pub fn new(domain: &[usize]) -> Grid {
        let (cols, outer) = domain.split_last().map_or((1, &[][..]), |(c, o)| (*c, o));
        Grid { outer: outer.to_vec(), rows: count(outer), cols }
    }

    /// Number of points.
    pub fn points(&self) -> usize {
        self.rows * self.cols
    }
}

/// A rectangle of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileSpan {
    pub row: usize,
    pub rows: usize,
    pub col: usize,
    pub cols: usize,
}

impl TileSpan {
    /// Number of points.
    pub fn points(&self) -> usize {
        self.rows * self.cols
    }
}

/// An affine view over a grid.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    offset: isize,
    outer: Vec<isize>,
    extents: Vec<usize>,
    /// Elements between rows, where that is one number.
    pub row: Option<isize>,
    /// Elements between columns.
    pub col: isize,
}

impl Addresses {
    pub fn new(view: &View, grid: &Grid) -> Addresses {
        let outer = &view.strides[..grid.outer.len()];
        let col = view.strides.get(grid.outer.len()).copied().unwrap_or(0);
        let mut row = Some(0);
        let mut below: Option<(isize, usize)> = None;
        for (&stride, &extent) in outer.iter().zip(&grid.outer).rev() {
            if extent == 1 {
                continue;
            }
            match below {
                None => (row, below) = (Some(stride), Some((stride, extent))),
                Some((inner, n)) if stride == inner * n as isize => below = Some((stride, extent)),
                Some(_) => row = None,
            }
        }
        Addresses { offset: view.offset, outer: outer.to_vec(), extents: grid.outer.clone(), row, col }
    }

    /// Row-major over the grid.
    pub fn linear(grid: &Grid) -> Addresses {
        let mut domain = grid.outer.clone();
        domain.push(grid.cols);
        Addresses::new(&View::identity(&domain), grid)
    }

    /// Element of a point.
    pub fn at(&self, row: usize, col: usize) -> isize {
        let start = match self.row {
            Some(step) => row as isize * step,
            None => self.walk(row),
        };
        self.offset + start + col as isize * self.col
    }

    fn walk(&self, row: usize) -> isize {
        let (mut left, mut at) = (row, 0);
        for (&stride, &extent) in self.outer.iter().zip(&self.extents).rev() {
            at += (left % extent) as isize * stride;
            left /= extent;
        }
        at
    }

    /// The points of a span lie one behind the other.
    pub fn is_dense(&self, span: &TileSpan) -> bool {
        let in_row = self.col == 1 || span.cols == 1;
        in_row && (span.rows == 1 || self.row == Some(span.cols as isize))
    }

    /// The same element for every row.
    pub fn ignores_rows(&self, grid: &Grid) -> bool {
        grid.rows == 1 || self.row == Some(0)
    }

    /// One element for all points.
    pub fn is_constant(&self, grid: &Grid) -> bool {
        self.ignores_rows(grid) && (self.col == 0 || grid.cols == 1)
    }
}

/// The program over a domain whose last axis has `cols` points, or `None` if no axis can be cut that way.
pub(crate) fn with_columns(program: &Program, cols: usize) -> Option<Program> {
    let mut out = program.clone();
    if out.domain.last().copied().unwrap_or(1) == cols {
        return Some(out);
    }
    if out.domain.is_empty() {
        return None;
    }
    let axis = out.domain.len() - 1;
    if !out.domain[axis].is_multiple_of(cols) {
        return None;
    }
    out.domain[axis] /= cols;
    out.domain.push(cols);
    for_each_view(&mut out, |view| {
        let step = view.strides[axis];
        view.strides[axis] = step * cols as isize;
        view.strides.push(step);
    });
    Some(out)
}

/// The program with the axes of its domain in another order: new axis `i` was `order[i]`.
pub(crate) fn permuted(program: &Program, order: &[usize]) -> Program {
    let mut out = program.clone();
    out.domain = order.iter().map(|&a| program.domain[a]).collect();
    for_each_view(&mut out, |view| view.strides = order.iter().map(|&a| view.strides[a]).collect());
    out
}

fn for_each_view(program: &mut Program, mut f: impl FnMut(&mut View)) {
    for instr in &mut program.instrs {
        if let Instr::Load { view, .. } | Instr::Index(view) = instr {
            f(view);
        }
    }
    program.stores.iter_mut().for_each(|s| f(&mut s.view));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_merged_axes_are_affine() {
        let grid = Grid::new(&[2, 3, 4]);
        let dense = Addresses::linear(&grid);
        assert_eq!((dense.row, dense.col), (Some(4), 1));
        let swapped = Addresses::new(&View { offset: 1, strides: vec![4, 8, 1] }, &grid);
        assert_eq!(swapped.row, None);
        assert_eq!(swapped.at(4, 2), 1 + 4 + 8 + 2);
        let repeated = Addresses::new(&View { offset: 0, strides: vec![0, 0, 1] }, &grid);
        assert!(repeated.ignores_rows(&grid) && !repeated.is_constant(&grid));
    }
}
