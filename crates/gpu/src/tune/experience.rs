//! What earlier kernels of a search tell about the variants of the next: which to try first, and which are not worth it.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use chiaro_graph::plan::Kernel;

use crate::kernels::VariantChoice;

/// A variant that took so many times as long as the best in the only kernel of its kind so far is left out of the next ...
const ONCE: f64 = 1.5;
/// ... and one that took so many times as long in each of the last two.
const TWICE: f64 = 1.2;

/// How variants did, for each kind of kernel.
#[derive(Debug, Default)]
pub(super) struct Experience {
    of: HashMap<(Discriminant<Kernel>, VariantChoice), KernelRecord>,
}

/// Times against the best variant of a kernel: the last one's, and that before.
#[derive(Debug, Clone, Copy)]
struct KernelRecord {
    last: f64,
    before: Option<f64>,
}

impl KernelRecord {
    /// The better of the last two.
    fn ratio(self) -> f64 {
        self.before.map_or(self.last, |before| before.min(self.last))
    }

    fn promises(self) -> bool {
        self.ratio() <= if self.before.is_some() { TWICE } else { ONCE }
    }
}

impl Experience {
    /// The candidates that may be worth a trial, those that did best first; what was never tried comes in between.
    pub fn promising(&self, kernel: &Kernel, candidates: Vec<VariantChoice>) -> Vec<VariantChoice> {
        let record = |choice: &VariantChoice| self.of.get(&(discriminant(kernel), *choice)).copied();
        let mut kept: Vec<(f64, VariantChoice)> = candidates
            .into_iter()
            .filter(|choice| record(choice).is_none_or(KernelRecord::promises))
            .map(|choice| (record(&choice).map_or(TWICE, KernelRecord::ratio), choice))
            .collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.into_iter().map(|(_, choice)| choice).collect()
    }

    /// Remembers how variants of a kernel did, whose best took `best` seconds.
    pub fn learn(&mut self, kernel: &Kernel, seconds: &[(VariantChoice, f64)], best: f64) {
        for (choice, seconds) in seconds {
            let last = seconds / best;
            let new = |record: &mut KernelRecord| *record = KernelRecord { last, before: Some(record.last) };
            let key = (discriminant(kernel), *choice);
            self.of.entry(key).and_modify(new).or_insert(KernelRecord { last, before: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_shaders::Tile;

    #[test]
    fn what_was_much_slower_before_is_left_out_for_kernels_of_its_kind_alone() {
        let [slow, fast, new] = [Tile::TINY, Tile::MEDIUM, Tile::LARGE].map(|tile| VariantChoice {
            tile: Some(tile),
            parts: None,
            threads: None,
        });
        let all = || vec![slow, new, fast];
        let softmax = Kernel::Softmax { rows: 1, n: 1, log: false };
        let mut experience = Experience::default();
        let mut next = |time: f64| {
            experience.learn(&Kernel::Pointwise, &[(slow, time), (fast, 1.0)], 1.0);
            let of = |kernel: &Kernel| experience.promising(kernel, all());
            assert_eq!(of(&softmax), [slow, new, fast]);
            of(&Kernel::Pointwise)
        };
        assert_eq!(next(1.6), [fast, new]);
        assert_eq!(next(1.1), [fast, slow, new], "it was good once in two");
        assert_eq!(next(1.6), [fast, slow, new]);
        assert_eq!(next(1.3), [fast, new], "bad in each of the last two");
    }
}
