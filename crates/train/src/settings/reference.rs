//! The page that lists every setting, made from the table: `docs/settings.md`.

use super::{OnResume, SETTINGS, Setting};

const HEAD: &str = "# Settings of a run

Made from the table of settings (`crates/train/src/settings/table.rs`) by `chiaro settings > docs/settings.md`; a test compares them.
Options of `chiaro train`, fields of `TrainConfig`, and names in a run's `args.toml`, where an absent one has its default. Whether a
run that goes on (`--resume`) may have another value stands in the last column.

| option | field | values | default | what it is | on resume |
|---|---|---|---|---|---|
";

/// The page, as Markdown.
pub fn reference() -> String {
    let mut text = HEAD.to_string();
    for setting in SETTINGS {
        text += &row(setting);
    }
    // The names of a registry grow without the settings: `chiaro train --help` lists them.
    for setting in SETTINGS.iter().filter(|setting| setting.kind != "name" && !setting.choices().is_empty()) {
        text += &format!("\n`--{}`:\n\n| value | what it means |\n|---|---|\n", setting.flag);
        for choice in setting.choices() {
            text += &format!("| `{}` | {} |\n", choice.name, choice.help);
        }
    }
    text
}

fn row(setting: &Setting) -> String {
    let spellings: Vec<String> =
        [&[setting.flag], setting.aliases].concat().iter().map(|name| format!("`--{name}`")).collect();
    let values = match setting.range {
        range if range == super::Range::ANY => setting.kind.to_string(),
        range => format!("{}, {range}", setting.kind),
    };
    let on_resume = match setting.on_resume {
        OnResume::Refused => "no",
        OnResume::Told => "yes, and is told",
        OnResume::Silent => "yes",
    };
    format!(
        "| {} | `{}` | {values} | {} | {} | {on_resume} |\n",
        spellings.join(", "),
        setting.name,
        setting.default_words(),
        setting.help()
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_docs_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let there = std::fs::read_to_string(path).expect("the page").replace("\r\n", "\n");
        assert!(there == super::reference(), "make it anew: cargo run --release -- settings > docs/settings.md");
    }
}
