//! Turns each value that has a buffer into kernel calls.

use super::PlanOptions;
use super::decide::{Decisions, operands, resolve};
use super::draft::{Draft, Drafts, Rank, Region, StorageKind};
use super::kernel::Kernel;
use super::program::{Instr, Program, Store, View};
use super::trace::{StorageMap, Tracer};
use crate::dtype::DType;
use crate::graph::{Graph, Target, Var};
use crate::op::Op;
use crate::ops::{Role, kernel, role};
use crate::shape::{count, strides};
use std::collections::HashSet;

pub(super) fn lower(graph: &Graph, options: &PlanOptions, decisions: Decisions) -> Drafts {
    let mut lowering = Lowering {
        places: StorageMap::new(graph, options, decisions),
        calls: vec![],
        done: vec![false; graph.nodes().len()],
    };
    for i in 0..graph.nodes().len() {
        if lowering.places.decisions.located[i] && lowering.places.decisions.live[i] && !lowering.done[i] {
            lowering.lower_fully(graph.value(i));
        }
    }
    let outputs = lowering.outputs();
    let assignments = lowering.assignments();
    let storages = lowering.places.storages;
    Drafts { storages, calls: lowering.calls, outputs, assignments }
}

struct Lowering<'a> {
    places: StorageMap<'a>,
    calls: Vec<Draft>,
    done: Vec<bool>,
}

