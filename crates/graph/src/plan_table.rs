//! The compiled graphs of a backend by their numbers, and who has which arena.

use crate::backend::BackendError;
use crate::dtype::DType;
use crate::graph::Graph;

/// A compiled graph of a backend. Only a [`PlanTable`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId(usize);

impl PlanId {
    /// How many graphs were compiled before.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a backend has of each graph that it compiled. A number is never given twice, so that a plan that was released stays unknown.
#[derive(Debug)]
pub struct PlanTable<T> {
    rows: Vec<Option<Row<T>>>,
}

#[derive(Debug)]
struct Row<T> {
    plan: T,
    arenas: Vec<String>,
}

impl<T> Default for PlanTable<T> {
    fn default() -> Self {
        PlanTable { rows: vec![] }
    }
}

impl<T> PlanTable<T> {
    /// Adds what was made of a graph.
    pub fn add(&mut self, graph: &Graph, plan: T) -> PlanId {
        let arenas = graph.arenas().iter().map(|info| info.name.clone()).collect();
        self.rows.push(Some(Row { plan, arenas }));
        PlanId(self.rows.len() - 1)
    }

    /// What was made of a graph.
    ///
    /// # Errors
    /// [`BackendError::Unknown`] if there is no such plan, or none any more.
    pub fn get(&self, plan: PlanId) -> Result<&T, BackendError> {
        let row = self.rows.get(plan.0).and_then(Option::as_ref);
        row.map(|row| &row.plan).ok_or_else(|| unknown(plan))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// Those of [`PlanTable::get`].
    pub fn get_mut(&mut self, plan: PlanId) -> Result<&mut T, BackendError> {
        let row = self.rows.get_mut(plan.0).and_then(Option::as_mut);
        row.map(|row| &mut row.plan).ok_or_else(|| unknown(plan))
    }

    /// Takes a plan out.
    ///
    /// # Errors
    /// Those of [`PlanTable::get`].
    pub fn take(&mut self, plan: PlanId) -> Result<T, BackendError> {
        let row = self.rows.get_mut(plan.0).and_then(Option::take);
        row.map(|row| row.plan).ok_or_else(|| unknown(plan))
    }

    /// The plans that there are.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flatten().map(|row| &row.plan)
    }

    /// Looks whether an arena may be released.
    ///
    /// # Errors
    /// [`BackendError::InUse`] with the first plan whose graph declares it.
    pub fn check_free(&self, arena: &str) -> Result<(), BackendError> {
        match self.user(arena) {
            Some(plan) => Err(BackendError::InUse { arena: arena.to_string(), plan }),
            None => Ok(()),
        }
    }

    /// The error of a graph that declares an arena with other elements than it has.
    pub fn taken(&self, arena: &str, there: (usize, DType), wanted: (usize, DType)) -> BackendError {
        BackendError::Taken { arena: arena.to_string(), there, wanted, by: self.user(arena) }
    }

    /// The first plan whose graph declares an arena.
    fn user(&self, arena: &str) -> Option<PlanId> {
        let has = |row: &Option<Row<T>>| row.as_ref().is_some_and(|row| row.arenas.iter().any(|name| name == arena));
        self.rows.iter().position(has).map(PlanId)
    }
}

fn unknown(plan: PlanId) -> BackendError {
    BackendError::Unknown(format!("{plan:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_plan_stays_unknown_and_frees_its_arenas_alone() {
        let mut graph = Graph::new();
        graph.arena("data", DType::F32).expect("new");
        let mut table = PlanTable::default();
        let (first, second) = (table.add(&graph, 1), table.add(&Graph::new(), 2));
        assert!(matches!(table.check_free("data"), Err(BackendError::InUse { plan, .. }) if plan == first));
        assert_eq!(table.take(first).expect("there"), 1);
        table.check_free("data").expect("free");
        let third = table.add(&graph, 3);
        assert!(matches!(table.get(first), Err(BackendError::Unknown(_))));
        assert!(table.take(first).is_err() && table.get_mut(first).is_err());
        assert_eq!([table.get(second).expect("there"), table.get(third).expect("there")], [&2, &3]);
    }
}
