//! Epilogues that are a factor and a summand a column, perhaps a residual, and bounds: those of most convolutions of a network that is
//! asked. One pass in registers does what the interpreter does in one an instruction.

use super::code::{Bound, Code, TILE, ValueSource};
use super::grid::{Addresses, Grid, TileSpan};
use super::machine::Machine;
use super::{Builder, ExecContext};
use crate::kernels::{Epilogue, Level, Vectorize, madd};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::{Instr, Program, Reg, Store, View};
use chiaro_graph::{DType, Elementwise, Scalar};

/// `y = x * scale[column] + shift[column] (+ residual)`, within bounds.
pub(crate) struct Affine {
    /// Computes scale and shift.
    terms: Code,
    scale: MemoryRegion,
    shift: MemoryRegion,
    residual: Option<(MemoryRegion, Addresses)>,
    bounds: [f32; 2],
}

impl Affine {
    /// The program as such, if it is one; its last axis are the columns, and its one result is the kernel's tile.
    pub fn new(program: &Program, operands: &[Bound], builder: &mut Builder) -> Option<Affine> {
        let [store] = &program.stores[..] else { return None };
        let mut chain = Chain::new(program, operands)?;
        for reg in 0..program.instrs.len() {
            chain.take(reg)?;
        }
        if chain.current != Some(store.reg) || chain.residual.is_some() != chain.added || store.dtype != DType::F32 {
            return None;
        }
        let cols = chain.terms.domain[0];
        let [scale, shift] = [builder.allocate(4 * cols), builder.allocate(4 * cols)];
        let residual = chain.residual.map(|(_, operand, places)| (operands[operand].region, places));
        let (mut terms, bounds) = (chain.terms, chain.bounds);
        let mut all = operands.to_vec();
        for (region, reg, usual) in [(scale, chain.scale, 1.0), (shift, chain.shift, 0.0)] {
            let usual = Instr::Scalar(Scalar::new(usual, DType::F32)?);
            let reg = reg.unwrap_or_else(|| terms.push(usual, DType::F32));
            terms.stores.push(Store { operand: all.len(), view: View::identity(&[cols]), dtype: DType::F32, reg });
            all.push(Bound { region, dtype: DType::F32, shared: false });
        }
        let terms = Code::new(&terms, &all, &ValueSource::Tile, None);
        Some(Affine { terms, scale, shift, residual, bounds })
    }

    /// Computes scale and shift for a run of the kernel whose first row is `row` of the whole result.
    pub fn prepare(&self, context: &ExecContext<'_>, row: usize) -> AffineTile<'_> {
        let mut scratch = context.scratches.mine();
        let mut machine = Machine::new(&self.terms, &mut scratch, context.level, context.run);
        let all = self.terms.grid.cols;
        for col in (0..all).step_by(TILE) {
            machine.block(TileSpan { row: 0, rows: 1, col, cols: TILE.min(all - col) }, None);
        }
        AffineTile { of: self, level: context.level, row }
    }
}

/// What has been understood of a program.
struct Chain<'p> {
    program: &'p Program,
    operands: &'p [Bound],
    grid: Grid,
    /// Code of what is the same for all rows, and where registers of the program are in it.
    terms: Program,
    placed: Vec<Option<Reg>>,
    /// The register that holds the result so far.
    current: Option<Reg>,
    scale: Option<Reg>,
    shift: Option<Reg>,
    /// Register, operand and places of a tensor of the result's size.
    residual: Option<(Reg, usize, Addresses)>,
    added: bool,
    bounds: [f32; 2],
}

const OPEN: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

