//! Programs: the straight-line elementwise code that a kernel runs at each point of its domain.
//!
//! A pointwise kernel is a program alone; a reduction has one in front of it (the value to reduce) and one behind; a matrix
//! product or convolution ends in one (its epilogue). Registers hold 32-bit lanes: floats are always f32, a 16-bit operand
//! is converted as it is loaded and stored.

use super::places::Places;
use crate::dtype::{DType, Scalar};
use crate::elementwise::{Class, Elementwise};
use crate::op::RandomKind;
use crate::shape::strides;

/// An affine map from a point of the domain to an element of an operand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Element at the domain's origin, relative to the operand's first.
    pub offset: isize,
    /// Elements to move for a step along each axis of the domain.
    pub strides: Vec<isize>,
}

impl View {
    /// The row-major view of a domain.
    pub fn identity(domain: &[usize]) -> View {
        View { offset: 0, strides: strides(domain).into_iter().map(|s| s as isize).collect() }
    }

    /// True when the element is the point's row-major position.
    pub fn is_identity(&self, domain: &[usize]) -> bool {
        let want = strides(domain);
        self.offset == 0 && (0..domain.len()).all(|i| domain[i] == 1 || self.strides[i] == want[i] as isize)
    }
}

/// A register: the position of the instruction that made it.
pub type Reg = usize;

/// One instruction; its result is the register of its position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instr {
    /// Result `i` of the kernel that this program is the epilogue of (f32; i32 behind an integer reduction).
    Value(usize),
    /// An operand's element.
    Load {
        /// Position in the step's operands.
        operand: usize,
        /// Which element.
        view: View,
        /// The operand's stored type; the register has its compute type.
        dtype: DType,
    },
    /// A number.
    Scalar(Scalar),
    /// The view's element number itself, as u32.
    Index(View),
    /// A random f32: operands are the key's three words and the index, all u32.
    Random {
        /// Distribution.
        kind: RandomKind,
        /// Distinguishes the random ops of a graph.
        salt: u32,
        /// Seed low, seed high, step, index.
        operands: [Reg; 4],
    },
    /// An elementwise op.
    Map(Elementwise, Vec<Reg>),
    /// Conversion to a compute type; to f16: rounding to what 16 bits hold.
    Cast(DType, Reg),
}

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// Position in the step's operands.
    pub operand: usize,
    /// Which element.
    pub view: View,
    /// The operand's stored type.
    pub dtype: DType,
    /// The register to store.
    pub reg: Reg,
}

/// Straight-line code over a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Program {
    /// Extents of the domain, outermost first.
    pub domain: Vec<usize>,
    /// The code; operands come before their uses.
    pub instrs: Vec<Instr>,
    /// Compute type of each register.
    pub types: Vec<DType>,
    /// What is written.
    pub stores: Vec<Store>,
}

impl Instr {
    /// The operand that it loads from, and where; `None` for instructions that load nothing.
    pub fn load(&self) -> Option<(usize, &View)> {
        if let Instr::Load { operand, view, .. } = self { Some((*operand, view)) } else { None }
    }

    /// The view of what it loads or of the element number that it gives.
    pub fn view(&self) -> Option<&View> {
        match self {
            Instr::Load { view, .. } | Instr::Index(view) => Some(view),
            Instr::Value(_) | Instr::Scalar(_) | Instr::Random { .. } | Instr::Map(..) | Instr::Cast(..) => None,
        }
    }
}

impl Program {
    /// An empty program.
    pub fn new(domain: &[usize]) -> Program {
        Program { domain: domain.to_vec(), ..Program::default() }
    }

    /// Adds an instruction, or finds the equal one. `value_dtype` is the type of `Value` registers.
    pub fn push(&mut self, instr: Instr, value_dtype: DType) -> Reg {
        let found = self.instrs.iter().position(|other| *other == instr);
        found.unwrap_or_else(|| self.add(instr, value_dtype))
    }

    /// The same, where many are added to one program.
    pub(super) fn push_found(&mut self, places: &mut Places, instr: Instr, value_dtype: DType) -> Reg {
        let found = places.find(&self.instrs, &instr);
        found.unwrap_or_else(|| self.add(instr, value_dtype))
    }

