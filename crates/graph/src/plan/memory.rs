//! StorageMap storages in buffers: intermediates share slots when their lifetimes do not meet.

use super::dependencies::outermost;
use super::draft::{Draft, Drafts, Region, StorageKind};
use super::fuse::{drop_unused_operands, loads_in_order};
use super::kernel::{Access, Kernel, Operand, Step};
use super::program::{Instr, Program, without_dead_code};
use super::schedule::writers;
use super::{Buffer, BufferKind, Plan, PlanOptions, PlanOutput};
use crate::dtype::DType;
use crate::graph::Graph;
use std::collections::BTreeMap;

/// Bytes of a value that is kept for the plan's slack, at the most. What reads larger ones is hardly ever put off.
const SMALL_VALUE: usize = 128 << 10;
/// The same for scratch, which second passes read.
const LARGEST_KEPT: usize = 64 << 20;

/// A run of steps during which a storage holds something.
#[derive(Clone, Copy, Debug)]
struct Life {
    first: usize,
    last: usize,
}

/// A finished plan, with what it was made of.
pub(super) struct Placed {
    pub drafts: Drafts,
    /// In the order in which they run.
    pub calls: Vec<Draft>,
    /// Buffer of each storage that lies in no other.
    pub buffer_of: Vec<usize>,
    pub plan: Plan,
}

pub(super) fn place(graph: &Graph, mut drafts: Drafts, order: &[usize], options: &PlanOptions) -> Placed {
    let mut calls: Vec<Draft> = order.iter().map(|&i| drafts.calls[i].clone()).collect();
    let writers = writers(&drafts);
    let unshared_bytes = (0..drafts.storages.len())
        .filter(|&s| drafts.storages[s].kind == StorageKind::Temporary && drafts.storages[s].inside.is_none())
        .filter(|&s| !writers[s].is_empty())
        .map(|s| bytes(&drafts, s))
        .sum();
    calls.iter_mut().for_each(narrow_once);
    if options.fuse {
        reuse_in_place(&mut drafts, &calls, options);
    }
    let mut plan = Plan {
        buffers: vec![],
        steps: vec![],
        slack: if options.fuse && options.fusions.beside { options.slack } else { 0 },
        inputs: vec![None; graph.inputs().len()],
        arenas: vec![None; graph.arenas().len()],
        outputs: vec![],
        unshared_bytes,
    };
    let mut buffer_of = vec![usize::MAX; drafts.storages.len()];
    fixed_buffers(&drafts, &mut plan, &mut buffer_of);
    let scratch: Vec<usize> = calls.iter().map(|c| (options.scratch)(&c.kernel, c.columns.as_ref())).collect();
    let scratch_buffers = slots(&drafts, &calls, &scratch, &mut plan, &mut buffer_of);
    for (i, call) in calls.iter().enumerate() {
        let scratch = scratch_buffers[i].map(|buffer| Operand {
            buffer,
            offset: 0,
            len: scratch[i],
            dtype: DType::F32,
            access: Access::ReadWrite,
        });
        plan.steps.push(finished(&drafts, call.clone(), &buffer_of, scratch));
    }
    for ((name, v), region) in graph.outputs().iter().zip(&drafts.outputs) {
        let place = outermost(&drafts, region);
        let (shape, dtype) = (graph.shape(*v).to_vec(), graph.dtype(*v));
        let (buffer, offset) = (buffer_of[place.storage], place.offset);
        plan.outputs.push(PlanOutput { name: name.clone(), buffer, offset, shape, dtype });
    }
    Placed { drafts, calls, buffer_of, plan }
}

/// A store in 16 bits rounds by itself: what was rounded only to be stored is not rounded before. An input that is computed
/// as it is read goes into products alone, which lose nothing by its further digits.
fn narrow_once(call: &mut Draft) {
    for load in call.loads.iter_mut().flatten() {
        narrow_stores(&mut load.program);
        if let Instr::Cast(DType::F16, wide) = load.program.instrs[load.reg] {
            let mut kept = [wide];
            load.program = without_dead_code(&load.program, &mut kept);
            load.reg = kept[0];
        }
    }
    if narrow_stores(&mut call.program) {
        drop_unused_operands(call);
    }
}

/// Tells whether a store takes another register than before.
fn narrow_stores(program: &mut Program) -> bool {
    let Program { instrs, stores, .. } = program;
    let mut any = false;
    for store in stores.iter_mut().filter(|s| s.dtype == DType::F16) {
        if let Instr::Cast(DType::F16, wide) = instrs[store.reg] {
            store.reg = wide;
            any = true;
        }
    }
    any
}

