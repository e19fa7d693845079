//! The Rust code of the documents: it comes from examples, which are compiled, or its page is compiled by the facade's tests. What is
//! included is there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::documents::find;

/// How a page takes in a part of a file.
const INCLUDE: &str = "{{#include ";

/// What is wrong with the Rust code of the documents, and with what they include.
///
/// # Errors
/// If a document cannot be read.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let compiled = read(&root.join("src/lib.rs"))?;
    let mut files = vec![root.join("README.md")];
    find(&root.join("docs"), "md", &mut files)?;
    let mut faults = vec![];
    for path in files {
        let (text, shown) = (read(&path)?, path.strip_prefix(root).unwrap_or(&path).display().to_string());
        faults.extend(includes(&text).filter_map(|name| missing(&path, name)).map(|fault| format!("{shown}: {fault}")));
        let is_compiled = compiled.contains(&format!("include_str!(\"../{shown}\")"));
        let blocks = rust_blocks(&text);
        let of_an_example =
            |block: &&String| block.trim().lines().all(|line| line.starts_with(INCLUDE) && line.contains("/examples/"));
        if !is_compiled && !blocks.iter().all(|block| of_an_example(&block)) {
            faults.push(format!("{shown}: its Rust code is not compiled; src/lib.rs names the pages that are"));
        }
        if is_compiled && blocks.iter().any(|block| block.contains(INCLUDE)) {
            faults.push(format!("{shown}: a page that src/lib.rs compiles cannot include code"));
        }
    }
    Ok(faults)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `FILE` or `FILE:ANCHOR` of each include.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    text.split(INCLUDE).skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

fn missing(page: &Path, name: &str) -> Option<String> {
    let (file, anchor) = name.split_once(':').map_or((name, None), |(file, anchor)| (file, Some(anchor)));
    let path: PathBuf = page.with_file_name(file);
    let Ok(text) = std::fs::read_to_string(&path) else { return Some(format!("{file} is not there to be included")) };
    let anchor = anchor?;
    let ends = |mark: &str| text.lines().any(|line| line.trim() == format!("// {mark}: {anchor}"));
    (!ends("ANCHOR") || !ends("ANCHOR_END")).then(|| format!("{file} has no anchor {anchor}"))
}

/// The text of each block of Rust.
fn rust_blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut inside) = (vec![], false);
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => {
                inside = kind.split(',').next() == Some("rust");
                blocks.extend(inside.then(String::new));
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => {
                blocks.last_mut().into_iter().for_each(|block: &mut String| block.push_str(&text))
            }
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_nothing_compiles_and_includes_of_nothing_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for name in ["docs", "examples", "src"] {
            std::fs::create_dir_all(root.join(name)).expect("a folder");
        }
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("written");
        write("src/lib.rs", "#[doc = include_str!(\"../README.md\")]");
        write("README.md", "```rust,no_run\nfn main() {}\n```\n");
        write("examples/a.rs", "// ANCHOR: one\n// ANCHOR_END: one\n// ANCHOR: two\n");
        write("docs/fine.md", "```rust\n{{#include ../examples/a.rs:one}}\n```\n");
        write("docs/own.md", "```rust\nfn main() {}\n```\n");
        write("docs/open.md", "```rust\n{{#include ../examples/a.rs:two}}\n```\n{{#include gone.md}}");
        let found = faults(root).expect("read");
        let wanted = [
            "docs/open.md: ../examples/a.rs has no anchor two",
            "docs/open.md: gone.md is not there to be included",
            "docs/own.md: its Rust code is not compiled; src/lib.rs names the pages that are",
        ];
        assert_eq!(found, wanted);
    }
}
