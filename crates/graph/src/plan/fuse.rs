//! Merges calls: reductions over the same points, and pointwise work into the kernel that produces its operand.

use super::columns::merged_columns;
use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Region};
use super::kernel::Kernel;
use super::program::{Instr, Program, Reg, Store, View};
use super::{Fusions, Pass, PlanOptions, hoist, inline, strided, verify};
use crate::dtype::DType;
use crate::error::Result;
use crate::shape::count;

/// Points of a call that is small enough to be joined with others.
const SMALL: usize = 4096;

/// Results of one reduction kernel at the most.
const MAX_RESULTS: usize = 2;

/// The passes that merge calls, in their order, each with the switch that it is behind.
const PASSES: [(&str, Switch, Merger); 7] = [
    ("reductions", |_| true, |drafts, options| merge_all(drafts, options, reductions, merged_reductions)),
    ("consumers", |on| on.pointwise, consumers),
    ("columns", |on| on.columns, |drafts, options| merge_all(drafts, options, producers_of_reductions, merged_columns)),
    (
        "hoist",
        |on| on.hoist,
        |drafts, options| {
            if hoist::hoist(drafts, options) && options.fusions.pointwise {
                // Calls with fewer operands than before.
                consumers(drafts, options);
            }
        },
    ),
    ("strided", |on| on.pointwise, strided::strided),
    ("inline", |on| on.inline, inline::inline),
    ("small", |on| on.pointwise, |drafts, options| merge_all(drafts, options, small_companions, merged_small)),
];

/// Runs all passes, each verified.
///
/// # Errors
/// [`GraphError::Plan`](crate::GraphError::Plan) if a pass breaks an invariant.
pub(super) fn fuse(drafts: &mut Drafts, options: &PlanOptions, see: &mut dyn FnMut(Pass)) -> Result<()> {
    for (name, _, merge) in PASSES.into_iter().filter(|(_, wanted, _)| wanted(&options.fusions)) {
        merge(drafts, options);
        verify::calls(drafts, name)?;
        see(drafts.after(name));
    }
    Ok(())
}

fn consumers(drafts: &mut Drafts, options: &PlanOptions) {
    merge_all(drafts, options, producers_of_pointwise, merged_consumer);
}

type Switch = fn(&Fusions) -> bool;
type Merger = fn(&mut Drafts, &PlanOptions);
/// The calls with which a call may perhaps be merged.
type Partners = fn(&Dependencies, &Draft, usize) -> Vec<usize>;
type Merge = fn(&Drafts, &Dependencies, usize, usize, &PlanOptions) -> Option<Draft>;

fn reductions(dependencies: &Dependencies, call: &Draft, b: usize) -> Vec<usize> {
    if call.prologue().is_some() { dependencies.sharers(b) } else { vec![] }
}

fn producers_of_pointwise(dependencies: &Dependencies, call: &Draft, b: usize) -> Vec<usize> {
    if matches!(call.kernel, Kernel::Pointwise) { dependencies.producers(b) } else { vec![] }
}

fn producers_of_reductions(dependencies: &Dependencies, call: &Draft, b: usize) -> Vec<usize> {
    let reduction = matches!(call.kernel, Kernel::Moments { .. } | Kernel::Reduce { .. });
    if reduction { dependencies.producers(b) } else { vec![] }
}

fn small_companions(dependencies: &Dependencies, call: &Draft, b: usize) -> Vec<usize> {
    let small = matches!(call.kernel, Kernel::Pointwise) && count(&call.program.domain) <= SMALL;
    if small { dependencies.companions(b) } else { vec![] }
}

