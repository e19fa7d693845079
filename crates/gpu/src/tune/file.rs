//! The file of tuned choices: JSON, one a device, driver and program version. Anything wrong with it costs a note.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chiaro_shaders::Tile;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, tile};
use super::proof::Proofs;
use crate::device::{cache, files};
use crate::kernels::VariantChoice;
use crate::{Gpu, Notes};

/// Changes with the meaning of the file, and with the kernels: what was proved and timed is of those that were there.
pub(super) const FORMAT: u32 = 3;

#[derive(Serialize, Deserialize)]
struct TunedFile {
    format: u32,
    program: String,
    adapter: String,
    driver: String,
    /// The cooperative tiles that gave right results; absent where nobody asked yet.
    cooperative: Option<Vec<String>>,
    /// The cooperative tiles that were asked for.
    #[serde(default)]
    asked: Vec<String>,
    /// What cooperative tiles gave at the shapes in use.
    #[serde(default)]
    proofs: BTreeMap<String, BTreeMap<String, bool>>,
    choices: BTreeMap<String, Entry>,
}

/// What was learnt on a device, and is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub choices: BTreeMap<String, VariantChoice>,
    /// The cooperative tiles that gave right results; absent until a plan has a use for them.
    pub cooperative: Option<Vec<Tile>>,
    /// The cooperative tiles that were asked for.
    pub asked: Vec<Tile>,
    /// What they gave at the shapes in use.
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
    pub fn load(&self, notes: &Notes) -> Kept {
        let ignored = |reason: &str| {
            notes.add(format!("tuned choices are ignored: {}: {reason}", self.path.display()));
            Kept::default()
        };
        match files::read(&self.path) {
            Ok(None) => Kept::default(),
            Ok(Some(bytes)) => self.parse(&bytes).unwrap_or_else(|reason| ignored(&reason)),
            // Where not even the folder can be, saving says so.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Kept::default(),
            Err(error) => ignored(&error.to_string()),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Kept, String> {
        let contents: TunedFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let ours = (FORMAT, env!("CARGO_PKG_VERSION"), self.adapter.as_str(), self.driver.as_str());
        if (contents.format, &*contents.program, &*contents.adapter, &*contents.driver) != ours {
            return Err("it is of another device, driver or version".to_owned());
        }
        let mut choices = BTreeMap::new();
        for (key, entry) in contents.choices {
            choices.insert(key, entry.choice()?);
        }
        let tiles = |names: &[String]| names.iter().map(|name| tile(name)).collect::<Result<Vec<Tile>, String>>();
        let cooperative = contents.cooperative.as_deref().map(tiles).transpose()?;
        let asked = tiles(&contents.asked)?;
        let mut proofs = Proofs::default();
        for (key, tiles) in contents.proofs {
            for (name, right) in tiles {
                proofs.add(&key, tile(&name)?, right);
            }
        }
        Ok(Kept { choices, cooperative, asked, proofs })
    }

    /// Writes the file; a folder that takes none costs a note.
    pub fn save(&self, kept: &Kept, notes: &Notes) {
        let names = |tiles: &[Tile]| tiles.iter().map(ToString::to_string).collect();
        let contents = TunedFile {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            adapter: self.adapter.clone(),
            driver: self.driver.clone(),
            cooperative: kept.cooperative.as_deref().map(names),
            asked: names(&kept.asked),
            proofs: kept.proofs.by_name(),
            choices: kept.choices.iter().map(|(key, choice)| (key.clone(), Entry::of(choice))).collect(),
        };
        let written = serde_json::to_vec_pretty(&contents)
            .map_err(std::io::Error::from)
            .and_then(|bytes| files::write(&self.path, &bytes));
        if let Err(error) = written {
            notes.add(format!("tuned choices are not kept for the next start: {}: {error}", self.path.display()));
        }
    }
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
        let kept =
            Kept { choices, cooperative: Some(trusted.to_vec()), asked: Tile::COOPERATIVE[..3].to_vec(), proofs };
        file.save(&kept, &notes);
        assert_eq!(file.load(&notes), kept);
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