    fn add(&mut self, instr: Instr, value_dtype: DType) -> Reg {
        let dtype = match &instr {
            Instr::Value(_) => value_dtype.compute(),
            Instr::Load { dtype, .. } => dtype.compute(),
            Instr::Scalar(s) => s.dtype.compute(),
            Instr::Index(_) => DType::U32,
            Instr::Random { .. } => DType::F32,
            Instr::Cast(dtype, _) => dtype.compute(),
            Instr::Map(op, regs) => match op.class() {
                Class::Compare | Class::Logic | Class::Check => DType::Bool,
                Class::Select => self.types[regs[1]],
                Class::Float | Class::Number => self.types[regs[0]],
            },
        };
        self.instrs.push(instr);
        self.types.push(dtype);
        self.instrs.len() - 1
    }

    /// Adds another program's code; `operand` maps its operand positions, `load` may replace a load by a register of
    /// this program. Returns where each of its registers went. Its stores are not copied.
    pub(super) fn append(
        &mut self,
        other: &Program,
        operand: &dyn Fn(usize) -> usize,
        load: &dyn Fn(usize, &View) -> Option<Reg>,
    ) -> Vec<Reg> {
        let (mut map, mut places): (Vec<Reg>, _) = (vec![], Places::default());
        for (instr, &dtype) in other.instrs.iter().zip(&other.types) {
            let moved = match instr {
                Instr::Load { operand: o, view, dtype } => {
                    if let Some(reg) = load(*o, view) {
                        map.push(reg);
                        continue;
                    }
                    Instr::Load { operand: operand(*o), view: view.clone(), dtype: *dtype }
                }
                Instr::Random { kind, salt, operands } => {
                    Instr::Random { kind: *kind, salt: *salt, operands: operands.map(|r| map[r]) }
                }
                Instr::Map(op, regs) => Instr::Map(*op, regs.iter().map(|&r| map[r]).collect()),
                Instr::Cast(to, reg) => Instr::Cast(*to, map[*reg]),
                same @ (Instr::Value(_) | Instr::Scalar(_) | Instr::Index(_)) => same.clone(),
            };
            let reg = self.push_found(&mut places, moved, dtype);
            map.push(reg);
        }
        map
    }

    /// The casts to 16 bits that nobody sees but a product of this register, which multiplies 32 bits: further digits do no harm there, and a
    /// rounding costs some 20 operations an element. (Cooperative matrices round what they load.) A comparison must see the rounded value.
    pub fn unseen_roundings(&self, result: Reg) -> Vec<Reg> {
        let mut users = vec![0; self.instrs.len()];
        for instr in &self.instrs {
            match instr {
                Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
                Instr::Random { operands, .. } => operands.iter().for_each(|&reg| users[reg] += 1),
                Instr::Map(_, regs) => regs.iter().for_each(|&reg| users[reg] += 1),
                Instr::Cast(_, reg) => users[*reg] += 1,
            }
        }
        let (mut casts, mut open) = (vec![], vec![result]);
        while let Some(reg) = open.pop() {
            if users[reg] > usize::from(reg != result) {
                continue;
            }
            match &self.instrs[reg] {
                Instr::Cast(DType::F16, _) => casts.push(reg),
                // These give one of the values they are given.
                Instr::Map(Elementwise::Relu, regs) => open.extend(regs),
                Instr::Map(Elementwise::Where, regs) => open.extend(&regs[1..]),
                Instr::Map(..) | Instr::Cast(..) | Instr::Random { .. } => {}
                Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
            }
        }
        casts
    }

    /// Renames operand positions.
    pub(super) fn rename_operands(&mut self, position: &[usize]) {
        for instr in &mut self.instrs {
            if let Instr::Load { operand, .. } = instr {
                *operand = position[*operand];
            }
        }
        self.stores.iter_mut().for_each(|s| s.operand = position[s.operand]);
    }

    /// Positions of the operands that the program loads, once for each load.
    pub fn loaded(&self) -> impl Iterator<Item = usize> {
        self.instrs.iter().filter_map(Instr::load).map(|load| load.0)
    }

    /// Marks the operands that the program loads or stores.
    pub(super) fn mark_operands(&self, used: &mut [bool]) {
        self.loaded().for_each(|operand| used[operand] = true);
        self.stores.iter().for_each(|s| used[s.operand] = true);
    }

