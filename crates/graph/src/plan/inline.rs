//! A pointwise call whose readers can compute its result themselves, as they read it, where that costs less than the bytes it saves: a normalised
//! activation that only convolutions and masks read, for example. Either all of them do, or one does and stores it for the others.

use super::PlanOptions;
use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Region, StorageKind};
use super::fuse::{drop_unused_operands, fits, loads_in_order, same_domain};
use super::hoist::fixed_registers;
use super::kernel::{Kernel, Load};
use super::program::{Instr, Program, Reg, Store};
use crate::dtype::DType;
use crate::shape::count;
use std::collections::BTreeSet;

/// Instructions of code that is repeated in every reader, at the most.
const LONGEST: usize = 24;

/// Readers as they are when they compute a result themselves, and the elements that need not be moved then, less the price.
type Changed = (u64, Vec<(usize, Draft)>);

/// Inlines calls until none is left for which it pays.
pub(super) fn inline(drafts: &mut Drafts, options: &PlanOptions) {
    let mut dependencies = Dependencies::new(drafts);
    // Calls to be looked at, again where what they write is read by a call that has changed.
    let mut waiting: BTreeSet<usize> = (0..drafts.calls.len()).collect();
    let mut gone = vec![false; drafts.calls.len()];
    while let Some(call) = waiting.pop_first() {
        let Some(found) = Inlined::of(drafts, &dependencies, call, options) else { continue };
        let ways = [found.everywhere(), found.once()];
        let Some((_, readers)) = ways.into_iter().flatten().max_by_key(|(saved, _)| *saved) else { continue };
        waiting.extend(dependencies.producers(call));
        dependencies.replace(drafts, call, Draft::nothing());
        gone[call] = true;
        for (i, reader) in readers {
            dependencies.replace(drafts, i, reader);
            waiting.insert(i);
            waiting.extend(dependencies.producers(i));
        }
    }
    #[cfg(test)]
    dependencies.assert_current(drafts);
    let mut gone = gone.into_iter();
    drafts.calls.retain(|_| gone.next() == Some(false));
}

/// A pointwise call whose result, an intermediate of its own, is the one thing that it stores.
struct Inlined<'a> {
    drafts: &'a Drafts,
    dependencies: &'a Dependencies,
    options: &'a PlanOptions,
    producer: &'a Draft,
    store: &'a Store,
    region: &'a Region,
    /// Calls that name the result, the call itself left out.
    readers: Vec<usize>,
}

impl<'a> Inlined<'a> {
    fn of(
        drafts: &'a Drafts,
        dependencies: &'a Dependencies,
        call: usize,
        options: &'a PlanOptions,
    ) -> Option<Inlined<'a>> {
        let producer = &drafts.calls[call];
        let [store] = &producer.program.stores[..] else {
            return None;
        };
        let (region, domain) = (&producer.operands[store.operand], &producer.program.domain);
        let storage = &drafts.storages[region.storage];
        let own = storage.kind == StorageKind::Temporary && storage.inside.is_none() && !storage.output;
        let assigned = drafts.assignments.iter().any(|(_, _, from)| from.storage == region.storage);
        let whole = region.offset == 0 && region.len == storage.len && region.len == count(domain);
        let plain = matches!(producer.kernel, Kernel::Pointwise) && producer.program.instrs.len() <= LONGEST;
        let alone = dependencies.writers(region.storage) == [call];
        let readers = dependencies.naming(region.storage).into_iter().filter(|&i| i != call).collect();
        let suits = plain && own && !assigned && whole && alone && store.view.is_identity(domain);
        suits.then_some(Inlined { drafts, dependencies, options, producer, store, region, readers })
    }

    /// All readers compute the result; `None` if one of them can't, or if that costs more than the call.
    fn everywhere(&self) -> Option<Changed> {
        let (mut as_input, mut price) = (false, 0);
        let mut changed = vec![];
        for &i in &self.readers {
            let reader = &self.drafts.calls[i];
            for input in inputs_of(reader, self.region) {
                as_input = true;
                price += self.price(reader, input);
            }
            changed.push((i, self.with_code(reader, Kept::No)?));
        }
        let readers = self.readers.iter().map(|&i| &self.drafts.calls[i]);
        let before = self.options.call_price + moved(self.producer) + readers.map(moved).sum::<u64>();
        let after = price + changed.iter().map(|(_, reader)| moved(reader)).sum::<u64>();
        let saved = before.checked_sub(after).filter(|&saved| as_input && saved > 0)?;
        Some((saved, changed))
    }

    /// The reader that computes the result and stores it for the others, which come after it; `None` if that costs more than the call.
    fn once(&self) -> Option<Changed> {
        if !self.options.fusions.keep {
            return None;
        }
        self.readers.iter().filter_map(|&i| self.kept_by(i)).max_by_key(|(saved, _)| *saved)
    }

    fn kept_by(&self, i: usize) -> Option<Changed> {
        let reader = &self.drafts.calls[i];
        let [input] = inputs_of(reader, self.region)[..] else { return None };
        let program = reader.programs().any(|p| p.loaded().any(|o| reader.operands[o] == *self.region));
        let first = self.readers.iter().all(|&other| other == i || !self.dependencies.reaches(other, i));
        if program || !first || !(self.options.keeps)(&reader.kernel, input) {
            return None;
        }
        let merged = self.with_code(reader, Kept::Yes)?;
        // A kernel keeps what it has in its hands, as it would have read it.
        let read = &merged.operands[merged.inputs[input]];
        if self.drafts.storages[read.storage].dtype != self.store.dtype {
            return None;
        }
        let before = self.options.call_price + moved(self.producer) + moved(reader);
        let after = self.price(reader, input) + moved(&merged);
        let saved = before.checked_sub(after).filter(|&saved| saved > 0)?;
        Some((saved, vec![(i, merged)]))
    }

    /// What it costs a reader to compute this input, as elements.
    fn price(&self, reader: &Draft, input: usize) -> u64 {
        (self.options.load_price)(&reader.kernel, input) * repeated(&self.producer.program, self.store)
    }

    fn with_code(&self, reader: &Draft, kept: Kept) -> Option<Draft> {
        with_code(reader, self.producer, self.store, kept, self.options)
    }
}

