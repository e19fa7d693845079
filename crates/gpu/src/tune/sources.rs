//! Whose choice a step gets: what a search found here, else what a table knows of the device, else what its shape suggests.

use std::collections::BTreeSet;

use chiaro_graph::plan::Step;
use chiaro_shaders::Tile;

use super::known::KnownTable;
use super::{Tuned, candidates, fits, key};
use crate::kernels::{self, VariantChoice};
use crate::{AdapterSummary, Gpu};

/// Where the variants of a graph's kernels come from. Kernels of one shape count once; those that have no variants do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChoiceSources {
    /// From a search on this device.
    pub found: usize,
    /// From a table of such devices.
    pub known: usize,
    /// From their shapes.
    pub suggested: usize,
}

impl Tuned {
    /// What was found for a step, or is known of it, and is not wrong here. What a table knows counts where a search here could have found
    /// it: the device has room for it, the plan has scratch for it, and cooperative matrices are trusted.
    pub(super) fn choice(&self, step: &Step, key: Option<&str>) -> Option<VariantChoice> {
        let right = |choice: &VariantChoice| !self.is_wrong(key, choice);
        let found = self.kept.choices.get(key?).copied().filter(right);
        found
            .or_else(|| self.known.get(key?).copied().filter(right).filter(|choice| self.could_be_found(step, *choice)))
    }

    /// Whether a choice's tile gave wrong results for a kernel.
    pub(super) fn is_wrong(&self, key: Option<&str>, choice: &VariantChoice) -> bool {
        key.zip(choice.tile).is_some_and(|(key, tile)| self.kept.proofs.of(key, tile) == Some(false))
    }

    fn could_be_found(&self, step: &Step, choice: VariantChoice) -> bool {
        let cooperative = self.cooperative_for(step);
        candidates::include(step, &self.base, &self.limits, &cooperative, choice) && fits(step, &self.base.with(choice))
    }

    /// The cooperative tiles that a table has for the steps.
    pub(super) fn known_cooperative(&self, steps: &[Step]) -> Vec<Tile> {
        let known: Vec<Tile> = steps.iter().filter_map(|step| self.known.get(&key(step)?)?.tile).collect();
        Tile::COOPERATIVE.into_iter().filter(|tile| known.contains(tile)).collect()
    }

    /// Forgets what a table knows of kernels that cannot be made so: it may be of other kernels than today's.
    pub(super) fn forget_what_cannot_be_made(&mut self, steps: &[Step]) {
        if self.known.is_empty() {
            return;
        }
        let (mut seen, mut unmakeable) = (BTreeSet::new(), vec![]);
        for step in steps {
            let Some(key) = key(step).filter(|key| self.known.contains_key(key) && seen.insert(key.clone())) else {
                continue;
            };
            let Some(choice) = self.choice(step, Some(&key)) else { continue };
            if kernels::dispatches(step, &self.base.with(choice)).is_err() {
                unmakeable.push(key);
            }
        }
        unmakeable.iter().for_each(|key| {
            self.known.remove(key);
        });
    }

    /// Where the variants of the steps come from.
    pub fn sources(&self, steps: &[Step]) -> ChoiceSources {
        let (mut seen, mut sources) = (BTreeSet::new(), ChoiceSources::default());
        for step in steps {
            let Some(key) = key(step) else { continue };
            let several = candidates::of(step, &self.base, &self.limits, &self.cooperative_for(step)).len() > 1;
            if !several || !seen.insert(key.clone()) {
                continue;
            }
            let count = match self.choice(step, Some(&key)) {
                Some(choice) if self.kept.choices.get(&key) == Some(&choice) => &mut sources.found,
                Some(_) => &mut sources.known,
                None => &mut sources.suggested,
            };
            *count += 1;
        }
        sources
    }

