//! A table of tuned choices for one device, as a text that ships with the program: JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::entry::Entry;
use super::super::file::FORMAT;
use super::device::DeviceIdentity;
use crate::AdapterSummary;
use crate::kernels::{DeviceClass, VariantChoice};

/// What was found best for the kernels of one device, whatever the version of its driver. Cooperative tiles are proved on the device all
/// the same, and a choice that a search there could not find is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTable {
    /// Of the kernels that were measured: a table of older ones is ignored.
    format: u32,
    /// Where and when, in words.
    measured: String,
    device: DeviceIdentity,
    choices: BTreeMap<String, Entry>,
}

impl KnownTable {
    /// A table of what was found on an adapter.
    pub(crate) fn new(
        adapter: &AdapterSummary,
        class: DeviceClass,
        choices: &BTreeMap<String, VariantChoice>,
    ) -> KnownTable {
        KnownTable {
            format: FORMAT,
            measured: format!("{}, chiaro {}", adapter.driver.trim(), env!("CARGO_PKG_VERSION")),
            device: DeviceIdentity::of(adapter, class),
            choices: choices.iter().map(|(key, choice)| (key.clone(), Entry::of(choice))).collect(),
        }
    }

    /// The table of a text.
    ///
    /// # Errors
    /// A message where it is no table.
    pub fn parse(text: &str) -> Result<KnownTable, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of the table.
    ///
    /// # Errors
    /// A message, which no table is known to give.
    pub fn text(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|error| error.to_string())
    }

    /// Kernels that it knows.
    pub fn kernels(&self) -> usize {
        self.choices.len()
    }

    /// Where and when they were measured, in words.
    pub fn measured(&self) -> &str {
        &self.measured
    }

    /// Whether it is of today's kernels and of this device.
    pub(super) fn is_of(&self, adapter: &AdapterSummary, class: DeviceClass) -> bool {
        self.format == FORMAT && self.device == DeviceIdentity::of(adapter, class)
    }

    /// Its choices; those of tiles that are not known, by themselves, are left out.
    pub(super) fn choices(&self) -> BTreeMap<String, VariantChoice> {
        self.choices.iter().filter_map(|(key, entry)| Some((key.clone(), entry.choice().ok()?))).collect()
    }

    /// What keeps it from being shipped.
    #[cfg(test)]
    pub(super) fn faults(&self) -> Vec<String> {
        let old = (self.format != FORMAT).then(|| format!("it is of kernels of format {}: measure again", self.format));
        let unknown = self.choices.values().filter_map(|entry| entry.choice().err());
        let nothing = self.choices.is_empty().then(|| "it knows no kernel".to_owned());
        old.into_iter().chain(unknown).chain(nothing).collect()
    }
}