/// The inputs of a call's kernel that are this region.
fn inputs_of(reader: &Draft, region: &Region) -> Vec<usize> {
    (0..reader.inputs.len()).filter(|&input| reader.operands[reader.inputs[input]] == *region).collect()
}

/// Instructions of a rounding to 16 bits, which is done on integers.
const ROUNDING: u64 = 16;

/// Instructions that a kernel runs for every element: what depends on the channel alone it has at hand, and what is rounded for it alone it takes
/// as it is.
fn repeated(program: &Program, result: &Store) -> u64 {
    let unseen = program.unseen_roundings(result.reg);
    let price = |(reg, instr): (Reg, &Instr)| match instr {
        Instr::Cast(DType::F16, _) if unseen.contains(&reg) => 0,
        Instr::Cast(DType::F16, _) => ROUNDING,
        Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => 1,
        Instr::Random { .. } | Instr::Map(..) | Instr::Cast(..) => 1,
    };
    let repeated = program.instrs.iter().enumerate().zip(fixed_registers(program)).filter(|(_, fixed)| !fixed);
    repeated.map(|(instr, _)| price(instr)).sum()
}

/// Elements that a call reads and writes.
fn moved(call: &Draft) -> u64 {
    call.operands.iter().map(|r| r.len as u64).sum()
}

/// Whether an input that is computed as it is read is stored too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

fn with_code(reader: &Draft, producer: &Draft, store: &Store, kept: Kept, options: &PlanOptions) -> Option<Draft> {
    let (region, result) = (&producer.operands[store.operand], store.reg);
    let mut merged = reader.clone();
    let map: Vec<usize> = producer.operands.iter().map(|o| merged.operand(o.clone())).collect();
    let columns_read = reader.columns.iter().flat_map(|c| c.program.loaded()).any(|o| reader.operands[o] == *region);
    let loads_read =
        reader.loads.iter().flatten().flat_map(|l| l.program.loaded()).any(|o| reader.operands[o] == *region);
    if columns_read || loads_read || matches!(reader.kernel, Kernel::Reduce { .. }) || !loads_in_order(reader, region) {
        return None;
    }
    // As a kernel's input.
    for input in 0..reader.inputs.len() {
        if reader.operands[reader.inputs[input]] != *region {
            continue;
        }
        if !(options.loads)(&reader.kernel, input) || reader.loads.get(input).is_some_and(Option::is_some) {
            return None;
        }
        let mut program = producer.program.clone();
        if kept == Kept::No {
            program.stores.clear();
        }
        program.rename_operands(&map);
        let primary = first_in_order(&program)?;
        merged.inputs[input] = primary;
        merged.loads.resize(reader.inputs.len(), None);
        merged.loads[input] = Some(Load { program, reg: result });
    }
    // In its program, point by point.
    if reader.program.loaded().any(|o| reader.operands[o] == *region) {
        let (code, program) = same_domain(&producer.program, &reader.program)?;
        let mut joined = Program::new(&program.domain);
        let regs = joined.append(&code, &|o| map[o], &|_, _| None);
        let value = |o: usize, _: &_| (reader.operands[o] == *region).then(|| regs[result]);
        let moved = joined.append(&program, &|o| o, &value);
        joined.stores = program.stores.iter().map(|s| Store { reg: moved[s.reg], ..s.clone() }).collect();
        for result in merged.columns.iter_mut().flat_map(|c| &mut c.results) {
            result.0 = moved[result.0];
        }
        merged.program = joined;
    }
    drop_unused_operands(&mut merged);
    fits(&merged, options).then_some(merged)
}

/// The first operand that a program reads point by point.
fn first_in_order(program: &Program) -> Option<usize> {
    program.instrs.iter().filter_map(Instr::load).find(|(_, view)| view.is_identity(&program.domain)).map(|load| load.0)
}
