//! Short kernels of neighbouring steps as one dispatch: none waits for another, and together they fill a device that each alone would not.

use std::collections::HashMap;

use chiaro_graph::plan::{Kernel, Step};
use chiaro_graph::{Call, Launch};
use chiaro_shaders::{BufferAccess, Neighbour, ShaderError, beside, dispatch};

use super::planned::{Bound, PlannedDispatch};
use crate::kernels::Dispatch;
use crate::{GpuError, KernelSource};

/// Buffers of a dispatch at the most, where the adapter binds more.
const MOST_BINDINGS: usize = 24;
/// Bytes of workgroup memory of a dispatch at the most, as every device has them: that of its kernels adds up.
const MOST_SHARED: u32 = 16 << 10;
/// The same of a dispatch with a long kernel: workgroups of 256 invocations with more do not fill AMD's units (128 KB for 4,096 invocations).
const MOST_SHARED_BY_LONG: u32 = 8 << 10;

/// A dispatch that may still be put beside others.
pub(crate) struct Candidate {
    pub planned: PlannedDispatch,
    /// What it does with each of its buffers.
    pub access: Vec<BufferAccess>,
    /// Number of its step.
    pub step: usize,
    /// What is needed to put it beside others; `None` where it stands alone.
    pub neighbour: Option<Neighbour>,
    pub load: Load,
}

/// What a kernel asks of a device. A dispatch has the registers of its heaviest kernel, and so the occupancy (docs/gpu-compilers.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Up to 108 registers: the transforms around products.
    Heavy,
    /// Up to 48, by more invocations than run at once: every subgroup counts.
    Long,
    /// Up to 48, by few.
    Short,
    /// The same of a second pass of a product where registers are few.
    Second,
}

impl Load {
    /// That of a dispatch, the second of a product that counts or not, of so many invocations, where so many run at once.
    pub fn of(dispatch: &Dispatch, second: bool, invocations: u64, at_once: u64) -> Load {
        match dispatch.stage {
            Some(_) => Load::Heavy,
            None if invocations > at_once => Load::Long,
            None if second => Load::Second,
            None => Load::Short,
        }
    }

    /// Whether one of them would run with far fewer subgroups than alone, for long.
    fn disturbs(self, other: Load) -> bool {
        let many = |load| matches!(load, Load::Heavy | Load::Second);
        many(self) && other == Load::Long || self == Load::Long && many(other)
    }
}

/// Kernels that were looked at, by their texts.
#[derive(Default)]
pub(crate) struct Neighbours(HashMap<String, Option<Neighbour>>);

impl Neighbours {
    /// What is needed to put dispatch number `number` of a step beside others, if it may be: products and kernels from outside stay alone.
    pub fn of(&mut self, step: &Step, number: usize, dispatch: &Dispatch) -> Option<Neighbour> {
        let main = number == 0 && dispatch.stage.is_none() && step.kernel.as_product().is_some();
        if main || dispatch.product.is_some() || matches!(step.kernel, Kernel::Custom(_)) {
            return None;
        }
        if let Some(known) = self.0.get(&dispatch.wgsl) {
            return known.clone();
        }
        let found = Neighbour::of(&dispatch.wgsl);
        self.0.insert(dispatch.wgsl.clone(), found.clone());
        found
    }
}

/// Dispatches that wait for others to share one with.
pub(crate) struct Arrangement {
    /// Steps by which one is put off at the most.
    slack: usize,
    bindings: usize,
    /// In the order of the plan.
    waiting: Vec<Candidate>,
    done: Vec<PlannedDispatch>,
}

impl Arrangement {
    /// Of a plan with this slack, on an adapter that binds so many buffers.
    pub fn new(slack: usize, bindings: usize) -> Arrangement {
        Arrangement { slack, bindings: bindings.min(MOST_BINDINGS), waiting: vec![], done: vec![] }
    }

    /// Takes the dispatches of the next step. What stands alone is done as soon as what it needs is, the others when they can wait no longer.
    ///
    /// # Errors
    /// Kernels that cannot be put together after all.
    pub fn add(&mut self, step: Vec<Candidate>) -> Result<(), GpuError> {
        let number = step.first().map_or(0, |candidate| candidate.step);
        self.waiting.extend(step);
        self.run_until(number)
    }

    /// Does what can wait no longer when a step of this number has come.
    fn run_until(&mut self, number: usize) -> Result<(), GpuError> {
        loop {
            let ready = self.ready();
            let alone = ready.iter().find(|&&i| self.waiting[i].neighbour.is_none());
            let late = self.waiting.first().is_some_and(|oldest| number.saturating_sub(oldest.step) >= self.slack);
            match alone {
                Some(&alone) => self.run(&[alone], 1)?,
                None if late => {
                    let (chosen, threads) = self.fitting(&ready);
                    self.run(&chosen, threads)?
                }
                None => return Ok(()),
            }
        }
    }

