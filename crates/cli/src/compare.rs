//! `chiaro compare`: several runs side by side: the settings in which they differ, what came out, and their curves.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chiaro::train::plot::{Curve, Plot};
use chiaro::train::{EpochRecord, Measure, RunConfig, RunFolder, short};
use serde_json::{Map, Value};

use crate::output::{duration, line, note, save};

/// Compare runs: the settings that differ, the best epoch, time and speed, and curves
#[derive(clap::Args)]
pub struct Args {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Draw the curves into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// A run that is on disk.
pub struct Told {
    pub name: String,
    pub config: RunConfig,
    pub records: Vec<EpochRecord>,
    /// What its epochs are judged by.
    pub measure: Measure,
}

impl Told {
    /// Reads it.
    ///
    /// # Errors
    /// If it is no run, or its files cannot be read.
    pub fn read(path: &std::path::Path) -> anyhow::Result<Told> {
        let folder = RunFolder::open(path)?;
        let (config, records) = (folder.config()?, folder.metrics()?);
        let measure = config.settings.named_task()?.eval_measures().first().copied().unwrap_or(Measure::LOSS);
        Ok(Told { name: path.display().to_string(), config, records, measure })
    }

    /// The value by which an epoch is judged.
    pub fn judged(&self, record: &EpochRecord) -> f64 {
        if self.measure == Measure::LOSS { record.eval.loss } else { record.eval.get(self.measure.name) }
    }

    /// The best epoch, of equals the first.
    pub fn best(&self) -> Option<&EpochRecord> {
        let better = |a: f64, b: f64| if self.measure.lower_is_better { a < b } else { a > b };
        let counted = self.records.iter().filter(|record| self.judged(record).is_finite());
        counted.reduce(|best, record| if better(self.judged(record), self.judged(best)) { record } else { best })
    }

    /// The best value with its measure's name.
    pub fn best_shown(&self) -> String {
        self.best().map_or("-".to_string(), |best| self.measure.shown(self.judged(best)))
    }

    /// How long it has trained.
    pub fn time(&self) -> String {
        self.records.last().map_or("-".to_string(), |last| duration(Duration::from_secs_f64(last.seconds.max(0.0))))
    }

    fn speed(&self) -> String {
        let sum: f64 = self.records.iter().map(|record| record.images_per_second).sum();
        if self.records.is_empty() { "-".to_string() } else { format!("{:.0}", sum / self.records.len() as f64) }
    }
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runs = args.runs.iter().map(|path| Told::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    table(&rows(&runs)).iter().try_for_each(|text| line(text))?;
    if let Some(plot) = curves(&runs) {
        let letters =
            runs.iter().zip(Plot::LETTERS.chars().cycle()).map(|(run, letter)| format!("{letter} {}", run.name));
        line(&format!("\n{}: {}\n{}", plot.title, letters.collect::<Vec<_>>().join("  "), plot.to_text()))?;
        if let Some(path) = &args.plot {
            save(path, &plot.to_svg())?;
            note(&format!("curves: {}", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The curves of what the runs are judged by; `None` where they are judged by different measures, or there is nothing to draw.
fn curves(runs: &[Told]) -> Option<Plot> {
    let measure = runs.first()?.measure;
    let drawable = runs.iter().all(|run| run.measure == measure) && runs.iter().any(|run| !run.records.is_empty());
    let curve = |run: &Told| {
        let factor = if measure.percent { 100.0 } else { 1.0 };
        let point = |record: &EpochRecord| (record.epoch as f64, run.judged(record) * factor);
        Curve { name: run.name.clone(), points: run.records.iter().map(point).collect() }
    };
    drawable.then(|| Plot {
        title: format!("{} by epoch", measure.name),
        axes: ["epoch".to_string(), format!("{}{}", measure.name, if measure.percent { " %" } else { "" })],
        curves: runs.iter().map(curve).collect(),
        ..Plot::default()
    })
}

/// The table: a row for each setting that differs and for what came out, a column for each run.
fn rows(runs: &[Told]) -> Vec<Vec<String>> {
    let mut rows = vec![of("", runs, |run| run.name.clone())];
    rows.extend(differing(runs));
    rows.push(of("device", runs, |run| run.config.device.clone()));
    rows.push(of("epochs done", runs, |run| format!("{} of {}", run.records.len(), run.config.settings.epochs)));
    rows.push(of("best", runs, Told::best_shown));
    rows.push(of("in epoch", runs, |run| run.best().map_or("-".to_string(), |best| best.epoch.to_string())));
    rows.push(of("loss there", runs, |run| run.best().map_or("-".to_string(), |best| short(best.eval.loss))));
    rows.push(of("training loss there", runs, |run| run.best().map_or("-".to_string(), |best| short(best.train.loss))));
    rows.push(of("images/s", runs, Told::speed));
    rows.push(of("time", runs, Told::time));
    rows
}

fn of(name: &str, runs: &[Told], cell: impl Fn(&Told) -> String) -> Vec<String> {
    [name.to_string()].into_iter().chain(runs.iter().map(cell)).collect()
}

/// Rows of the settings that are not the same in all runs.
fn differing(runs: &[Told]) -> Vec<Vec<String>> {
    let settings: Vec<Map<String, Value>> = runs
        .iter()
        .map(|run| match serde_json::to_value(&run.config.settings) {
            Ok(Value::Object(map)) => map,
            Ok(_) | Err(_) => Map::new(),
        })
        .collect();
    let names: BTreeSet<&String> = settings.iter().flat_map(Map::keys).collect();
    let differs = |name: &&&String| settings.iter().any(|map| map.get(**name) != settings[0].get(**name));
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "-".to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
    };
    let row = |name: &&String| {
        [(*name).clone()].into_iter().chain(settings.iter().map(|map| shown(map.get(*name)))).collect()
    };
    names.iter().filter(differs).map(row).collect()
}

/// Cells in columns, two blanks apart.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}
