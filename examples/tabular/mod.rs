//! Tables: those of numbers with a class in the last column, as `data/tabular` has them; [`frame`] reads any others.
#![allow(dead_code, reason = "each example uses some of it")]

pub mod frame;
pub mod scaler;

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Rows of features, and the class of each.
pub struct Labelled {
    /// Features.
    pub rows: Vec<Vec<f64>>,
    /// Classes, counted from 0.
    pub classes: Vec<usize>,
}

/// Where a table of the repository's lies.
pub fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tabular").join(file)
}

/// What a file, or a packed one (`.gz`), can be read from.
pub fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    Ok(match path.extension() {
        Some(end) if end == "gz" => Box::new(flate2::read::GzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// The text of a file, or of a packed one (`.gz`).
pub fn text(path: &Path) -> Result<String, Box<dyn Error>> {
    let failed = |cause: std::io::Error| format!("{}: {cause}", path.display());
    let mut text = String::new();
    open(path).map_err(failed)?.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Reads a table of the repository's. The first line tells how much there is, and is compared with what was found.
pub fn read(name: &str) -> Result<Labelled, Box<dyn Error>> {
    let path = path(&format!("{name}.csv")).display().to_string();
    let text = text(path.as_ref())?;
    let (head, body) = text.split_once('\n').ok_or("an empty table")?;
    let told: Vec<usize> = head.split(',').take(2).map(|n| n.trim().parse()).collect::<Result<_, _>>()?;
    let (mut rows, mut classes) = (vec![], vec![]);
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let mut numbers: Vec<f64> = line.split(',').map(|n| n.trim().parse()).collect::<Result<_, _>>()?;
        classes.push(numbers.pop().ok_or("a row without numbers")? as usize);
        if numbers.len() != told[1] {
            return Err(
                format!("{path}: row {} has {} features, not {}", rows.len() + 1, numbers.len(), told[1]).into()
            );
        }
        rows.push(numbers);
    }
    if rows.len() != told[0] {
        return Err(format!("{path}: {} rows, not {}", rows.len(), told[0]).into());
    }
    Ok(Labelled { rows, classes })
}
