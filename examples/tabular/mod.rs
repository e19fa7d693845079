//! Tables of numbers with a class in the last column, as `data/tabular` has them.

use std::error::Error;

/// Rows of features, and the class of each.
#[allow(dead_code, reason = "clustering looks at no class")]
pub struct Labelled {
    /// Features.
    pub rows: Vec<Vec<f64>>,
    /// Classes, counted from 0.
    pub classes: Vec<usize>,
}

/// Reads a table of the repository's. The first line tells how much there is, and is compared with what was found.
pub fn read(name: &str) -> Result<Labelled, Box<dyn Error>> {
    let path = format!("{}/data/tabular/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))?;
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
