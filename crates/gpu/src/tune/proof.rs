//! Cooperative tiles are believed only after a proof at the shape in use: the results of the whole step, several times over.
//!
//! wgpu's translation to SPIR-V leaves out what Vulkan's memory model asks of such loads and barriers (loads without
//! NonPrivatePointer, barriers without MakeAvailable and MakeVisible, those of subgroups
//! without workgroup memory): by the letter a race. Whether a driver cares may depend on
//! the shape, so that the small kernels of `cooperative` are not enough.

use std::collections::{BTreeMap, BTreeSet};

use chiaro_graph::plan::Step;
use chiaro_shaders::Tile;

use super::clock::Stopwatch;
use super::compare::ends_the_search;
use super::trial::Trial;
use super::{Tuned, candidates};
use crate::kernels::{self, Dispatch, Variants};
use crate::{Gpu, GpuError, KernelSource};

/// Runs of a tile, each of which must be right: a race may be won once.
const RUNS: usize = 3;

/// What cooperative tiles gave at the shapes in use, by the key of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Proofs(BTreeMap<String, Vec<(Tile, bool)>>);

impl Proofs {
    /// Whether a tile is right for a kernel; `None` if nobody tried.
    pub fn of(&self, key: &str, tile: Tile) -> Option<bool> {
        self.0.get(key)?.iter().find(|(other, _)| *other == tile).map(|(_, right)| *right)
    }

    pub fn add(&mut self, key: &str, tile: Tile, right: bool) {
        self.0.entry(key.to_owned()).or_default().push((tile, right));
    }

    /// The verdicts with the tiles' names, for a file.
    pub fn by_name(&self) -> BTreeMap<String, BTreeMap<String, bool>> {
        let named = |tiles: &Vec<(Tile, bool)>| tiles.iter().map(|(tile, right)| (tile.to_string(), *right)).collect();
        self.0.iter().map(|(key, tiles)| (key.clone(), named(tiles))).collect()
    }
}

impl Tuned {
    /// Proves the cooperative tiles that the steps would use and that were not tried at their shapes. Those that are wrong are
    /// left off with one note, and the next best is proved instead.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`] and [`GpuError::Timeout`].
    pub fn prove(&mut self, gpu: &Gpu, steps: &[Step]) -> Result<(), GpuError> {
        if self.unproved(steps).is_empty() {
            return Ok(());
        }
        self.compile_ahead(gpu, steps);
        let (clock, base) = (Stopwatch::new(gpu)?, self.base);
        let wrong = self.prove_by(steps, |step, variants| prove(gpu, &clock, step, &base, variants))?;
        if let Some(first) = wrong.first() {
            let others = if wrong.len() > 1 { format!(" (and {} more)", wrong.len() - 1) } else { String::new() };
            gpu.notes().add(format!("cooperative matrices are left off where they are not right: {first}{others}"));
        }
        self.save(gpu);
        Ok(())
    }

    /// The steps whose cooperative tile was not tried, one of each kind.
    fn unproved<'s>(&self, steps: &'s [Step]) -> Vec<(&'s Step, Variants)> {
        let mut seen = BTreeSet::new();
        let unproved = steps.iter().filter_map(|step| {
            let wanted = self.wanted(step);
            let (key, tile) = self.cooperative_use(step, &wanted)?;
            let new = !self.unprobed && self.kept.proofs.of(&key, tile).is_none() && seen.insert(key);
            new.then_some((step, wanted))
        });
        unproved.collect()
    }

    /// Proves with `run`, which says what is wrong with a variant of a step; the answers are the reasons.
    fn prove_by(
        &mut self,
        steps: &[Step],
        mut run: impl FnMut(&Step, &Variants) -> Result<Option<String>, GpuError>,
    ) -> Result<Vec<String>, GpuError> {
        let mut reasons = vec![];
        loop {
            let unproved = self.unproved(steps);
            if unproved.is_empty() {
                return Ok(reasons);
            }
            for (step, variants) in unproved {
                let Some((key, tile)) = self.cooperative_use(step, &variants) else { continue };
                let reason = match run(step, &variants) {
                    Ok(reason) => reason,
                    Err(error) if ends_the_search(&error) => return Err(error),
                    Err(error) => Some(format!("does not run: {error}")),
                };
                self.kept.proofs.add(&key, tile, reason.is_none());
                reasons.extend(reason.map(|reason| format!("{} of tile {tile} {reason}", step.label)));
            }
        }
    }

    /// Compiles what the first proofs need on all processors; what fails is found again where it belongs.
    fn compile_ahead(&self, gpu: &Gpu, steps: &[Step]) {
        let mut sources = vec![];
        for (step, wanted) in self.unproved(steps) {
            let portable = self.base.with(candidates::portable(step, &self.base));
            let made = [wanted, portable].map(|variants| kernels::dispatches(step, &variants).unwrap_or_default());
            sources.extend(made.iter().flatten().map(|d| KernelSource::own(step.label.as_str(), d.wgsl.as_str())));
        }
        let _ = gpu.each_pipeline(&sources);
    }
}

