//! What is said of pictures, written as lines of text, rows of CSV, or lines of JSON.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use chiaro::train::Guess;
use serde_json::json;

use crate::named_file::NamedFile;
use crate::output::printable;
use crate::usage::Usage;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `cat.jpg: cat 98.21 %, dog 1.50 %`
    Text,
    /// A table for spreadsheets: file, class, probability, class_2, ...
    Csv,
    /// A JSON object a line
    Jsonl,
}

impl Format {
    /// The one that was asked for, else what the file's ending says.
    pub fn chosen(asked: Option<Format>, out: Option<&Path>) -> anyhow::Result<Format> {
        let ending = out.and_then(|path| path.extension()).map(|ending| ending.to_string_lossy().to_lowercase());
        match (asked, ending.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("csv")) => Ok(Format::Csv),
            (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
            (None, Some("json")) => {
                Err(Usage("there is no format json: --format jsonl writes a JSON object a line".to_string()).into())
            }
            (None, Some("txt") | None) => Ok(Format::Text),
            (None, Some(_)) => Err(Usage(format!(
                "--out: {} ends with none of .txt, .csv, .jsonl and .ndjson: say with --format what is to be written",
                out.unwrap_or(Path::new("")).display()
            ))
            .into()),
        }
    }
}

/// What is said of a picture of no known class.
const UNKNOWN: &str = "unknown";

/// Where rows go.
pub struct Rows {
    to: To,
    /// Classes of each.
    top: usize,
}

enum To {
    Text(Box<dyn Write>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    Jsonl(Box<dyn Write>),
}

impl Rows {
    /// Opens the file, or the standard output, and writes what stands above all rows of so many classes.
    pub fn open(format: Format, out: Option<&Path>, top: usize) -> anyhow::Result<Rows> {
        let target: Box<dyn Write> = match out {
            None => Box::new(io::stdout()),
            Some(path) => Box::new(BufWriter::new(NamedFile::create(path)?)),
        };
        let to = match format {
            Format::Text => To::Text(target),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(target);
                let numbered =
                    |name: &str, i: usize| if i == 0 { name.to_string() } else { format!("{name}_{}", i + 1) };
                let columns = (0..top).flat_map(|i| ["class", "probability"].map(|name| numbered(name, i)));
                table.write_record(["file".to_string()].into_iter().chain(columns)).map_err(as_io)?;
                To::Csv(Box::new(table))
            }
            Format::Jsonl => To::Jsonl(target),
        };
        Ok(Rows { to, top })
    }

    /// Writes what is said of a picture; of one of no known class "unknown" stands before, in a table in the first class's place.
    pub fn row(&mut self, name: &str, guesses: &[Guess], known: bool) -> anyhow::Result<()> {
        let guesses = guesses.iter().take(self.top);
        match &mut self.to {
            To::Text(to) => {
                let unknown = (!known).then(|| UNKNOWN.to_string());
                let shown: Vec<String> = unknown.into_iter().chain(guesses.map(ToString::to_string)).collect();
                writeln!(to, "{}", printable(&format!("{name}: {}", shown.join(", "))))?;
            }
            To::Csv(table) => {
                let class =
                    |i: usize, guess: &Guess| if i == 0 && !known { UNKNOWN.to_string() } else { guess.name.clone() };
                let cells = guesses.enumerate().flat_map(|(i, guess)| [class(i, guess), format!("{:.6}", guess.value)]);
                table.write_record([name.to_string()].into_iter().chain(cells)).map_err(as_io)?;
            }
            To::Jsonl(to) => {
                let said: Vec<_> =
                    guesses.map(|guess| json!({"class": guess.name, "probability": guess.value})).collect();
                let mut object = json!({"file": name, "predictions": said});
                if !known {
                    object[UNKNOWN] = json!(true);
                }
                writeln!(to, "{object}")?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> anyhow::Result<()> {
        match self.to {
            To::Text(mut to) | To::Jsonl(mut to) => to.flush()?,
            To::Csv(mut table) => table.flush()?,
        }
        Ok(())
    }
}

/// An error that tells a reader who has gone from others.
pub fn as_io(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("{other:?}"),
    }
}
