//! The documents, and the blocks of code in them.
#![allow(dead_code, reason = "each reader needs its part")]

use std::path::{Path, PathBuf};

/// The folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md and what is in docs, with their names.
pub fn documents() -> Vec<(String, String)> {
    let mut files = vec![repository().join("README.md")];
    find(&repository().join("docs"), &mut files);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a document").replace("\r\n", "\n");
        (path.strip_prefix(repository()).expect("below it").display().to_string(), text)
    };
    files.into_iter().map(read).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|e| e == "md") {
            files.push(path);
        }
    }
}

/// The blocks of a kind, as `sh`. Those within lists are as far to the right as their fences.
pub fn blocks(text: &str, kind: &str) -> Vec<String> {
    let (mut found, mut inside) = (vec![], None);
    for line in text.lines() {
        match (fence(line), &mut inside) {
            (Some(_), Some(_)) => found.extend(inside.take().filter(|(is, ..)| is == kind).map(|(.., block)| block)),
            (Some((is, indent)), None) => inside = Some((is.to_string(), indent, String::new())),
            (None, Some((_, indent, block))) => {
                let blank = line.len() - line.trim_start_matches(' ').len();
                *block += &format!("{}\n", &line[blank.min(*indent)..]);
            }
            (None, None) => {}
        }
    }
    found
}

/// What a fence says of its block, and how many spaces stand before it.
fn fence(line: &str) -> Option<(&str, usize)> {
    let rest = line.trim_start_matches(' ');
    Some((rest.strip_prefix("```")?, line.len() - rest.len()))
}

/// What stands between backticks outside of blocks.
pub fn spans(text: &str) -> Vec<String> {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let is_fence = fence(line).is_some();
        inside ^= is_fence;
        !inside && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(String::from).collect()
}
