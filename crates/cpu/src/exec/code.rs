//! A program prepared for the CPU: operands bound to memory, registers to tiles, what is the same for all rows set apart.

use super::grid::{Addresses, Grid};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::{Instr, Program, Reg};
use chiaro_graph::{DType, Elementwise, RandomKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lanes of a register tile: with eight live registers they fill two thirds of a first-level cache of 48 KiB.
pub(crate) const TILE: usize = 1024;

/// An operand of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub region: MemoryRegion,
    pub dtype: DType,
    /// Parts of it may be written by the step, so that it is copied before use.
    pub shared: bool,
}

/// Where `Value(i)` comes from.
#[derive(Clone, Debug)]
pub(crate) enum ValueSource {
    /// There are none, or `Value(0)` is the kernel's tile.
    Tile,
    /// Row-major results of a reduction.
    Regions(Vec<MemoryRegion>),
}

/// One instruction.
#[derive(Clone, Debug)]
pub(crate) struct PreparedOp {
    pub kind: OpKind,
    pub reg: Reg,
    /// The store whose memory the result may be written to at once.
    pub store: Option<usize>,
    /// Computed once for many rows.
    pub invariant: bool,
}

/// What an instruction does.
#[derive(Clone, Debug)]
pub(crate) enum OpKind {
    Load(Bound, Addresses),
    Tile,
    Fill(u32),
    Index(Addresses),
    Random { kind: RandomKind, salt: u32, key: [Reg; 3], index: Reg },
    Map(Elementwise, DType, [Reg; 3]),
    Cast { from: DType, to: DType, x: Reg },
}

/// Where a register goes.
#[derive(Clone, Debug)]
pub(crate) struct StoreTarget {
    pub reg: Reg,
    /// The kernel's tile instead of the region.
    pub tile: bool,
    pub region: MemoryRegion,
    pub dtype: DType,
    pub places: Addresses,
}

/// A prepared program.
#[derive(Debug)]
pub(crate) struct Code {
    pub grid: Grid,
    /// Distinguishes prepared programs.
    pub id: u64,
    /// What is the same for all rows; computed once for each range of columns.
    pub invariant: Vec<PreparedOp>,
    pub body: Vec<PreparedOp>,
    pub stores: Vec<StoreTarget>,
    /// Tile of each register.
    pub slot: Vec<usize>,
    /// Number of tiles.
    pub slots: usize,
}

/// How a register depends on the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Varies {
    Never,
    WithColumn,
    Always,
}

impl Code {
    /// Prepares a program. `tile` is the store whose memory the kernel's tile is.
    pub fn new(program: &Program, operands: &[Bound], values: &ValueSource, tile: Option<usize>) -> Code {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let grid = Grid::new(&program.domain);
        let kinds: Vec<OpKind> = program.instrs.iter().map(|i| kind(i, program, &grid, operands, values)).collect();
        let varies = variation(&kinds, &grid);
        let stores: Vec<StoreTarget> = program
            .stores
            .iter()
            .enumerate()
            .map(|(i, s)| StoreTarget {
                reg: s.reg,
                tile: tile == Some(i),
                region: operands[s.operand].region,
                dtype: s.dtype,
                places: Addresses::new(&s.view, &grid),
            })
            .collect();
        let ops = |wanted: &dyn Fn(usize) -> bool| -> Vec<PreparedOp> {
            let chosen = (0..kinds.len()).filter(|&reg| wanted(reg));
            let invariant = |reg: usize| varies[reg] != Varies::Always;
            chosen
                .map(|reg| PreparedOp { kind: kinds[reg].clone(), reg, store: None, invariant: invariant(reg) })
                .collect()
        };
        let invariant = ops(&|reg| varies[reg] != Varies::Always);
        // What a store may overwrite is copied before anything is stored.
        let early =
            |reg: usize| matches!(&kinds[reg], OpKind::Tile) || matches!(&kinds[reg], OpKind::Load(b, _) if b.shared);
        let mut body = ops(&|reg| varies[reg] == Varies::Always && early(reg));
        body.extend(ops(&|reg| varies[reg] == Varies::Always && !early(reg)));
        choose_stores(&mut body, &stores);
        let (slot, slots) = assign_slots(&invariant, &body, &stores, kinds.len());
        Code { grid, id: NEXT.fetch_add(1, Ordering::Relaxed), invariant, body, stores, slot, slots }
    }

    /// Rows of a tile of `cols` columns.
    pub fn tile_rows(&self, cols: usize) -> usize {
        (TILE / cols.max(1)).clamp(1, self.grid.rows.max(1))
    }

    /// Keeps registers that are read from outside after a block: gives each a tile of its own.
    pub fn keep(&mut self, regs: impl Iterator<Item = Reg>) {
        for reg in regs {
            self.slot[reg] = self.slots;
            self.slots += 1;
        }
    }
}

