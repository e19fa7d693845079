//! The measures as a table of text.

use chiaro_data::shortened;

use super::{Averages, ClassMetrics};

/// Letters of a class's name, so that its numbers are still in sight.
const LETTERS: usize = 32;

/// A name in one line of a table.
fn shown(name: &str) -> String {
    shortened(&name.replace(char::is_control, " "), LETTERS)
}

/// A row a class and one a mean; `names` are the classes'.
pub(crate) fn table(metrics: &ClassMetrics, names: &[String]) -> String {
    let percent = |share: Option<f64>| share.map_or("-".to_string(), |share| format!("{:.2} %", share * 100.0));
    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(8);
    let row = |name: &str, samples: String, cells: [String; 5]| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>9}")).collect();
        format!("{name:<width$}  {samples:>8}{cells}")
    };
    let heads = ["precision", "recall", "F1", "AUROC", "AP"].map(String::from);
    let mut lines = vec![row("class", "images".to_string(), heads)];
    for (name, class) in names.iter().zip(&metrics.classes) {
        let there = class.samples > 0;
        // Without an image there is no recall, and without one that was said to be of the class no precision.
        let precision = (class.predicted > 0).then_some(class.precision);
        let cells = [precision, there.then_some(class.recall), there.then_some(class.f1)];
        let cells = [cells[0], cells[1], cells[2], class.auroc, class.average_precision].map(percent);
        lines.push(row(name, class.samples.to_string(), cells));
    }
    for (name, mean) in [("mean", &metrics.macro_average), ("weighted", &metrics.weighted_average)] {
        let Averages { precision, recall, f1, auroc, average_precision } = *mean;
        let cells = [Some(precision), Some(recall), Some(f1), auroc, average_precision].map(percent);
        lines.push(row(name, metrics.samples.to_string(), cells));
    }
    lines.join("\n")
}
