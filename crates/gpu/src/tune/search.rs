//! The search: steps in the order of their work, variants of each until the time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chiaro_graph::clock::Instant;
use chiaro_graph::plan::Step;

use super::candidates;
use super::clock::Stopwatch;
use super::compare::ends_the_search;
use super::experience::Experience;
use super::found::FoundVariants;
use super::trial::Trial;
use super::{BRIEF, Tuned, fits, key};
use crate::device::threads;
use crate::kernels::{self, Dispatch, VariantChoice};
use crate::{Gpu, GpuError};

/// A variant replaces what shapes suggest when it takes at most this share of the time: less would be noise.
const WORTH_IT: f64 = 0.97;

/// A kernel that takes less than this share of what the larger ones before it take together is left as shapes suggest.
const NEGLIGIBLE: f64 = 1e-3;

/// What a search found for one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOutcome {
    /// The kernel, its whole shape and its types.
    pub kernel: String,
    /// The step it was tried in.
    pub label: String,
    /// Variants that ran.
    pub tried: usize,
    /// Variants among them that were given up after one run, which took more than twice as long as the best.
    pub ended: usize,
    /// Variants that failed to compile or gave other results than the portable one.
    pub rejected: usize,
    /// Seconds of the variant that shapes suggest; infinite where that is wrong here.
    pub plain_seconds: f64,
    /// Seconds of the best variant.
    pub best_seconds: f64,
    /// The best variant, in words.
    pub chosen: String,
}

/// When a search ends; never, where its time is longer than clocks count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    pub fn after(limit: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(limit))
    }

    pub fn passed(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// Who wants a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody, by name: what a table says of the device is measured again.
    ByName,
    /// A plan, on its own.
    ByItself,
}

/// When variants of a kernel are no longer tried.
#[derive(Debug, Clone, Copy)]
struct Enough {
    deadline: Deadline,
    /// Seconds of what shapes suggest below which nothing else is worth a trial.
    seconds: f64,
}

impl Tuned {
    /// Searches for the kernels of `steps` that nothing is known about here, nor, with [`Asked::ByItself`], from a table of the device, for
    /// `limit` at most. What was found for a kernel is kept at once and then told, so that a search that is killed goes on where it was.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`] and [`GpuError::Timeout`].
    pub fn search(
        &mut self,
        gpu: &Gpu,
        steps: &[Step],
        (asked, limit): (Asked, Duration),
        told: &mut dyn FnMut(&SearchOutcome),
    ) -> Result<(), GpuError> {
        self.check_trust(gpu, steps, limit > BRIEF)?;
        let deadline = Deadline::after(limit);
        let mut order: Vec<&Step> = steps.iter().collect();
        order.sort_by_key(|step| std::cmp::Reverse((step.kernel.flops(), step.bytes())));
        let mut seen = BTreeSet::new();
        let unknown = order.into_iter().filter_map(|step| {
            let key = key(step)?;
            let settled = match asked {
                Asked::ByName => self.kept.choices.contains_key(&key),
                Asked::ByItself => self.choice(step, Some(&key)).is_some(),
            };
            (!settled && seen.insert(key.clone())).then_some((key, step))
        });
        let unknown: Vec<(String, &Step)> = unknown.collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // A folder that takes no files is told before the search, not after it.
        self.save(gpu);
        let mut uses: BTreeMap<String, f64> = BTreeMap::new();
        steps.iter().filter_map(key).for_each(|key| *uses.entry(key).or_default() += 1.0);
        let (clock, mut experience, mut whole) = (Stopwatch::new(gpu)?, Experience::default(), 0.0);
        for (key, step) in unknown {
            if deadline.passed() {
                break;
            }
            let uses = uses.get(&key).copied().unwrap_or(1.0);
            let enough = Enough { deadline, seconds: whole * NEGLIGIBLE / uses };
            match self.search_step(gpu, step, &clock, &mut experience, enough) {
                Ok(Some((choice, outcome))) => {
                    whole += uses * outcome.best_seconds;
                    self.kept.choices.insert(key.clone(), choice);
                    self.save(gpu);
                    told(&SearchOutcome { kernel: key, ..outcome });
                }
                Ok(None) => {}
                Err(error) if ends_the_search(&error) => return Err(error),
                // No memory for the operands beside what is there, say: shapes decide.
                Err(error) => gpu.notes().add(format!("{} is not tuned: {error}", step.label)),
            }
        }
        Ok(())
    }

