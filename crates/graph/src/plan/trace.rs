//! Turns a value into a program over a kernel's domain, following movement ops as maps of axes.

use super::PlanOptions;
use super::decide::{Decisions, operands, resolve};
use super::draft::{Region, Storage, StorageKind};
use super::places::Places;
use super::program::{Instr, Program, Reg, View};
use crate::dtype::{DType, Scalar};
use crate::elementwise::Class;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::ops::{Role, role};
use crate::shape::{count, strides};
use rustc_hash::FxHashMap;

/// Elements of a buffer that is always one operand, whatever part of it is read.
const SHARED: usize = 16384;

/// Where one axis of a value comes from: `offset + step * (position on an axis of the domain)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AxisSource {
    source: Option<usize>,
    offset: isize,
    step: isize,
}

const FIXED: AxisSource = AxisSource { source: None, offset: 0, step: 0 };

/// Storages of the values that have one.
pub(super) struct StorageMap<'a> {
    pub graph: &'a Graph,
    pub options: &'a PlanOptions,
    pub decisions: Decisions,
    pub storages: Vec<Storage>,
    of: FxHashMap<Var, usize>,
}

impl<'a> StorageMap<'a> {
    pub fn new(graph: &'a Graph, options: &'a PlanOptions, decisions: Decisions) -> StorageMap<'a> {
        StorageMap { graph, options, decisions, storages: vec![], of: FxHashMap::default() }
    }

    /// The storage of a value with a buffer of its own, made if it is new.
    pub fn storage(&mut self, v: Var) -> usize {
        let node = self.graph.node(v);
        let (kind, len) = match &node.op {
            Op::Input(id) => (StorageKind::Input(*id), count(&node.shape)),
            Op::Constant(id) => (StorageKind::Constant(*id), count(&node.shape)),
            Op::State(id) => return self.arena_storage(self.graph.states()[id.0].arena),
            Op::Arena(id) => return self.arena_storage(*id),
            Op::Pack(..) => (StorageKind::Zeroed, count(&node.shape)),
            op => {
                assert!(role(op) != Role::Leaf, "{op:?} lies in a buffer of its own");
                (StorageKind::Temporary, count(&node.shape))
            }
        };
        if let Some(&s) = self.of.get(&v) {
            return s;
        }
        self.storages.push(Storage { kind, len, dtype: node.dtype, inside: None, output: false });
        let s = self.storages.len() - 1;
        self.of.insert(v, s);
        s
    }

    /// The one storage of an arena.
    pub fn arena_storage(&mut self, id: crate::graph::ArenaId) -> usize {
        if let Some(s) = self.storages.iter().position(|s| s.kind == StorageKind::Arena(id)) {
            return s;
        }
        let info = &self.graph.arenas()[id.0];
        let kind = StorageKind::Arena(id);
        self.storages.push(Storage { kind, len: info.len, dtype: info.dtype, inside: None, output: false });
        self.storages.len() - 1
    }

    /// The region that holds a value, or `None` if it is computed where it is used.
    pub fn region(&mut self, v: Var) -> Option<Region> {
        let (root, offset) = resolve(self.graph, v, self.options.alignment);
        let op = &self.graph.node(root).op;
        if role(op) != Role::Leaf && !self.decisions.located[root.index()] {
            return None;
        }
        let base = if let Op::State(id) = op { self.graph.states()[id.0].offset } else { 0 };
        Some(Region { storage: self.storage(root), offset: base + offset, len: count(self.graph.shape(v)) })
    }
}

/// A program under construction for one kernel.
pub(super) struct Tracer<'p, 'a> {
    pub places: &'p mut StorageMap<'a>,
    pub program: Program,
    pub operands: Vec<Region>,
    memo: FxHashMap<(Var, Vec<AxisSource>), Reg>,
    /// Where the program's instructions stand.
    written: Places,
}