/// Merges calls with partners until no pair is left that can be merged.
fn merge_all(drafts: &mut Drafts, options: &PlanOptions, partners: Partners, merge: Merge) {
    let mut dependencies = Dependencies::new(drafts);
    let mut gone = vec![false; drafts.calls.len()];
    // Calls since the last merge; after a whole round without one there is none left.
    let (mut b, mut idle) = (0, 0);
    while idle < drafts.calls.len() {
        let candidates = if gone[b] { vec![] } else { partners(&dependencies, &drafts.calls[b], b) };
        let merged = candidates.into_iter().find_map(|a| Some((a, merge(drafts, &dependencies, a, b, options)?)));
        if let Some((a, call)) = merged {
            dependencies.merge(drafts, [a, b], call);
            gone[b] = true;
            idle = 0;
        } else {
            idle += 1;
        }
        b = (b + 1) % drafts.calls.len();
    }
    #[cfg(test)]
    dependencies.assert_current(drafts);
    let mut gone = gone.into_iter();
    drafts.calls.retain(|_| gone.next() == Some(false));
}

/// Counts operands, and scratch where the kernel wants some. Columns are finished by a dispatch of its own.
pub(super) fn fits(draft: &Draft, options: &PlanOptions) -> bool {
    let scratch = usize::from((options.scratch)(&draft.kernel, draft.columns.as_ref()) > 0);
    let Some(columns) = &draft.columns else {
        return draft.operands.len() + scratch <= options.max_operands;
    };
    let count = |used: Vec<bool>| used.into_iter().filter(|&u| u).count();
    let mut late = vec![false; draft.operands.len()];
    columns.program.mark_operands(&mut late);
    let mut early = vec![false; draft.operands.len()];
    draft.inputs.iter().for_each(|&i| early[i] = true);
    draft.loads.iter().flatten().for_each(|load| load.program.mark_operands(&mut early));
    draft.program.mark_operands(&mut early);
    count(early).max(count(late)) + scratch <= options.max_operands
}

/// Two reductions over the same points that share an operand become one call.
fn merged_reductions(drafts: &Drafts, deps: &Dependencies, a: usize, b: usize, options: &PlanOptions) -> Option<Draft> {
    let (first, second) = (&drafts.calls[a], &drafts.calls[b]);
    let (Kernel::Reduce { prologue: p, kept: k, results: r }, Kernel::Reduce { prologue: q, kept: l, results: s }) =
        (&first.kernel, &second.kernel)
    else {
        return None;
    };
    let shared = first.reads().any(|x| second.reads().any(|y| x == y));
    if p.domain != q.domain || k != l || r.len() + s.len() > MAX_RESULTS || !shared {
        return None;
    }
    if deps.reaches(a, b) || deps.reaches(b, a) {
        return None;
    }
    let mut merged = first.clone();
    let map: Vec<usize> = second.operands.iter().map(|o| merged.operand(o.clone())).collect();
    let mut prologue = p.clone();
    let regs = prologue.append(q, &|o| map[o], &|_, _| None);
    let mut results = r.clone();
    let shift = results.len();
    results.extend(s.iter().map(|&(reg, kind)| (regs[reg], kind)));
    let mut epilogue = second.program.clone();
    for instr in &mut epilogue.instrs {
        if let Instr::Value(i) = instr {
            *i += shift;
        }
    }
    let (mut program, epilogue) = same_domain(&first.program, &epilogue)?;
    let regs = program.append(&epilogue, &|o| map[o], &|_, _| None);
    copy_stores(&mut program, &epilogue, &map, &regs);
    merged.program = program;
    merged.kernel = Kernel::Reduce { prologue, kept: *k, results };
    merged.rank = first.rank.max(second.rank);
    fits(&merged, options).then_some(merged)
}

