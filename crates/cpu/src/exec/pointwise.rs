//! A program over its whole domain, tile after tile, in parallel.

use super::code::{Bound, Code, TILE, ValueSource};
use super::grid::TileSpan;
use super::machine::Machine;
use super::{Action, ExecContext};
use chiaro_graph::plan::Program;
use rayon::prelude::*;

/// Lane operations below which a second thread costs more than it saves.
const SERIAL: usize = 1 << 16;

/// A pointwise step.
pub(crate) struct Pointwise {
    code: Code,
}

impl Pointwise {
    pub fn new(program: &Program, operands: &[Bound], values: &ValueSource) -> Pointwise {
        Pointwise { code: Code::new(program, operands, values, None) }
    }

    /// Number of blocks and the block of each number.
    fn blocks(&self) -> (usize, impl Fn(usize) -> TileSpan + Sync + '_) {
        let grid = &self.code.grid;
        let step = self.code.tile_rows(grid.cols);
        let (across, down) = (grid.cols.div_ceil(TILE), grid.rows.div_ceil(step));
        let span = move |i: usize| {
            let (row, col) = (i / across * step, i % across * TILE);
            TileSpan { row, rows: step.min(grid.rows - row), col, cols: TILE.min(grid.cols - col) }
        };
        (across * down, span)
    }
}

impl Action for Pointwise {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let (blocks, span) = self.blocks();
        let work = self.code.grid.points() * (self.code.body.len() + self.code.stores.len());
        let most = if work < SERIAL { 1 } else { 4 * rayon::current_num_threads() };
        let tasks = blocks.min(most).min(work / (SERIAL / 4) + 1);
        let (scratches, level, run) = (context.scratches, context.level, context.run);
        let task = |t: usize| {
            let mut scratch = scratches.mine();
            let mut machine = Machine::new(&self.code, &mut scratch, level, run);
            (blocks * t / tasks..blocks * (t + 1) / tasks).for_each(|b| machine.block(span(b), None));
        };
        match tasks {
            0 => {}
            1 => task(0),
            _ => (0..tasks).into_par_iter().with_max_len(1).for_each(task),
        }
    }
}
