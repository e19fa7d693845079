//! A table of image files with their labels: CSV, or TSV by its name, with or without a header.

use std::path::{Path, PathBuf};

use crate::listing::has_image_name;
use crate::{DataError, Split, names, regular};

/// The largest table.
const MOST_BYTES: u64 = 1 << 30;
/// What the columns may be called.
const PATHS: [&str; 9] =
    ["path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img"];
const LABELS: [&str; 8] = ["label", "labels", "class", "classes", "category", "tag", "tags", "target"];
const SPLITS: [&str; 3] = ["split", "set", "subset"];
/// What parts several labels in one cell.
const SEPARATORS: [char; 2] = ['|', ';'];

/// The rows of a table.
#[derive(Debug)]
pub(crate) struct Table {
    pub path: PathBuf,
    pub rows: Vec<TableRow>,
    /// Whether an image may show several classes or none.
    pub several: bool,
    /// The classes by their columns, where each has one.
    columns: Vec<String>,
}

/// An image with its labels.
#[derive(Debug)]
pub(crate) struct TableRow {
    pub file: PathBuf,
    pub labels: Vec<String>,
    pub split: Option<Split>,
}

/// Which column holds what.
struct TableColumns {
    path: usize,
    split: Option<usize>,
    labels: Labels,
}

enum Labels {
    /// A cell of labels.
    Cell(usize),
    /// 0 or 1 in a column for each class.
    Each(Vec<(usize, String)>),
}

impl Table {
    /// Whether a file is a table by its name.
    pub fn is_named(path: &Path) -> bool {
        path.extension().is_some_and(|end| ["csv", "tsv"].iter().any(|known| end.eq_ignore_ascii_case(known)))
    }

    /// Reads a table; its paths are relative to `folder`.
    pub fn read(path: &Path, folder: &Path) -> Result<Table, DataError> {
        let bad = |line: u64, cause: String| DataError::invalid(format!("{}: line {line}: {cause}", path.display()));
        let text =
            String::from_utf8(regular::read(path, MOST_BYTES)?).map_err(|_| bad(1, "it is not in UTF-8".into()))?;
        let text = text.trim_start_matches('\u{FEFF}');
        let delimiter = if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv")) { b'\t' } else { b',' };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut table = Table { path: path.to_path_buf(), rows: vec![], several: false, columns: vec![] };
        let mut columns: Option<TableColumns> = None;
        let mut seen = std::collections::HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|cause| bad(cause.position().map_or(0, |at| at.line()), cause.to_string()))?;
            let line = record.position().map_or(0, |at| at.line());
            let columns = match &columns {
                Some(columns) => columns,
                None => {
                    let (found, is_header) = TableColumns::of(&record).map_err(|cause| bad(line, cause))?;
                    let found = columns.insert(found);
                    if is_header {
                        continue;
                    }
                    found
                }
            };
            let row = columns.row(&record, folder).map_err(|cause| bad(line, cause))?;
            if let Some(before) = seen.insert(row.file.clone(), line) {
                let file = row.file.display();
                return Err(bad(
                    line,
                    format!(
                        "{file} is in line {before} already; several labels of one image go into one cell, as cat|dog"
                    ),
                ));
            }
            table.rows.push(row);
        }
        let each = columns.map(|columns| columns.labels);
        if let Some(Labels::Each(each)) = each {
            table.columns = each.into_iter().map(|(_, name)| name).collect();
        }
        table.settle()
    }

    /// Whether images show several classes follows from all rows.
    fn settle(mut self) -> Result<Table, DataError> {
        let each = !self.columns.is_empty();
        self.several =
            self.rows.iter().any(|row| row.labels.len() > 1) || (each && self.rows.iter().any(|r| r.labels.is_empty()));
        match self.rows.iter().find(|row| row.labels.is_empty()) {
            Some(row) if !self.several => Err(DataError::invalid(format!(
                "{}: {} has no label; leave it out, or, if images may show nothing, give the table a column of 0 and 1 for each class",
                self.path.display(),
                row.file.display()
            ))),
            Some(_) | None if self.rows.is_empty() => {
                Err(DataError::EmptySplit { path: self.path, cause: "the table has no row".to_string() })
            }
            Some(_) | None => Ok(self),
        }
    }

    /// The classes of tables, by their names, or by their numbers where all are numbers.
    pub fn classes(tables: &[Table]) -> Vec<String> {
        let mut classes: Vec<String> = tables
            .iter()
            .flat_map(|t| t.columns.iter().chain(t.rows.iter().flat_map(|row| &row.labels)))
            .cloned()
            .collect();
        classes.sort();
        classes.dedup();
        if classes.iter().all(|class| class.parse::<u64>().is_ok()) {
            classes.sort_by_key(|class| class.parse::<u64>().unwrap_or(0));
        }
        classes
    }
}

impl TableColumns {
    /// What the first line tells, and whether it is a header.
    fn of(first: &csv::StringRecord) -> Result<(TableColumns, bool), String> {
        let named =
            |known: &[&str]| first.iter().position(|cell| known.iter().any(|name| cell.eq_ignore_ascii_case(name)));
        let path = named(&PATHS);
        if path.is_none() && first.get(0).is_some_and(|cell| has_image_name(Path::new(cell))) {
            return match first.len() {
                2 => Ok((TableColumns { path: 0, split: None, labels: Labels::Cell(1) }, false)),
                n => Err(format!("{n} columns without a header; give them names, as path,label,split")),
            };
        }
        let (path, split) = (path.unwrap_or(0), named(&SPLITS));
        let labels = match named(&LABELS) {
            Some(column) => Labels::Cell(column),
            None => {
                let others = first.iter().enumerate().filter(|(column, _)| *column != path && Some(*column) != split);
                Labels::Each(others.map(|(column, name)| (column, names::composed(name))).collect())
            }
        };
        match &labels {
            Labels::Each(each) if each.is_empty() => {
                Err("there is no column of labels; name one 'label', or one for each class with 0 and 1 in it"
                    .to_string())
            }
            Labels::Each(_) | Labels::Cell(_) => Ok((TableColumns { path, split, labels }, true)),
        }
    }

    fn row(&self, record: &csv::StringRecord, folder: &Path) -> Result<TableRow, String> {
        let cell = |column: usize| record.get(column).unwrap_or("");
        let labels = match &self.labels {
            Labels::Cell(column) => {
                let labels = cell(*column).split(SEPARATORS).map(str::trim).filter(|label| !label.is_empty());
                labels.map(names::composed).collect()
            }
            Labels::Each(each) => {
                let mut labels = vec![];
                for (column, name) in each {
                    match cell(*column) {
                        "1" | "1.0" => labels.push(name.clone()),
                        "0" | "0.0" | "" => {}
                        other => {
                            return Err(format!(
                                "'{other}' under '{name}': without a column named 'label' each column is a class, with 0 or 1 in it"
                            ));
                        }
                    }
                }
                labels
            }
        };
        let split = match self.split.map(cell) {
            None => None,
            Some(word) => Some(word.parse()?),
        };
        match cell(self.path) {
            "" => Err("the path is empty".to_string()),
            path => Ok(TableRow { file: folder.join(path), labels, split }),
        }
    }
}
