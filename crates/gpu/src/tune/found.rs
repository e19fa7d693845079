//! The best variant of a step so far: what is compared, timed, and given up early.

use super::compare::ends_the_search;
use super::trial::{Ready, Trial};
use crate::GpuError;
use crate::kernels::{Dispatch, VariantChoice};

/// A variant whose first run takes so many times as long as the best is given up.
const TWICE: f64 = 2.0;
/// Seconds that the start of a single dispatch may add to its first run.
const START_UP: f64 = 2e-5;

/// What was found for a step.
pub(super) struct FoundVariants<'a> {
    trial: &'a Trial<'a>,
    /// What was made so far, so that no kernel is tried twice under two names.
    made: Vec<(VariantChoice, Vec<Dispatch>)>,
    /// Seconds of each variant that ran.
    pub seconds: Vec<(VariantChoice, f64)>,
    pub best: f64,
    pub choice: VariantChoice,
    /// Variants other than the portable one that gave right results.
    pub right: usize,
    pub ended: usize,
    pub rejected: usize,
}

impl<'a> FoundVariants<'a> {
    /// Begins with the portable variant, whose results are those that are wanted. It is timed as well as the others where it is
    /// what shapes suggest.
    pub fn new(
        trial: &'a Trial<'a>,
        portable: VariantChoice,
        made: Vec<Dispatch>,
    ) -> Result<FoundVariants<'a>, GpuError> {
        let ready = trial.ready(std::slice::from_ref(&made)).remove(0)?;
        trial.warm_up(&ready)?;
        let first = trial.run(&ready)?;
        trial.keep()?;
        // Elsewhere it is a slow one, measured well enough by one run.
        let suggested = portable == VariantChoice::default();
        let first = if suggested { trial.seconds(&ready, first, f64::INFINITY)? } else { first };
        let seconds = vec![(portable, first)];
        let made = vec![(portable, made)];
        let (best, choice, right, ended, rejected) = (first, portable, 0, 0, 0);
        Ok(FoundVariants { trial, made, seconds, best, choice, right, ended, rejected })
    }

    /// Runs variants that are new; each counts only if its results are right.
    pub fn consider(&mut self, variants: Vec<(VariantChoice, Vec<Dispatch>)>) -> Result<(), GpuError> {
        let mut new = vec![];
        for (choice, made) in variants {
            let same = self.made.iter().chain(&new).find(|(_, other)| *other == made).map(|(same, _)| *same);
            match same.map(|same| self.seconds_of(same)) {
                // It has the time of its twin, and is preferred to it: a choice that shapes suggest is none.
                Some(seconds) if seconds.is_finite() => {
                    self.right += 1;
                    self.seconds.push((choice, seconds));
                }
                Some(_) => {}
                None => new.push((choice, made)),
            }
        }
        let made: Vec<Vec<Dispatch>> = new.iter().map(|(_, made)| made.clone()).collect();
        for ((choice, _), ready) in new.iter().zip(self.trial.ready(&made)) {
            match ready.and_then(|ready| self.measure(*choice, &ready)) {
                Ok(()) => {}
                Err(error) if ends_the_search(&error) => return Err(error),
                Err(_) => self.rejected += 1,
            }
        }
        self.made.extend(new);
        Ok(())
    }

    fn measure(&mut self, choice: VariantChoice, ready: &[Ready]) -> Result<(), GpuError> {
        self.trial.warm_up(ready)?;
        let first = self.trial.run(ready)?;
        if first > TWICE * self.best + START_UP {
            self.ended += 1;
            self.seconds.push((choice, first));
            return Ok(());
        }
        if self.trial.judge()?.is_err() {
            self.rejected += 1;
            return Ok(());
        }
        let seconds = self.trial.seconds(ready, first, self.best)?;
        self.right += 1;
        self.seconds.push((choice, seconds));
        if seconds < self.best {
            (self.best, self.choice) = (seconds, choice);
        }
        Ok(())
    }

    /// Seconds of a variant; infinite if it did not run or was wrong.
    pub fn seconds_of(&self, choice: VariantChoice) -> f64 {
        self.seconds.iter().find(|(other, _)| *other == choice).map_or(f64::INFINITY, |(_, seconds)| *seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidates;
    use super::super::clock::Stopwatch;
    use super::super::software::software;
    use super::*;
    use crate::kernels::{self, Variants};
    use chiaro_graph::plan::{Plan, Step};
    use chiaro_graph::{DType, Graph};
    use chiaro_shaders::{Memory, Tile};

    /// Not the portable one, nor what shapes suggest.
    const OTHER: VariantChoice =
        VariantChoice { tile: Some(Tile::new(Memory::Direct, [16, 32, 1], [8, 4])), parts: None, threads: None };

    /// The one step of a product of matrices.
    fn step() -> Step {
        let mut g = Graph::new();
        let x = g.input("x", &[33, 50], DType::F32).expect("an input");
        let w = g.input("w", &[50, 40], DType::F32).expect("an input");
        let y = g.matmul(x, w, false, false).expect("a product");
        g.output("y", y).expect("an output");
        let plan = Plan::new(&g, &kernels::plan_options(&Variants::SOFTWARE)).expect("a plan");
        plan.steps.into_iter().next().expect("a step")
    }

    #[test]
    fn a_variant_with_wrong_results_never_wins_however_fast_it_is() {
        let Some(gpu) = software() else { return };
        let (step, clock) = (step(), Stopwatch::new(&gpu).expect("a clock"));
        let trial = Trial::new(&gpu, &step, &clock, 0).expect("a trial");
        let portable = candidates::portable(&step, &Variants::GPU);
        let made = |choice| kernels::dispatches(&step, &Variants::SOFTWARE.with(choice)).expect("dispatches");
        let mut found = FoundVariants::new(&trial, portable, made(portable)).expect("runs");
        // Slower than anything, so that all are in the race.
        found.best = f64::MAX;

        // It leaves out the last term of every sum, and all but the first.
        let wrong = |(text, parts): (&str, u32)| {
            let tampered = |d: Dispatch| {
                assert!(d.wgsl.contains("k < end"), "{}", d.wgsl);
                Dispatch { wgsl: d.wgsl.replace("k < end", text), ..d }
            };
            let choice = VariantChoice { parts: Some(parts), ..VariantChoice::default() };
            (choice, made(VariantChoice::default()).into_iter().map(tampered).collect::<Vec<_>>())
        };
        let mut all = [("k + 1u < end", 7), ("k < min(end, 1u)", 8)].map(wrong).to_vec();
        let no_wgsl = |d: Dispatch| Dispatch { wgsl: "no".to_owned(), ..d };
        all.push((VariantChoice { parts: Some(9), ..portable }, made(portable).into_iter().map(no_wgsl).collect()));
        found.consider(all).expect("the device goes on");
        assert_eq!((found.right, found.rejected, found.choice), (0, 3, portable));

        found.consider(vec![(OTHER, made(OTHER))]).expect("runs");
        assert_eq!((found.right, found.choice), (1, OTHER));
        assert!(found.best.is_finite() && found.best > 0.0);
    }

    #[test]
    fn what_is_hopelessly_slow_is_given_up_and_no_kernel_runs_under_two_names() {
        let Some(gpu) = software() else { return };
        let (step, clock) = (step(), Stopwatch::new(&gpu).expect("a clock"));
        let trial = Trial::new(&gpu, &step, &clock, 0).expect("a trial");
        let portable = candidates::portable(&step, &Variants::GPU);
        let made = |choice| kernels::dispatches(&step, &Variants::SOFTWARE.with(choice)).expect("dispatches");
        let mut found = FoundVariants::new(&trial, portable, made(portable)).expect("runs");
        let twin = VariantChoice { threads: Some(3), ..portable };
        let before = gpu.counters().dispatches;
        found.consider(vec![(twin, made(portable))]).expect("nothing to do");
        assert_eq!((gpu.counters().dispatches, found.seconds_of(twin)), (before, found.seconds_of(portable)));

        found.best = -1.0;
        found.consider(vec![(OTHER, made(OTHER))]).expect("runs");
        // One workgroup, operands made again, one run; nothing is compared or timed again.
        assert_eq!((found.ended, gpu.counters().dispatches - before, found.choice), (1, 3, portable));
    }
}
