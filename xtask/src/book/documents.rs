//! The links of README.md, ARCHITECTURE.md and docs/*.md as they are read in the repository, and the paths that documents name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{is_outside, parts};

/// Documents in the root.
const TOP: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
/// What begins so in `code` is a path in the repository.
const PATHS: [&str; 3] = ["docs/", "examples/", "crates/"];

/// What is in a document.
#[derive(Default)]
struct Document {
    links: Vec<String>,
    code: Vec<String>,
    anchors: Vec<String>,
}

/// What is wrong with the links of the documents, and the paths that are not there.
///
/// # Errors
/// If a document cannot be read.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = TOP.map(|name| root.join(name)).into();
    find(&root.join("docs"), "md", &mut files)?;
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let all = files
        .iter()
        .map(|path| Ok((path.clone(), Document::read(&read(path)?))))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let mut faults = vec![];
    for (path, document) in &all {
        let shown = path.strip_prefix(root).unwrap_or(path).display();
        // The book's own links are looked at where it was made.
        let of_the_book = path.starts_with(root.join("docs/book"));
        let links = document.links.iter().filter(|link| !of_the_book && !is_outside(link));
        let wrong = links.filter(|link| !leads(path, link, &all));
        faults.extend(wrong.map(|link| format!("{shown}: {link} leads nowhere")));
        // What once was is told in the changelog.
        let named = document.code.iter().filter(|code| is_path(code) && !path.ends_with("CHANGELOG.md"));
        let gone = named.filter(|code| !root.join(code).exists());
        faults.extend(gone.map(|code| format!("{shown}: there is no {code}")));
    }
    Ok(faults)
}

/// Files of this ending in a folder and below.
///
/// # Errors
/// If a folder cannot be read.
pub fn find(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, ending, files)?;
        } else if path.extension().is_some_and(|e| e == ending) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    PATHS.iter().any(|begin| code.starts_with(begin)) && code.chars().all(plain)
}

fn leads(page: &Path, link: &str, all: &BTreeMap<PathBuf, Document>) -> bool {
    let (file, anchor) = parts(link);
    let target = if file.is_empty() { page.to_path_buf() } else { page.with_file_name("").join(file) };
    match anchor {
        None => target.exists(),
        Some(anchor) => all.get(&target).is_some_and(|document| document.anchors.iter().any(|there| there == anchor)),
    }
}

impl Document {
    fn read(text: &str) -> Document {
        let (mut document, mut heading) = (Document::default(), None::<String>);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string())
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.anchor(&heading.take().unwrap_or_default()),
                Event::Text(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                Event::Code(code) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&code));
                    document.code.push(code.into_string());
                }
                _ => {}
            }
        }
        document
    }

    /// A heading's anchor as GitHub makes it.
    fn anchor(&mut self, heading: &str) {
        let kept = heading.to_lowercase();
        let name: String = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let same = self
            .anchors
            .iter()
            .filter(|there| **there == name || there.strip_prefix(&name).is_some_and(is_number))
            .count();
        self.anchors.push(if same == 0 { name } else { format!("{name}-{same}") });
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_anchors_and_paths_of_documents_are_found() {
        let text = "# One `two`, three!\n\n## Same\n\n## Same\n\n[a](b.md#c) ![d](e.png) `docs/f.md` `docs/*.md`\n\n```sh\n[no](link)\n```\n";
        let document = Document::read(text);
        assert_eq!(document.anchors, ["one-two-three", "same", "same-1"]);
        assert_eq!(document.links, ["b.md#c", "e.png"]);
        let paths: Vec<&String> = document.code.iter().filter(|code| is_path(code)).collect();
        assert_eq!(paths, ["docs/f.md"]);
    }

    #[test]
    fn links_that_lead_nowhere_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::create_dir_all(root.join("docs")).expect("a folder");
        std::fs::write(
            root.join("README.md"),
            "# Top\n[x](docs/a.md#here) [y](docs/a.md#gone) [z](docs/b.md) `docs/c.md`",
        )
        .expect("written");
        std::fs::write(root.join("ARCHITECTURE.md"), "[t](README.md#top) [w](https://a.b/c)").expect("written");
        std::fs::write(root.join("CHANGELOG.md"), "`docs/old.md`").expect("written");
        std::fs::write(root.join("docs/a.md"), "## Here\n").expect("written");
        let found = faults(root).expect("read");
        let wanted = ["docs/a.md#gone leads nowhere", "docs/b.md leads nowhere", "there is no docs/c.md"];
        assert_eq!(found, wanted.map(|text| format!("README.md: {text}")));
    }
}