    /// True when the program only stores `Value(0)`, row-major, to one operand.
    pub fn is_plain(&self) -> bool {
        matches!(self.instrs[..], [Instr::Value(0)])
            && self.stores.len() == 1
            && self.stores[0].view.is_identity(&self.domain)
    }

    /// Every view of loads, index instructions and stores.
    pub(super) fn views_mut(&mut self) -> impl Iterator<Item = &mut View> {
        let loads = self.instrs.iter_mut().filter_map(|i| match i {
            Instr::Load { view, .. } | Instr::Index(view) => Some(view),
            Instr::Value(_) | Instr::Scalar(_) | Instr::Random { .. } | Instr::Map(..) | Instr::Cast(..) => None,
        });
        loads.chain(self.stores.iter_mut().map(|s| &mut s.view))
    }

    /// Merges neighbouring axes that all views cross in one stride, and drops axes of extent 1. Axes are never merged
    /// across position `barrier` (a reduction's border); returns where the border is afterwards.
    pub(super) fn collapse(&mut self, barrier: usize) -> usize {
        let mut barrier = barrier;
        let mut axis = self.domain.len();
        while axis > 0 {
            axis -= 1;
            let single = self.domain[axis] == 1;
            let inner = self.domain.get(axis + 1).copied();
            let joins = |v: &View| inner.is_some_and(|n| v.strides[axis] == v.strides[axis + 1] * n as isize);
            let mergeable = axis + 1 != barrier && inner.is_some();
            if single {
                self.domain.remove(axis);
                self.views_mut().for_each(|v| {
                    v.strides.remove(axis);
                });
            } else if mergeable && self.views_mut().all(|v| joins(v)) {
                let n = self.domain.remove(axis);
                self.domain[axis] *= n;
                self.views_mut().for_each(|v| {
                    v.strides.remove(axis);
                });
            } else {
                continue;
            }
            if axis < barrier {
                barrier -= 1;
            }
        }
        barrier
    }
}

/// The program less the code whose result no store uses and that `kept` does not name; `kept` is renamed.
pub(super) fn without_dead_code(program: &Program, kept: &mut [Reg]) -> Program {
    let mut used = vec![false; program.instrs.len()];
    kept.iter().for_each(|&reg| used[reg] = true);
    program.stores.iter().for_each(|s| used[s.reg] = true);
    for (i, instr) in program.instrs.iter().enumerate().rev() {
        if used[i] {
            match instr {
                Instr::Map(_, regs) => regs.iter().for_each(|&r| used[r] = true),
                Instr::Random { operands, .. } => operands.iter().for_each(|&r| used[r] = true),
                Instr::Cast(_, reg) => used[*reg] = true,
                Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
            }
        }
    }
    let (mut out, mut places) = (Program::new(&program.domain), Places::default());
    let mut map = vec![0; used.len()];
    for (i, instr) in program.instrs.iter().enumerate().filter(|(i, _)| used[*i]) {
        let mut moved = instr.clone();
        match &mut moved {
            Instr::Map(_, regs) => regs.iter_mut().for_each(|r| *r = map[*r]),
            Instr::Random { operands, .. } => operands.iter_mut().for_each(|r| *r = map[*r]),
            Instr::Cast(_, reg) => *reg = map[*reg],
            Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
        }
        map[i] = out.push_found(&mut places, moved, program.types[i]);
    }
    out.stores = program.stores.iter().map(|s| Store { reg: map[s.reg], ..s.clone() }).collect();
    kept.iter_mut().for_each(|reg| *reg = map[*reg]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapsing_merges_what_every_view_crosses_evenly() {
        let mut p = Program::new(&[2, 1, 3, 4]);
        let view = View { offset: 0, strides: vec![0, 0, 0, 1] };
        p.push(Instr::Load { operand: 0, view, dtype: DType::F32 }, DType::F32);
        p.push(Instr::Load { operand: 1, view: View::identity(&[2, 1, 3, 4]), dtype: DType::F32 }, DType::F32);
        assert_eq!(p.collapse(0), 0);
        assert_eq!(p.domain, [6, 4]);
    }

    #[test]
    fn a_border_is_never_crossed() {
        let mut p = Program::new(&[2, 3, 4]);
        p.push(Instr::Load { operand: 0, view: View::identity(&[2, 3, 4]), dtype: DType::F32 }, DType::F32);
        assert_eq!(p.collapse(1), 1);
        assert_eq!(p.domain, [2, 12]);
    }
}
