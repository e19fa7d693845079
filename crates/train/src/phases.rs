//! The phases of a run, each of which has a training step of its own: smaller images at first, and frozen parts until they thaw.

use chiaro_graph::PlanId;
use chiaro_nn::{Optimizers, TrainStep};

use crate::settings::TrainConfig;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// The first step behind it; the last phase has none.
    pub until: Option<u64>,
    /// Height and width of the images; absent: as they are.
    pub size: Option<[usize; 2]>,
    /// Whether frozen parts are frozen.
    pub is_frozen: bool,
}

/// A phase with its compiled step.
pub(crate) struct CompiledPhase {
    pub phase: Phase,
    pub step: TrainStep,
    pub plan: PlanId,
}

/// The phases of a run of so many steps an epoch, in their order.
pub(crate) fn phases(
    config: &TrainConfig,
    optimizers: &Optimizers,
    steps_per_epoch: usize,
    image: [usize; 2],
) -> Vec<Phase> {
    let total = (config.epochs * steps_per_epoch) as f64;
    let sizes: Vec<([usize; 2], u64)> = config
        .progressive
        .as_ref()
        .map_or(vec![], |sizes| sizes.0.iter().map(|&(size, share)| (size, (share * total).round() as u64)).collect());
    let thawed = optimizers.thawed_from();
    // A last size that lasts to the end lasts for ever: more epochs do not make larger images of it.
    let ends = sizes.iter().map(|(_, end)| *end).filter(|end| (*end as f64) < total).chain(thawed);
    let mut ends: Vec<u64> = ends.filter(|end| *end > 0).collect();
    ends.sort_unstable();
    ends.dedup();
    let at = |first: u64, until: Option<u64>| {
        let last = sizes.last().filter(|(_, end)| *end as f64 >= total);
        let size = sizes.iter().find(|(_, end)| first < *end).or(last).map(|(size, _)| *size);
        let is_frozen = thawed.is_none_or(|thawed| first < thawed);
        Phase { until, size: size.filter(|size| *size != image), is_frozen }
    };
    let starts = [0].into_iter().chain(ends.iter().copied());
    let untils = ends.iter().copied().map(Some).chain([None]);
    let mut found: Vec<Phase> = vec![];
    for phase in starts.zip(untils).map(|(first, until)| at(first, until)) {
        match found.last_mut() {
            Some(last) if (last.size, last.is_frozen) == (phase.size, phase.is_frozen) => last.until = phase.until,
            Some(_) | None => found.push(phase),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingValue;
    use chiaro_nn::{Frozen, Sgd};

    fn of(progressive: Option<&str>, thaw: Option<Option<u64>>) -> Vec<(Option<u64>, Option<usize>, bool)> {
        let progressive = progressive.map(|text| SettingValue::parse(text).expect("sizes"));
        let config = TrainConfig { epochs: 10, progressive, ..TrainConfig::default() };
        let sgd = Optimizers::new(Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 }).gather(2);
        let optimizers = thaw.map_or(sgd.clone(), |thaw| sgd.freeze(Frozen::new(|_| true, thaw)));
        let found = phases(&config, &optimizers, 10, [96, 96]);
        found.into_iter().map(|phase| (phase.until, phase.size.map(|size| size[0]), phase.is_frozen)).collect()
    }

    #[test]
    fn a_run_has_a_phase_for_each_size_and_until_its_parts_thaw() {
        assert_eq!(of(None, None), [(None, None, false)]);
        assert_eq!(of(None, Some(None)), [(None, None, true)]);
        assert_eq!(of(None, Some(Some(15))), [(Some(30), None, true), (None, None, false)]);
        assert_eq!(of(Some("64:0.5,96:1"), None), [(Some(50), Some(64), false), (None, None, false)]);
        assert_eq!(
            of(Some("32:0.25,64:0.5"), None),
            [(Some(25), Some(32), false), (Some(50), Some(64), false), (None, None, false)]
        );
        // Smaller to the end, and for epochs that are added later.
        assert_eq!(of(Some("64:1"), None), [(None, Some(64), false)]);
        let both = [(Some(30), Some(64), true), (Some(50), Some(64), false), (None, None, false)];
        assert_eq!(of(Some("64:0.5"), Some(Some(15))), both);
    }
}