fn kind(instr: &Instr, program: &Program, grid: &Grid, operands: &[Bound], values: &ValueSource) -> OpKind {
    match instr {
        Instr::Value(i) => match values {
            ValueSource::Tile => OpKind::Tile,
            ValueSource::Regions(regions) => {
                let bound = Bound { region: regions[*i], dtype: DType::F32, shared: false };
                OpKind::Load(bound, Addresses::linear(grid))
            }
        },
        Instr::Load { operand, view, dtype } => {
            OpKind::Load(Bound { dtype: *dtype, ..operands[*operand] }, Addresses::new(view, grid))
        }
        Instr::Scalar(s) => OpKind::Fill(s.lane()),
        Instr::Index(view) => OpKind::Index(Addresses::new(view, grid)),
        Instr::Random { kind, salt, operands: [a, b, c, index] } => {
            OpKind::Random { kind: *kind, salt: *salt, key: [*a, *b, *c], index: *index }
        }
        Instr::Map(op, regs) => {
            // Selections have the type of what they select, all others that of their operands.
            let at = |i: usize| regs.get(i).copied().unwrap_or(regs[0]);
            let dtype = program.types[if *op == Elementwise::Where { at(1) } else { at(0) }];
            OpKind::Map(*op, dtype, [at(0), at(1), at(2)])
        }
        Instr::Cast(to, x) => OpKind::Cast { from: program.types[*x], to: *to, x: *x },
    }
}

/// The registers that an instruction reads.
fn sources(kind: &OpKind) -> Vec<Reg> {
    match kind {
        OpKind::Load(..) | OpKind::Tile | OpKind::Fill(_) | OpKind::Index(_) => vec![],
        OpKind::Random { key, index, .. } => key.iter().copied().chain([*index]).collect(),
        OpKind::Map(_, _, regs) => regs.to_vec(),
        OpKind::Cast { x, .. } => vec![*x],
    }
}

fn variation(kinds: &[OpKind], grid: &Grid) -> Vec<Varies> {
    let mut varies: Vec<Varies> = vec![];
    for kind in kinds {
        let own = match kind {
            OpKind::Load(_, places) | OpKind::Index(places) if places.is_constant(grid) => Varies::Never,
            OpKind::Load(_, places) | OpKind::Index(places) if places.ignores_rows(grid) => Varies::WithColumn,
            OpKind::Load(..) | OpKind::Index(_) | OpKind::Tile => Varies::Always,
            OpKind::Fill(_) | OpKind::Random { .. } | OpKind::Map(..) | OpKind::Cast { .. } => {
                sources(kind).into_iter().map(|r| varies[r]).max().unwrap_or(Varies::Never)
            }
        };
        // Long rows are their own tiles, and nothing would be computed twice.
        let short = grid.rows > 1 && grid.cols <= TILE / 2;
        varies.push(if own == Varies::WithColumn && !short { Varies::Always } else { own });
    }
    varies
}

/// Lets an instruction write its result where its first store wants it.
fn choose_stores(body: &mut [PreparedOp], stores: &[StoreTarget]) {
    let read: Vec<Reg> = body.iter().flat_map(|op| sources(&op.kind)).collect();
    for op in body.iter_mut() {
        if !matches!(op.kind, OpKind::Map(..) | OpKind::Cast { .. } | OpKind::Random { .. }) {
            continue;
        }
        let mut own = (0..stores.len()).filter(|&i| stores[i].reg == op.reg && stores[i].dtype != DType::F16);
        let first = own.next();
        // The kernel's tile is lent, so that nobody can read the result there.
        let alone = !read.contains(&op.reg) && stores.iter().filter(|s| s.reg == op.reg).count() == 1;
        op.store = first.filter(|&i| alone || !stores[i].tile);
    }
}

/// Tiles of the registers, reused within the body.
fn assign_slots(
    invariant: &[PreparedOp],
    body: &[PreparedOp],
    stores: &[StoreTarget],
    regs: usize,
) -> (Vec<usize>, usize) {
    let mut slot = vec![0; regs];
    let mut slots = 0;
    for op in invariant {
        slot[op.reg] = slots;
        slots += 1;
    }
    let mut last = vec![0; regs];
    for (i, op) in body.iter().enumerate() {
        last[op.reg] = last[op.reg].max(i);
        sources(&op.kind).into_iter().for_each(|r| last[r] = i);
    }
    stores.iter().for_each(|s| last[s.reg] = usize::MAX);
    invariant.iter().for_each(|op| last[op.reg] = usize::MAX);
    let mut free: Vec<usize> = vec![];
    let mut live: Vec<Reg> = vec![];
    for (i, op) in body.iter().enumerate() {
        // An instruction never writes the tile of an operand: its tile is taken before theirs are given back.
        slot[op.reg] = free.pop().unwrap_or_else(|| {
            slots += 1;
            slots - 1
        });
        live.push(op.reg);
        live.retain(|&r| {
            let dead = last[r] <= i;
            if dead {
                free.push(slot[r]);
            }
            !dead
        });
    }
    (slot, slots)
}
