//! Tuning: for the kernels that matter most, which variant is the fastest on this device, found once and kept in a file.
//!
//! A search runs a step of a plan on buffers of its own. A variant counts only if its results equal those of the portable
//! one, which needs neither workgroup memory nor subgroups.

mod candidates;
mod clock;
mod compare;
pub(crate) mod cooperative;
mod entry;
mod experience;
mod file;
mod found;
mod known;
mod made;
mod proof;
mod search;
#[cfg(test)]
mod software;
mod sources;
mod trial;

use std::collections::BTreeMap;
use std::time::Duration;

use chiaro_graph::DType;
use chiaro_graph::plan::{Kernel, Step};
use chiaro_shaders::{Memory, Tile};

use crate::kernels::{self, Transformed, VariantChoice, Variants};
use crate::{AdapterKind, AdapterLimits, Forced, Gpu, GpuError};
pub(crate) use compare::{Apart, OutputTolerance, ends_the_search};
use file::{Kept, TuneFile};
pub use known::{KnownTable, KnownTables};
pub(crate) use search::Asked;
pub use search::SearchOutcome;
pub use sources::ChoiceSources;

/// Where variants of kernels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tuning {
    /// [`Tuning::Search`] for two seconds a plan on a GPU. [`Tuning::Kept`] on a software device, where every variant costs
    /// tenths of a second to compile, and in a browser, where nothing can wait for a trial.
    #[default]
    Auto,
    /// From shapes alone: the same variants on every start and on every device of a kind.
    Off,
    /// What an earlier search left in the cache folder, what a table knows of the device, and shapes for the rest.
    Kept,
    /// As `Kept`; kernels that nothing is known about are searched for so long at most, for each plan.
    Search(Duration),
}

/// The longest search of a plan where nobody asked for one.
const BRIEF: Duration = Duration::from_secs(2);

/// What is known about the best variants on a device.
pub(crate) struct Tuned {
    base: Variants,
    tuning: Tuning,
    /// What was learnt here.
    kept: Kept,
    /// What a table knows of the device.
    known: BTreeMap<String, VariantChoice>,
    file: Option<TuneFile>,
    /// Cooperative tiles need no proof: the device runs nothing.
    unprobed: bool,
    /// What someone wants to see in place of all this.
    forced: Forced,
    limits: AdapterLimits,
}

impl Tuned {
    /// What the cache folder of the device and the table of its kind know, as far as `tuning` wants it.
    pub fn new(gpu: &Gpu, base: Variants, tuning: Tuning, tables: &KnownTables) -> Tuned {
        let tuning = match tuning {
            Tuning::Auto if gpu.summary().kind == AdapterKind::Software || cfg!(target_family = "wasm") => Tuning::Kept,
            Tuning::Auto => Tuning::Search(BRIEF),
            chosen @ (Tuning::Off | Tuning::Kept | Tuning::Search(_)) => chosen,
        };
        let absent = Tuned::absent(base, *gpu.limits(), vec![]);
        let mut tuned = Tuned { tuning, kept: Kept::default(), unprobed: gpu.unprobed(), ..absent };
        if tuning == Tuning::Off {
            return tuned;
        }
        tuned.known = tables.choices(gpu.summary(), base.class());
        if let Some(file) = TuneFile::of(gpu) {
            tuned.kept = file.load(gpu.notes());
            tuned.file = Some(file);
        }
        tuned
    }

    /// The same with a tile and a split in place of those that suit. A cooperative tile is then the only one: the others are not asked for,
    /// and what the cache folder should know is not learnt.
    pub fn with_forced(self, forced: Forced) -> Tuned {
        match forced.cooperative() {
            Some(_) if !self.unprobed => {
                let kept = Kept { cooperative: None, asked: vec![], ..self.kept };
                Tuned { forced, kept, file: None, ..self }
            }
            Some(_) | None => Tuned { forced, ..self },
        }
    }

    /// What shapes suggest on a device that is not there, its cooperative tiles taken on trust.
    pub fn absent(base: Variants, limits: AdapterLimits, cooperative: Vec<Tile>) -> Tuned {
        let kept = Kept { cooperative: Some(cooperative), ..Kept::default() };
        Tuned {
            base,
            tuning: Tuning::Off,
            kept,
            known: BTreeMap::new(),
            file: None,
            unprobed: true,
            forced: Forced::default(),
            limits,
        }
    }

    /// The kind of device that plans are made for.
    pub fn base(&self) -> &Variants {
        &self.base
    }

    /// Storage buffers that a kernel may bind.
    pub fn bindings(&self) -> usize {
        self.limits.storage_buffers as usize
    }

    /// The cooperative tiles that may be used; `None` where nobody asked yet.
    pub fn cooperative(&self) -> Option<&[Tile]> {
        self.kept.cooperative.as_deref()
    }

    /// The variants for a step. A cooperative tile is among them only if it gave right results at this very shape.
    pub fn variants(&self, step: &Step) -> Variants {
        let wanted = self.wanted(step);
        let unproved = |(key, tile): (String, Tile)| self.kept.proofs.of(&key, tile) != Some(true) && !self.unprobed;
        if self.cooperative_use(step, &wanted).is_some_and(unproved) { self.base } else { wanted }
    }

