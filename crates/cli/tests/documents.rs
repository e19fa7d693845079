//! What the documents quote is what the program prints.

#[path = "common/blocks.rs"]
mod blocks;
mod common;

use std::path::Path;

use blocks::{blocks, documents, repository};
use common::program;

/// Stands for any lines, or within a line for any text.
const ANY: &str = "(...)";

/// Whether a text is what is quoted of it.
fn is_quoted(text: &str, quoted: &str) -> bool {
    let pieces: Vec<&str> = quoted.split(ANY).collect();
    let mut rest = text;
    for (i, piece) in pieces.iter().enumerate() {
        let (first, last) = (i == 0, i + 1 == pieces.len());
        let at = match (first, last) {
            (true, _) => rest.starts_with(piece).then_some(0),
            (false, true) => rest.len().checked_sub(piece.len()).filter(|_| rest.ends_with(piece)),
            (false, false) => rest.find(piece),
        };
        let Some(at) = at else { return false };
        rest = &rest[at + piece.len()..];
        if first && last && !rest.is_empty() {
            return false;
        }
    }
    true
}

#[test]
fn the_program_prints_what_is_quoted_below_its_commands() {
    let mut count = 0;
    for (name, text) in documents() {
        for block in blocks(&text, "console") {
            let (command, quoted) = block.split_once('\n').expect("a command");
            let words = command.strip_prefix("$ chiaro ").unwrap_or_else(|| panic!("{name}: {command}"));
            let ran = program().current_dir(repository()).args(words.split_whitespace()).output().expect("it runs");
            let printed = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert!(is_quoted(printed.trim_end(), quoted.trim_end()), "{name}: {command} prints\n{printed}");
            count += 1;
        }
    }
    assert!(count > 0, "no block was found");
}

#[test]
fn quotations_are_compared_with_their_gaps() {
    assert!(is_quoted("one two three", "one (...) three") && is_quoted("a\nb", "a\nb"));
    assert!(!is_quoted("one two", "one (...) three") && !is_quoted("a\nb", "a") && !is_quoted("b a", "a"));
}

#[test]
fn models_in_the_documents_are_models() {
    let root = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    for (name, text) in documents() {
        for block in blocks(&text, "toml").into_iter().filter(|block| block.contains("[[layers]]")) {
            let path = root.path().join("model.toml");
            std::fs::write(&path, &block).expect("written");
            let ran = program().arg("summary").arg(&path).output().expect("it runs");
            assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
            count += 1;
        }
    }
    assert!(count > 1, "only {count} were found");
}

/// The messages that the page of GPUs explains.
const MESSAGES: &str = "docs/book/src/gpus.md";

#[test]
fn every_message_that_is_explained_is_one_of_the_sources() {
    let mut sources = String::new();
    for folder in ["crates/gpu/src", "crates/train/src", "crates/data/src", "src"] {
        read_all(&repository().join(folder), &mut sources);
    }
    let (_, text) = documents().into_iter().find(|(name, _)| name == MESSAGES).expect("the page");
    let heading = "## What the messages mean";
    let rows = text.split(heading).nth(1).expect("its messages").lines().filter_map(|line| line.strip_prefix("| `"));
    let messages: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert!(messages.len() > 20, "only {} were found", messages.len());
    for message in messages {
        for piece in message.split(ANY).filter(|piece| piece.len() > 3) {
            assert!(sources.contains(piece), "no message has {piece:?} of {message:?}");
        }
    }
}

/// The sources of a folder, with texts that go over several lines made one.
fn read_all(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source").replace("\r\n", "\n");
            let mut parts = text.split("\\\n");
            *all += parts.next().unwrap_or("");
            parts.for_each(|part| *all += part.trim_start());
        }
    }
}
