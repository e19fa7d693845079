//! What earlier kernels of a search tell about the variants of the next: which to try first, and which are not worth it.

use std::collections::HashMap;

use chiaro_graph::plan::Kernel;

use super::found::Found;
use crate::kernels::Choice;

/// A variant that took this many times as long as the best of a kernel was hopeless there.
const HOPELESS: f64 = 2.0;
/// Kernels of a kind, one after the other, in which a variant was hopeless, before it is left out.
const ENOUGH: u32 = 2;

/// How variants did, for each kind of kernel.
#[derive(Debug, Default)]
pub(super) struct Experience {
    of: HashMap<(std::mem::Discriminant<Kernel>, Choice), Record>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// Time against the best, the last time.
    last: f64,
    /// How often it was hopeless since it was not.
    hopeless: u32,
}

impl Experience {
    /// The candidates that may be worth a trial, those that did best the last time first; the others stay in their order.
    pub fn promising(&self, kernel: &Kernel, candidates: Vec<Choice>) -> Vec<Choice> {
        let record = |choice: &Choice| self.of.get(&(std::mem::discriminant(kernel), *choice)).copied();
        let mut kept: Vec<(f64, Choice)> = vec![];
        for choice in candidates {
            match record(&choice) {
                Some(record) if record.hopeless >= ENOUGH => {}
                Some(record) => kept.push((record.last, choice)),
                None => kept.push((1.0, choice)),
            }
        }
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.into_iter().map(|(_, choice)| choice).collect()
    }

    /// Remembers how the variants of a kernel did.
    pub fn learn(&mut self, kernel: &Kernel, found: &Found<'_>) {
        self.remember(kernel, &found.seconds, found.best);
    }

    fn remember(&mut self, kernel: &Kernel, seconds: &[(Choice, f64)], best: f64) {
        for (choice, seconds) in seconds {
            let record = self.of.entry((std::mem::discriminant(kernel), *choice)).or_default();
            record.last = seconds / best;
            record.hopeless = if record.last > HOPELESS { record.hopeless + 1 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_shaders::Tile;

    #[test]
    fn what_was_twice_as_slow_twice_in_a_row_is_left_out_for_kernels_of_its_kind_alone() {
        let [slow, fast, new] = [Tile::TINY, Tile::MEDIUM, Tile::LARGE]
            .map(|tile| Choice { tile: Some(tile), parts: None, threads: None });
        let all = || vec![slow, new, fast];
        let softmax = Kernel::Softmax { rows: 1, n: 1, log: false };
        let mut experience = Experience::default();
        experience.remember(&Kernel::Pointwise, &[(slow, 2.1), (fast, 0.9)], 0.9);
        assert_eq!(experience.promising(&Kernel::Pointwise, all()), [new, fast, slow]);
        experience.remember(&Kernel::Pointwise, &[(slow, 1.9), (fast, 1.0)], 1.0);
        experience.remember(&Kernel::Pointwise, &[(slow, 2.1), (fast, 1.0)], 1.0);
        assert_eq!(experience.promising(&Kernel::Pointwise, all()).len(), 3, "not in a row");
        experience.remember(&Kernel::Pointwise, &[(slow, 2.1), (fast, 1.0)], 1.0);
        assert_eq!(experience.promising(&Kernel::Pointwise, all()), [new, fast]);
        assert_eq!(experience.promising(&softmax, all()), [slow, new, fast]);
    }
}
