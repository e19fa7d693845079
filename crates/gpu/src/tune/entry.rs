//! A choice as files have it.

use chiaro_shaders::Tile;
use serde::{Deserialize, Serialize};

use crate::kernels::VariantChoice;

/// What was found best for one kernel: the tile by its name, parts and threads; all absent where that is what its shape suggests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    tile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u32>,
}

impl Entry {
    pub fn of(choice: &VariantChoice) -> Entry {
        let tile = choice.tile.map(|tile| tile.to_string());
        Entry { tile, parts: choice.parts, threads: choice.threads }
    }

    /// The choice.
    ///
    /// # Errors
    /// A message where there is no such tile.
    pub fn choice(&self) -> Result<VariantChoice, String> {
        let tile = self.tile.as_deref().map(tile).transpose()?;
        Ok(VariantChoice { tile, parts: self.parts, threads: self.threads })
    }
}

/// The tile of this name.
pub(super) fn tile(text: &str) -> Result<Tile, String> {
    Tile::named(text).ok_or_else(|| format!("there is no tile '{text}'"))
}
