//! `cargo xtask onnx-proto`: the Rust types of ONNX files, made from the format's own description without `protoc`.

mod expand;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cargo;

const HEAD: &str = "\
//! The types of ONNX files. Made by `cargo xtask onnx-proto` from proto/onnx.proto of onnx 1.21 (Apache-2.0); not to be edited.
";

/// The file that the types stand in.
fn path() -> PathBuf {
    cargo::workspace().join("crates/onnx/src/proto.rs")
}

/// Writes the types.
///
/// # Errors
/// If the description cannot be read or the file not be written.
pub fn write() -> Result<()> {
    let path = path();
    std::fs::write(&path, generate()?).with_context(|| format!("cannot write {}", path.display()))
}

/// The types as Rust source; the bytes of tensors are shared with the file's, not copied.
fn generate() -> Result<String> {
    let folder = cargo::workspace().join("crates/onnx/proto");
    let files = protox::compile(["onnx.proto"], [&folder]).context("cannot compile onnx.proto")?;
    let mut config = prost_build::Config::new();
    // The description's comments are its authors' and no Markdown.
    config.bytes(["."]).disable_comments(["."]);
    let made = config.generate(
        files.file.into_iter().map(|file| (prost_build::Module::from_protobuf_package_name("onnx"), file)).collect(),
    )?;
    let body = expand::expand(&made.into_values().collect::<String>());
    Ok(format!("{HEAD}#![allow(missing_docs, clippy::all, clippy::pedantic)]\n{body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_onnx_files_are_those_of_its_description() {
        let there = std::fs::read_to_string(path()).expect("the committed file");
        assert!(
            there == generate().expect("made"),
            "crates/onnx/src/proto.rs is not what `cargo xtask onnx-proto` makes"
        );
    }
}
