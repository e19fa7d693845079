//! Features as a table or as a tensor, with the pictures' names.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use chiaro::io::write_whole;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::Features;
use crate::named_file::NamedFile;
use crate::rows::as_io;

/// Writes a row a picture: its name and its features, f0 to f511.
pub fn csv(features: &Features, width: usize, out: Option<&Path>) -> anyhow::Result<()> {
    let target: Box<dyn Write> = match out {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(NamedFile::create(path)?),
    };
    let mut table = csv::Writer::from_writer(target);
    let columns = (0..width).map(|i| format!("f{i}"));
    table.write_record(["file".to_string()].into_iter().chain(columns)).map_err(as_io)?;
    for (name, row) in features.names.iter().zip(&features.rows) {
        let cells = row.iter().map(f32::to_string);
        table.write_record([name.clone()].into_iter().chain(cells)).map_err(as_io)?;
    }
    table.flush()?;
    Ok(())
}

/// Writes the tensor `features` `[N,D]`, and the names as a JSON list under `files` in the metadata.
pub fn safetensors(features: &Features, width: usize, path: &Path) -> anyhow::Result<()> {
    let bytes: Vec<u8> = features.rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![features.rows.len(), width], &bytes).context("the features")?;
    let metadata = HashMap::from([("files".to_string(), serde_json::to_string(&features.names)?)]);
    let file = serialize([("features", view)], Some(metadata)).context("the features")?;
    Ok(write_whole(path, &file)?)
}
