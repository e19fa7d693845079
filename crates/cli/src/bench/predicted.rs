//! `--model CARD`: predicts the rows for a card that need not be here.

use std::process::ExitCode;

use chiaro_bench::{Card, Workload};
use serde::Serialize;
use serde_json::json;

use super::calls::CallRow;
use super::model::Predicted;
use super::report::precision;
use super::{Args, calls, model, table};
use crate::output::{line, save};
use crate::usage::Usage;

/// A row as the model sees it.
#[derive(Serialize)]
struct PredictedRow<'a> {
    name: &'a str,
    precision: String,
    model: Predicted,
    calls: Vec<CallRow>,
}

/// Predicts the rows.
pub fn run(args: &Args, card: &Card, cases: &[Workload]) -> anyhow::Result<ExitCode> {
    if cases.is_empty() {
        return Err(Usage(
            "--model predicts kernels and steps, and --filter leaves none; --list shows their names".into(),
        )
        .into());
    }
    let rates = card.rates();
    line(&format!("model of {}; nothing is run", card.name))?;
    table::rates(&rates)?;
    let mut rows = vec![];
    for case in cases {
        let planned = model::calls(card, &args.switches, case)?;
        let row = PredictedRow {
            name: &case.name,
            precision: precision(case.dtype),
            model: Predicted::of(&rates, &planned),
            calls: model::rows(&rates, &planned),
        };
        line(&format!("{:<46} {:>4} {:>5} dispatches", row.name, row.precision, row.calls.len()))?;
        line(&table::model(&row.model, None))?;
        if args.calls {
            table::calls(&row.calls)?;
        }
        rows.push(row);
    }
    if let Some(path) = &args.json {
        let text = json!({ "card": card.name, "switches": args.switches.json(), "rows": rows });
        save(path, &serde_json::to_string_pretty(&text)?)?;
    }
    if let Some(path) = &args.csv {
        let all = rows.iter().map(|row| (row.name, row.precision.as_str(), &row.calls[..]));
        save(path, &calls::csv(all))?;
    }
    Ok(ExitCode::SUCCESS)
}
