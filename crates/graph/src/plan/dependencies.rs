//! Which call must run before which. It follows from what calls read and write, and is kept while they are merged.

use super::draft::{Draft, Drafts, Region};
use crate::shape::count;

/// Who touches what.
#[derive(Default)]
pub(super) struct Dependencies {
    /// Of each storage that lies in no other: the calls that touch it, with the regions they touch.
    users: Vec<Users>,
    /// Of each storage: the calls that write into it by its own name.
    writers: Vec<Vec<usize>>,
    /// Of each storage: the calls that have an operand in it by its own name, used or not.
    named: Vec<Vec<usize>>,
    /// What each call touches.
    calls: Vec<Touched>,
    /// The calls in an order in which they could run, so that few need be asked whether one reaches another.
    order: Vec<usize>,
    /// Where each stands in it.
    position: Vec<usize>,
}

#[derive(Clone, Default)]
struct Users {
    readers: Vec<(usize, Region)>,
    writers: Vec<(usize, Region)>,
}

#[derive(Default)]
struct Touched {
    reads: Vec<Region>,
    writes: Vec<Region>,
    /// Storages that it writes into by their own names, and whether it fills them.
    written: Vec<(usize, bool)>,
    /// Storages of its operands by their own names.
    named: Vec<usize>,
    /// Calls that come after it for other reasons.
    then: Vec<usize>,
    /// Calls that come before it for other reasons.
    first: Vec<usize>,
}

impl Dependencies {
    pub fn new(drafts: &Drafts) -> Dependencies {
        let mut dependencies = Dependencies::default();
        for call in 0..drafts.calls.len() {
            dependencies.calls.push(Touched::default());
            dependencies.add(drafts, call);
        }
        dependencies.sort();
        dependencies
    }

    /// Puts another call in the place of one.
    pub fn replace(&mut self, drafts: &mut Drafts, call: usize, with: Draft) {
        drafts.calls[call] = with;
        self.update(drafts, call);
    }

    /// Puts a call in the place of two, of which neither reaches the other through a third.
    pub fn merge(&mut self, drafts: &mut Drafts, [a, b]: [usize; 2], merged: Draft) {
        drafts.calls[a] = merged;
        drafts.calls[b] = Draft::nothing();
        self.exchange(drafts, a);
        self.exchange(drafts, b);
        // Between the two, what the merged call reaches comes after it, and all else before.
        let [low, high] = if self.position[a] < self.position[b] { [a, b] } else { [b, a] }.map(|c| self.position[c]);
        let mut after = vec![false; high + 1 - low];
        let mut stack = vec![a];
        while let Some(x) = stack.pop() {
            for y in self.after(x) {
                let place = self.position[y].checked_sub(low).filter(|place| *place < after.len());
                if place.is_some_and(|place| !std::mem::replace(&mut after[place], true)) {
                    stack.push(y);
                }
            }
        }
        let between = self.order[low..=high].to_vec();
        let those = |wanted: bool| {
            let chosen = between.iter().zip(&after).filter(move |(c, after)| **after == wanted && **c != a);
            chosen.map(|(c, _)| *c)
        };
        let order: Vec<usize> = those(false).chain([a]).chain(those(true)).collect();
        for (i, call) in order.into_iter().enumerate() {
            self.order[low + i] = call;
            self.position[call] = low + i;
        }
    }

    /// Sees what has become of a call.
    pub fn update(&mut self, drafts: &Drafts, call: usize) {
        self.exchange(drafts, call);
        let place = self.position[call];
        let late = self.before(call).any(|x| self.position[x] > place);
        if late || self.after(call).any(|x| self.position[x] < place) {
            self.sort();
        }
    }

    /// Finds an order anew. Calls that wait for each other in a circle come last; `verify` names them.
    fn sort(&mut self) {
        let mut waiting = vec![0; self.calls.len()];
        (0..self.calls.len()).for_each(|a| self.after(a).for_each(|b| waiting[b] += 1));
        let mut order: Vec<usize> = (0..self.calls.len()).filter(|&c| waiting[c] == 0).collect();
        let mut next = 0;
        while let Some(&a) = order.get(next) {
            next += 1;
            for b in self.after(a) {
                waiting[b] -= 1;
                if waiting[b] == 0 {
                    order.push(b);
                }
            }
        }
        order.extend((0..self.calls.len()).filter(|&c| waiting[c] > 0));
        self.position.resize(order.len(), 0);
        order.iter().enumerate().for_each(|(place, &call)| self.position[call] = place);
        self.order = order;
    }

