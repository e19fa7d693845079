//! Reductions: a prologue feeds tiles, which are folded down columns or across rows into partial results.
//! The domain is cut into parts that depend on the shape alone and joined in order: any number of threads gives the same bits.

use super::code::{Bound, Code, TILE, ValueSource};
use super::fold::{AddAcross, AddRows, Fold};
use super::grid::{Addresses, TileSpan, permuted};
use super::machine::Machine;
use super::pointwise::Pointwise;
use super::{Action, Builder, ExecContext};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::ReduceKind;
use chiaro_graph::plan::{Instr, Program, Reg, View};
use chiaro_graph::shape::{count, strides};
use rayon::prelude::*;
use std::ops::Range;

/// Points of a part at the least, and tasks at the most when one result's points are cut into parts.
const LEAST: usize = 1 << 14;
const TASKS: usize = 64;
/// Rows of 32-bit sums before they go to 64 bits.
const FLUSH: usize = 64;

/// A reduction.
pub(crate) struct Reduce {
    code: Code,
    results: Vec<(Reg, Fold)>,
    /// The grid's columns are kept, its last rows reduced; otherwise columns are reduced.
    down: bool,
    /// Groups of rows with results of their own, and rows of each.
    groups: usize,
    per_group: usize,
    /// Where a group's result (and column's) goes.
    places: Addresses,
    kept: usize,
    /// Parts into which each group is cut.
    parts: usize,
    /// `[part][result][kept]`
    partials: MemoryRegion,
    values: Vec<MemoryRegion>,
    epilogue: Pointwise,
}

impl Reduce {
    pub fn new(
        (prologue, kept): (&Program, usize),
        results: &[(Reg, ReduceKind)],
        program: &Program,
        operands: &[Bound],
        builder: &mut Builder,
    ) -> Reduce {
        let axes = prologue.domain.len();
        let inner = vector_axis(prologue);
        let down = inner.is_some_and(|a| a < kept);
        let mut order: Vec<usize> = (0..axes).filter(|&a| Some(a) != inner).collect();
        order.extend(inner);
        let mut code = Code::new(&permuted(prologue, &order), operands, &ValueSource::Tile, None);
        code.keep(results.iter().map(|r| r.0));
        let total = count(&prologue.domain[..kept]);
        let mut to = strides(&prologue.domain[..kept]);
        to.resize(axes, 0);
        let view = View { offset: 0, strides: order.iter().map(|&a| to[a] as isize).collect() };
        let groups = if down { total / code.grid.cols.max(1) } else { total };
        let per_group = code.grid.rows.checked_div(groups).unwrap_or(0);
        let tasks = if down { groups * code.grid.cols.div_ceil(TILE) } else { groups };
        let points = per_group * if down { code.grid.cols.min(TILE) } else { code.grid.cols };
        let parts = (points / LEAST).clamp(1, TASKS.div_ceil(tasks.max(1)));
        let places = Addresses::new(&view, &code.grid);
        let values: Vec<MemoryRegion> = results.iter().map(|_| builder.allocate(4 * total)).collect();
        let epilogue = Pointwise::new(program, operands, &ValueSource::Regions(values.clone()));
        let partials = builder.allocate(8 * parts * results.len() * total);
        let results = results.iter().map(|&(reg, kind)| (reg, Fold::new(kind, prologue.types[reg]))).collect();
        Reduce { code, results, down, groups, per_group, places, kept: total, parts, partials, values, epilogue }
    }

    /// Partial results of one result and part.
    fn partial(&self, part: usize, result: usize) -> MemoryRegion {
        self.partials.part(8 * (part * self.results.len() + result) * self.kept, 8 * self.kept)
    }

    /// Folds down the columns of one group, part and range of columns.
    fn columns(&self, machine: &mut Machine<'_>, context: ReduceContext<'_>, group: usize, part: usize, col: usize) {
        let cols = TILE.min(self.code.grid.cols - col);
        let width = cols * (TILE / 4).div_ceil(cols).min(self.per_group.max(1));
        let step = self.code.tile_rows(cols);
        let mut lanes = std::mem::take(&mut machine.scratch().lanes);
        lanes.resize_with(lanes.len().max(self.results.len()), Vec::new);
        for ((_, fold), lanes) in self.results.iter().zip(&mut lanes) {
            lanes.clear();
            lanes.resize(width, fold.identity());
        }
        let mut sums = std::mem::take(&mut machine.scratch().doubles);
        sums.clear();
        sums.extend(self.results.iter().flat_map(|(_, fold)| std::iter::repeat_n(fold.widen(fold.identity()), cols)));
        let range = share(self.per_group, part, self.parts);
        let mut added = 0;
        for row in range.clone().step_by(step) {
            let rows = step.min(range.end - row);
            machine.block(TileSpan { row: group * self.per_group + row, rows, col, cols }, None);
            for ((reg, fold), total) in self.results.iter().zip(&mut lanes) {
                context.level.vectorize(AddRows { fold: *fold, total, lanes: machine.register(*reg, rows * cols) });
            }
            added += (rows * cols).div_ceil(width);
            if added >= FLUSH || row + rows == range.end {
                added = 0;
                self.flush(&mut lanes, &mut sums);
            }
        }
        for (i, sums) in sums.chunks_exact(cols.max(1)).enumerate() {
            let to = self.partial(part, i);
            for (c, sum) in sums.iter().enumerate() {
                to.doubles_mut(self.places.at(group * self.per_group, col + c) as usize, 1)[0] = *sum;
            }
        }
        machine.scratch().lanes = lanes;
        machine.scratch().doubles = sums;
    }

