//! What follows a matrix product or convolution: nothing, its program on each finished tile, or a pass of its own.

use super::affine::Affine;
use super::code::{Bound, Code, TILE, ValueSource};
use super::grid::{TileSpan, with_columns};
use super::machine::{Machine, ResultTile};
use super::pointwise::Pointwise;
use super::scratch::Scratches;
use super::{Action, Builder, ExecContext};
use crate::kernels::{Epilogue, Level, NoEpilogue};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::DType;
use chiaro_graph::plan::{Instr, Program, Store};

/// The end of a kernel that writes a matrix of floats.
pub(crate) struct StepEpilogue {
    /// Where the kernel writes.
    pub out: MemoryRegion,
    kind: EpilogueKind,
}

enum EpilogueKind {
    Plain,
    Affine(Box<Affine>),
    InTile(Code),
    After(Pointwise),
}

impl StepEpilogue {
    /// For a kernel whose result has `rows` rows of `cols` floats.
    pub fn new(program: &Program, operands: &[Bound], rows: usize, cols: usize, builder: &mut Builder) -> StepEpilogue {
        let bytes = 4 * rows * cols;
        // A row-major result may be the first part of a longer operand: of joined tensors, for example.
        let place = |store: &Store| operands[store.operand].region.part(0, bytes);
        if program.is_plain() && operands[program.stores[0].operand].dtype == DType::F32 {
            return StepEpilogue { out: place(&program.stores[0]), kind: EpilogueKind::Plain };
        }
        let Some(program) = with_columns(program, cols) else {
            let out = builder.allocate(bytes);
            let after = Pointwise::new(program, operands, &ValueSource::Regions(vec![out]));
            return StepEpilogue { out, kind: EpilogueKind::After(after) };
        };
        let loaded = |out: MemoryRegion| {
            let of = |i: &Instr| matches!(i, Instr::Load { operand, .. } if operands[*operand].region.overlaps(out));
            program.instrs.iter().any(of)
        };
        // The kernel's raw result may not overwrite what the program is going to read.
        let first = program
            .stores
            .iter()
            .position(|s| s.dtype == DType::F32 && s.view.is_identity(&program.domain) && !loaded(place(s)));
        if first == Some(0)
            && let Some(affine) = Affine::new(&program, operands, builder)
        {
            return StepEpilogue { out: place(&program.stores[0]), kind: EpilogueKind::Affine(Box::new(affine)) };
        }
        let out = first.map_or_else(|| builder.allocate(bytes), |i| place(&program.stores[i]));
        StepEpilogue { out, kind: EpilogueKind::InTile(Code::new(&program, operands, &ValueSource::Tile, first)) }
    }

    /// Runs the kernel with its epilogue. `row` is the first row of the kernel's output within the whole result.
    pub fn finish(
        &self,
        context: &mut ExecContext<'_>,
        row: usize,
        kernel: impl FnOnce(&mut ExecContext<'_>, &dyn Epilogue),
    ) {
        match &self.kind {
            EpilogueKind::Affine(affine) => {
                let epilogue = affine.prepare(context, row);
                kernel(context, &epilogue);
            }
            EpilogueKind::InTile(code) => {
                let (scratches, level, run) = (context.scratches, context.level, context.run);
                kernel(context, &InTile { code, scratches, level, run, row });
            }
            EpilogueKind::Plain | EpilogueKind::After(_) => kernel(context, &NoEpilogue),
        }
    }

    /// What remains to be done when the whole output is there.
    pub fn after(&mut self, context: &mut ExecContext<'_>) {
        if let EpilogueKind::After(pass) = &mut self.kind {
            pass.run(context);
        }
    }
}

/// Runs a program on tiles of a kernel's output.
struct InTile<'a> {
    code: &'a Code,
    scratches: &'a Scratches,
    level: Level,
    run: u64,
    row: usize,
}

impl Epilogue for InTile<'_> {
    fn apply(&self, row: usize, rows: usize, col: usize, cols: usize, tile: &mut [f32], stride: usize) {
        let lanes: &mut [u32] = bytemuck::cast_slice_mut(tile);
        let mut scratch = self.scratches.mine();
        let mut machine = Machine::new(self.code, &mut scratch, self.level, self.run);
        for across in (0..cols).step_by(TILE) {
            let cols = TILE.min(cols - across);
            let step = self.code.tile_rows(cols);
            for down in (0..rows).step_by(step) {
                let rows = step.min(rows - down);
                let span = TileSpan { row: self.row + row + down, rows, col: col + across, cols };
                let start = down * stride + across;
                let lanes = &mut lanes[start..start + (rows - 1) * stride + cols];
                machine.block(span, Some(ResultTile { lanes, stride }));
            }
        }
    }
}
