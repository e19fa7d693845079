//! The links of the pages that were made: each leads to a file, and to an anchor that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{is_outside, parts};

/// Its links are relative to wherever it is shown.
const ANYWHERE: &str = "404.html";

/// What is wrong with the links of the pages in a folder.
///
/// # Errors
/// If a page cannot be read.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    // Without `..`, so that a link's file has the name under which it was read.
    let root = root.canonicalize().with_context(|| format!("cannot read {}", root.display()))?;
    let mut files = vec![];
    super::documents::find(&root, "html", &mut files)?;
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let texts = files.iter().map(|path| Ok((path.clone(), read(path)?))).collect::<Result<BTreeMap<_, _>>>()?;
    let anchors = texts.iter().map(|(path, html)| (path.clone(), values(html, "id").collect())).collect();
    let mut faults = vec![];
    for (page, html) in texts.iter().filter(|(page, _)| !page.ends_with(ANYWHERE)) {
        let links: BTreeSet<&str> = values(html, "href").chain(values(html, "src")).collect();
        let wrong = links.into_iter().filter(|link| !is_outside(link) && !leads(page, link, &anchors));
        faults.extend(wrong.map(|link| format!("{}: {link} leads nowhere", page.display())));
    }
    Ok(faults)
}

/// The values of an attribute wherever it stands.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {attribute}=\"");
    html.match_indices(&begin)
        .map(|(at, text)| at + text.len())
        .filter_map(|at| html[at..].split('"').next())
        .collect::<Vec<_>>()
        .into_iter()
}

fn leads(page: &Path, link: &str, anchors: &BTreeMap<PathBuf, BTreeSet<&str>>) -> bool {
    let (file, anchor) = parts(link);
    let mut target = page.to_path_buf();
    if !file.is_empty() {
        target = plain(&page.with_file_name("").join(file));
    }
    if target.is_dir() {
        target.push("index.html");
    }
    match (anchor, anchors.get(&target)) {
        (None | Some(""), _) => target.is_file(),
        (Some(anchor), Some(there)) => there.contains(anchor),
        (Some(_), None) => false,
    }
}

/// The path without `..`, so that it is the name under which a page was read.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_and_anchors_that_are_not_there_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::create_dir_all(root.join("sub")).expect("a folder");
        let links = "<a href=\"sub/b.html#there\"><a href=\"sub/b.html#gone\"><a href=\"#own\" id=\"own\"><a href=\"https://a.b\"><img src=\"c.png\">";
        std::fs::write(root.join("a.html"), links).expect("written");
        std::fs::write(root.join("sub/b.html"), "<h2 id=\"there\"><a href=\"../a.html\"><a href=\"../a.html#no\">")
            .expect("written");
        let found = faults(root).expect("read");
        let wrong: Vec<&str> = found.iter().filter_map(|fault| fault.split(": ").nth(1)).collect();
        assert_eq!(wrong, ["c.png leads nowhere", "sub/b.html#gone leads nowhere", "../a.html#no leads nowhere"]);
    }
}
