//! A step of one's own on a device.

use chiaro_graph::{Backend, BackendError, PlanId, Shared, Tensor};
use chiaro_nn::OwnStep;

/// An [`OwnStep`] that is compiled, its arenas filled where it trains, its steps counted. Those of one device whose layers are the
/// same share their weights: what one trains, another asks. One that is dropped gives back the memory of its plan; the weights stay for
/// others, or until [`Learner::close`] is called on the last that has them.
pub struct Learner {
    backend: Shared,
    plan: PlanId,
    step: OwnStep,
    seed: u64,
    done: u64,
}

impl Learner {
    /// Compiles the step. One that trains begins with the weights of `seed`, whatever was there; one that asks takes those that are
    /// there.
    ///
    /// # Errors
    /// If the graph exceeds the device's limits, or another network's weights are in its place.
    pub fn new(backend: &Shared, step: OwnStep, seed: u64) -> Result<Learner, BackendError> {
        let mut backend = backend.clone();
        let plan = backend.compile(&step.graph)?;
        let mut learner = Learner { backend, plan, step, seed, done: 0 };
        learner.begin()?;
        Ok(learner)
    }

    fn begin(&mut self) -> Result<(), BackendError> {
        self.backend.remember_states(&self.step.graph)?;
        let arenas = if self.step.trains() { self.step.initial_arenas(self.seed) } else { vec![] };
        arenas.iter().try_for_each(|(arena, values)| self.backend.write_arena(arena, values))
    }

    /// One step with the inputs that it was recorded with, at this learning rate.
    ///
    /// # Errors
    /// If an input's shape or type differs, or the device fails.
    pub fn step(&mut self, inputs: &[Tensor], lr: f64) -> Result<(), BackendError> {
        let inputs = self.step.inputs(inputs, self.seed, self.done, lr);
        self.backend.run(self.plan, &inputs)?;
        self.done += 1;
        Ok(())
    }

    /// The outputs of a step that trains nothing, in the order in which they were recorded.
    ///
    /// # Errors
    /// Those of [`Learner::step`], and if the step trains.
    pub fn ask(&mut self, inputs: &[Tensor]) -> Result<Vec<Vec<f64>>, BackendError> {
        if self.step.trains() {
            return Err(BackendError::Unknown("step to ask: this one trains; record it with OwnStep::asking".into()));
        }
        self.step(inputs, 0.0)?;
        (0..self.step.graph.outputs().len()).map(|i| Ok(self.backend.read(self.plan, i)?.to_f64())).collect()
    }

    /// An output of the last step, by its name.
    ///
    /// # Errors
    /// If there is none of this name, or the device fails.
    pub fn read(&mut self, output: &str) -> Result<Vec<f64>, BackendError> {
        let place = self.step.output(output).ok_or_else(|| BackendError::Unknown(format!("output {output:?}")))?;
        Ok(self.backend.read(self.plan, place)?.to_f64())
    }

    /// The recorded step.
    pub fn recorded(&self) -> &OwnStep {
        &self.step
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.done
    }

    /// Gives back its memory, and its weights where no other step has them: the device can then take another network's.
    ///
    /// # Errors
    /// If the device fails.
    pub fn close(self) -> Result<(), BackendError> {
        let mut backend = self.backend.clone();
        let arenas: Vec<String> = self.step.graph.arenas().iter().map(|arena| arena.name.clone()).collect();
        drop(self);
        for arena in arenas {
            match backend.release_arena(&arena) {
                Ok(()) => backend.forget_states(&arena),
                Err(BackendError::InUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        // What cannot be released is of a device that was lost.
        drop(self.backend.release_plan(self.plan));
    }
}
