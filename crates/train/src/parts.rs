//! The parts of a model, for freezing and for rates that fall with the depth: those of its states' names, or the nodes of the file that it
//! came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use chiaro_nn::{Model, StateKind, part_of};
use chiaro_onnx::registry;

/// Which part of a model each of its states belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    by_node: Option<Arc<BTreeMap<String, String>>>,
    names: Vec<String>,
}

impl Parts {
    pub fn of(model: &Model) -> Parts {
        let mut parts = Parts { by_node: registry::parts_by_node(&model.name), names: vec![] };
        let parameters = model.declared().states.iter().filter(|state| state.kind == StateKind::Parameter);
        parts.names = parts.of_states(parameters.map(|state| state.name.as_str()));
        parts
    }

    /// The part of a state.
    pub fn of_state<'s>(&'s self, state: &'s str) -> &'s str {
        self.by_node.as_ref().and_then(|parts| parts.get(state)).map_or_else(|| part_of(state), String::as_str)
    }

    /// The parts of some states, each once, in their order.
    pub fn of_states<'s>(&self, states: impl Iterator<Item = &'s str>) -> Vec<String> {
        let mut found: Vec<String> = vec![];
        for state in states {
            let part = self.of_state(state);
            if !found.iter().any(|known| known == part) {
                found.push(part.to_string());
            }
        }
        found
    }

    /// Those that have parameters, in the order in which they are declared.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}
