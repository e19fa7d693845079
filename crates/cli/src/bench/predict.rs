//! Which rows would take too long: by the roofline, and by how far from it the rows before were.
//!
//! The larger a row, the nearer to the roofline: the largest of a group says most about the next, which is larger still.

use std::collections::HashMap;
use std::time::Duration;

use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::graph::{Call, Peaks};
use chiaro_bench::{Group, Workload};

use super::report::ReportRow;
use crate::output::duration;

/// Runs that a row takes at least: the first, and one that counts.
const LEAST_RUNS: f64 = 2.0;

/// Predicts the time of rows.
pub struct Predictor {
    peaks: Option<Peaks>,
    limit: Duration,
    /// Share of the roofline where no row of the group was measured yet.
    usual: f64,
    /// Of each group, the bound of the largest row and the share that it reached.
    largest: HashMap<Group, (f64, f64)>,
}

impl Predictor {
    /// Knows nothing yet. Software devices are far from what their own loops reach.
    pub fn new(peaks: Option<Peaks>, limit: Duration, software: bool) -> Predictor {
        Predictor { peaks, limit, usual: if software { 0.1 } else { 0.3 }, largest: HashMap::new() }
    }

    /// Why a workload should be left out, if it should.
    pub fn too_long(&self, case: &Workload) -> anyhow::Result<Option<String>> {
        let Some(peaks) = &self.peaks else { return Ok(None) };
        let plan = Plan::new(case.graph(), &PlanOptions::default())?;
        let calls: Vec<Call> = plan.steps.iter().map(Call::of).collect();
        Ok(self.too_long_for(case.group, peaks.bound(&calls)))
    }

    fn too_long_for(&self, group: Group, bound: f64) -> Option<String> {
        let seconds = bound / self.largest.get(&group).map_or(self.usual, |(_, share)| *share);
        let too_long = LEAST_RUNS * seconds > self.limit.as_secs_f64();
        // A share near zero predicts more than a duration holds.
        let shown = Duration::try_from_secs_f64(seconds).map_or_else(|_| "very long".to_string(), duration);
        too_long.then(|| format!("a run would take about {shown}; --limit is {}", duration(self.limit)))
    }

    /// Learns from a row.
    pub fn learn(&mut self, group: Group, row: &ReportRow) {
        if let Some(bound) = row.bound_seconds {
            self.learn_share(group, bound, bound / row.seconds);
        }
    }

    fn learn_share(&mut self, group: Group, bound: f64, share: f64) {
        let largest = self.largest.entry(group).or_insert((bound, share));
        if bound >= largest.0 {
            *largest = (bound, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_left_out_by_the_largest_of_its_group() {
        let mut predictor = Predictor::new(None, Duration::from_secs(8), false);
        assert_eq!(predictor.too_long_for(Group::MatMul, 1.0), None, "3.3 s a run");
        predictor.learn_share(Group::MatMul, 0.1, 0.01);
        predictor.learn_share(Group::MatMul, 0.5, 0.2);
        predictor.learn_share(Group::MatMul, 0.2, 0.6);
        let reason = predictor.too_long_for(Group::MatMul, 1.0).expect("5 s a run");
        assert!(reason.contains("5.00 s") && reason.contains("--limit is 8.00 s"), "{reason}");
        assert_eq!(predictor.too_long_for(Group::Convolution, 1.0), None, "another group");
    }
}