/// Bytes of a storage, rounded up to whole words.
fn bytes(drafts: &Drafts, storage: usize) -> usize {
    let s = &drafts.storages[storage];
    (s.len * s.dtype.size()).next_multiple_of(4).max(4)
}

fn lives(drafts: &Drafts, calls: &[Draft]) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; drafts.storages.len()];
    for (i, call) in calls.iter().enumerate() {
        for region in call.reads().chain(call.writes()) {
            let s = outermost(drafts, region).storage;
            let life = lives[s].get_or_insert(Life { first: i, last: i });
            life.last = i;
        }
    }
    lives
}

/// Lets a call write over an operand that nobody reads afterwards, where each point reads its own element alone.
fn reuse_in_place(drafts: &mut Drafts, calls: &[Draft], options: &PlanOptions) {
    let mut lives = lives(drafts, calls);
    for (i, call) in calls.iter().enumerate() {
        let apart = matches!(call.kernel, Kernel::Pointwise | Kernel::Reduce { .. });
        if !apart && !options.epilogue_in_place {
            continue;
        }
        for store in &call.program.stores {
            let written = call.operands[store.operand].clone();
            let out = &drafts.storages[written.storage];
            let own = out.kind == StorageKind::Temporary && out.inside.is_none() && !out.output;
            if !own || written.len != out.len || !store.view.is_identity(&call.program.domain) {
                continue;
            }
            let first_write = lives[written.storage].is_some_and(|l| l.first == i);
            let candidate = call.program.instrs.iter().filter_map(Instr::load).find_map(|(operand, _)| {
                let region = outermost(drafts, &call.operands[operand]);
                let life = lives[region.storage]?;
                let dies = life.last == i && life.first < i;
                (dies && replaceable(drafts, call, operand, &region, out)).then_some(region.storage)
            });
            if let (Some(storage), true) = (candidate, first_write) {
                drafts.storages[written.storage].inside = Some((storage, 0));
                if let (Some(own), Some(outer)) = (lives[written.storage].take(), &mut lives[storage]) {
                    outer.last = own.last;
                }
            }
        }
    }
}

/// Is an operand a whole intermediate of the output's size, read only in order by the program?
fn replaceable(drafts: &Drafts, call: &Draft, operand: usize, place: &Region, out: &super::draft::Storage) -> bool {
    let held = &drafts.storages[place.storage];
    let region = &call.operands[operand];
    let whole = place.offset == 0 && place.len == held.len && held.len == out.len && held.dtype == out.dtype;
    let mine = held.kind == StorageKind::Temporary && !held.output;
    let by_kernel = call.kernel_reads().any(|r| outermost(drafts, r).storage == place.storage);
    let by_prologue = matches!(call.kernel, Kernel::Reduce { .. });
    let later = call.columns.is_some() && reads_in_columns(call, operand);
    let same: Vec<&Region> = call.operands.iter().filter(|r| outermost(drafts, r).storage == place.storage).collect();
    whole && mine && !by_kernel && !by_prologue && !later && same == [region] && loads_in_order(call, region)
}

/// Does the code that finishes a call's columns, after its other results are written, read this operand?
fn reads_in_columns(call: &Draft, operand: usize) -> bool {
    call.columns.iter().flat_map(|c| c.program.loaded()).any(|o| o == operand)
}

fn fixed_buffers(drafts: &Drafts, plan: &mut Plan, buffer_of: &mut [usize]) {
    for (s, storage) in drafts.storages.iter().enumerate() {
        if storage.inside.is_some() {
            continue;
        }
        let kind = match storage.kind {
            StorageKind::Input(id) => BufferKind::Input(id),
            StorageKind::Arena(id) => BufferKind::Arena(id),
            StorageKind::Constant(id) => BufferKind::Constant(id),
            StorageKind::Zeroed => BufferKind::Zeroed,
            StorageKind::Temporary if storage.output => BufferKind::Output,
            StorageKind::Temporary => continue,
        };
        plan.buffers.push(Buffer { kind, bytes: bytes(drafts, s) });
        buffer_of[s] = plan.buffers.len() - 1;
        match storage.kind {
            StorageKind::Input(id) => plan.inputs[id.0] = Some(buffer_of[s]),
            StorageKind::Arena(id) => plan.arenas[id.0] = Some(buffer_of[s]),
            StorageKind::Constant(_) | StorageKind::Zeroed | StorageKind::Temporary => {}
        }
    }
}