impl<'p> Chain<'p> {
    fn new(program: &'p Program, operands: &'p [Bound]) -> Option<Chain<'p>> {
        let cols = *program.domain.last()?;
        Some(Chain {
            program,
            operands,
            grid: Grid::new(&program.domain),
            terms: Program::new(&[cols]),
            placed: vec![],
            current: None,
            scale: None,
            shift: None,
            residual: None,
            added: false,
            bounds: OPEN,
        })
    }

    /// The next instruction; `None` where it is none of those that are understood.
    fn take(&mut self, reg: Reg) -> Option<()> {
        let instr = &self.program.instrs[reg];
        if let Some(column) = self.column(instr) {
            self.placed.push(Some(self.terms.push(column, DType::F32)));
            return Some(());
        }
        self.placed.push(None);
        match instr {
            Instr::Value(0) if self.current.is_none() => self.current = Some(reg),
            Instr::Load { operand, view, dtype: DType::F32 } if self.residual.is_none() => {
                let places = Addresses::new(view, &self.grid);
                if self.operands[*operand].shared || (places.col != 1 && self.grid.cols > 1) {
                    return None;
                }
                self.residual = Some((reg, *operand, places));
            }
            Instr::Map(op, regs) if self.program.types[reg] == DType::F32 => {
                self.map(*op, regs)?;
                self.current = Some(reg);
            }
            Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => return None,
            Instr::Random { .. } | Instr::Map(..) | Instr::Cast(..) => return None,
        }
        Some(())
    }

    /// An instruction whose result is the same for all rows, over the columns alone.
    fn column(&self, instr: &Instr) -> Option<Instr> {
        let placed = |reg: &Reg| self.placed[*reg];
        match instr {
            Instr::Load { operand, view, dtype } => {
                let places = Addresses::new(view, &self.grid);
                let alike = places.ignores_rows(&self.grid) && !self.operands[*operand].shared;
                let view = View { offset: view.offset, strides: vec![places.col] };
                alike.then_some(Instr::Load { operand: *operand, view, dtype: *dtype })
            }
            Instr::Scalar(scalar) => Some(Instr::Scalar(*scalar)),
            Instr::Map(op, regs) => Some(Instr::Map(*op, regs.iter().map(placed).collect::<Option<_>>()?)),
            Instr::Cast(to, reg) => Some(Instr::Cast(*to, placed(reg)?)),
            Instr::Value(_) | Instr::Index(_) | Instr::Random { .. } => None,
        }
    }

    /// An op of the result so far and of what is the same for all rows.
    fn map(&mut self, op: Elementwise, regs: &[Reg]) -> Option<()> {
        let current = self.current?;
        if let Some(bounds) = self.bounds_of(op, regs, current) {
            let [low, high] = bounds?;
            self.bounds = self.bounds.map(|bound| if bound < low { low } else { bound.min(high) });
            return Some(());
        }
        let &[x, y] = regs else { return None };
        let (first, other) = if x == current { (true, y) } else { (false, x) };
        if self.bounds != OPEN || (!first && y != current) {
            return None;
        }
        if op == Elementwise::Add && self.residual.as_ref().is_some_and(|(reg, ..)| *reg == other) && !self.added {
            self.added = true;
            return Some(());
        }
        let term = self.placed[other].filter(|_| self.program.types[other] == DType::F32)?;
        let [add, sub, mul, div] = [Elementwise::Add, Elementwise::Sub, Elementwise::Mul, Elementwise::Div];
        if op == add || (op == sub && first) {
            self.shift = Some(match self.shift {
                Some(shift) => self.term(op, &[shift, term]),
                None if op == add => term,
                None => self.term(Elementwise::Neg, &[term]),
            });
        } else if (op == mul || (op == div && first)) && !self.added {
            let one = Instr::Scalar(Scalar::new(1.0, DType::F32)?);
            let scale = self.scale.unwrap_or_else(|| self.terms.push(one, DType::F32));
            self.scale = Some(self.term(op, &[scale, term]));
            self.shift = self.shift.map(|shift| self.term(op, &[shift, term]));
        } else {
            return None;
        }
        Some(())
    }

    fn term(&mut self, op: Elementwise, regs: &[Reg]) -> Reg {
        self.terms.push(Instr::Map(op, regs.to_vec()), DType::F32)
    }

    /// The bounds that an op keeps the result in, if it does nothing else; `Some(None)` where they are no fixed numbers.
    fn bounds_of(&self, op: Elementwise, regs: &[Reg], current: Reg) -> Option<Option<[f32; 2]>> {
        let number = |i: usize| match self.program.instrs[*regs.get(i)?] {
            Instr::Scalar(scalar) if scalar.dtype == DType::F32 && !scalar.value.is_nan() => Some(scalar.value as f32),
            _ => None,
        };
        let at = regs.iter().position(|reg| *reg == current)?;
        let one_sided =
            |low: bool| number(1 - at.min(1)).map(|n| if low { [n, f32::INFINITY] } else { [f32::NEG_INFINITY, n] });
        if op == Elementwise::Relu {
            Some(Some([0.0, f32::INFINITY]))
        } else if op == Elementwise::Relu6 {
            Some(Some([0.0, 6.0]))
        } else if op == Elementwise::Clamp {
            let between = |low: f32, high: f32| (at == 0 && low <= high).then_some([low, high]);
            Some(number(1).zip(number(2)).and_then(|(low, high)| between(low, high)))
        } else if op == Elementwise::Maximum || op == Elementwise::Minimum {
            Some(one_sided(op == Elementwise::Maximum))
        } else {
            None
        }
    }
}

/// The epilogue of one run of its kernel.
pub(crate) struct AffineTile<'a> {
    of: &'a Affine,
    level: Level,
    row: usize,
}

impl Epilogue for AffineTile<'_> {
    fn apply(&self, row: usize, rows: usize, col: usize, cols: usize, tile: &mut [f32], stride: usize) {
        let Affine { scale, shift, residual, bounds, .. } = self.of;
        let (scale, shift) = (scale.floats(col, cols), shift.floats(col, cols));
        for r in 0..rows {
            let y = &mut tile[r * stride..][..cols];
            let line = Line { scale, shift, bounds: *bounds, y };
            match residual {
                Some((region, places)) => {
                    let start = places.at(self.row + row + r, col) as usize;
                    self.level.vectorize(Residual(line, region.floats(start, cols)));
                }
                None => self.level.vectorize(line),
            }
        }
    }
}

/// Columns of one row.
struct Line<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    bounds: [f32; 2],
    y: &'a mut [f32],
}

/// A value within bounds; NaN stays.
#[inline(always)]
fn bounded(x: f32, [low, high]: [f32; 2]) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

impl Vectorize for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Loops, as in `machine`.
        for ((y, scale), shift) in self.y.iter_mut().zip(self.scale).zip(self.shift) {
            *y = bounded(madd::<FMA>(*y, *scale, *shift), self.bounds);
        }
    }
}

/// The same with a residual.
struct Residual<'a>(Line<'a>, &'a [f32]);

impl Vectorize for Residual<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Residual(line, residual) = self;
        for (((y, scale), shift), x) in line.y.iter_mut().zip(line.scale).zip(line.shift).zip(residual) {
            *y = bounded(madd::<FMA>(*y, *scale, *shift) + *x, line.bounds);
        }
    }
}
