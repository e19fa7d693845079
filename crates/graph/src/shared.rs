//! A backend that several have: who trains, who evaluates, and who reads along.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::backend::{Backend, BackendError, HalfPrecision, Stats};
use crate::graph::Graph;
use crate::later::Later;
use crate::plan_table::PlanId;
use crate::profile::{Call, Peaks, Profile};
use crate::tensor::Tensor;

/// A backend that clones share, on one thread. Each call has it to itself; arenas are the same for all, so that of two who train
/// or load models the second writes over the first's weights: a classifier that is opened on a trainer's backend overwrites what
/// was trained.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<dyn Backend>>, Rc<RefCell<HashMap<String, Layout>>>);

/// What lies where in an arena: names of states, their extents, their first elements.
type Layout = Vec<(String, Vec<usize>, usize)>;

impl Shared {
    /// Takes a backend, to be shared from here on.
    pub fn new(backend: impl Backend + 'static) -> Shared {
        Shared(Rc::new(RefCell::new(backend)), Rc::default())
    }

    /// Remembers which states lie where in a graph's arenas, for those clones that ask too: arenas of two networks may be of one size.
    ///
    /// # Errors
    /// [`BackendError::OtherStates`] if other states were remembered of an arena.
    pub fn remember_states(&self, graph: &Graph) -> Result<(), BackendError> {
        let mut known = self.1.borrow_mut();
        let arenas = graph.arenas().iter().enumerate();
        let layouts: Vec<(&str, Layout)> = arenas
            .map(|(i, arena)| {
                let own = graph.states().iter().filter(|state| state.arena.index() == i);
                (&arena.name[..], own.map(|s| (s.name.clone(), s.shape.clone(), s.offset)).collect())
            })
            .collect();
        for (arena, wanted) in &layouts {
            if let Some(there) = known.get(*arena).filter(|there| *there != wanted) {
                let [there, wanted] = [there, wanted].map(|layout| {
                    let differ = layout.iter().find(|state| !there.contains(state) || !wanted.contains(state));
                    differ.map_or("no other state".into(), |(name, shape, _)| format!("{name} {shape:?}"))
                });
                return Err(BackendError::OtherStates { arena: (*arena).into(), there, wanted });
            }
        }
        known.extend(layouts.into_iter().map(|(arena, layout)| (arena.to_string(), layout)));
        Ok(())
    }

    /// Forgets the states of an arena that was released.
    pub fn forget_states(&self, arena: &str) {
        self.1.borrow_mut().remove(arena);
    }
}

/// A backend that its owner goes on using as what it is.
impl<B: Backend + 'static> From<Rc<RefCell<B>>> for Shared {
    fn from(backend: Rc<RefCell<B>>) -> Shared {
        Shared(backend, Rc::default())
    }
}

// Every method is here, those with a default too: the default is not what the backend does.
impl Backend for Shared {
    fn name(&self) -> String {
        self.0.borrow().name()
    }

    fn half_precision(&self) -> HalfPrecision {
        self.0.borrow().half_precision()
    }

    fn planned_bytes(&self, graph: &Graph) -> Result<u64, BackendError> {
        self.0.borrow().planned_bytes(graph)
    }

    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        self.0.borrow_mut().compile(graph)
    }

    fn compile_async(&mut self, graph: &Graph) -> Later<PlanId> {
        self.0.borrow_mut().compile_async(graph)
    }

    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.0.borrow_mut().run(plan, inputs)
    }

    fn submit(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.0.borrow_mut().submit(plan, inputs)
    }

    fn turn_async(&mut self, plan: PlanId) -> Later<()> {
        self.0.borrow_mut().turn_async(plan)
    }

    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        self.0.borrow_mut().read(plan, output)
    }

    fn read_async(&mut self, plan: PlanId, output: usize) -> Later<Tensor> {
        self.0.borrow_mut().read_async(plan, output)
    }

    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        self.0.borrow_mut().write_arena(name, values)
    }

    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        self.0.borrow_mut().write_arena_part(name, first, values)
    }

    fn room(&self) -> u64 {
        self.0.borrow().room()
    }

    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        self.0.borrow_mut().read_arena(name)
    }

    fn read_arena_async(&mut self, name: &str) -> Later<Tensor> {
        self.0.borrow_mut().read_arena_async(name)
    }

    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.0.borrow_mut().release_plan(plan)
    }

    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.0.borrow_mut().release_arena(name)
    }

    fn stats(&self) -> Stats {
        self.0.borrow().stats()
    }

    fn wait(&mut self) -> Result<(), BackendError> {
        self.0.borrow_mut().wait()
    }

    fn wait_async(&mut self) -> Later<()> {
        self.0.borrow_mut().wait_async()
    }

    fn calls(&self, plan: PlanId) -> Result<Vec<Call>, BackendError> {
        self.0.borrow().calls(plan)
    }

    fn profile(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<Profile, BackendError> {
        self.0.borrow_mut().profile(plan, inputs)
    }

    fn peaks(&mut self) -> Result<Peaks, BackendError> {
        self.0.borrow_mut().peaks()
    }
}