impl Lowering<'_> {
    fn graph(&self) -> &Graph {
        self.places.graph
    }

    /// Adds the calls that compute a value; while there are too many operands, one of them gets a buffer first.
    fn lower_fully(&mut self, v: Var) {
        self.done[v.index()] = true;
        while let Some(split) = self.lower(v) {
            self.places.decisions.located[split.index()] = true;
            self.lower_fully(split);
        }
    }

    /// Adds the calls that compute a value. Gives a value that needs a buffer first if there are too many operands.
    fn lower(&mut self, v: Var) -> Option<Var> {
        let node = self.graph().node(v).clone();
        match &node.op {
            Op::Concat(axis) => self.concat(v, *axis),
            Op::Pad { low, value, .. } => self.pad(v, low, *value),
            Op::Pack(_, states) => self.pack(v, states),
            Op::Reduce(kind, axes) => return self.reduce(v, *kind, axes),
            op => match (kernel(self.graph(), v), role(op)) {
                (Some(kernel), _) => self.structural(v, kernel),
                (None, Role::Leaf | Role::Pointwise | Role::Movement) => return self.pointwise(v),
                (None, Role::Reduce | Role::Structural) => unreachable!("{op:?} has no kernel"),
            },
        }
        None
    }

    fn whole(&mut self, v: Var) -> Region {
        Region { storage: self.places.storage(v), offset: 0, len: count(self.graph().shape(v)) }
    }

    fn call(&mut self, v: Var, kernel: Kernel, program: Program, operands: Vec<Region>, inputs: Vec<usize>) {
        let graph = self.graph();
        let (path, name) = (graph.path(v), graph.node(v).op.name());
        let label = if path.is_empty() { name } else { format!("{path}/{name}") };
        let rank = Rank { late: graph.is_recomputed(v), number: self.calls.len() };
        self.calls.push(Draft { kernel, program, operands, inputs, loads: vec![], columns: None, label, rank });
    }

    /// Traces a value over a domain of its own shape and stores it with a view of a region.
    fn write(&mut self, v: Var, label: Var, root: bool, region: Region, view: View) -> Option<Var> {
        let domain = self.graph().shape(v).to_vec();
        let axes: Vec<usize> = (0..domain.len()).collect();
        let dtype = self.graph().dtype(label);
        let limit = self.places.options.max_operands;
        let mut tracer = Tracer::new(&mut self.places, &domain);
        let reg = tracer.trace(v, &axes, root);
        let (mut program, mut operands) = (tracer.program, tracer.operands);
        if operands.len() >= limit {
            return self.split(v);
        }
        operands.push(region);
        program.stores.push(Store { operand: operands.len() - 1, view, dtype, reg });
        self.call(label, Kernel::Pointwise, program, operands, vec![]);
        None
    }

    fn pointwise(&mut self, v: Var) -> Option<Var> {
        let region = self.whole(v);
        let view = View::identity(self.graph().shape(v));
        self.write(v, v, true, region, view)
    }

    /// The operand in a value's expression that reads the most buffers.
    fn split(&mut self, v: Var) -> Option<Var> {
        let mut best = (1, None);
        let mut stack: Vec<Var> = operands(self.graph(), v).to_vec();
        let mut seen = HashSet::new();
        while let Some(x) = stack.pop() {
            if self.places.region(x).is_some() || !seen.insert(x) {
                continue;
            }
            let shape = self.graph().shape(x).to_vec();
            let axes: Vec<usize> = (0..shape.len()).collect();
            let mut tracer = Tracer::new(&mut self.places, &shape);
            tracer.trace(x, &axes, true);
            let n = tracer.operands.len();
            // A reshape has no buffer of its own; its operand, which comes next, does.
            let own = resolve(self.graph(), x, self.places.options.alignment).0 == x;
            if own && n > best.0 && n < self.places.options.max_operands {
                best = (n, Some(x));
            }
            stack.extend_from_slice(operands(self.graph(), x));
        }
        best.1
    }

    fn concat(&mut self, v: Var, axis: usize) {
        let mut start = 0;
        let row = strides(self.graph().shape(v));
        for x in self.graph().node(v).inputs.clone() {
            let region = self.whole(v);
            let view =
                View { offset: (start * row[axis]) as isize, strides: row.iter().map(|&s| s as isize).collect() };
            self.copy(x, v, region, view);
            start += self.graph().shape(x)[axis];
        }
    }

    /// Writes a value into a region, in one call or, if it has too many operands, through a buffer.
    fn copy(&mut self, x: Var, label: Var, region: Region, view: View) {
        if self.write(x, label, false, region.clone(), view.clone()).is_some() {
            self.places.decisions.located[x.index()] = true;
            self.lower_fully(x);
            self.write(x, label, false, region, view);
        }
    }

    fn pad(&mut self, v: Var, low: &[usize], value: crate::dtype::Scalar) {
        let shape = self.graph().shape(v).to_vec();
        let region = self.whole(v);
        let mut tracer = Tracer::new(&mut self.places, &shape);
        let reg = tracer.number(value);
        let mut fill = tracer.program;
        fill.stores.push(Store { operand: 0, view: View::identity(&shape), dtype: value.dtype, reg });
        self.call(v, Kernel::Pointwise, fill, vec![region.clone()], vec![]);
        let row = strides(&shape);
        let view = View {
            offset: low.iter().zip(&row).map(|(l, s)| (l * s) as isize).sum(),
            strides: row.iter().map(|&s| s as isize).collect(),
        };
        let x = self.graph().node(v).inputs[0];
        self.copy(x, v, region, view);
    }

    /// Lets each operand be computed in its place within the packed buffer where that is possible, and copies it otherwise.
    fn pack(&mut self, v: Var, states: &[crate::graph::StateId]) {
        let packed = self.places.storage(v);
        let mut parts: Vec<(Var, Region, usize)> = vec![];
        for (x, state) in self.graph().node(v).inputs.clone().into_iter().zip(states) {
            if let Some(region) = self.places.region(x) {
                parts.push((x, region, self.graph().states()[state.0].offset));
            }
        }
        for (x, region, offset) in &parts {
            let placed =
                self.places.storages[region.storage].inside == Some((packed, offset.wrapping_sub(region.offset)));
            if placed || self.compute_in_place(packed, region.storage, &parts) {
                continue;
            }
            let target = Region { storage: packed, offset: *offset, len: region.len };
            let view = View::identity(self.graph().shape(*x));
            self.write(*x, v, false, target, view);
        }
    }

    /// Puts a whole intermediate inside the packed buffer, if its parts lie there in the same order and without gaps.
    fn compute_in_place(&mut self, packed: usize, storage: usize, parts: &[(Var, Region, usize)]) -> bool {
        let mine: Vec<_> = parts.iter().filter(|(_, r, _)| r.storage == storage).collect();
        let held = &self.places.storages[storage];
        let covered: usize = mine.iter().map(|(_, r, _)| r.len).sum();
        let start = mine[0].2.wrapping_sub(mine[0].1.offset);
        let in_order = mine.iter().all(|(_, r, offset)| offset.wrapping_sub(r.offset) == start);
        let own = held.kind == StorageKind::Temporary && held.inside.is_none() && !held.output;
        if !own || !in_order || covered != held.len {
            return false;
        }
        self.places.storages[storage].inside = Some((packed, start));
        true
    }

    fn reduce(&mut self, v: Var, kind: crate::op::ReduceKind, axes: &[usize]) -> Option<Var> {
        let x = self.graph().node(v).inputs[0];
        let shape = self.graph().shape(x).to_vec();
        let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
        let domain: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
        let mut position = vec![0; shape.len()];
        order.iter().enumerate().for_each(|(i, &a)| position[a] = i);
        let limit = self.places.options.max_operands;
        let dtype = self.graph().dtype(v);
        let mut tracer = Tracer::new(&mut self.places, &domain);
        let reg = tracer.trace(x, &position, false);
        let (prologue, mut operands) = (tracer.program, tracer.operands);
        if operands.len() >= limit {
            return self.split(v);
        }
        let kernel = Kernel::Reduce { prologue, kept: kept.len(), results: vec![(reg, kind)] };
        operands.push(self.whole(v));
        let program = store_value(&domain[..kept.len()], operands.len() - 1, dtype);
        self.call(v, kernel, program, operands, vec![]);
        None
    }

    fn structural(&mut self, v: Var, kernel: Kernel) {
        let inputs = self.graph().node(v).inputs.clone();
        let mut regions: Vec<Region> = vec![];
        let mut positions = vec![];
        for x in inputs {
            let Some(region) = self.places.region(x) else { continue };
            let found = regions.iter().position(|r| *r == region);
            positions.push(found.unwrap_or(regions.len()));
            if found.is_none() {
                regions.push(region);
            }
        }
        regions.push(self.whole(v));
        let (shape, dtype) = (self.graph().shape(v).to_vec(), self.graph().dtype(v));
        let program = store_value(&shape, regions.len() - 1, dtype);
        self.call(v, kernel, program, regions, positions);
    }

    fn outputs(&mut self) -> Vec<Region> {
        let outputs = self.graph().outputs().to_vec();
        let mut regions = vec![];
        for (_, v) in outputs {
            let place = self.places.region(v);
            let own = |s: &super::draft::Storage| s.kind == StorageKind::Temporary && s.inside.is_none();
            regions.push(match place {
                Some(region) if own(&self.places.storages[region.storage]) => {
                    self.places.storages[region.storage].output = true;
                    region
                }
                Some(_) | None => {
                    let len = count(self.graph().shape(v));
                    let region = self.temporary(len, self.graph().dtype(v));
                    self.places.storages[region.storage].output = true;
                    let view = View::identity(self.graph().shape(v));
                    self.copy(v, v, region.clone(), view);
                    region
                }
            });
        }
        regions
    }

    fn temporary(&mut self, len: usize, dtype: DType) -> Region {
        let kind = StorageKind::Temporary;
        self.places.storages.push(super::draft::Storage { kind, len, dtype, inside: None, output: false });
        Region { storage: self.places.storages.len() - 1, offset: 0, len }
    }

    /// Where each assigned value lies; a value that lies in memory of something else is copied first, so that every
    /// target is written from a storage of its own.
    fn assignments(&mut self) -> Vec<(Target, Region, Region)> {
        let mut out = vec![];
        let mut taken = vec![];
        for (target, v) in self.graph().assignments().to_vec() {
            let (arena, offset, len) = match target {
                Target::State(s) => {
                    let info = &self.graph().states()[s.0];
                    (info.arena, info.offset, count(&info.shape))
                }
                Target::Arena(a) => (a, 0, self.graph().arenas()[a.0].len),
            };
            let to = Region { storage: self.places.arena_storage(arena), offset, len };
            let place = self.places.region(v);
            let movable = place.filter(|r| {
                let s = &self.places.storages[r.storage];
                let own = s.kind == StorageKind::Temporary && s.inside.is_none() && !s.output;
                own && r.offset == 0 && r.len == s.len && !taken.contains(&r.storage)
            });
            let from = match movable {
                Some(region) => region,
                None => {
                    let region = self.temporary(len, self.graph().dtype(v));
                    let view = View::identity(self.graph().shape(v));
                    self.copy(v, v, region.clone(), view);
                    region
                }
            };
            taken.push(from.storage);
            out.push((target, to, from));
        }
        out
    }
}

/// The program of a kernel that only stores its result.
fn store_value(domain: &[usize], operand: usize, dtype: DType) -> Program {
    let mut program = Program::new(domain);
    let reg = program.push(Instr::Value(0), dtype);
    program.stores.push(Store { operand, view: View::identity(domain), dtype, reg });
    program
}