    fn exchange(&mut self, drafts: &Drafts, call: usize) {
        let Touched { reads, writes, written, named, .. } = &self.calls[call];
        for region in reads.iter().chain(writes) {
            let Users { readers, writers } = &mut self.users[region.storage];
            readers.retain(|(c, _)| *c != call);
            writers.retain(|(c, _)| *c != call);
        }
        for (storage, _) in written {
            self.writers[*storage].retain(|c| *c != call);
        }
        for storage in named {
            self.named[*storage].retain(|c| *c != call);
        }
        self.add(drafts, call);
    }

    /// Sees a call that was added at the end, and of which nothing is known but what [`Dependencies::order`] says.
    pub fn push(&mut self) {
        let call = self.calls.len();
        self.calls.push(Touched::default());
        self.position.push(self.order.len());
        self.order.push(call);
    }

    /// One call runs before another, whatever they touch.
    pub fn order(&mut self, first: usize, then: usize) {
        self.calls[first].then.push(then);
        self.calls[then].first.push(first);
        if self.position[first] > self.position[then] {
            self.sort();
        }
    }

    fn add(&mut self, drafts: &Drafts, call: usize) {
        self.users.resize(drafts.storages.len(), Users::default());
        self.writers.resize(drafts.storages.len(), vec![]);
        self.named.resize(drafts.storages.len(), vec![]);
        let draft = &drafts.calls[call];
        let reads: Vec<Region> = draft.reads().map(|r| outermost(drafts, r)).collect();
        let writes: Vec<Region> = draft.writes().map(|r| outermost(drafts, r)).collect();
        let written = distinct(draft.writes().map(|r| r.storage));
        let named = distinct(draft.operands.iter().map(|r| r.storage));
        reads.iter().for_each(|r| self.users[r.storage].readers.push((call, r.clone())));
        writes.iter().for_each(|r| self.users[r.storage].writers.push((call, r.clone())));
        written.iter().for_each(|&s| self.writers[s].push(call));
        named.iter().for_each(|&s| self.named[s].push(call));
        let written = written.into_iter().map(|s| (s, fills(drafts, draft, s))).collect();
        self.calls[call] = Touched { reads, writes, written, named, ..std::mem::take(&mut self.calls[call]) };
    }

    /// Calls that write into a storage by its own name.
    pub fn writers(&self, storage: usize) -> &[usize] {
        &self.writers[storage]
    }

    /// Calls that read a storage, or what lies in it, each once, in order.
    pub fn readers(&self, drafts: &Drafts, region: &Region) -> Vec<usize> {
        distinct(self.users[outermost(drafts, region).storage].readers.iter().map(|u| u.0))
    }

    /// Calls that have an operand in a storage by its own name, in order.
    pub fn naming(&self, storage: usize) -> Vec<usize> {
        distinct(self.named[storage].iter().copied())
    }

    /// Calls that write a storage that `b` reads.
    pub fn producers(&self, b: usize) -> Vec<usize> {
        let users = self.calls[b].reads.iter().map(|r| &self.users[r.storage]);
        distinct(users.flat_map(|u| &u.writers).map(|u| u.0).filter(|&a| a != b))
    }

    /// Calls that read a storage that `b` reads too.
    pub fn sharers(&self, b: usize) -> Vec<usize> {
        let users = self.calls[b].reads.iter().map(|r| &self.users[r.storage]);
        distinct(users.flat_map(|u| &u.readers).map(|u| u.0).filter(|&a| a != b))
    }

    /// Calls that write a storage that `b` writes too.
    pub fn companions(&self, b: usize) -> Vec<usize> {
        let users = self.calls[b].writes.iter().map(|r| &self.users[r.storage]);
        distinct(users.flat_map(|u| &u.writers).map(|u| u.0).filter(|&a| a != b))
    }