    /// The variants for a step if its cooperative tile, should it have one, is right.
    fn wanted(&self, step: &Step) -> Variants {
        let cooperative = self.base.with_cooperative(&self.cooperative_for(step));
        let key = key(step);
        let choice = self.choice(step, key.as_deref());
        let known = choice.unwrap_or_default();
        let forced = self.forced.choice(step, &self.limits, &self.cooperative_for(step), known);
        let all = forced.into_iter().chain(choice).filter(|choice| !self.is_wrong(key.as_deref(), choice));
        let mut all = all.map(|choice| cooperative.with(choice)).chain([cooperative]);
        let wanted = all.find(|variants| fits(step, variants));
        wanted.unwrap_or(self.base)
    }

    /// The cooperative tile that a step has in these variants, with the step's key.
    fn cooperative_use(&self, step: &Step, variants: &Variants) -> Option<(String, Tile)> {
        let tile = kernels::tile(step, variants).filter(|tile| matches!(tile.memory, Memory::Cooperative { .. }))?;
        Some((key(step)?, tile))
    }

    /// The cooperative tiles that a step may use: those that are not known to be wrong.
    fn cooperative_for(&self, step: &Step) -> Vec<Tile> {
        let trusted = self.kept.cooperative.as_deref().unwrap_or_default();
        if !takes_cooperative(step) || self.base.software() || trusted.is_empty() {
            return vec![];
        }
        let (reduced, key) = (kernels::reduced_columns(step), key(step).unwrap_or_default());
        let right = |tile: &Tile| tile.reduces(reduced) && self.kept.proofs.of(&key, *tile) != Some(false);
        trusted.iter().copied().filter(right).collect()
    }

    /// Learns what is needed for a plan: whether cooperative matrices can be trusted, where a step could use them, and the
    /// best variants, where a search is wanted.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`] and [`GpuError::Timeout`]; a variant that fails otherwise is only left out.
    pub fn prepare(&mut self, gpu: &Gpu, steps: &[Step]) -> Result<(), GpuError> {
        self.check_trust(gpu, steps, matches!(self.tuning, Tuning::Search(limit) if limit > BRIEF))?;
        match self.tuning {
            Tuning::Search(limit) => self.search(gpu, steps, (Asked::ByItself, limit), &mut |_| ())?,
            Tuning::Auto | Tuning::Off | Tuning::Kept => {}
        }
        self.prove(gpu, steps)
    }

    /// Learns what may be trusted: of cooperative matrices, where a step could use them, by small kernels, whatever the shapes; and of a
    /// table what can be made here. All tiles are asked for where there is time to search.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`] and [`GpuError::Timeout`].
    pub fn check_trust(&mut self, gpu: &Gpu, steps: &[Step], searching: bool) -> Result<(), GpuError> {
        if steps.iter().any(takes_cooperative) {
            let forced = self.forced.cooperative();
            let mut wanted = cooperative::wanted(forced, searching);
            if forced.is_none() {
                wanted.extend(self.known_cooperative(steps));
            }
            wanted.retain(|tile| !self.kept.asked.contains(tile));
            if !wanted.is_empty() {
                // What is forced is proved at the shapes in use alone.
                let right = match forced {
                    Some(_) => cooperative::possible(gpu.summary(), &wanted, true),
                    None => cooperative::trusted(gpu, &wanted)?,
                };
                self.kept.cooperative.get_or_insert_default().extend(right);
                self.kept.asked.extend(wanted);
                self.save(gpu);
            }
        }
        self.forget_what_cannot_be_made(steps);
        Ok(())
    }

    fn save(&self, gpu: &Gpu) {
        if let Some(file) = &self.file {
            file.save(&self.kept, gpu.notes());
        }
    }
}

/// Whether a variant keeps to the scratch that the plan has for the step. Where there is too little to transform a convolution, it is not.
fn fits(step: &Step, variants: &Variants) -> bool {
    let planned = step.scratch.as_ref().map_or(0, |scratch| scratch.len);
    kernels::scratch(&step.kernel, step.columns.as_ref(), &variants.with_transforms(Transformed::No)) <= planned
}

/// Products and convolutions of f16 tensors.
fn takes_cooperative(step: &Step) -> bool {
    let product = matches!(
        step.kernel,
        Kernel::MatMul(_) | Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_) | Kernel::Conv2dWeightGrad(_)
    );
    product && step.inputs.iter().take(2).all(|&i| step.operands[i].dtype == DType::F16)
}

/// What steps of equal speed share: the kernel's whole shape, its types, and what is fused into it beside an epilogue. `None`
/// where there are no variants.
fn key(step: &Step) -> Option<String> {
    let kernel = if step.kernel.as_product().is_some() {
        format!("{:?}", step.kernel)
    } else if let Kernel::Reduce { prologue, kept, results } = &step.kernel {
        let kinds: Vec<_> = results.iter().map(|(_, kind)| kind).collect();
        format!("Reduce {:?} to {kept} axes, {kinds:?}", prologue.domain)
    } else {
        return None;
    };
    let types: Vec<String> = step.operands.iter().map(|operand| operand.dtype.to_string()).collect();
    let computed = step.loads.iter().enumerate().filter(|(_, load)| load.is_some());
    let fused: String = computed.map(|(i, _)| format!(", input {i} computed")).collect();
    let columns = step.columns.as_ref().map_or(String::new(), |c| format!(", {} columns", c.results.len()));
    // With other scratch other variants are possible: a convolution that may be transformed is another than one that may not.
    let scratch = step.scratch.as_ref().map_or(String::new(), |scratch| format!(", scratch {}", scratch.len));
    Some(format!("{kernel} of {}{fused}{columns}{scratch}", types.join(" ")))
}
