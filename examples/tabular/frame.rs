//! Tables with a line of names: columns of numbers or of words, with cells that may be missing.

use std::error::Error;
use std::path::Path;

/// A column; a missing cell is `None`.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers.
    Numbers(Vec<Option<f64>>),
    /// Anything else.
    Words(Vec<Option<String>>),
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Names of the columns.
    pub names: Vec<String>,
    /// The columns, all as long.
    pub columns: Vec<Column>,
}

impl Column {
    /// The rows at these places.
    fn rows(&self, places: &[usize]) -> Column {
        match self {
            Column::Numbers(cells) => Column::Numbers(places.iter().map(|&row| cells[row]).collect()),
            Column::Words(cells) => Column::Words(places.iter().map(|&row| cells[row].clone()).collect()),
        }
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        match self {
            Column::Numbers(cells) => cells.len(),
            Column::Words(cells) => cells.len(),
        }
    }

    /// How many of them are missing.
    pub fn missing(&self) -> usize {
        match self {
            Column::Numbers(cells) => cells.iter().filter(|cell| cell.is_none()).count(),
            Column::Words(cells) => cells.iter().filter(|cell| cell.is_none()).count(),
        }
    }

    /// A cell as text; a missing one is empty.
    pub fn text(&self, row: usize) -> String {
        match self {
            Column::Numbers(cells) => cells[row].map_or_else(String::new, |number| number.to_string()),
            Column::Words(cells) => cells[row].clone().unwrap_or_default(),
        }
    }
}

impl Frame {
    /// Reads a CSV file, or a `.csv.gz` file. A column is of numbers if all its cells are that are there; an empty cell is missing.
    pub fn read(path: &Path) -> Result<Frame, Box<dyn Error>> {
        let failed = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
        let mut reader = csv::Reader::from_reader(super::open(path).map_err(|cause| failed(&cause))?);
        let names: Vec<String> = reader.headers().map_err(|cause| failed(&cause))?.iter().map(str::to_string).collect();
        let mut cells: Vec<Vec<Option<String>>> = vec![vec![]; names.len()];
        for row in reader.records() {
            let row = row.map_err(|cause| failed(&cause))?;
            for (column, cell) in cells.iter_mut().zip(row.iter()) {
                column.push(Some(cell.to_string()).filter(|cell| !cell.is_empty()));
            }
        }
        let columns = cells.into_iter().map(|cells| {
            let numbers =
                cells.iter().map(|cell| cell.as_ref().map(|cell| cell.trim().parse().ok()).unwrap_or(Some(f64::NAN)));
            match numbers.collect::<Option<Vec<f64>>>() {
                Some(numbers) => {
                    Column::Numbers(numbers.into_iter().map(|n| Some(n).filter(|n| !n.is_nan())).collect())
                }
                None => Column::Words(cells),
            }
        });
        Ok(Frame { columns: columns.collect(), names })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Result<&Column, Box<dyn Error>> {
        let place = self.names.iter().position(|known| known == name);
        let known = || format!("there is no column {name:?}; there are {}", self.names.join(", "));
        Ok(&self.columns[place.ok_or_else(known)?])
    }

    /// A column of numbers.
    pub fn numbers(&self, name: &str) -> Result<&[Option<f64>], Box<dyn Error>> {
        match self.column(name)? {
            Column::Numbers(cells) => Ok(cells),
            Column::Words(_) => Err(format!("the column {name:?} is not all numbers").into()),
        }
    }

    /// A column of words.
    pub fn words(&self, name: &str) -> Result<&[Option<String>], Box<dyn Error>> {
        match self.column(name)? {
            Column::Words(cells) => Ok(cells),
            Column::Numbers(_) => Err(format!("the column {name:?} is of numbers, not of words").into()),
        }
    }

    /// Puts a column in the place of the one of its name, or behind the others.
    pub fn set(&mut self, name: &str, column: Column) {
        match self.names.iter().position(|known| known == name) {
            Some(place) => self.columns[place] = column,
            None => {
                self.names.push(name.to_string());
                self.columns.push(column);
            }
        }
    }

    /// The rows at these places.
    pub fn rows(&self, places: &[usize]) -> Frame {
        Frame { names: self.names.clone(), columns: self.columns.iter().map(|c| c.rows(places)).collect() }
    }

    /// A row's cells as text.
    pub fn row(&self, row: usize) -> Vec<String> {
        self.columns.iter().map(|column| column.text(row)).collect()
    }
}

/// The middle one of the numbers that are there, the mean of the two in the middle where they are even in number.
pub fn median(cells: &[Option<f64>]) -> Option<f64> {
    quantile(cells, 0.5)
}

/// The number below which this share lies, between two of them as pandas and NumPy have it (linearly).
pub fn quantile(cells: &[Option<f64>], share: f64) -> Option<f64> {
    let mut there: Vec<f64> = cells.iter().flatten().copied().collect();
    there.sort_by(f64::total_cmp);
    let place = share * (there.len().checked_sub(1)?) as f64;
    let (low, high) = (there[place.floor() as usize], there[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}