/// What is wrong with the results of a step in these variants, against those of the portable one.
fn prove(
    gpu: &Gpu,
    clock: &Stopwatch,
    step: &Step,
    base: &Variants,
    variants: &Variants,
) -> Result<Option<String>, GpuError> {
    let portable = base.with(candidates::portable(step, base));
    let scratch = kernels::scratch(&step.kernel, step.columns.as_ref(), &portable);
    let trial = Trial::new(gpu, step, clock, scratch)?;
    let made = |variants: &Variants| -> Result<Vec<Dispatch>, GpuError> {
        kernels::dispatches(step, variants)
            .map_err(|error| GpuError::Shader { label: step.label.clone(), message: error.to_string() })
    };
    let mut ready = trial.ready(&[made(&portable)?, made(variants)?]).into_iter();
    let (Some(portable), Some(cooperative)) = (ready.next(), ready.next()) else { return Ok(None) };
    let (portable, cooperative) = (portable?, cooperative?);
    trial.run(&portable)?;
    trial.keep()?;
    for _ in 0..RUNS {
        trial.run(&cooperative)?;
        if let Err(error) = trial.judge()? {
            return Ok(Some(format!("is wrong by {error:.1e}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::Tuning;
    use super::super::file::Kept;
    use super::*;
    use chiaro_graph::plan::Plan;
    use chiaro_graph::{DType, Graph};

    /// A large and a small product of f16 matrices.
    fn steps() -> Vec<Step> {
        let mut g = Graph::new();
        for (name, m) in [("large", 4096), ("small", 64)] {
            let x = g.input(&format!("{name} x"), &[m, 256], DType::F16).expect("an input");
            let w = g.input(&format!("{name} w"), &[256, 4096], DType::F16).expect("an input");
            let y = g.matmul(x, w, false, false).expect("a product");
            g.output(name, y).expect("an output");
        }
        Plan::new(&g, &kernels::plan_options(&Variants::GPU)).expect("a plan").steps
    }

    fn tuned() -> Tuned {
        Tuned {
            base: Variants::GPU,
            tuning: Tuning::Off,
            kept: Kept { cooperative: Some(Tile::COOPERATIVE[1..4].to_vec()), ..Kept::default() },
            known: BTreeMap::new(),
            file: None,
            unprobed: false,
            forced: crate::Forced::default(),
            limits: crate::AdapterLimits::default(),
        }
    }

    fn tiles(tuned: &Tuned, steps: &[Step]) -> Vec<Option<Tile>> {
        steps.iter().map(|step| kernels::tile(step, &tuned.variants(step))).collect()
    }

    #[test]
    fn a_cooperative_tile_is_used_only_where_it_was_right_at_the_shape_in_use() {
        let (steps, mut tuned) = (steps(), tuned());
        let plain: Vec<_> = steps.iter().map(|step| kernels::tile(step, &Variants::GPU)).collect();
        assert_eq!(tiles(&tuned, &steps), plain, "nothing is proved yet");

        let large = |step: &Step| kernels::tile(step, &Variants::GPU) == plain[0];
        let mut runs = 0;
        let reasons = tuned.prove_by(&steps, |step, variants| {
            runs += 1;
            let wrong = large(step) && kernels::tile(step, variants) == Some(Tile::COOPERATIVE[1]);
            Ok(wrong.then(|| "is wrong by 0.1".to_owned()))
        });
        let reasons = reasons.expect("no device is lost");
        assert!(reasons.len() == 1 && reasons[0].ends_with("is wrong by 0.1"), "{reasons:?}");
        let got = tiles(&tuned, &steps);
        assert_eq!(got[0], Some(Tile::COOPERATIVE[2]), "the next is proved instead");
        assert!(Tile::COOPERATIVE.map(Some).contains(&got[1]));
        assert_eq!(runs, 3);
        assert!(tuned.prove_by(&steps, |_, _| panic!("all is proved")).expect("nothing runs").is_empty());
    }

    #[test]
    fn where_every_cooperative_tile_is_wrong_the_plain_kernels_stay_and_a_lost_device_is_an_error() {
        let (steps, mut tuned) = (steps(), tuned());
        let shader = || GpuError::Shader { label: "x".to_owned(), message: "no such instruction".to_owned() };
        let reasons = tuned.prove_by(&steps, |_, _| Err(shader())).expect("only a shader");
        assert!(reasons.len() >= 4 && reasons[0].contains("no such instruction"), "{reasons:?}");
        assert!(tiles(&tuned, &steps).iter().flatten().all(|tile| !Tile::COOPERATIVE.contains(tile)));
        let lost = || GpuError::DeviceLost { reason: "reset".to_owned() };
        let mut fresh = super::tests::tuned();
        assert!(fresh.prove_by(&steps, |_, _| Err(lost())).is_err());
    }
}