impl<'p, 'a> Tracer<'p, 'a> {
    pub fn new(places: &'p mut StorageMap<'a>, domain: &[usize]) -> Tracer<'p, 'a> {
        Tracer {
            places,
            program: Program::new(domain),
            operands: vec![],
            memo: FxHashMap::default(),
            written: Places::default(),
        }
    }

    /// Adds the code of a value; axis `i` of the value is axis `axes[i]` of the domain. The value itself is computed
    /// even if it has a buffer (`root`), its operands are loaded where they have one.
    pub fn trace(&mut self, v: Var, axes: &[usize], root: bool) -> Reg {
        let map: Vec<AxisSource> = axes.iter().map(|&a| AxisSource { source: Some(a), offset: 0, step: 1 }).collect();
        if root { self.compute(v, map) } else { self.value(v, map) }
    }

    /// Too many operands for a kernel that also stores something. Nobody looks at the code then, so that none is made: a sum of
    /// many values is traced again and again, until it is split into parts that fit.
    fn is_full(&self) -> bool {
        self.operands.len() >= self.places.options.max_operands
    }

    fn push(&mut self, instr: Instr) -> Reg {
        if self.is_full() { 0 } else { self.program.push_found(&mut self.written, instr, DType::F32) }
    }

    fn value(&mut self, v: Var, map: Vec<AxisSource>) -> Reg {
        if self.is_full() {
            return 0;
        }
        let key = (v, map);
        if let Some(&reg) = self.memo.get(&key) {
            return reg;
        }
        let reg = match self.places.region(v) {
            Some(region) => self.load(v, region, &key.1),
            None => self.compute(v, key.1.clone()),
        };
        self.memo.insert(key, reg);
        reg
    }

    fn load(&mut self, v: Var, region: Region, map: &[AxisSource]) -> Reg {
        let mut view = self.view(v, map);
        let held = &self.places.storages[region.storage];
        let (kind, len) = (held.kind, held.len);
        let region = match kind {
            // Pieces of one small buffer are one operand.
            StorageKind::Temporary if len <= SHARED => {
                view.offset += region.offset as isize;
                Region { offset: 0, len, ..region }
            }
            StorageKind::Temporary
            | StorageKind::Input(_)
            | StorageKind::Arena(_)
            | StorageKind::Constant(_)
            | StorageKind::Zeroed => region,
        };
        let operand = match self.operands.iter().position(|r| *r == region) {
            Some(i) => i,
            None => {
                self.operands.push(region);
                self.operands.len() - 1
            }
        };
        let dtype = self.places.graph.dtype(v);
        self.push(Instr::Load { operand, view, dtype })
    }

    fn view(&self, v: Var, map: &[AxisSource]) -> View {
        let row = strides(self.places.graph.shape(v));
        let mut view = View { offset: 0, strides: vec![0; self.program.domain.len()] };
        for (axis, stride) in map.iter().zip(row) {
            view.offset += axis.offset * stride as isize;
            if let Some(source) = axis.source {
                view.strides[source] += axis.step * stride as isize;
            }
        }
        view
    }