    /// All dispatches, when there are no more steps.
    ///
    /// # Errors
    /// As of [`Arrangement::add`].
    pub fn finished(mut self) -> Result<Vec<PlannedDispatch>, GpuError> {
        self.run_until(usize::MAX)?;
        Ok(self.done)
    }

    /// Those that wait for no other: the oldest is one of them.
    fn ready(&self) -> Vec<usize> {
        let waits = |i: usize| self.waiting[..i].iter().any(|before| follows(before, &self.waiting[i]));
        (0..self.waiting.len()).filter(|&i| !waits(i)).collect()
    }

    /// The oldest, and those that one dispatch takes with it in workgroups of so many invocations: as many bindings and as much workgroup
    /// memory as there are, no part of a buffer bound twice where that is written, which browsers refuse, and no two loads that disturb one another.
    fn fitting(&self, ready: &[usize]) -> (Vec<usize>, u32) {
        let known = ready.iter().filter_map(|&i| Some((i, self.waiting[i].neighbour.as_ref()?)));
        let Some((_, oldest)) = known.clone().next() else { return (vec![], 1) };
        let threads = known.clone().map(|(_, n)| n.threads()).filter(|&t| oldest.suits(t)).max().unwrap_or(1);
        let (mut chosen, mut shared) = (vec![], 0);
        let mut parts: Vec<(Bound, BufferAccess)> = vec![];
        for (i, neighbour) in known.filter(|(_, n)| n.suits(threads)) {
            let own = self.waiting[i].planned.bound.iter().copied().zip(neighbour.access().iter().copied());
            let with: Vec<(Bound, BufferAccess)> = parts.iter().copied().chain(own).collect();
            let load = self.waiting[i].load;
            let long = load == Load::Long || chosen.iter().any(|&other: &usize| self.waiting[other].load == Load::Long);
            let most_shared = if long { MOST_SHARED_BY_LONG } else { MOST_SHARED };
            let room = with.len() <= self.bindings && shared + neighbour.workgroup_bytes() <= most_shared;
            let apart = chosen.iter().any(|&other| self.waiting[other].load.disturbs(load));
            if chosen.is_empty() || (room && !apart && !aliased(&with)) {
                (parts, shared) = (with, shared + neighbour.workgroup_bytes());
                chosen.push(i);
            }
        }
        (chosen, threads)
    }

    fn run(&mut self, chosen: &[usize], threads: u32) -> Result<(), GpuError> {
        let taken: Vec<Candidate> = chosen.iter().rev().map(|&i| self.waiting.remove(i)).collect();
        self.done.push(together(taken.into_iter().rev().collect(), threads)?);
        Ok(())
    }
}

/// Whether parts that meet are in a buffer that is written: all of its parts are then bound for writing.
fn aliased(parts: &[(Bound, BufferAccess)]) -> bool {
    let written = |b: &Bound| parts.iter().any(|(o, a)| o.buffer == b.buffer && *a == BufferAccess::ReadWrite);
    let meets = |i: usize| parts[..i].iter().any(|(other, _)| other.meets(&parts[i].0));
    (0..parts.len()).any(|i| meets(i) && written(&parts[i].0))
}

/// Whether a dispatch has to wait for an earlier one.
fn follows(first: &Candidate, then: &Candidate) -> bool {
    fn parts(candidate: &Candidate) -> impl Iterator<Item = (&Bound, bool)> {
        let written = candidate.access.iter().map(|access| *access == BufferAccess::ReadWrite);
        candidate.planned.bound.iter().zip(written)
    }
    parts(first).any(|(a, a_written)| parts(then).any(|(b, b_written)| (a_written || b_written) && a.meets(b)))
}

/// Several dispatches as one of workgroups of so many invocations.
fn together(mut chosen: Vec<Candidate>, threads: u32) -> Result<PlannedDispatch, GpuError> {
    if chosen.len() == 1
        && let Some(one) = chosen.pop()
    {
        return Ok(one.planned);
    }
    let bound: Vec<Bound> = chosen.iter().flat_map(|c| c.planned.bound.iter().copied()).collect();
    let mut call = joined(chosen.iter().map(|c| &c.planned.call));
    let label = call.label.clone();
    let refuse = |error: ShaderError| GpuError::Shader { label: label.clone(), message: error.to_string() };
    let kernels: Vec<(&Neighbour, u32)> =
        chosen.iter().filter_map(|c| Some((c.neighbour.as_ref()?, c.planned.workgroups.iter().product()))).collect();
    // One buffer cannot be bound both to read and to write.
    let own: Vec<BufferAccess> = kernels.iter().flat_map(|(n, _)| n.access().iter().copied()).collect();
    let written =
        |b: &Bound| bound.iter().zip(&own).any(|(o, a)| o.buffer == b.buffer && *a == BufferAccess::ReadWrite);
    let access: Vec<BufferAccess> =
        bound.iter().map(|b| if written(b) { BufferAccess::ReadWrite } else { BufferAccess::Read }).collect();
    let (text, all) = beside(threads, &kernels, &access).map_err(refuse)?;
    let workgroups = dispatch::spread("beside", all.into()).map_err(refuse)?;
    if let Some(launch) = &mut call.launch {
        launch.workgroups = all.into();
    }
    let source = KernelSource::own(call.label.as_str(), text);
    let members = chosen.into_iter().map(|c| c.planned.kernel()).collect();
    Ok(PlannedDispatch { source, call, bound, workgroups, members })
}

