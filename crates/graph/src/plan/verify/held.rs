//! What each run of bytes of each buffer holds.

use super::super::dependencies::outermost;
use super::super::draft::{Region, StorageKind};
use super::super::kernel::Operand;
use super::super::memory::Placed;
use std::collections::HashMap;

/// Bytes of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldSpan {
    pub buffer: usize,
    pub start: usize,
    pub end: usize,
}

impl HeldSpan {
    /// The bytes of a region.
    pub fn new(placed: &Placed, region: &Region) -> HeldSpan {
        let place = outermost(&placed.drafts, region);
        let size = placed.drafts.storages[region.storage].dtype.size();
        let start = place.offset * size;
        HeldSpan { buffer: placed.buffer_of[place.storage], start, end: start + place.len * size }
    }

    pub fn meets(&self, other: &HeldSpan) -> bool {
        self.buffer == other.buffer && self.start < other.end && other.start < self.end
    }
}

/// What a run of bytes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A value, by its storage.
    Value(usize),
    /// The new contents of an arena, by its storage.
    Assigned(usize),
    Scratch,
}

/// The bytes of an operand.
pub(super) fn span_of(o: &Operand) -> HeldSpan {
    let size = o.dtype.size();
    HeldSpan { buffer: o.buffer, start: o.offset * size, end: (o.offset + o.len) * size }
}

/// What each run of bytes holds.
pub(super) struct Held {
    runs: HashMap<usize, Vec<(HeldSpan, Holder)>>,
}

impl Held {
    /// Memory before the step: inputs, arenas, constants and zeroed buffers hold their own.
    pub fn new(placed: &Placed) -> Held {
        let mut held = Held { runs: HashMap::new() };
        for (s, storage) in placed.drafts.storages.iter().enumerate() {
            let filled = !matches!(storage.kind, StorageKind::Temporary) && storage.inside.is_none();
            if filled && placed.buffer_of[s] != usize::MAX {
                let span = HeldSpan::new(placed, &Region { storage: s, offset: 0, len: storage.len });
                held.write(span, Holder::Value(s));
            }
        }
        held
    }

    pub fn write(&mut self, span: HeldSpan, holder: Holder) {
        if span.start == span.end {
            return;
        }
        let runs = self.runs.entry(span.buffer).or_default();
        let mut after: Vec<(HeldSpan, Holder)> = vec![];
        for (old, what) in runs.drain(..) {
            if !old.meets(&span) {
                after.push((old, what));
                continue;
            }
            if old.start < span.start {
                after.push((HeldSpan { end: span.start, ..old }, what));
            }
            if span.end < old.end {
                after.push((HeldSpan { start: span.end, ..old }, what));
            }
        }
        after.push((span, holder));
        *runs = after;
    }

    /// Something in a region's memory that is not the region's value.
    pub fn other_than(&self, placed: &Placed, region: &Region) -> Option<Option<Holder>> {
        let storages = &placed.drafts.storages;
        let own = |s: usize| {
            // The parts of a packed buffer are computed in their places.
            let part = storages[region.storage].kind == StorageKind::Zeroed
                && storages[s].inside.is_some_and(|(outer, _)| outer == region.storage);
            s == region.storage || part
        };
        self.find(HeldSpan::new(placed, region), |h| !matches!(h, Some(Holder::Value(s)) if own(s)))
    }

    /// The first run within a span for which `wanted` holds; `None` stands for memory that nothing was written to.
    pub fn find(&self, span: HeldSpan, wanted: impl Fn(Option<Holder>) -> bool) -> Option<Option<Holder>> {
        let within = |(run, holder): &(HeldSpan, Holder)| {
            run.meets(&span).then(|| (run.end.min(span.end) - run.start.max(span.start), *holder))
        };
        let found: Vec<(usize, Holder)> =
            self.runs.get(&span.buffer).into_iter().flatten().filter_map(within).collect();
        if let Some((_, holder)) = found.iter().find(|(_, h)| wanted(Some(*h))) {
            return Some(Some(*holder));
        }
        let covered: usize = found.iter().map(|(bytes, _)| bytes).sum();
        (covered < span.end - span.start && wanted(None)).then_some(None)
    }
}
