//! Tables of tuned choices that ship with the program: from the results of a run on a card to the files that are compiled in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Where `chiaro-gpu` has them.
pub const FOLDER: &str = "crates/gpu/src/tune/known";

/// What a run tells of itself.
pub struct Measured<'a> {
    /// The day.
    pub date: &'a str,
    /// The commit of the program.
    pub commit: &'a str,
}

/// Ships the table `text`: a file named by its device in `folder`, and the list of all of them. A table of the same device and kernels keeps
/// what the new one does not know.
///
/// # Errors
/// If the text is no table, or a file cannot be written.
pub fn ship(text: &str, measured: &Measured<'_>, folder: &Path) -> Result<PathBuf> {
    let mut table: Value = serde_json::from_str(text).context("the choices are no JSON")?;
    let device = table["device"].clone();
    let (Some(name), Some(backend)) = (device["name"].as_str(), device["backend"].as_str()) else {
        bail!("the choices do not name their device");
    };
    if device["class"] == "Software" {
        bail!("choices of a software device do not ship: they are of the machine's processor");
    }
    if table["choices"].as_object().is_none_or(serde_json::Map::is_empty) {
        bail!("there are no choices in it: run `chiaro tune` first");
    }
    let with = table["measured"].as_str().unwrap_or_default();
    table["measured"] = format!("{with}, {}, commit {}", measured.date, measured.commit).into();
    let path = folder.join(format!("{}-{backend}.json", plain(name)));
    if let Some(old) = fs::read_to_string(&path).ok().and_then(|old| serde_json::from_str(&old).ok()) {
        merge(&mut table, &old);
    }
    let text = serde_json::to_string_pretty(&table)? + "\n";
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    list(folder)?;
    Ok(path)
}

/// Adds what an older table of the same device and kernels knows beside the new one.
fn merge(table: &mut Value, old: &Value) {
    if ["format", "device"].iter().any(|key| table[key] != old[key]) {
        return;
    }
    let mut added = false;
    for (key, choice) in old["choices"].as_object().into_iter().flatten() {
        if table["choices"].get(key).is_none() {
            table["choices"][key] = choice.clone();
            added = true;
        }
    }
    if added {
        let both = [&*table, old].map(|table| table["measured"].as_str().unwrap_or_default().to_owned());
        table["measured"] = both.join("; others with ").into();
    }
}

/// Writes the list of the tables of a folder.
fn list(folder: &Path) -> Result<()> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    let mut text =
        "//! The tables that ship, one a device. Written by `cargo xtask gpu-results` from the files beside it.\n\n\
                    /// Their texts.\n#[rustfmt::skip]\npub(super) const SHIPPED: &[&str] = &[\n"
            .to_owned();
    names.iter().for_each(|name| text += &format!("    include_str!({name:?}),\n"));
    text += "];\n";
    let path = folder.join("list.rs");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A name in small letters and digits, with hyphens between.
pub fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(name: &str, format: u32, choices: &Value) -> String {
        let device = json!({ "name": name, "backend": "vulkan", "class": "Gpu(Plenty, Server)" });
        json!({ "format": format, "measured": "Driver 1", "device": device, "choices": choices }).to_string()
    }

    #[test]
    fn a_table_ships_as_a_file_of_its_device_and_stands_in_the_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let ship = |text: &str, date| ship(text, &Measured { date, commit: "abc" }, folder.path());
        let read =
            |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON") };
        let first = json!({ "a": { "tile": "x" }, "b": {} });
        let path = ship(&table("Card X (TM) 80GB", 3, &first), "2026-01-02").expect("ships");
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("card-x-tm-80gb-vulkan.json"));
        assert_eq!(read(&path)["measured"], "Driver 1, 2026-01-02, commit abc");
        ship(&table("Another", 3, &first), "2026-01-02").expect("ships");
        let list = fs::read_to_string(folder.path().join("list.rs")).expect("a list");
        let names =
            ["another-vulkan", "card-x-tm-80gb-vulkan"].map(|name| format!("    include_str!(\"{name}.json\"),\n"));
        assert!(list.ends_with(&format!("&[\n{}];\n", names.concat())), "{list}");

        // Later ones of the same kernels go before what was known; those of others replace it.
        ship(&table("Card X (TM) 80GB", 3, &json!({ "b": { "parts": 2 } })), "2026-02-03").expect("ships");
        assert_eq!(read(&path)["choices"], json!({ "a": { "tile": "x" }, "b": { "parts": 2 } }));
        let measured = read(&path)["measured"].clone();
        assert_eq!(measured, "Driver 1, 2026-02-03, commit abc; others with Driver 1, 2026-01-02, commit abc");
        ship(&table("Card X (TM) 80GB", 4, &json!({ "c": {} })), "2026-03-04").expect("ships");
        assert_eq!(read(&path)["choices"], json!({ "c": {} }));
    }

    #[test]
    fn what_is_no_table_of_a_card_does_not_ship() {
        let folder = tempfile::tempdir().expect("a folder");
        let software = table("llvmpipe", 3, &json!({ "a": {} })).replace("Gpu(Plenty, Server)", "Software");
        for text in ["", "{}", &table("X", 3, &json!({})), &software] {
            assert!(ship(text, &Measured { date: "", commit: "" }, folder.path()).is_err(), "{text}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 0);
    }

    #[test]
    fn the_list_of_this_checkout_is_the_one_that_would_be_written() {
        let (folder, copy) = (crate::cargo::workspace().join(FOLDER), tempfile::tempdir().expect("a folder"));
        for entry in fs::read_dir(&folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("copies");
        }
        list(copy.path()).expect("writes");
        let text = |folder: &Path| fs::read_to_string(folder.join("list.rs")).expect("a list");
        assert_eq!(text(&folder), text(copy.path()));
    }
}