/// So many different names are told of a dispatch.
const MOST_NAMES: usize = 3;

/// What several calls do, as one.
fn joined<'c>(calls: impl Iterator<Item = &'c Call> + Clone) -> Call {
    let words = |of: fn(&Call) -> &str| {
        let mut all: Vec<&str> = vec![];
        calls.clone().map(of).for_each(|word| {
            if !all.contains(&word) {
                all.push(word);
            }
        });
        let more = all.len().saturating_sub(MOST_NAMES);
        all.truncate(MOST_NAMES);
        let rest = if more > 0 { format!(" + {more} more") } else { String::new() };
        all.join(" + ") + &rest
    };
    let launches = calls.clone().filter_map(|call| call.launch.as_ref());
    let launch = launches.fold(Launch::default(), |all, one| Launch {
        loaded_bytes: all.loaded_bytes + one.loaded_bytes,
        rounds: all.rounds.max(one.rounds),
        ..all
    });
    Call {
        label: words(|c| &c.label),
        kernel: words(|c| &c.kernel),
        shape: words(|c| &c.shape),
        flops: calls.clone().map(|c| c.flops).sum(),
        bytes: calls.clone().map(|c| c.bytes).sum(),
        launch: Some(launch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel of so many invocations in a workgroup.
    fn text(threads: u32, exchanges: bool) -> String {
        let shared = if exchanges { "var<workgroup> shared_values: array<f32, 8>;\n" } else { "" };
        format!(
            "@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{shared}@compute @workgroup_size({threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
    y[group.x + group.y * groups.x] = x[thread];
}}
"
        )
    }

    /// A dispatch that reads one part and writes another, with a bit of its own as its operations.
    fn candidate(number: usize, step: usize, [from, to]: [Bound; 2], short: Option<(u32, bool)>) -> Candidate {
        let text = short.map(|(threads, exchanges)| text(threads, exchanges)).unwrap_or_default();
        let call = Call { label: format!("#{number}"), flops: 1 << number, ..Call::default() };
        let source = KernelSource::own(call.label.as_str(), text.as_str());
        let planned = PlannedDispatch { call, source, bound: vec![from, to], workgroups: [3, 1, 1], members: vec![] };
        let neighbour = short.map(|_| Neighbour::of(&text).expect("of the usual form"));
        let access = vec![BufferAccess::Read, BufferAccess::ReadWrite];
        Candidate { planned, access, step, neighbour, load: Load::Short }
    }

    fn numbers(planned: &PlannedDispatch) -> Vec<usize> {
        (0..64).filter(|number| planned.call.flops >> number & 1 == 1).collect()
    }

    fn part(buffer: usize, offset: u64) -> Bound {
        Bound { buffer, offset, bytes: 8 }
    }

    #[test]
    fn what_touches_the_same_memory_keeps_its_order_and_nothing_is_lost() {
        let (mut shared, mut moved) = (0, 0);
        for seed in 0..300u32 {
            let draw = |n: usize, below: usize| {
                let words = chiaro_graph::random_words([seed, 0, 0], 0, n as u32);
                words[0] as usize % below
            };
            let place = |n: usize| part(draw(n, 4), 4 * draw(n + 1, 4) as u64);
            let kinds = [
                None,
                None,
                Some((64, false)),
                Some((64, false)),
                Some((64, true)),
                Some((256, true)),
                Some((16, false)),
            ];
            let made: Vec<([Bound; 2], usize)> =
                (0..40).map(|i| ([place(10 * i), place(10 * i + 2)], draw(10 * i + 4, kinds.len()))).collect();
            let mut arrangement = Arrangement::new(draw(1000, 5), 4 + draw(1001, 20));
            for (i, pair) in made.chunks(2).enumerate() {
                let of =
                    |(j, (parts, kind)): (usize, &([Bound; 2], usize))| candidate(2 * i + j, i, *parts, kinds[*kind]);
                arrangement.add(pair.iter().enumerate().map(of).collect()).expect("kernels that suit");
            }
            let done = arrangement.finished().expect("kernels that suit");
            let order: Vec<Vec<usize>> = done.iter().map(numbers).collect();
            let at = |i: usize| order.iter().position(|run| run.contains(&i)).expect("nothing is lost");
            assert_eq!(order.iter().map(Vec::len).sum::<usize>(), made.len(), "nothing twice");
            shared += order.iter().filter(|run| run.len() > 1).count();
            moved += usize::from(!order.concat().is_sorted());
            for (i, j) in (0..made.len()).flat_map(|j| (0..j).map(move |i| (i, j))) {
                let ([a_from, a_to], [b_from, b_to]) = (made[i].0, made[j].0);
                if a_to.meets(&b_from) || a_to.meets(&b_to) || a_from.meets(&b_to) {
                    assert!(at(i) < at(j), "seed {seed}: {i} before {j}, {order:?}");
                }
            }
        }
        assert!(shared > 300 && moved > 100, "{shared} dispatches of several kernels, {moved} orders of their own");
    }

    #[test]
    fn a_kernel_waits_as_long_as_the_plan_has_slack_and_goes_with_those_that_suit() {
        let short = |number, step, to| candidate(number, step, [part(9, 0), part(to, 0)], Some((64, false)));
        let arrange = |slack, bindings| {
            let mut arrangement = Arrangement::new(slack, bindings);
            for step in 0..4 {
                arrangement.add(vec![short(step, step, step)]).expect("kernels that suit");
            }
            let done = arrangement.finished().expect("kernels that suit");
            done.iter().map(numbers).collect::<Vec<_>>()
        };
        assert_eq!(arrange(0, 31), [vec![0], vec![1], vec![2], vec![3]]);
        assert_eq!(arrange(1, 31), [vec![0, 1], vec![2, 3]]);
        assert_eq!(arrange(3, 31), [vec![0, 1, 2, 3]]);
        assert_eq!(arrange(3, 6), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn a_long_kernel_of_few_registers_does_not_stand_beside_one_of_many() {
        let of =
            |number, load| Candidate { load, ..candidate(number, 0, [part(9, 0), part(number, 0)], Some((64, false))) };
        let arrange = |loads: &[Load]| {
            let mut arrangement = Arrangement::new(1, 31);
            arrangement.add(loads.iter().enumerate().map(|(i, load)| of(i, *load)).collect()).expect("they suit");
            arrangement.finished().expect("they suit").iter().map(numbers).collect::<Vec<_>>()
        };
        use Load::{Heavy, Long, Second, Short};
        assert_eq!(arrange(&[Second, Long, Short, Heavy]), [vec![0, 2, 3], vec![1]]);
        assert_eq!(arrange(&[Heavy, Long, Short, Heavy, Long]), [vec![0, 2, 3], vec![1, 4]]);
        assert_eq!(arrange(&[Long, Short, Heavy]), [vec![0, 1], vec![2]]);
        assert_eq!(arrange(&[Short, Long, Short]), [vec![0, 1, 2]]);
    }

    #[test]
    fn a_long_kernel_shares_little_workgroup_memory() {
        let with_memory = |number| {
            let mut made = candidate(number, 0, [part(9, 0), part(number, 0)], Some((256, true)));
            made.neighbour = Neighbour::of(&text(256, true).replace("f32, 8>", "f32, 1024>"));
            made
        };
        let arrange = |first: Load| {
            let mut arrangement = Arrangement::new(1, 31);
            let first = Candidate { load: first, ..candidate(0, 0, [part(9, 0), part(0, 0)], Some((64, false))) };
            let all = [first].into_iter().chain((1..4).map(with_memory)).collect();
            arrangement.add(all).expect("they suit");
            arrangement.finished().expect("they suit").iter().map(numbers).collect::<Vec<_>>()
        };
        assert_eq!(arrange(Load::Short), [vec![0, 1, 2, 3]]);
        assert_eq!(arrange(Load::Long), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn a_buffer_that_one_of_them_writes_is_bound_for_writing_by_all() {
        let read = candidate(0, 0, [part(0, 0), part(1, 0)], Some((64, false)));
        let write = candidate(1, 1, [part(2, 0), part(0, 256)], Some((64, false)));
        let planned = together(vec![read, write], 64).expect("kernels that suit");
        assert_eq!((planned.bound.len(), planned.workgroups), (4, [6, 1, 1]));
        for line in ["@binding(0) var<storage, read_write> k0_x", "@binding(2) var<storage, read> k1_x"] {
            assert!(planned.source.wgsl.contains(line), "{}", planned.source.wgsl);
        }
    }
}
