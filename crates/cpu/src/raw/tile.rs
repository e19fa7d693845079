//! Disjoint rectangular tiles of an output matrix, handed to parallel tasks.
//! `unsafe` because the borrow checker cannot split a slice by columns or by strided rows; `Output::new` proves once that
//! no two (row, column) pairs share an element, and tasks get row and column ranges that do not overlap.

use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// A matrix view of an output buffer: rows are the triples of a box (slowest first), each with its stride in floats.
pub(crate) struct Output<'a> {
    base: *mut f32,
    start: usize,
    extents: [usize; 3],
    strides: [usize; 3],
    cols: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: an `Output` is an exclusive borrow of its buffer; shared use goes through disjoint tiles only.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// A view of `out` from `offset`, `cols` floats a row. Panics where the view leaves the buffer or rows overlap.
    pub(crate) fn new(
        out: &'a mut [f32],
        offset: usize,
        extents: [usize; 3],
        strides: [usize; 3],
        cols: usize,
    ) -> Self {
        let mut order = [0, 1, 2];
        order.sort_by_key(|&i| strides[i]);
        let empty = extents.contains(&0) || cols == 0;
        let mut span = cols;
        for i in order {
            if extents[i] > 1 && !empty {
                assert!(strides[i] >= span, "rows of an output view overlap");
                span += (extents[i] - 1) * strides[i];
            }
        }
        assert!(empty || offset + span <= out.len(), "output view out of bounds");
        // Axes that follow one another without a gap are one.
        let (mut extents, mut strides) = (extents, strides);
        for _ in 0..2 {
            if extents[1] == 1 || strides[1] == extents[2] * strides[2] {
                extents = [1, extents[0], extents[1] * extents[2]];
                strides = [0, strides[0], strides[2]];
            }
        }
        Self { base: out.as_mut_ptr().wrapping_add(offset), start: offset, extents, strides, cols, buffer: PhantomData }
    }

    /// A row-major matrix.
    pub(crate) fn matrix(out: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self::new(out, 0, [1, 1, rows], [0, 0, row_stride], cols)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.extents.iter().product()
    }

    /// Calls `task` in parallel for every pair of row range and column range.
    /// Column ranges change slowest, so that neighbouring tasks share the columns of B.
    pub(crate) fn for_each(&mut self, rows: &Splits, cols: &Splits, task: impl Fn(OutputTile<'_>) + Sync) {
        assert!(rows.total <= self.rows() && cols.total <= self.cols);
        let this = &*self;
        let run = |i: usize| {
            let part = i % rows.parts;
            task(OutputTile { output: this, part, rows: rows.range(part), cols: cols.range(i / rows.parts) });
        };
        match rows.parts * cols.parts {
            0 => {}
            1 => run(0),
            tasks => (0..tasks).into_par_iter().with_max_len(1).for_each(run),
        }
    }

    fn offset(&self, row: usize) -> usize {
        let [_, b, c] = self.extents;
        let [sa, sb, sc] = self.strides;
        if row < c {
            return row * sc;
        }
        row / (b * c) * sa + row / c % b * sb + row % c * sc
    }
}

/// `total` units cut into ranges of near-equal numbers of blocks of `unit`, none across a border of `section`.
pub(crate) struct Splits {
    pub(crate) total: usize,
    pub(crate) parts: usize,
    unit: usize,
    section: usize,
}

impl Splits {
    /// At most `parts` ranges whose borders are multiples of `unit`.
    pub(crate) fn new(total: usize, unit: usize, parts: usize) -> Self {
        Self::sections(total, 1, unit, parts)
    }

    /// `sections` equal sections, each cut into at most `parts` ranges whose borders in it are multiples of `unit`.
    pub(crate) fn sections(total: usize, sections: usize, unit: usize, parts: usize) -> Self {
        let section = total / sections;
        assert_eq!(section * sections, total);
        let parts = parts.clamp(1, section.div_ceil(unit).max(1));
        Self { total, parts: sections * parts, unit, section }
    }

