//! A workload compiled on a backend, ready to be run again and again.

use chiaro_graph::{Backend, BackendError, Call, PlanId, Profile, Tensor};

use crate::workload::Workload;

/// A workload on a device. Every method takes the backend that it was made on.
pub struct Session {
    plan: PlanId,
    inputs: Vec<Tensor>,
}

impl Session {
    /// Compiles a workload and writes its values to the device.
    ///
    /// # Errors
    /// If it does not fit the device.
    pub fn new(backend: &mut dyn Backend, workload: &Workload) -> Result<Session, BackendError> {
        let plan = backend.compile(workload.graph())?;
        for (name, values) in workload.arenas() {
            backend.write_arena(&name, &values)?;
        }
        Ok(Session { plan, inputs: workload.inputs() })
    }

    /// Runs it this many times and waits for the last.
    ///
    /// # Errors
    /// If the device fails.
    pub fn run(&self, backend: &mut dyn Backend, times: u64) -> Result<(), BackendError> {
        for _ in 0..times {
            backend.run(self.plan, &self.inputs)?;
        }
        backend.wait()
    }

    /// Runs it once and tells when each kernel call ran.
    ///
    /// # Errors
    /// If the device cannot time its kernels, or fails.
    pub fn profile(&self, backend: &mut dyn Backend) -> Result<Profile, BackendError> {
        backend.profile(self.plan, &self.inputs)
    }

    /// The kernel calls of a run.
    ///
    /// # Errors
    /// If the device does not tell them.
    pub fn calls(&self, backend: &dyn Backend) -> Result<Vec<Call>, BackendError> {
        backend.calls(self.plan)
    }
}
