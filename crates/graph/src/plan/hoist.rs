//! What a kernel would compute at every point though it depends on the column alone moves to where the columns are finished:
//! the factor and shift of a batch norm, for example. All such values of one place lie in one buffer, a row each.

use super::PlanOptions;
use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Region, Storage, StorageKind};
use super::fuse::{drop_unused_operands, fits};
use super::kernel::Columns;
use super::program::{Instr, Program, Reg, Store, View};
use crate::dtype::DType;

/// Moves what can be moved; tells whether anything was.
pub(super) fn hoist(drafts: &mut Drafts, options: &PlanOptions) -> bool {
    let mut rows: Vec<Option<usize>> = vec![None; drafts.calls.len()];
    let mut any = false;
    let mut dependencies = Dependencies::new(drafts);
    for call in 0..drafts.calls.len() {
        let regs = worthwhile(&drafts.calls[call]);
        if regs.is_empty() {
            continue;
        }
        if let Some(host) = host(drafts, &dependencies, call, &regs) {
            let storage = *rows[host].get_or_insert_with(|| new_storage(drafts));
            if !move_registers(drafts, [call, host], regs, storage, options) {
                continue;
            }
            dependencies.update(drafts, call);
            dependencies.update(drafts, host);
            // The rows have grown for all who read them.
            let others = dependencies.readers(drafts, &rows_region(drafts, storage));
            others.into_iter().for_each(|c| dependencies.update(drafts, c));
            any = true;
        }
    }
    #[cfg(test)]
    dependencies.assert_current(drafts);
    any
}

/// Moves registers from a call to its host, unless one of the two has more operands then than the device binds; tells whether they were.
fn move_registers(
    drafts: &mut Drafts,
    [call, host]: [usize; 2],
    regs: Vec<Reg>,
    storage: usize,
    options: &PlanOptions,
) -> bool {
    let before = [call, host].map(|c| drafts.calls[c].clone());
    let len = drafts.storages[storage].len;
    regs.into_iter().for_each(|reg| move_register(drafts, call, host, reg, storage));
    drop_unused_operands(&mut drafts.calls[call]);
    if [call, host].iter().all(|&c| fits(&drafts.calls[c], options)) {
        return true;
    }
    let [old_call, old_host] = before;
    drafts.calls[call] = old_call;
    drafts.calls[host] = old_host;
    drafts.storages[storage].len = len;
    widen(drafts, storage);
    false
}

/// Regions of a storage that has grown by rows are the whole of it again.
fn widen(drafts: &mut Drafts, storage: usize) {
    let len = drafts.storages[storage].len;
    let regions = drafts.calls.iter_mut().flat_map(|c| &mut c.operands);
    regions.filter(|r| r.storage == storage).for_each(|r| r.len = len);
}

fn new_storage(drafts: &mut Drafts) -> usize {
    let kind = StorageKind::Temporary;
    drafts.storages.push(Storage { kind, len: 0, dtype: DType::F32, inside: None, output: false });
    drafts.storages.len() - 1
}

/// Registers that depend on the column alone and that code for each point uses; none where nothing is computed for them.
fn worthwhile(call: &Draft) -> Vec<Reg> {
    let program = &call.program;
    let Some(&columns) = program.domain.last() else {
        return vec![];
    };
    if program.domain.iter().product::<usize>() < 2 * columns || columns < 2 {
        return vec![];
    }
    let fixed = fixed_registers(program);
    let mut wanted = vec![false; fixed.len()];
    for (instr, _) in program.instrs.iter().zip(&fixed).filter(|(_, fixed)| !**fixed) {
        operands(instr).into_iter().filter(|&x| fixed[x]).for_each(|x| wanted[x] = true);
    }
    program.stores.iter().filter(|s| fixed[s.reg]).for_each(|s| wanted[s.reg] = true);
    let scalar = |reg: Reg| matches!(program.instrs[reg], Instr::Scalar(_));
    let regs: Vec<Reg> = (0..wanted.len()).filter(|&r| wanted[r] && !scalar(r)).collect();
    let computed = regs.iter().any(|&r| matches!(program.instrs[r], Instr::Map(..)));
    let floats = regs.iter().all(|&r| program.types[r] == DType::F32);
    if computed && floats { regs } else { vec![] }
}

/// Which registers are the same for all points of a column.
pub(super) fn fixed_registers(program: &Program) -> Vec<bool> {
    let last = program.domain.len().saturating_sub(1);
    let mut fixed: Vec<bool> = vec![];
    for instr in &program.instrs {
        fixed.push(match instr {
            Instr::Scalar(_) => true,
            Instr::Load { view, .. } => (0..last).all(|axis| view.strides[axis] == 0 || program.domain[axis] == 1),
            Instr::Map(..) | Instr::Cast(..) => operands(instr).iter().all(|&r| fixed[r]),
            Instr::Value(_) | Instr::Index(_) | Instr::Random { .. } => false,
        });
    }
    fixed
}

fn operands(instr: &Instr) -> Vec<Reg> {
    match instr {
        Instr::Map(_, regs) => regs.clone(),
        Instr::Cast(_, reg) => vec![*reg],
        Instr::Random { operands, .. } => operands.to_vec(),
        Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => vec![],
    }
}

