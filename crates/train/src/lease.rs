//! What somebody has of a backend: given back when it is dropped, so that a shared device keeps no data sets and plans of those
//! who are gone.

use std::ops::{Deref, DerefMut};

use chiaro_graph::{ArenaRole, Backend, Graph, PlanId};

/// A backend with the plans that were compiled on it for one owner.
pub(crate) struct Lease {
    backend: Box<dyn Backend>,
    held: Vec<Held>,
}

struct Held {
    plan: PlanId,
    /// Names of its data sets.
    data: Vec<String>,
}

impl Held {
    fn new(plan: PlanId, graph: &Graph) -> Held {
        let data = graph.arenas().iter().filter(|arena| arena.role == ArenaRole::Data);
        Held { plan, data: data.map(|arena| arena.name.clone()).collect() }
    }
}

impl Lease {
    pub fn new(backend: impl Backend + 'static) -> Lease {
        Lease { backend: Box::new(backend), held: vec![] }
    }

    /// Takes a plan, which goes with the lease.
    pub fn hold(&mut self, plan: PlanId, graph: &Graph) {
        self.held.push(Held::new(plan, graph));
    }
}

impl Deref for Lease {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        &*self.backend
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.backend
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        give_back(&mut *self.backend, &self.held);
    }
}

/// Releases a plan and the data sets of its graph that no other plan has. Weights stay: they are of all who share the backend.
pub(crate) fn release(backend: &mut dyn Backend, plan: PlanId, graph: &Graph) {
    give_back(backend, &[Held::new(plan, graph)]);
}

/// All plans first: two may have one data set.
fn give_back(backend: &mut dyn Backend, held: &[Held]) {
    // What cannot be released is of a device that was lost, or somebody else has it too.
    held.iter().for_each(|held| drop(backend.release_plan(held.plan)));
    held.iter().flat_map(|held| &held.data).for_each(|arena| drop(backend.release_arena(arena)));
}