    fn compute(&mut self, v: Var, map: Vec<AxisSource>) -> Reg {
        let graph = self.places.graph;
        let node = graph.node(v);
        match &node.op {
            Op::Scalar(s) => self.push(Instr::Scalar(*s)),
            Op::Iota => {
                let view = self.view(v, &map);
                let index = self.push(Instr::Index(view));
                self.push(Instr::Cast(DType::I32, index))
            }
            Op::Random { kind, salt } => {
                let words = [0, 1, 2].map(|i| self.value(node.inputs[0], vec![AxisSource { offset: i, ..FIXED }]));
                let view = self.view(v, &map);
                let index = self.push(Instr::Index(view));
                let operands = [words[0], words[1], words[2], index];
                self.push(Instr::Random { kind: *kind, salt: *salt, operands })
            }
            Op::Map(op) => {
                let mut regs: Vec<Reg> = node.inputs.iter().map(|&x| self.value(x, map.clone())).collect();
                if op.class() == Class::Compare && graph.dtype(node.inputs[0]) == DType::F16 {
                    regs.iter_mut().for_each(|r| *r = self.as_stored(*r));
                }
                self.push(Instr::Map(*op, regs))
            }
            Op::Cast(to) => {
                let mut reg = self.value(node.inputs[0], map);
                if self.program.types[reg] != to.compute() {
                    reg = self.push(Instr::Cast(to.compute(), reg));
                }
                let narrows = *to == DType::F16 && graph.dtype(node.inputs[0]) != DType::F16;
                if narrows { self.as_stored(reg) } else { reg }
            }
            Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. } | Op::WithGradient(_) => {
                let x = operands(graph, v)[0];
                let inner = self.through(v, x, map);
                self.value(x, inner)
            }
            Op::Input(_)
            | Op::State(_)
            | Op::Arena(_)
            | Op::Constant(_)
            | Op::Reduce(..)
            | Op::ArgReduce(..)
            | Op::Pad { .. }
            | Op::Concat(_)
            | Op::Pack(..)
            | Op::Moments(_)
            | Op::MatMul { .. }
            | Op::Conv2d(_)
            | Op::Conv2dInputGrad(_)
            | Op::Conv2dWeightGrad(_)
            | Op::MaxPool2d(_)
            | Op::MaxPool2dIndex(_)
            | Op::MaxPool2dGrad(_)
            | Op::AvgPool2d(..)
            | Op::AvgPool2dGrad(..)
            | Op::Softmax { .. }
            | Op::CrossEntropy(_)
            | Op::CrossEntropyGrad(_)
            | Op::Gather(_)
            | Op::ScatterAdd(_)
            | Op::IndexSelect(_)
            | Op::IndexAdd(_)
            | Op::Custom(_) => {
                unreachable!("{:?} lies in a buffer, and is loaded from there", node.op)
            }
        }
    }

    /// The operand's map, given that of a movement op's result.
    fn through(&self, v: Var, x: Var, map: Vec<AxisSource>) -> Vec<AxisSource> {
        let graph = self.places.graph;
        let (from, to) = (graph.shape(x), graph.shape(v));
        match &graph.node(v).op {
            Op::Transpose(perm) => {
                let mut inner = vec![FIXED; map.len()];
                perm.iter().zip(map).for_each(|(&p, axis)| inner[p] = axis);
                inner
            }
            Op::Broadcast => (0..from.len()).map(|i| if from[i] == to[i] { map[i] } else { FIXED }).collect(),
            Op::Slice { start, step } => map
                .iter()
                .enumerate()
                .map(|(i, a)| AxisSource {
                    source: a.source,
                    offset: start[i] as isize + step[i] * a.offset,
                    step: step[i] * a.step,
                })
                .collect(),
            // `decide` gave a buffer to the operand of any other reshape.
            Op::Reshape => {
                let mut significant = map.iter().zip(to).filter(|(_, n)| **n != 1).map(|(a, _)| *a);
                from.iter().map(|&n| if n == 1 { FIXED } else { significant.next().unwrap_or(FIXED) }).collect()
            }
            op => {
                // Batch norm with its own gradient shows its value; all other movement stands above.
                assert!(matches!(op, Op::WithGradient(_)), "{op:?} moves no elements");
                map
            }
        }
    }

    /// A 16-bit value as a load of it would give it: an extreme that was stored must equal the value that it comes from.
    fn as_stored(&mut self, reg: Reg) -> Reg {
        match &self.program.instrs[reg] {
            Instr::Load { dtype: DType::F16, .. } | Instr::Cast(DType::F16, _) => reg,
            Instr::Scalar(s) if s.dtype == DType::F16 => reg,
            Instr::Value(_)
            | Instr::Load { .. }
            | Instr::Scalar(_)
            | Instr::Index(_)
            | Instr::Random { .. }
            | Instr::Map(..)
            | Instr::Cast(..) => self.push(Instr::Cast(DType::F16, reg)),
        }
    }

    /// A number of a type.
    pub fn number(&mut self, value: Scalar) -> Reg {
        self.push(Instr::Scalar(value))
    }
}
