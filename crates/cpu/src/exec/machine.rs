//! The tile interpreter: runs a prepared program over a rectangle of its domain, one vectorised loop an instruction.

use super::code::{Code, OpKind, PreparedOp, StoreTarget};
use super::grid::TileSpan;
use super::math;
use super::random;
use super::scratch::Scratch;
use super::transfer::{load, store};
use crate::kernels::{Level, Vectorize};
use chiaro_graph::{DType, Elementwise};
use half::f16;

/// Registers that may be read where they lie in memory.
const DIRECT: usize = 64;

/// Rows of a kernel's output that are in cache: `Value(0)`, and where the result goes.
pub(crate) struct ResultTile<'t> {
    pub lanes: &'t mut [u32],
    /// Lanes between rows.
    pub stride: usize,
}

/// One thread's run of a program.
pub(crate) struct Machine<'a> {
    code: &'a Code,
    scratch: &'a mut Scratch,
    direct: [Option<&'a [u32]>; DIRECT],
    level: Level,
    run: u64,
}

impl<'a> Machine<'a> {
    /// `run` distinguishes the calls of a program whose operands may have changed in between.
    pub fn new(code: &'a Code, scratch: &'a mut Scratch, level: Level, run: u64) -> Machine<'a> {
        scratch.reserve(code.slots);
        Machine { code, scratch, direct: [None; DIRECT], level, run }
    }

    /// The scratch, between blocks.
    pub fn scratch(&mut self) -> &mut Scratch {
        self.scratch
    }

    /// Runs a rectangle of at most one tile.
    pub fn block(&mut self, span: TileSpan, mut tile: Option<ResultTile<'_>>) {
        let key = (self.code.id, self.run, span.col, span.cols);
        if self.scratch.key != key && !self.code.invariant.is_empty() {
            let rows = self.code.tile_rows(span.cols);
            self.ops(&self.code.invariant, TileSpan { row: 0, rows, ..span }, &mut None);
            self.scratch.key = key;
        }
        self.ops(&self.code.body, span, &mut tile);
        for (i, target) in self.code.stores.iter().enumerate() {
            self.finish(i, target, span, &mut tile);
        }
    }

    fn ops(&mut self, ops: &'a [PreparedOp], span: TileSpan, tile: &mut Option<ResultTile<'_>>) {
        let level = self.level;
        level.vectorize(Ops { machine: self, ops, span, tile });
    }

    /// A register's lanes after a block.
    #[inline(always)]
    pub fn register(&self, reg: usize, len: usize) -> &[u32] {
        match self.direct.get(reg) {
            Some(Some(slice)) => &slice[..len],
            _ => &self.scratch.tiles[self.code.slot[reg]][..len],
        }
    }

    fn finish(&self, i: usize, target: &StoreTarget, span: TileSpan, tile: &mut Option<ResultTile<'_>>) {
        let done = self.code.body.iter().any(|op| op.store == Some(i)) && stores_at_once(target, span, tile.as_ref());
        if done {
            return;
        }
        let lanes = self.register(target.reg, span.points());
        match tile {
            Some(tile) if target.tile => {
                let rows = tile.lanes.chunks_mut(tile.stride.max(1)).zip(lanes.chunks_exact(span.cols));
                rows.for_each(|(to, from)| to[..span.cols].copy_from_slice(from));
            }
            _ => store(target, span, lanes),
        }
    }
}

/// Can an instruction write its result straight to the store's memory?
fn stores_at_once(target: &StoreTarget, span: TileSpan, tile: Option<&ResultTile<'_>>) -> bool {
    match tile {
        Some(tile) if target.tile => span.rows == 1 || tile.stride == span.cols,
        _ => target.places.is_dense(&span),
    }
}

struct Ops<'m, 'a, 't> {
    machine: &'m mut Machine<'a>,
    ops: &'a [PreparedOp],
    span: TileSpan,
    tile: &'m mut Option<ResultTile<'t>>,
}

impl Vectorize for Ops<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for op in self.ops {
            self.machine.op(op, self.span, self.tile);
        }
    }
}

