//! The file of tuned choices: JSON, one a device, driver and program version. Anything wrong with it costs a note.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chiaro_shaders::Tile;
use serde::{Deserialize, Serialize};

use super::proof::Proofs;
use crate::device::{cache, files};
use crate::kernels::VariantChoice;
use crate::{Gpu, Notes};

/// Changes with the meaning of the file, and with the kernels: what was proved and timed is of those that were there.
const FORMAT: u32 = 3;

#[derive(Serialize, Deserialize)]
struct TunedFile {
    format: u32,
    program: String,
    adapter: String,
    driver: String,
    /// The cooperative tiles that gave right results; absent where nobody asked yet.
    cooperative: Option<Vec<String>>,
    /// What cooperative tiles gave at the shapes in use.
    #[serde(default)]
    proofs: BTreeMap<String, BTreeMap<String, bool>>,
    choices: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    tile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u32>,
}

/// What a file knew.
#[derive(Default)]
pub(super) struct Known {
    pub choices: BTreeMap<String, VariantChoice>,
    pub cooperative: Option<Vec<Tile>>,
    pub proofs: Proofs,
}

/// Where a device's choices are kept.
pub(super) struct TuneFile {
    path: PathBuf,
    adapter: String,
    driver: String,
}

impl TuneFile {
    /// The file of this device; `None` where it was opened without a cache folder.
    pub fn of(gpu: &Gpu) -> Option<TuneFile> {
        let (folder, summary) = (gpu.cache_folder()?, gpu.summary());
        let path = folder.join(cache::file_name("tuned", summary, "json"));
        Some(TuneFile { path, adapter: summary.name.clone(), driver: summary.driver.clone() })
    }

    /// What the file says; nothing where it is missing, damaged or of another device, with a note unless it is missing.
    pub fn load(&self, notes: &Notes) -> Known {
        let ignored = |reason: &str| {
            notes.add(format!("tuned choices are ignored: {}: {reason}", self.path.display()));
            Known::default()
        };
        match files::read(&self.path) {
            Ok(None) => Known::default(),
            Ok(Some(bytes)) => self.parse(&bytes).unwrap_or_else(|reason| ignored(&reason)),
            // Where not even the folder can be, saving says so.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Known::default(),
            Err(error) => ignored(&error.to_string()),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Known, String> {
        let contents: TunedFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let ours = (FORMAT, env!("CARGO_PKG_VERSION"), self.adapter.as_str(), self.driver.as_str());
        if (contents.format, &*contents.program, &*contents.adapter, &*contents.driver) != ours {
            return Err("it is of another device, driver or version".to_owned());
        }
        let mut choices = BTreeMap::new();
        for (key, entry) in contents.choices {
            let tile = entry.tile.map(|text| tile(&text)).transpose()?;
            choices.insert(key, VariantChoice { tile, parts: entry.parts, threads: entry.threads });
        }
        let cooperative = contents.cooperative.map(|tiles| tiles.iter().map(|t| tile(t)).collect::<Result<_, _>>());
        let mut proofs = Proofs::default();
        for (key, tiles) in contents.proofs {
            for (name, right) in tiles {
                proofs.add(&key, tile(&name)?, right);
            }
        }
        Ok(Known { choices, cooperative: cooperative.transpose()?, proofs })
    }

    /// Writes the file; a folder that takes none costs a note.
    pub fn save(
        &self,
        choices: &BTreeMap<String, VariantChoice>,
        cooperative: Option<&[Tile]>,
        proofs: &Proofs,
        notes: &Notes,
    ) {
        let entry = |choice: &VariantChoice| Entry {
            tile: choice.tile.map(|tile| tile.to_string()),
            parts: choice.parts,
            threads: choice.threads,
        };
        let contents = TunedFile {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            adapter: self.adapter.clone(),
            driver: self.driver.clone(),
            cooperative: cooperative.map(|tiles| tiles.iter().map(ToString::to_string).collect()),
            proofs: proofs.by_name(),
            choices: choices.iter().map(|(key, choice)| (key.clone(), entry(choice))).collect(),
        };
        let written = serde_json::to_vec_pretty(&contents)
            .map_err(std::io::Error::from)
            .and_then(|bytes| files::write(&self.path, &bytes));
        if let Err(error) = written {
            notes.add(format!("tuned choices are not kept for the next start: {}: {error}", self.path.display()));
        }
    }
}

/// The tile of this name.
fn tile(text: &str) -> Result<Tile, String> {
    Tile::named(text).ok_or_else(|| format!("there is no tile '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TuneFile {
        TuneFile { path: PathBuf::from("tuned.json"), adapter: "Radeon".to_owned(), driver: "radv 25".to_owned() }
    }

    fn text(adapter: &str, tile: &str) -> String {
        let program = env!("CARGO_PKG_VERSION");
        format!(
            r#"{{"format": {FORMAT}, "program": "{program}", "adapter": "{adapter}", "driver": "radv 25", "cooperative": null,
            "choices": {{"a": {{"tile": "{tile}", "parts": 4}}}}}}"#
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, notes) = (TuneFile { path: folder.path().join("tuned.json"), ..file() }, Notes::default());
        let choice = VariantChoice { tile: Some(Tile::LARGE), parts: Some(3), threads: None };
        let (choices, trusted) = (BTreeMap::from([("a product".to_owned(), choice)]), [Tile::COOPERATIVE[0]]);
        let mut proofs = Proofs::default();
        proofs.add("a product", trusted[0], false);
        file.save(&choices, Some(&trusted), &proofs, &notes);
        let known = file.load(&notes);
        assert_eq!((known.choices, known.cooperative), (choices, Some(trusted.to_vec())));
        assert_eq!(known.proofs, proofs);
        assert!(notes.take().is_empty());
    }

    #[test]
    fn only_a_whole_file_of_this_device_counts() {
        let good = text("Radeon", "workgroup 128x128x16/8x8");
        let known = file().parse(good.as_bytes()).expect("a good file");
        assert_eq!(known.choices["a"], VariantChoice { tile: Some(Tile::LARGE), parts: Some(4), threads: None });
        assert!(file().parse(text("Arc", "workgroup 128x128x16/8x8").as_bytes()).is_err());
        let format = format!("\"format\": {FORMAT}");
        for (ours, other) in
            [("radv 25", "radv 26"), (&format[..], "\"format\": 0"), (env!("CARGO_PKG_VERSION"), "0.0.0-other")]
        {
            let changed = text("Radeon", "workgroup 128x128x16/8x8").replace(ours, other);
            assert!(file().parse(changed.as_bytes()).is_err(), "{other}");
        }
        assert!(file().parse(text("Radeon", "workgroup 1x1x1/1x1").as_bytes()).is_err());
        for length in 0..good.len() {
            assert!(file().parse(&good.as_bytes()[..length]).is_err(), "cut at {length}");
        }
    }
}
