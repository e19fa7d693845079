//! Epilogues that are a factor and a summand a column, perhaps a residual, and bounds: those of most convolutions of a network that is
//! asked. One pass in registers does what the interpreter does in one an instruction.

use super::code::{Bound, Code, TILE, ValueSource};
use super::grid::{Addresses, Grid, TileSpan};
use super::machine::Machine;
use super::{Builder, ExecContext};
use crate::kernels::{ColumnEnding, Epilogue, Level, Vectorize, madd};
use crate::raw::memory::MemoryRegion;
use crate::raw::simd::bounded;
use chiaro_graph::plan::{Instr, Program, Reg, Store, View};
use chiaro_graph::{DType, Elementwise, Scalar};

/// `y = x * scale[column] + shift[column] (+ residual * factor[column])`, within bounds.
pub(crate) struct Affine {
    /// Computes scale, shift and the residual's factor.
    terms: Code,
    scale: MemoryRegion,
    shift: MemoryRegion,
    residual: Option<Residual>,
    bounds: [f32; 2],
}

/// A tensor of the result's size that is added.
struct Residual {
    region: MemoryRegion,
    places: Addresses,
    /// Where it is not 1.
    factor: Option<MemoryRegion>,
}

impl Affine {
    /// The program as such, if it is one; its last axis are the columns, and its one result is the kernel's tile.
    pub fn new(program: &Program, operands: &[Bound], builder: &mut Builder) -> Option<Affine> {
        let [store] = &program.stores[..] else { return None };
        let mut chain = Chain::new(program, operands)?;
        for reg in 0..program.instrs.len() {
            chain.take(reg)?;
        }
        let main = chain.main?;
        if main.reg != store.reg || chain.residual.is_some() != chain.added || store.dtype != DType::F32 {
            return None;
        }
        let cols = chain.terms.domain[0];
        let (mut terms, mut all) = (chain.terms, operands.to_vec());
        let mut kept = |reg: Reg, terms: &mut Program| {
            let region = builder.allocate(4 * cols);
            terms.stores.push(Store { operand: all.len(), view: View::identity(&[cols]), dtype: DType::F32, reg });
            all.push(Bound { region, dtype: DType::F32, shared: false });
            region
        };
        let [one, zero] = [number(1.0)?, number(0.0)?];
        let scale = main.scale.unwrap_or_else(|| terms.push(one, DType::F32));
        let shift = main.shift.unwrap_or_else(|| terms.push(zero, DType::F32));
        let (scale, shift) = (kept(scale, &mut terms), kept(shift, &mut terms));
        let residual = chain.residual.map(|(side, operand, places)| Residual {
            region: operands[operand].region,
            places,
            factor: side.scale.map(|reg| kept(reg, &mut terms)),
        });
        let terms = Code::new(&terms, &all, &ValueSource::Tile, None);
        Some(Affine { terms, scale, shift, residual, bounds: chain.bounds })
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

fn number(value: f64) -> Option<Instr> {
    Some(Instr::Scalar(Scalar::new(value, DType::F32)?))
}

/// A register that is something times a factor plus a summand, which are registers of the terms; absent they are 1 and 0.
#[derive(Clone, Copy)]
struct Side {
    reg: Reg,
    scale: Option<Reg>,
    shift: Option<Reg>,
}

/// What has been understood of a program.
struct Chain<'p> {
    program: &'p Program,
    operands: &'p [Bound],
    grid: Grid,
    /// Code of what is the same for all rows, and where registers of the program are in it.
    terms: Program,
    placed: Vec<Option<Reg>>,
    /// The result so far.
    main: Option<Side>,
    /// A tensor of the result's size so far, its operand and its places.
    residual: Option<(Side, usize, Addresses)>,
    /// It is in the result.
    added: bool,
    bounds: [f32; 2],
}

const OPEN: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

impl<'p> Chain<'p> {
    fn new(program: &'p Program, operands: &'p [Bound]) -> Option<Chain<'p>> {
        Some(Chain {
            program,
            operands,
            grid: Grid::new(&program.domain),
            terms: Program::new(&[*program.domain.last()?]),
            placed: vec![],
            main: None,
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
        let fresh = Side { reg, scale: None, shift: None };
        match instr {
            Instr::Value(0) if self.main.is_none() => self.main = Some(fresh),
            Instr::Load { operand, view, dtype: DType::F32 } if self.residual.is_none() => {
                let places = Addresses::new(view, &self.grid);
                if self.operands[*operand].shared || (places.col != 1 && self.grid.cols > 1) {
                    return None;
                }
                self.residual = Some((fresh, *operand, places));
            }
            Instr::Map(op, regs) if self.program.types[reg] == DType::F32 => self.map(*op, regs, reg)?,
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

    /// An op of the result or the residual so far, and of what is the same for all rows, or of both.
    fn map(&mut self, op: Elementwise, regs: &[Reg], to: Reg) -> Option<()> {
        let main = self.main?;
        let apart = self.residual.as_ref().map(|(side, ..)| *side).filter(|_| !self.added);
        if op == Elementwise::Add
            && let Some(side) = apart
            && (regs == [main.reg, side.reg] || regs == [side.reg, main.reg])
        {
            let shift = match (main.shift, side.shift) {
                (Some(a), Some(b)) => Some(self.term(Elementwise::Add, &[a, b])),
                (a, b) => a.or(b),
            };
            self.main = Some(Side { reg: to, shift, ..main }).filter(|_| self.bounds == OPEN);
            self.added = true;
            return self.main.map(|_| ());
        }
        if let Some(bounds) = self.bounds_of(op, regs, main.reg) {
            let [low, high] = bounds?;
            self.bounds = self.bounds.map(|bound| if bound < low { low } else { bound.min(high) });
            self.main = Some(Side { reg: to, ..main });
        } else if regs.contains(&main.reg) && self.bounds == OPEN {
            self.main = Some(self.moved(main, op, regs, to, !self.added)?);
        } else {
            let side = self.moved(apart?, op, regs, to, true)?;
            self.residual.as_mut()?.0 = side;
        }
        Some(())
    }

    /// One side after an op with what is the same for all rows.
    fn moved(&mut self, of: Side, op: Elementwise, regs: &[Reg], to: Reg, may_scale: bool) -> Option<Side> {
        let &[x, y] = regs else { return None };
        let (first, other) = if x == of.reg { (true, y) } else { (false, x) };
        if !first && y != of.reg {
            return None;
        }
        let term = self.placed[other].filter(|_| self.program.types[other] == DType::F32)?;
        let [add, sub, mul, div] = [Elementwise::Add, Elementwise::Sub, Elementwise::Mul, Elementwise::Div];
        if op == add || (op == sub && first) {
            let shift = match of.shift {
                Some(shift) => self.term(op, &[shift, term]),
                None if op == add => term,
                None => self.term(Elementwise::Neg, &[term]),
            };
            return Some(Side { reg: to, shift: Some(shift), ..of });
        }
        if !may_scale || !(op == mul || (op == div && first)) {
            return None;
        }
        let one = number(1.0)?;
        let scale = of.scale.unwrap_or_else(|| self.terms.push(one, DType::F32));
        let shift = of.shift.map(|shift| self.term(op, &[shift, term]));
        Some(Side { reg: to, scale: Some(self.term(op, &[scale, term])), shift })
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
    fn columns(&self) -> Option<ColumnEnding<'_>> {
        let Affine { scale, shift, residual, bounds, terms } = self.of;
        let cols = terms.grid.cols;
        let ending = ColumnEnding { scale: scale.floats(0, cols), shift: shift.floats(0, cols), bounds: *bounds };
        residual.is_none().then_some(ending)
    }

    fn apply(&self, row: usize, rows: usize, col: usize, cols: usize, tile: &mut [f32], stride: usize) {
        let Affine { scale, shift, residual, bounds, .. } = self.of;
        let (scale, shift) = (scale.floats(col, cols), shift.floats(col, cols));
        let place = [self.row + row, col];
        let residual = residual.as_ref();
        self.level.vectorize(Rows { scale, shift, bounds: *bounds, residual, place, rows, tile, stride });
    }
}

/// Some columns of some rows.
struct Rows<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    bounds: [f32; 2],
    residual: Option<&'a Residual>,
    /// First row and column in the whole result.
    place: [usize; 2],
    rows: usize,
    tile: &'a mut [f32],
    stride: usize,
}

impl Vectorize for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Rows { scale, shift, bounds, residual, place: [row, col], rows, tile, stride } = self;
        let cols = scale.len();
        let factor = residual.and_then(|residual| residual.factor).map(|factor| factor.floats(col, cols));
        // Loops, as in `machine`.
        for r in 0..rows {
            let y = &mut tile[r * stride..][..cols];
            let Some(Residual { region, places, .. }) = residual else {
                for ((y, scale), shift) in y.iter_mut().zip(scale).zip(shift) {
                    *y = bounded(madd::<FMA>(*y, *scale, *shift), bounds);
                }
                continue;
            };
            let x = region.floats(places.at(row + r, col) as usize, cols);
            if let Some(factor) = factor {
                for ((((y, scale), shift), x), factor) in y.iter_mut().zip(scale).zip(shift).zip(x).zip(factor) {
                    *y = bounded(madd::<FMA>(*x, *factor, madd::<FMA>(*y, *scale, *shift)), bounds);
                }
            } else {
                for (((y, scale), shift), x) in y.iter_mut().zip(scale).zip(shift).zip(x) {
                    *y = bounded(madd::<FMA>(*y, *scale, *shift) + *x, bounds);
                }
            }
        }
    }
}