    /// What searches found here, as a table for devices of this kind.
    pub fn table(&self, gpu: &Gpu) -> KnownTable {
        let adapter: &AdapterSummary = gpu.summary();
        KnownTable::new(adapter, self.base.class(), &self.kept.choices)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Tuning;
    use super::super::file::Kept;
    use super::*;
    use crate::AdapterLimits;
    use crate::kernels::{Transformed, Variants};
    use chiaro_graph::plan::{Kernel, Plan};
    use chiaro_graph::{ConvSpec, DType, Graph};

    const LIMITS: AdapterLimits = AdapterLimits {
        buffer_bytes: 1 << 30,
        binding_bytes: 1 << 27,
        storage_buffers: 8,
        binding_alignment: 256,
        workgroup_invocations: 1024,
        workgroup_size: [1024; 3],
        workgroup_bytes: 48 << 10,
        workgroups_per_dimension: 65535,
        immediate_bytes: 0,
    };

    /// A convolution's weight gradient.
    fn step(dtype: DType) -> Step {
        let mut g = Graph::new();
        let x = g.input("x", &[64, 16, 16, 128], dtype).expect("an input");
        let w = g.input("w", &[128, 3, 3, 128], dtype).expect("an input");
        let y = g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() }).expect("fits");
        let loss = g.sum_all(y).expect("a sum");
        let gradients = g.grad(loss, None, &[w]).expect("a gradient");
        g.output("dw", gradients[0]).expect("an output");
        let variants = Variants::GPU.with_transforms(Transformed::No);
        let plan = Plan::new(&g, &kernels::plan_options(&variants)).expect("a plan");
        let weight_grad = |step: &Step| matches!(step.kernel, Kernel::Conv2dWeightGrad(_));
        plan.steps.into_iter().find(weight_grad).expect("a weight gradient")
    }

    fn choice(tile: Tile, parts: Option<u32>) -> VariantChoice {
        VariantChoice { tile: Some(tile), parts, threads: None }
    }

    /// A device that knows one choice of a step from a table, and found another.
    fn tuned(step: &Step, known: Option<VariantChoice>, found: Option<VariantChoice>, trusted: &[Tile]) -> Tuned {
        let one = |choice: Option<VariantChoice>| choice.map(|choice| (key(step).expect("variants"), choice));
        let choices: BTreeMap<_, _> = one(found).into_iter().collect();
        Tuned {
            kept: Kept { choices, cooperative: Some(trusted.to_vec()), ..Kept::default() },
            known: one(known).into_iter().collect(),
            tuning: Tuning::Kept,
            unprobed: false,
            ..Tuned::absent(Variants::GPU.with_transforms(Transformed::No), LIMITS, vec![])
        }
    }

    fn chosen(tuned: &Tuned, step: &Step) -> Option<VariantChoice> {
        tuned.choice(step, key(step).as_deref())
    }

    #[test]
    fn what_was_found_here_goes_before_what_is_known_and_what_is_wrong_here_goes_for_nothing() {
        let step = step(DType::F16);
        let [found, known] = [Tile::COOPERATIVE[2], Tile::COOPERATIVE[3]].map(|tile| choice(tile, None));
        let mut tuned = tuned(&step, Some(known), Some(found), &Tile::COOPERATIVE);
        assert_eq!(chosen(&tuned, &step), Some(found));
        let key = key(&step).expect("variants");
        tuned.kept.proofs.add(&key, Tile::COOPERATIVE[2], false);
        assert_eq!(chosen(&tuned, &step), Some(known));
        assert_ne!(kernels::tile(&step, &tuned.variants(&step)), known.tile, "not before its own proof");
        tuned.kept.proofs.add(&key, Tile::COOPERATIVE[3], true);
        assert_eq!(kernels::tile(&step, &tuned.variants(&step)), known.tile);
        tuned.kept.proofs = Default::default();
        for tile in &Tile::COOPERATIVE[2..4] {
            tuned.kept.proofs.add(&key, *tile, false);
        }
        assert_eq!(chosen(&tuned, &step), None);
    }

    #[test]
    fn a_known_choice_counts_only_where_the_device_can_have_it_and_the_plan_has_scratch_for_it() {
        let (step, half) = (step(DType::F32), step(DType::F16));
        let takes = |step: &Step, known, trusted: &[Tile]| chosen(&tuned(step, Some(known), None, trusted), step);
        let small = choice(Tile::SMALL, None);
        assert_eq!(takes(&step, small, &[]), Some(small));
        let mut short = step.clone();
        short.scratch.as_mut().expect("its terms are summed in parts").len = 4 * 128 * 9 * 128;
        // Three are tried by no search.
        for (parts, fits) in [(1, true), (2, true), (3, false), (4, true), (16, false), (64, false)] {
            assert_eq!(takes(&short, choice(Tile::LARGE, Some(parts)), &[]).is_some(), fits, "{parts} of 4 parts");
        }
        // Threads are for reductions alone.
        assert_eq!(takes(&step, VariantChoice { threads: Some(128), ..VariantChoice::default() }, &[]), None);
        let little = AdapterLimits { workgroup_bytes: 4 << 10, ..LIMITS };
        let narrow = AdapterLimits { workgroup_invocations: 128, ..LIMITS };
        for limits in [little, narrow] {
            let tuned = Tuned { limits, ..tuned(&step, Some(choice(Tile::LARGE, None)), None, &[]) };
            assert_eq!(chosen(&tuned, &step), None, "{limits:?}");
        }
        let cooperative = choice(Tile::COOPERATIVE[0], None);
        assert_eq!(takes(&half, cooperative, &Tile::COOPERATIVE[1..]), None, "it was not right here");
        assert_eq!(takes(&half, cooperative, &Tile::COOPERATIVE), Some(cooperative));
        assert_eq!(takes(&step, cooperative, &Tile::COOPERATIVE), None, "32-bit operands");
    }

    #[test]
    fn the_cooperative_tiles_of_a_table_are_asked_for_where_a_step_would_use_them() {
        let (half, last) = (step(DType::F16), *Tile::COOPERATIVE.last().expect("some"));
        let known = tuned(&half, Some(choice(last, None)), None, &[]);
        assert_eq!(known.known_cooperative(std::slice::from_ref(&half)), [last]);
        assert!(known.known_cooperative(&[step(DType::F32)]).is_empty());
    }

    #[test]
    fn what_cannot_be_made_is_forgotten() {
        let good = step(DType::F32);
        let mut bad = good.clone();
        let Kernel::Conv2dWeightGrad(conv) = &mut bad.kernel else { panic!("a weight gradient") };
        conv.x[1] = 1 << 40;
        let known = choice(Tile::SMALL, None);
        for (step, stays) in [(good, true), (bad, false)] {
            let mut tuned = tuned(&step, Some(known), None, &[]);
            assert_eq!(chosen(&tuned, &step), Some(known));
            tuned.forget_what_cannot_be_made(std::slice::from_ref(&step));
            assert_eq!(chosen(&tuned, &step).is_some(), stays);
        }
    }
}
