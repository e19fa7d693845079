//! Which pictures are alike: a line or rows of each.

use std::io::{self, Write};
use std::path::Path;

use chiaro::train::nearest;

use super::Features;
use crate::named_file::NamedFile;
use crate::output::printable;
use crate::rows::as_io;

/// Writes the `count` pictures that are most like each of `of`, as CSV (a row a pair) or as text (a line a picture).
pub fn write(
    features: &Features,
    of: impl Iterator<Item = usize>,
    count: usize,
    table: bool,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let mut target: Box<dyn Write> = match out {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(NamedFile::create(path)?),
    };
    let found = of.map(|i| (&features.names[i], nearest(&features.rows, &features.rows[i], count, Some(i))));
    if table {
        let mut table = csv::Writer::from_writer(target);
        table.write_record(["file", "rank", "near", "similarity"]).map_err(as_io)?;
        for (name, near) in found {
            for (rank, (other, similarity)) in near.into_iter().enumerate() {
                let (rank, similarity) = ((rank + 1).to_string(), format!("{similarity:.6}"));
                table.write_record([name, &rank, &features.names[other], &similarity]).map_err(as_io)?;
            }
        }
        table.flush()?;
        return Ok(());
    }
    for (name, near) in found {
        let near = near.iter().map(|(other, similarity)| format!("{} {similarity:.4}", features.names[*other]));
        writeln!(target, "{}", printable(&format!("{name}: {}", near.collect::<Vec<_>>().join(", "))))?;
    }
    Ok(())
}