    pub(crate) fn range(&self, i: usize) -> Range<usize> {
        let parts = self.parts * self.section / self.total.max(1);
        let parts = parts.max(1);
        let start = i / parts * self.section;
        let blocks = self.section.div_ceil(self.unit);
        let border = |i: usize| start + (blocks * i / parts * self.unit).min(self.section);
        border(i % parts)..border(i % parts + 1)
    }
}

/// Quotient and remainder; a short division where the operands allow it, which they nearly always do.
fn divide(a: usize, b: usize) -> (usize, usize) {
    if let (Ok(a), Ok(b)) = (u32::try_from(a), u32::try_from(b)) {
        ((a / b) as usize, (a % b) as usize)
    } else {
        (a / b, a % b)
    }
}

/// The part of an output that one task alone writes.
pub(crate) struct OutputTile<'o> {
    output: &'o Output<'o>,
    part: usize,
    rows: Range<usize>,
    cols: Range<usize>,
}

impl OutputTile<'_> {
    /// Rows of the output that this tile owns.
    pub(crate) fn row_range(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Number of its range of rows.
    pub(crate) fn row_part(&self) -> usize {
        self.part
    }

    /// Columns of the output that this tile owns.
    pub(crate) fn col_range(&self) -> Range<usize> {
        self.cols.clone()
    }

    pub(crate) fn base(&mut self) -> *mut f32 {
        self.output.base
    }

    /// Offsets from `base` of `(row + i, col)`, into the first `rows` of `offsets` (an array that is returned is copied by wider loads
    /// than it was stored by, and processors wait for that); panics unless `cols` floats behind each are the tile's own.
    pub(crate) fn offsets(&self, row: usize, rows: usize, col: usize, cols: usize, offsets: &mut [usize]) {
        let offsets = &mut offsets[..rows];
        assert!(self.rows.start <= row && row + rows <= self.rows.end);
        assert!(self.cols.start <= col && col + cols <= self.cols.end);
        let [a, b, c] = self.output.extents;
        let [sa, sb, sc] = self.output.strides;
        if row + rows <= c {
            let base = row * sc + col;
            offsets.iter_mut().enumerate().for_each(|(r, offset)| *offset = base + r * sc);
            return;
        }
        let (outer, mut ic) = divide(row, c);
        let (mut ia, mut ib) = divide(outer, b);
        assert!(ia < a);
        if ic + rows <= c {
            let base = ia * sa + ib * sb + ic * sc + col;
            offsets.iter_mut().enumerate().for_each(|(r, offset)| *offset = base + r * sc);
            return;
        }
        for offset in offsets {
            *offset = ia * sa + ib * sb + ic * sc + col;
            ic += 1;
            if ic == c {
                (ic, ib) = (0, ib + 1);
                if ib == b {
                    (ib, ia) = (0, ia + 1);
                }
            }
        }
    }

    /// The tile's own columns of one row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(self.rows.contains(&row));
        // SAFETY: the element range lies in the buffer (`Output::new`) and belongs to this tile alone.
        unsafe {
            let start = self.output.base.add(self.output.offset(row) + self.cols.start);
            std::slice::from_raw_parts_mut(start, self.cols.len())
        }
    }

    /// Offset of `row` from the start of the buffer, in floats.
    pub(crate) fn row_offset(&self, row: usize) -> usize {
        self.output.start + self.output.offset(row)
    }

    /// Several whole rows as one slice and the distance between rows, where they lie one behind the other.
    pub(crate) fn dense_rows(&mut self, row: usize, rows: usize) -> Option<&mut [f32]> {
        let dense = self.cols.len() == self.output.cols
            && self.output.strides[2] == self.output.cols
            && row % self.output.extents[2] + rows <= self.output.extents[2];
        assert!(self.rows.start <= row && row + rows <= self.rows.end);
        // SAFETY: as in `row`; the rows follow one another without a gap.
        dense.then(|| unsafe {
            let start = self.output.base.add(self.output.offset(row));
            std::slice::from_raw_parts_mut(start, rows * self.cols.len())
        })
    }
}