/// Greedy by size: the largest first, each into the first slot in which nothing lives at the same time, or within the plan's slack.
fn slots(
    drafts: &Drafts,
    calls: &[Draft],
    scratch: &[usize],
    plan: &mut Plan,
    buffer_of: &mut [usize],
) -> Vec<Option<usize>> {
    let slack = plan.slack;
    let put_off = |life: Life| Life { last: life.last + slack, ..life };
    let mut items: Vec<(usize, Life, Option<usize>, usize)> = vec![];
    for (s, life) in lives(drafts, calls).into_iter().enumerate() {
        let storage = &drafts.storages[s];
        let temporary = storage.kind == StorageKind::Temporary && storage.inside.is_none() && !storage.output;
        if let (Some(life), true) = (life, temporary) {
            let life = if bytes(drafts, s) <= SMALL_VALUE { put_off(life) } else { life };
            items.push((bytes(drafts, s), life, Some(s), 0));
        }
    }
    for (i, &len) in scratch.iter().enumerate().filter(|(_, len)| **len > 0) {
        let own = Life { first: i, last: i };
        let life = if 4 * len <= LARGEST_KEPT { put_off(own) } else { own };
        items.push((4 * len, life, None, i));
    }
    items.sort_by_key(|(size, life, ..)| (std::cmp::Reverse(*size), life.first));
    // Each slot with its lives: the first step of each, and its last.
    let mut held: Vec<(usize, BTreeMap<usize, usize>)> = vec![];
    let mut scratch_buffers = vec![None; calls.len()];
    for (size, life, storage, step) in items {
        // They are disjoint, so that the one that begins last reaches furthest.
        let free = |lives: &BTreeMap<usize, usize>| {
            lives.range(..=life.last).next_back().is_none_or(|(_, &last)| last < life.first)
        };
        let slot = match held.iter().position(|(_, lives)| free(lives)) {
            Some(slot) => slot,
            None => {
                plan.buffers.push(Buffer { kind: BufferKind::Slot, bytes: size });
                held.push((plan.buffers.len() - 1, BTreeMap::new()));
                held.len() - 1
            }
        };
        held[slot].1.insert(life.first, life.last);
        match storage {
            Some(s) => buffer_of[s] = held[slot].0,
            None => scratch_buffers[step] = Some(held[slot].0),
        }
    }
    scratch_buffers
}

/// The call with its final operands: no region twice, each with its access.
fn finished(drafts: &Drafts, mut call: Draft, buffer_of: &[usize], scratch: Option<Operand>) -> Step {
    let mut operands: Vec<Operand> = vec![];
    let mut position = vec![];
    let reads: Vec<Region> = call.reads().cloned().collect();
    let writes: Vec<Region> = call.writes().cloned().collect();
    let written_buffers: Vec<usize> = writes.iter().map(|r| buffer_of[outermost(drafts, r).storage]).collect();
    for region in &call.operands {
        let place = outermost(drafts, region);
        let dtype = drafts.storages[region.storage].dtype;
        let buffer = buffer_of[place.storage];
        let access = match (reads.contains(region), writes.contains(region)) {
            (_, false) if written_buffers.contains(&buffer) => Access::ReadWrite,
            (_, false) => Access::Read,
            (false, true) => Access::Write,
            (true, true) => Access::ReadWrite,
        };
        let found = operands.iter().position(|o| o.buffer == buffer && o.offset == place.offset && o.len == place.len);
        position.push(found.unwrap_or(operands.len()));
        match found {
            Some(i) if operands[i].access != access => operands[i].access = Access::ReadWrite,
            Some(_) => {}
            None => operands.push(Operand { buffer, offset: place.offset, len: place.len, dtype, access }),
        }
    }
    call.inputs.iter_mut().for_each(|i| *i = position[*i]);
    call.programs_mut().for_each(|program| program.rename_operands(&position));
    // Columns are those of the last axis, which therefore stays as it is.
    call.program.collapse(if call.columns.is_some() { call.program.domain.len() - 1 } else { 0 });
    if let Kernel::Reduce { prologue, kept, .. } = &mut call.kernel {
        *kept = prologue.collapse(*kept);
    }
    drop_repeated_stores(&mut call.program);
    // The last axis of an input is the one along which kernels read vectors.
    call.loads.iter_mut().flatten().for_each(|load| {
        load.program.collapse(load.program.domain.len().saturating_sub(1));
    });
    let Draft { kernel, program, inputs, loads, columns, label, .. } = call;
    Step { kernel, program, operands, inputs, loads, columns, scratch, label }
}

/// Operands that became one may be stored twice.
fn drop_repeated_stores(program: &mut Program) {
    let mut seen = vec![];
    program.stores.retain(|s| {
        let new = !seen.contains(&(s.operand, s.view.clone()));
        seen.push((s.operand, s.view.clone()));
        new
    });
}