/// Small pointwise calls over equally many points become one, to save calls (statistics being packed, for example).
fn merged_small(drafts: &Drafts, deps: &Dependencies, a: usize, b: usize, options: &PlanOptions) -> Option<Draft> {
    let (first, second) = (&drafts.calls[a], &drafts.calls[b]);
    let pointwise = [first, second].iter().all(|c| matches!(c.kernel, Kernel::Pointwise));
    let points = count(&first.program.domain);
    if !pointwise || points > SMALL || points != count(&second.program.domain) {
        return None;
    }
    let more = second.operands.iter().filter(|o| !first.operands.contains(o)).count();
    if first.operands.len() + more > options.max_operands || deps.reaches(a, b) || deps.reaches(b, a) {
        return None;
    }
    let (mut program, code) = same_domain(&first.program, &second.program)?;
    let mut merged = first.clone();
    let map: Vec<usize> = second.operands.iter().map(|o| merged.operand(o.clone())).collect();
    let regs = program.append(&code, &|o| map[o], &|_, _| None);
    copy_stores(&mut program, &code, &map, &regs);
    merged.program = program;
    merged.rank = first.rank.max(second.rank);
    fits(&merged, options).then_some(merged)
}

/// A pointwise call moves into the call that produces one of its operands.
fn merged_consumer(drafts: &Drafts, deps: &Dependencies, a: usize, b: usize, options: &PlanOptions) -> Option<Draft> {
    let (producer, consumer) = (&drafts.calls[a], &drafts.calls[b]);
    let pointwise = matches!(producer.kernel, Kernel::Pointwise);
    if !matches!(consumer.kernel, Kernel::Pointwise) || !(pointwise || (options.has_epilogue)(&producer.kernel)) {
        return None;
    }
    if count(&producer.program.domain) != count(&consumer.program.domain) {
        return None;
    }
    let produced = direct_regions(drafts, producer, consumer)?;
    if deps.reaches_indirectly(a, b) {
        return None;
    }
    let (mut program, code) = same_domain(&producer.program, &consumer.program)?;
    let mut merged = producer.clone();
    let map: Vec<usize> = consumer.operands.iter().map(|o| merged.operand(o.clone())).collect();
    let stored = |program: &mut Program, o: usize| -> Option<Reg> {
        let region = produced.iter().find(|r| **r == consumer.operands[o])?;
        let store = producer.program.stores.iter().find(|s| producer.operands[s.operand] == *region)?;
        Some(as_stored(program, store))
    };
    let forwarded: Vec<Option<Reg>> = (0..consumer.operands.len()).map(|o| stored(&mut program, o)).collect();
    let regs = program.append(&code, &|o| map[o], &|o, _| forwarded[o]);
    copy_stores(&mut program, &code, &map, &regs);
    let vanishes = |r: &Region| produced.contains(r) && !needed_elsewhere(drafts, deps, r, b);
    let operands = merged.operands.clone();
    program.stores.retain(|s| !vanishes(&operands[s.operand]));
    merged.program = program;
    merged.rank = producer.rank.max(consumer.rank);
    drop_unused_operands(&mut merged);
    fits(&merged, options).then_some(merged)
}

/// The register that a load of a store's element would give. A 16-bit store rounds: a comparison with another value that was
/// read back must not see more digits than that.
fn as_stored(program: &mut Program, store: &Store) -> Reg {
    match store.dtype {
        DType::F16 => program.push(Instr::Cast(DType::F16, store.reg), DType::F32),
        DType::F32 | DType::I32 | DType::U32 | DType::Bool => store.reg,
    }
}

/// The regions that the consumer loads point by point exactly as the producer stores them; `None` if there is none, or if
/// it also reads the producer's results in another way.
fn direct_regions(drafts: &Drafts, producer: &Draft, consumer: &Draft) -> Option<Vec<Region>> {
    let mut direct = vec![];
    let late = producer.columns.iter().flat_map(|c| &c.program.stores).map(|s| &producer.operands[s.operand]);
    if late.into_iter().any(|w| consumer.reads().any(|r| r.overlaps(w))) {
        return None;
    }
    for region in consumer.reads() {
        let Some(store) = producer.program.stores.iter().find(|s| producer.operands[s.operand].overlaps(region)) else {
            continue;
        };
        let written = &producer.operands[store.operand];
        let storage = &drafts.storages[region.storage];
        let whole = written == region && region.offset == 0 && region.len == storage.len;
        // A second writer is a part upon this filling: it lies between the two calls, and `reaches_indirectly` sees it.
        if !whole || !store.view.is_identity(&producer.program.domain) || !loads_in_order(consumer, region) {
            return None;
        }
        direct.push(region.clone());
    }
    (!direct.is_empty()).then_some(direct)
}