    fn flush(&self, lanes: &mut [Vec<u32>], sums: &mut [f64]) {
        let cols = sums.len() / self.results.len();
        for (((_, fold), lanes), sums) in self.results.iter().zip(lanes).zip(sums.chunks_exact_mut(cols)) {
            for row in lanes.chunks_exact(cols) {
                sums.iter_mut().zip(row).for_each(|(s, &v)| *s = fold.join(*s, fold.widen(v)));
            }
            lanes.fill(fold.identity());
        }
    }

    /// Folds across the rows of some groups, one part of each.
    fn rows(&self, machine: &mut Machine<'_>, context: ReduceContext<'_>, groups: Range<usize>, part: usize) {
        let grid = &self.code.grid;
        let across = grid.cols.div_ceil(TILE);
        for i in 0..self.results.len() {
            let fold = self.results[i].1;
            self.partial(part, i).doubles_mut(groups.start, groups.len()).fill(fold.widen(fold.identity()));
        }
        let mut add = |span: TileSpan| {
            machine.block(span, None);
            for (i, (reg, fold)) in self.results.iter().enumerate() {
                let totals = self.partial(part, i).doubles_mut(groups.start, groups.len());
                let lanes = machine.register(*reg, span.points());
                let row = span.row - groups.start * self.per_group;
                let per = self.per_group;
                context.level.vectorize(AddAcross { fold: *fold, lanes, cols: span.cols, row, per, totals });
            }
        };
        if across > 1 {
            for group in groups.clone() {
                for unit in share(self.per_group * across, part, self.parts) {
                    let (row, col) = (group * self.per_group + unit / across, unit % across * TILE);
                    add(TileSpan { row, rows: 1, col, cols: TILE.min(grid.cols - col) });
                }
            }
            return;
        }
        // With several parts a call has one group.
        let rows = share(groups.len() * self.per_group, part, self.parts);
        let (start, end) = (groups.start * self.per_group + rows.start, groups.start * self.per_group + rows.end);
        let step = self.code.tile_rows(grid.cols);
        for row in (start..end).step_by(step) {
            add(TileSpan { row, rows: step.min(end - row), col: 0, cols: grid.cols });
        }
    }

    /// Tasks: groups (some together where they are small), parts, ranges of columns.
    fn tasks(&self) -> (usize, usize, usize) {
        let across = if self.down { self.code.grid.cols.div_ceil(TILE) } else { 1 };
        let together = match (self.down, self.parts) {
            (false, 1) => (LEAST / (self.per_group * self.code.grid.cols).max(1)).clamp(1, self.groups.max(1)),
            _ => 1,
        };
        (self.groups.div_ceil(together), together, across)
    }

    /// Joins the parts, in order.
    fn join(&self) {
        for (i, (_, fold)) in self.results.iter().enumerate() {
            let out = self.values[i].lanes_mut(0, self.kept);
            out.par_chunks_mut(LEAST).enumerate().for_each(|(chunk, out)| {
                let first = self.partial(0, i).doubles(chunk * LEAST, out.len());
                for (k, out) in out.iter_mut().enumerate() {
                    let rest = (1..self.parts).map(|p| self.partial(p, i).doubles(chunk * LEAST + k, 1)[0]);
                    *out = fold.narrow(rest.fold(first[k], |a, b| fold.join(a, b)));
                }
            });
        }
    }
}

/// What tasks need of a context.
#[derive(Clone, Copy)]
struct ReduceContext<'a> {
    scratches: &'a super::scratch::Scratches,
    level: crate::kernels::Level,
    run: u64,
}

impl Action for Reduce {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let shared = ReduceContext { scratches: context.scratches, level: context.level, run: context.run };
        let (sets, together, across) = self.tasks();
        let this = &*self;
        let task = |t: usize| {
            let (set, part, col) = (t / (this.parts * across), t / across % this.parts, t % across * TILE);
            let mut scratch = shared.scratches.mine();
            let mut machine = Machine::new(&this.code, &mut scratch, shared.level, shared.run);
            if this.down {
                this.columns(&mut machine, shared, set, part, col);
            } else {
                let groups = set * together..((set + 1) * together).min(this.groups);
                this.rows(&mut machine, shared, groups, part);
            }
        };
        match sets * this.parts * across {
            1 => task(0),
            tasks => (0..tasks).into_par_iter().with_max_len(1).for_each(task),
        }
        self.join();
        self.epilogue.run(context);
    }
}

/// Part `i` of `parts` of `0..n`.
fn share(n: usize, i: usize, parts: usize) -> Range<usize> {
    n * i / parts..n * (i + 1) / parts
}

/// The axis along which most operands are contiguous, the longest if there are several; the last if none is.
fn vector_axis(program: &Program) -> Option<usize> {
    let contiguous = |axis: usize| {
        let along = |i: &&Instr| matches!(i, Instr::Load { view, .. } if view.strides[axis] == 1);
        program.instrs.iter().filter(along).count()
    };
    (0..program.domain.len()).max_by_key(|&a| (contiguous(a), program.domain[a], a))
}
