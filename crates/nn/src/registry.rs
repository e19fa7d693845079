//! Things by name: this project's own, and those that a program adds while it runs.

use crate::error::{NnError, Result};
use std::sync::{PoisonError, RwLock};

/// What a registry holds.
pub(crate) trait Named: Clone {
    /// What it is, for messages.
    const KIND: &'static str;
    /// The name it is found by.
    fn name(&self) -> &str;
}

/// Things of one kind by name, for the whole process.
pub(crate) struct Registry<T: 'static> {
    own: &'static [T],
    added: RwLock<Vec<T>>,
}

impl<T: Named> Registry<T> {
    pub const fn new(own: &'static [T]) -> Registry<T> {
        Registry { own, added: RwLock::new(vec![]) }
    }

    /// All of them: the project's own first, then in the order in which they were added.
    pub fn all(&self) -> Vec<T> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        self.own.iter().chain(added.iter()).cloned().collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.all().iter().map(|item| item.name().to_string()).collect()
    }

    /// # Errors
    /// If there is none of the name; the error lists those that exist.
    pub fn find(&self, name: &str) -> Result<T> {
        let unknown = || NnError::Unknown { kind: T::KIND, name: name.to_string(), known: self.names() };
        self.all().into_iter().find(|item| item.name() == name).ok_or_else(unknown)
    }

    /// # Errors
    /// If the name is taken.
    pub fn add(&self, item: T) -> Result<()> {
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        if self.own.iter().chain(added.iter()).any(|known| known.name() == item.name()) {
            return Err(NnError::Option(format!("there is a {} named {:?} already", T::KIND, item.name())));
        }
        added.push(item);
        Ok(())
    }
}