/// Everything that a register is computed from, itself included.
fn behind(program: &Program, reg: Reg) -> Vec<bool> {
    let mut used = vec![false; program.instrs.len()];
    used[reg] = true;
    for i in (0..=reg).rev() {
        if used[i] {
            operands(&program.instrs[i]).into_iter().for_each(|r| used[r] = true);
        }
    }
    used
}

/// The call that finishes columns, wrote some of what the registers are computed from, and runs after all the rest is there.
fn host(drafts: &Drafts, dependencies: &Dependencies, call: usize, regs: &[Reg]) -> Option<usize> {
    let draft = &drafts.calls[call];
    let mut read: Vec<&Region> = vec![];
    for &reg in regs {
        let used = behind(&draft.program, reg);
        let loads = draft.program.instrs.iter().zip(used).filter(|(_, used)| *used);
        read.extend(loads.filter_map(|(i, _)| Some(&draft.operands[i.load()?.0])));
    }
    let writes = |c: &usize| drafts.calls[*c].writes().any(|w| read.iter().any(|r| r.overlaps(w)));
    let writers: Vec<usize> = dependencies.producers(call).into_iter().filter(writes).collect();
    let columns = *draft.program.domain.last()?;
    let suits = |&h: &usize| {
        let own = drafts.calls[h].columns.as_ref().is_some_and(|c| c.program.domain == [columns]);
        own && writers.iter().all(|&w| w == h || !dependencies.reaches(h, w))
    };
    // It wrote what the call reads, so that the call cannot come before it.
    writers.iter().copied().find(suits)
}

/// Computes a register at the host and loads it instead.
fn move_register(drafts: &mut Drafts, call: usize, host: usize, reg: Reg, storage: usize) {
    let program = &drafts.calls[call].program;
    let used = behind(program, reg);
    let columns = program.domain.last().copied().unwrap_or(1);
    let mut code = Program::new(&[columns]);
    let mut place = vec![0; program.instrs.len()];
    for (i, instr) in program.instrs.iter().enumerate().filter(|(i, _)| used[*i]) {
        let moved = match instr {
            Instr::Load { operand, view, dtype } => {
                let stride = view.strides.last().copied().unwrap_or(0);
                let view = View { offset: view.offset, strides: vec![stride] };
                Instr::Load { operand: *operand, view, dtype: *dtype }
            }
            Instr::Map(op, regs) => Instr::Map(*op, regs.iter().map(|&r| place[r]).collect()),
            Instr::Cast(to, r) => Instr::Cast(*to, place[*r]),
            Instr::Index(view) => {
                let stride = view.strides.last().copied().unwrap_or(0);
                Instr::Index(View { offset: view.offset, strides: vec![stride] })
            }
            Instr::Random { kind, salt, operands } => {
                Instr::Random { kind: *kind, salt: *salt, operands: operands.map(|r| place[r]) }
            }
            Instr::Value(_) | Instr::Scalar(_) => instr.clone(),
        };
        place[i] = code.push(moved, program.types[i]);
    }
    let sources = drafts.calls[call].operands.clone();
    let row = add_row(drafts, host, &code, place[reg], &sources, storage);
    let region = rows_region(drafts, storage);
    let draft = &mut drafts.calls[call];
    let operand = draft.operand(region);
    let mut strides = vec![0; draft.program.domain.len()];
    strides[draft.program.domain.len() - 1] = 1;
    let view = View { offset: (row * columns) as isize, strides };
    draft.program.instrs[reg] = Instr::Load { operand, view, dtype: DType::F32 };
}

/// Adds code to what finishes the host's columns, storing its result as a row of the storage; gives the row.
fn add_row(drafts: &mut Drafts, host: usize, code: &Program, reg: Reg, sources: &[Region], storage: usize) -> usize {
    let region = rows_region(drafts, storage);
    let draft = &mut drafts.calls[host];
    let map: Vec<usize> = sources.iter().map(|r| draft.operand(r.clone())).collect();
    let target = draft.operand(region);
    let operands = draft.operands.clone();
    let columns = code.domain[0];
    let mut row = 0;
    if let Some(Columns { program, .. }) = &mut draft.columns {
        let stores = program.stores.clone();
        let stored = |o: usize, view: &View| {
            let same = |s: &&Store| operands[s.operand] == sources[o] && s.view == *view;
            stores.iter().find(same).map(|s| s.reg)
        };
        let regs = program.append(code, &|o| map[o], &stored);
        let rows: Vec<&Store> = program.stores.iter().filter(|s| s.operand == target).collect();
        if let Some(found) = rows.iter().find(|s| s.reg == regs[reg]) {
            let row = found.view.offset as usize / columns;
            // The code's operands were of no use.
            drop_unused_operands(draft);
            return row;
        }
        row = rows.len();
        let view = View { offset: (row * columns) as isize, strides: vec![1] };
        program.stores.push(Store { operand: target, view, dtype: DType::F32, reg: regs[reg] });
    }
    drop_unused_operands(draft);
    drafts.storages[storage].len = (row + 1) * columns;
    widen(drafts, storage);
    row
}

fn rows_region(drafts: &Drafts, storage: usize) -> Region {
    Region { storage, offset: 0, len: drafts.storages[storage].len }
}