/// True when every load of a region takes the point's own element.
pub(super) fn loads_in_order(draft: &Draft, region: &Region) -> bool {
    draft.program.instrs.iter().filter_map(Instr::load).all(|(operand, view)| {
        let own = &draft.operands[operand];
        !own.overlaps(region) || *own == *region && view.is_identity(&draft.program.domain)
    })
}

/// Is a region read by a call other than `except`, or after the step?
fn needed_elsewhere(drafts: &Drafts, deps: &Dependencies, region: &Region, except: usize) -> bool {
    let storage = &drafts.storages[region.storage];
    let reads = |&i: &usize| drafts.calls[i].reads().any(|r| r.overlaps(region));
    let read = deps.readers(drafts, region).iter().any(|i| *i != except && reads(i));
    let assigned = drafts.assignments.iter().any(|(_, _, from)| from.storage == region.storage);
    read || assigned || storage.output || storage.inside.is_some()
}

pub(super) fn copy_stores(to: &mut Program, from: &Program, map: &[usize], regs: &[Reg]) {
    for store in &from.stores {
        to.stores.push(Store {
            operand: map[store.operand],
            view: store.view.clone(),
            dtype: store.dtype,
            reg: regs[store.reg],
        });
    }
}

/// Both programs over one domain: possible if they have the same, or if one only touches elements in order.
pub(super) fn same_domain(a: &Program, b: &Program) -> Option<(Program, Program)> {
    if a.domain == b.domain {
        return Some((a.clone(), b.clone()));
    }
    if let Some(moved) = over_domain(a, &b.domain) {
        return Some((moved, b.clone()));
    }
    over_domain(b, &a.domain).map(|moved| (a.clone(), moved))
}

fn over_domain(program: &Program, domain: &[usize]) -> Option<Program> {
    let mut moved = program.clone();
    moved.domain = domain.to_vec();
    for instr in &mut moved.instrs {
        if let Instr::Load { view, .. } | Instr::Index(view) = instr {
            if !view.is_identity(&program.domain) {
                return None;
            }
            *view = View::identity(domain);
        }
    }
    for store in &mut moved.stores {
        if !store.view.is_identity(&program.domain) {
            return None;
        }
        store.view = View::identity(domain);
    }
    Some(moved)
}

/// Removes operands that nothing names any more, and code whose result nothing uses.
pub(super) fn drop_unused_operands(draft: &mut Draft) {
    let mut kept: Vec<Reg> = draft.columns.iter().flat_map(|c| &c.results).map(|r| r.0).collect();
    draft.program = super::program::without_dead_code(&draft.program, &mut kept);
    for (result, reg) in draft.columns.iter_mut().flat_map(|c| &mut c.results).zip(kept) {
        result.0 = reg;
    }
    let mut used = vec![false; draft.operands.len()];
    draft.inputs.iter().for_each(|&i| used[i] = true);
    draft.programs_mut().for_each(|p| p.mark_operands(&mut used));
    let mut position = vec![0; used.len()];
    let mut next = 0;
    for (p, &u) in position.iter_mut().zip(&used) {
        *p = next;
        next += usize::from(u);
    }
    let mut keep = used.iter();
    draft.operands.retain(|_| keep.next().copied().unwrap_or(true));
    draft.inputs.iter_mut().for_each(|i| *i = position[*i]);
    draft.programs_mut().for_each(|p| p.rename_operands(&position));
}
