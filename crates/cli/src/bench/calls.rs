//! The dispatches of a row one by one: work, measured time, share of the roofline, and what the model says.

use chiaro::graph::{Call, Peaks};
use chiaro_bench::Rates;
use serde::Serialize;

/// One dispatch.
#[derive(Clone, Serialize)]
pub struct CallRow {
    pub kernel: String,
    pub label: String,
    /// The extents it works on.
    pub shape: String,
    /// The tile of a product or convolution.
    pub tile: Option<String>,
    /// Absent where the device has no workgroups.
    pub workgroups: Option<u64>,
    /// Invocations of a workgroup.
    pub invocations: Option<u32>,
    pub flop: u64,
    /// Bytes read and written, each operand once.
    pub bytes: u64,
    /// Bytes that workgroups load, counted as often as they do, and that they move in their own memory.
    pub loaded_bytes: Option<u64>,
    pub workgroup_memory_bytes: Option<u64>,
    /// Runs that were timed dispatch by dispatch, and the median of the dispatch's times.
    pub runs: usize,
    pub median_seconds: Option<f64>,
    /// The least seconds by the measured roofline.
    pub bound_seconds: Option<f64>,
    pub roofline_percent: Option<f64>,
    /// What the model of the card says, and what it says the dispatch is limited by.
    pub model_seconds: Option<f64>,
    pub model_limit: Option<&'static str>,
}

impl CallRow {
    /// A dispatch with the times of its runs.
    pub fn new(call: &Call, times: &[f64], peaks: Option<&Peaks>, model: Option<&Rates>) -> CallRow {
        let launch = call.launch.as_ref();
        let median = median(times);
        let bound = peaks.map(|peaks| peaks.bound([call]));
        let estimate = model.map(|rates| rates.estimate(call));
        CallRow {
            kernel: call.kernel.clone(),
            label: call.label.clone(),
            shape: call.shape.clone(),
            tile: launch.and_then(|l| l.tile.clone()),
            workgroups: launch.map(|l| l.workgroups),
            invocations: launch.map(|l| l.invocations),
            flop: call.flops,
            bytes: call.bytes,
            loaded_bytes: launch.map(|l| l.loaded_bytes),
            workgroup_memory_bytes: launch.map(|l| l.near_bytes),
            runs: times.len(),
            median_seconds: median,
            bound_seconds: bound,
            roofline_percent: bound.zip(median).filter(|(_, m)| *m > 0.0).map(|(bound, median)| 100.0 * bound / median),
            model_seconds: estimate.map(|e| e.seconds),
            model_limit: estimate.map(|e| e.limit.name()),
        }
    }
}

/// The time in the middle.
pub fn median(times: &[f64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

const COLUMNS: [&str; 17] = [
    "row",
    "precision",
    "number",
    "kernel",
    "label",
    "shape",
    "tile",
    "workgroups",
    "invocations",
    "flop",
    "bytes",
    "runs",
    "median_seconds",
    "bound_seconds",
    "roofline_percent",
    "model_seconds",
    "model_limit",
];

/// The table of all dispatches of all rows as CSV (RFC 4180).
pub fn csv<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str, &'a [CallRow])>) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for (row, precision, calls) in rows {
        for (number, call) in calls.iter().enumerate() {
            let fields = [vec![row.to_owned(), precision.to_owned(), number.to_string()], fields(call)].concat();
            let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text += &(fields.join(",") + "\n");
        }
    }
    text
}

fn fields(call: &CallRow) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:e}"));
    let count = |value: Option<u64>| value.map_or(String::new(), |v| v.to_string());
    vec![
        call.kernel.clone(),
        call.label.clone(),
        call.shape.clone(),
        call.tile.clone().unwrap_or_default(),
        count(call.workgroups),
        count(call.invocations.map(u64::from)),
        call.flop.to_string(),
        call.bytes.to_string(),
        call.runs.to_string(),
        number(call.median_seconds),
        number(call.bound_seconds),
        number(call.roofline_percent),
        number(call.model_seconds),
        call.model_limit.unwrap_or_default().to_owned(),
    ]
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_are_quoted_and_every_line_has_all_columns() {
        let call = Call { kernel: "Reduce".into(), label: "a, \"b\"".into(), bytes: 8, ..Call::default() };
        let rows = [CallRow::new(&call, &[3.0, 1.0, 2.0], None, None)];
        let text = csv([("batch norm, relu", "f32", &rows[..])]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split(',').count(), COLUMNS.len());
        assert_eq!(lines[1], "\"batch norm, relu\",f32,0,Reduce,\"a, \"\"b\"\"\",,,,,0,8,3,2e0,,,,");
    }

    #[test]
    fn the_median_of_an_even_number_is_the_later_of_the_two() {
        assert_eq!((median(&[]), median(&[4.0, 1.0]), median(&[3.0, 1.0, 2.0])), (None, Some(4.0), Some(2.0)));
    }
}