    /// Calls that must run after `a`; one may come twice.
    pub fn after(&self, a: usize) -> impl Iterator<Item = usize> {
        let Touched { writes, written, then, .. } = &self.calls[a];
        let reads = |w: &'_ Region| {
            let w = w.clone();
            self.users[w.storage].readers.iter().filter(move |(_, r)| w.overlaps(r))
        };
        let readers = writes.iter().flat_map(reads).map(|u| u.0);
        // Parts lie upon a filling.
        let parts = written.iter().filter(|(_, fills)| *fills).flat_map(|(s, _)| &self.writers[*s]).copied();
        readers.chain(parts).filter(move |&b| b != a).chain(then.iter().copied())
    }

    /// Calls that must run before `b`; one may come twice.
    fn before(&self, b: usize) -> impl Iterator<Item = usize> {
        let Touched { reads, written, first, .. } = &self.calls[b];
        let writes = |r: &'_ Region| {
            let r = r.clone();
            self.users[r.storage].writers.iter().filter(move |(_, w)| w.overlaps(&r))
        };
        let writers = reads.iter().flat_map(writes).map(|u| u.0);
        let fills = move |storage: usize| move |a: &&usize| self.calls[**a].written.contains(&(storage, true));
        let fillings = written.iter().flat_map(move |(s, _)| self.writers[*s].iter().filter(fills(*s))).copied();
        writers.chain(fillings).filter(move |&a| a != b).chain(first.iter().copied())
    }

    /// Is there a path from `a` to `b`?
    pub fn reaches(&self, a: usize, b: usize) -> bool {
        self.after(a).any(|x| x == b) || self.reaches_indirectly(a, b)
    }

    /// Is there a path from `a` to `b` through another call?
    pub fn reaches_indirectly(&self, a: usize, b: usize) -> bool {
        let (low, high) = (self.position[a], self.position[b]);
        let Some(between) = high.checked_sub(low) else {
            return false;
        };
        // From both ends, a step each: most often one of them comes to nothing at once. None of them leaves what is between.
        let inside = |&x: &usize| (low + 1..high).contains(&self.position[x]);
        let next = |x: usize| self.after(x).filter(inside);
        let previous = |y: usize| self.before(y).filter(inside);
        let mut behind: Vec<usize> = next(a).collect();
        let mut ahead: Vec<usize> = previous(b).collect();
        let mut from_a = vec![false; between];
        let mut to_b = vec![false; between];
        while !behind.is_empty() && !ahead.is_empty() {
            if step(&mut behind, &mut from_a, &to_b, |x| self.position[x] - low, next)
                || step(&mut ahead, &mut to_b, &from_a, |y| self.position[y] - low, previous)
            {
                return true;
            }
        }
        // One side is known as a whole; what the other has not looked at may lie in it.
        let known = |side: &[bool], x: usize| side[self.position[x] - low];
        behind.into_iter().any(|x| known(&to_b, x)) || ahead.into_iter().any(|y| known(&from_a, y))
    }
}

/// Takes a call of one side; tells whether the other side knows it.
fn step<I: Iterator<Item = usize>>(
    stack: &mut Vec<usize>,
    seen: &mut [bool],
    met: &[bool],
    place: impl Fn(usize) -> usize,
    next: impl Fn(usize) -> I,
) -> bool {
    let Some(x) = stack.pop() else {
        return false;
    };
    if !std::mem::replace(&mut seen[place(x)], true) {
        stack.extend(next(x));
    }
    met[place(x)]
}

fn distinct(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Does a call write a storage from end to end? A storage has one writer, or several that write disjoint parts of it; parts
/// may lie upon a filling, which then comes before them. Nothing else orders writers: the order follows from what they write,
/// not from when they were made, so that merging two calls never adds one.
pub(super) fn fills(drafts: &Drafts, call: &Draft, storage: usize) -> bool {
    let len = drafts.storages[storage].len;
    let kept = call.loads.iter().flatten().map(|l| &l.program);
    kept.chain([&call.program]).any(|program| {
        program.stores.iter().any(|s| {
            let region = &call.operands[s.operand];
            let whole = region.storage == storage && region.offset == 0 && region.len == len;
            whole && count(&program.domain) == len && s.view.is_identity(&program.domain)
        })
    })
}

/// The region within the storage that holds it in the end.
pub(super) fn outermost(drafts: &Drafts, region: &Region) -> Region {
    let mut region = region.clone();
    while let Some((outer, offset)) = drafts.storages[region.storage].inside {
        region.storage = outer;
        region.offset += offset;
    }
    region
}

#[cfg(test)]
impl Dependencies {
    /// Panics where what was kept is not what the calls now say.
    pub fn assert_current(&self, drafts: &Drafts) {
        let sorted = |d: &Dependencies| -> Vec<Vec<usize>> {
            let users = d.users.iter().flat_map(|u| [&u.readers, &u.writers]).map(|u| u.iter().map(|x| x.0).collect());
            let calls = d.calls.iter().map(|c| c.written.iter().map(|w| 2 * w.0 + usize::from(w.1)).collect());
            let mut all: Vec<Vec<usize>> = users.chain(d.writers.clone()).chain(d.named.clone()).chain(calls).collect();
            all.iter_mut().for_each(|list| list.sort_unstable());
            all
        };
        assert_eq!(sorted(self), sorted(&Dependencies::new(drafts)));
        let regions = |d: &Dependencies| -> Vec<Vec<Region>> {
            d.calls.iter().flat_map(|c| [c.reads.clone(), c.writes.clone()]).collect()
        };
        assert_eq!(regions(self), regions(&Dependencies::new(drafts)));
        let in_order = |a: usize| self.after(a).all(|b| self.position[a] < self.position[b]);
        assert!((0..self.calls.len()).all(in_order), "a call comes before one that it waits for");
    }
}