impl<'a> Machine<'a> {
    #[inline(always)]
    fn op(&mut self, op: &'a PreparedOp, span: TileSpan, tile: &mut Option<ResultTile<'_>>) {
        let n = span.points();
        if let OpKind::Load(bound, places) = &op.kind {
            // Invariant tiles outlive this machine, so that they are copied.
            if !op.invariant && !bound.shared && bound.dtype != DType::F16 && op.reg < DIRECT && places.is_dense(&span)
            {
                self.direct[op.reg] = Some(bound.region.lanes(places.at(span.row, span.col) as usize, n));
                return;
            }
        }
        let mut own = std::mem::take(&mut self.scratch.tiles[self.code.slot[op.reg]]);
        let target = op.store.map(|i| &self.code.stores[i]).filter(|t| stores_at_once(t, span, tile.as_ref()));
        let place = target.filter(|t| !t.tile).map(|t| (t.region, t.places.at(span.row, span.col) as usize));
        // One call, since all ops of the table are compiled into it.
        let out: &mut [u32] = match (place, target, tile.as_mut()) {
            (Some((region, start)), ..) => region.lanes_mut(start, n),
            (None, Some(_), Some(tile)) => &mut tile.lanes[..n],
            _ => &mut own[..n],
        };
        self.compute(op, span, out);
        if let (OpKind::Tile, Some(tile)) = (&op.kind, tile.as_ref()) {
            let rows = own.chunks_mut(span.cols).zip(tile.lanes.chunks(tile.stride.max(1))).take(span.rows);
            rows.for_each(|(to, from)| to.copy_from_slice(&from[..span.cols]));
        }
        self.scratch.tiles[self.code.slot[op.reg]] = own;
        if op.reg < DIRECT {
            self.direct[op.reg] = place.map(|(region, start)| region.lanes(start, n));
        }
    }

    #[inline(always)]
    fn compute(&self, op: &PreparedOp, span: TileSpan, out: &mut [u32]) {
        let n = out.len();
        match &op.kind {
            OpKind::Load(bound, places) => load(bound, places, span, out),
            OpKind::Tile => {}
            OpKind::Fill(lane) => out.fill(*lane),
            OpKind::Index(places) => {
                for (r, row) in out.chunks_exact_mut(span.cols).enumerate() {
                    let (start, step) = (places.at(span.row + r, span.col) as u32, places.col as u32);
                    row.iter_mut().enumerate().for_each(|(c, o)| *o = start.wrapping_add(step.wrapping_mul(c as u32)));
                }
            }
            OpKind::Random { kind, salt, key, index } => {
                let key = key.map(|r| self.register(r, 1)[0]);
                random::fill(*kind, key, *salt, self.register(*index, n), out);
            }
            OpKind::Map(op, dtype, [x, y, z]) => {
                map(*op, *dtype, [self.register(*x, n), self.register(*y, n), self.register(*z, n)], out);
            }
            OpKind::Cast { from, to, x } => cast(*from, *to, self.register(*x, n), out),
        }
    }
}

#[inline(always)]
fn map(op: Elementwise, dtype: DType, [x, y, z]: [&[u32]; 3], out: &mut [u32]) {
    // Faster than what the table says of them.
    if op == Elementwise::Exp {
        return each_float(x, out, math::exp);
    }
    if op == Elementwise::Tanh {
        return each_float(x, out, math::tanh);
    }
    if op == Elementwise::Sigmoid {
        return each_float(x, out, math::sigmoid);
    }
    if op == Elementwise::Silu {
        return each_float(x, out, |v| v * math::sigmoid(v));
    }
    if op == Elementwise::Erf {
        return each_float(x, out, math::erf);
    }
    if op == Elementwise::Gelu {
        return each_float(x, out, math::gelu);
    }
    op.map_lanes(dtype, x, y, z, out);
}

#[inline(always)]
fn each_float(x: &[u32], out: &mut [u32], f: impl Fn(f32) -> f32) {
    // A loop, not `for_each`: large closures are not inlined there, and are then compiled for the narrowest vectors.
    for (o, &v) in out.iter_mut().zip(x) {
        *o = f(f32::from_bits(v)).to_bits();
    }
}

/// Converts lanes: float to integer truncates and saturates, integer to integer keeps the bits, anything to bool tests for
/// non-zero, f16 rounds a float to 16 bits.
#[inline(always)]
fn cast(from: DType, to: DType, x: &[u32], out: &mut [u32]) {
    #[inline(always)]
    fn each(x: &[u32], out: &mut [u32], f: impl Fn(u32) -> u32) {
        out.iter_mut().zip(x).for_each(|(o, &v)| *o = f(v));
    }
    if to == DType::F16 {
        return each(x, out, |v| f16::from_f32(f32::from_bits(v)).to_f32().to_bits());
    }
    let (from, to) = (from.compute(), to.compute());
    match (from, to) {
        (DType::F32 | DType::F16, DType::I32) => each(x, out, |v| f32::from_bits(v) as i32 as u32),
        (DType::F32 | DType::F16, DType::U32) => each(x, out, |v| f32::from_bits(v) as u32),
        (DType::F32 | DType::F16, DType::Bool) => each(x, out, |v| u32::from(f32::from_bits(v) != 0.0)),
        (DType::F32 | DType::F16, DType::F32 | DType::F16) => out.copy_from_slice(x),
        (DType::I32, DType::F32 | DType::F16) => each(x, out, |v| (v as i32 as f32).to_bits()),
        (DType::U32 | DType::Bool, DType::F32 | DType::F16) => each(x, out, |v| (v as f32).to_bits()),
        (DType::I32 | DType::U32 | DType::Bool, DType::Bool) => each(x, out, |v| u32::from(v != 0)),
        (DType::I32 | DType::U32 | DType::Bool, DType::I32 | DType::U32) => out.copy_from_slice(x),
    }
}
