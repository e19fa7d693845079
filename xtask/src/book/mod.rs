//! `cargo xtask book`: makes the book of docs/book in target/book, and looks at its links, and at those of the other documents.

mod code;
mod documents;
mod pages;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;

use crate::cargo;

/// Makes the book and checks it.
///
/// # Errors
/// If it cannot be made, or a link leads nowhere; all such links are printed.
pub fn build() -> Result<()> {
    let out = folder();
    let mut book = MDBook::load(source()).context("cannot read docs/book")?;
    book.config.build.build_dir.clone_from(&out);
    book.build().context("cannot make the book")?;
    let mut faults = pages::faults(&out)?;
    faults.extend(documents::faults(cargo::workspace())?);
    faults.extend(code::faults(cargo::workspace())?);
    faults.iter().for_each(|fault| println!("  {fault}"));
    if !faults.is_empty() {
        bail!("{} faults in the documents", faults.len());
    }
    println!("the book: {}", out.join("index.html").display());
    Ok(())
}

/// Where the book's source is.
fn source() -> PathBuf {
    cargo::workspace().join("docs/book")
}

/// Where the book is made.
fn folder() -> PathBuf {
    cargo::workspace().join("target/book")
}

/// A link with a scheme, which leads out of the documents.
fn is_outside(link: &str) -> bool {
    link.starts_with("//")
        || link.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// A link's file, empty where it is the same, and its anchor.
fn parts(link: &str) -> (&str, Option<&str>) {
    link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)))
}
