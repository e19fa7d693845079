//! Things by name: this project's own, and those that a program adds while it runs.

use crate::error::{NnError, Result};
use std::sync::{LazyLock, PoisonError, RwLock};

/// What a registry holds.
pub trait Named: Clone {
    /// What it is, for messages.
    const KIND: &'static str;
    /// The name it is found by.
    fn name(&self) -> &str;
    /// Other names that it is found by.
    fn aliases(&self) -> &[&str] {
        &[]
    }
}

/// Whether it goes by this name, however it is spelt: capitals, dashes and underscores tell nothing apart.
fn answers(item: &impl Named, name: &str) -> bool {
    let letters = |name: &str| name.replace(['-', '_'], "").to_lowercase();
    let asked = letters(name);
    letters(item.name()) == asked || item.aliases().iter().any(|alias| letters(alias) == asked)
}

/// Things of one kind by name, for the whole process.
pub struct Registry<T>(LazyLock<RwLock<Vec<T>>>);

impl<T: Named> Registry<T> {
    /// `own` gives those that are there from the start.
    pub const fn new(own: fn() -> RwLock<Vec<T>>) -> Registry<T> {
        Registry(LazyLock::new(own))
    }

    /// All of them: the project's own first, then in the order in which they were added.
    pub fn all(&self) -> Vec<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one of this name.
    ///
    /// # Errors
    /// If there is none of the name; the error lists those that exist.
    pub fn find(&self, name: &str) -> Result<T> {
        let all = self.all();
        all.iter().find(|item| answers(*item, name)).cloned().ok_or_else(|| {
            let known = all.iter().map(|item| item.name().to_string()).collect();
            NnError::Unknown { kind: T::KIND, name: name.to_string(), known }
        })
    }

    /// Adds one, behind the others.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn add(&self, item: T) -> Result<()> {
        let mut items = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if items.iter().any(|known| answers(known, item.name())) {
            return Err(NnError::Option(format!("there is a {} named {:?} already", T::KIND, item.name())));
        }
        items.push(item);
        Ok(())
    }
}