    /// The best variant of a step; `None` where there is no choice or the time was up before one was compared.
    fn search_step(
        &self,
        gpu: &Gpu,
        step: &Step,
        clock: &Stopwatch,
        experience: &mut Experience,
        Enough { deadline, seconds: negligible }: Enough,
    ) -> Result<Option<(VariantChoice, SearchOutcome)>, GpuError> {
        let all = candidates::of(step, &self.base, gpu.limits(), &self.cooperative_for(step));
        if all.len() < 2 {
            return Ok(None);
        }
        let portable = candidates::portable(step, &self.base);
        let scratch = kernels::scratch(&step.kernel, step.columns.as_ref(), &self.base.with(portable));
        let trial = Trial::new(gpu, step, clock, scratch)?;
        let mut found = FoundVariants::new(&trial, portable, self.dispatches(step, portable)?)?;
        let plain = VariantChoice::default();
        self.consider(&mut found, step, &[plain])?;
        let order = experience.promising(&step.kernel, all);
        let chunk = threads::processors();
        for some in order.chunks(chunk) {
            if deadline.passed() || found.seconds_of(plain) < negligible {
                break;
            }
            self.consider(&mut found, step, some)?;
        }
        experience.learn(&step.kernel, &found.seconds, found.best);
        if !deadline.passed() && found.seconds_of(plain) >= negligible {
            self.consider_splits(&mut found, step, experience)?;
        }
        if found.right == 0 && found.ended == 0 && found.rejected > 0 {
            let note = "every fast variant gave wrong results here; the portable one is used";
            gpu.notes().add(format!("{}: {note}", step.label));
        } else {
            (found.choice, found.best) = worth_it((found.choice, found.best), found.seconds_of(plain));
        }
        let outcome = SearchOutcome {
            kernel: String::new(),
            label: step.label.clone(),
            tried: found.seconds.len(),
            ended: found.ended,
            rejected: found.rejected,
            plain_seconds: found.seconds_of(plain),
            best_seconds: found.best,
            chosen: words(found.choice),
        };
        Ok(Some((found.choice, outcome)))
    }

    /// How the terms are split is searched for the best tile alone.
    fn consider_splits(
        &self,
        found: &mut FoundVariants<'_>,
        step: &Step,
        experience: &mut Experience,
    ) -> Result<(), GpuError> {
        let (tile, splits) = (found.choice, experience.promising(&step.kernel, candidates::splits(step)));
        let whole = |split: VariantChoice| VariantChoice { parts: split.parts, ..tile };
        self.consider(found, step, &splits.iter().map(|split| whole(*split)).collect::<Vec<_>>())?;
        let seconds = splits.iter().map(|split| (*split, found.seconds_of(whole(*split))));
        // What did not fit the scratch of this one may fit that of the next.
        let seconds: Vec<(VariantChoice, f64)> = seconds.filter(|(_, seconds)| seconds.is_finite()).collect();
        experience.learn(&step.kernel, &seconds, found.best);
        Ok(())
    }

    fn consider(&self, found: &mut FoundVariants<'_>, step: &Step, choices: &[VariantChoice]) -> Result<(), GpuError> {
        let made = choices.iter().filter(|choice| fits(step, &self.base.with(**choice)));
        let made = made.map(|choice| self.dispatches(step, *choice).map(|made| (*choice, made)));
        // What a kernel cannot be made as is no candidate.
        found.consider(made.filter_map(Result::ok).collect())
    }

    fn dispatches(&self, step: &Step, choice: VariantChoice) -> Result<Vec<Dispatch>, GpuError> {
        kernels::dispatches(step, &self.base.with(choice))
            .map_err(|error| GpuError::Shader { label: step.label.clone(), message: error.to_string() })
    }
}

/// The best variant with its seconds, or what shapes suggest where that takes hardly longer.
fn worth_it((choice, best): (VariantChoice, f64), plain: f64) -> (VariantChoice, f64) {
    if best > plain * WORTH_IT { (VariantChoice::default(), plain) } else { (choice, best) }
}

/// A choice as a table shows it.
fn words(choice: VariantChoice) -> String {
    if choice == VariantChoice::default() {
        return "as shapes suggest".to_owned();
    }
    let tile = choice.tile.map(|tile| tile.to_string());
    let parts = choice.parts.map(|parts| format!("at most {parts} parts"));
    let threads = choice.threads.filter(|_| choice.tile.is_none()).map(|t| format!("{t} threads"));
    let all: Vec<String> = [tile, parts, threads].into_iter().flatten().collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_that_is_hardly_faster_than_what_shapes_suggest_is_not_taken() {
        let other = VariantChoice { threads: Some(64), ..VariantChoice::default() };
        assert_eq!(worth_it((other, 0.98), 1.0), (VariantChoice::default(), 1.0));
        assert_eq!(worth_it((other, 0.96), 1.0), (other, 0.96));
        // What shapes suggest does not run here.
        assert_eq!(worth_it((other, 5.0), f64::INFINITY), (other, 5.0));
    }
}
