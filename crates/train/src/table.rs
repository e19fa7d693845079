//! `results.csv`: one row an epoch, in Ultralytics' columns, with the measures of training and the pace behind them.

use std::path::Path;

use crate::error::{Result, TrainError};
use crate::observer::EpochRecord;
use crate::scores::Scores;

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    Epoch,
    Step,
    /// Seconds since the start of the run.
    Time,
    Rate,
    Speed,
    /// Loss or a measure, of training.
    Train(String),
    /// The same of the evaluation.
    Eval(String),
}

const LOSS: &str = "loss";
/// The share of right classes, as files of Ultralytics call it.
const TOP1: [&str; 2] = ["accuracy", "accuracy_top1"];

impl Column {
    /// The column of a name, also of those before today's (`train_loss`).
    fn of(name: &str) -> Option<Column> {
        let measure = |name: &str| if name == TOP1[1] { TOP1[0].to_string() } else { name.to_string() };
        Some(match name {
            "epoch" => Column::Epoch,
            "step" => Column::Step,
            "time" | "seconds" => Column::Time,
            "lr/pg0" | "learning_rate" => Column::Rate,
            "images_per_second" => Column::Speed,
            name => {
                let train = name.strip_prefix("train/").or_else(|| name.strip_prefix("train_"));
                let eval = ["metrics/", "val/", "eval_"].iter().find_map(|prefix| name.strip_prefix(prefix));
                match (train, eval) {
                    (Some(train), _) => Column::Train(measure(train)),
                    (None, eval) => Column::Eval(measure(eval?)),
                }
            }
        })
    }

    fn name(&self) -> String {
        let measure = |name: &str| if name == TOP1[0] { TOP1[1].to_string() } else { name.to_string() };
        match self {
            Column::Epoch => "epoch".into(),
            Column::Step => "step".into(),
            Column::Time => "time".into(),
            Column::Rate => "lr/pg0".into(),
            Column::Speed => "images_per_second".into(),
            Column::Train(name) => format!("train/{}", measure(name)),
            Column::Eval(name) if name == LOSS => "val/loss".into(),
            Column::Eval(name) => format!("metrics/{}", measure(name)),
        }
    }

    fn value(&self, r: &EpochRecord) -> String {
        let of = |scores: &Scores, name: &str| if name == LOSS { scores.loss } else { scores.get(name) };
        match self {
            Column::Epoch => r.epoch.to_string(),
            Column::Step => r.step.to_string(),
            Column::Time => format!("{:.3}", r.seconds),
            Column::Rate => r.lr.to_string(),
            Column::Speed => format!("{:.1}", r.images_per_second),
            Column::Train(name) => of(&r.train, name).to_string(),
            Column::Eval(name) => of(&r.eval, name).to_string(),
        }
    }
}

/// The columns of a table whose epochs have these measures.
fn columns(record: Option<&EpochRecord>) -> Vec<Column> {
    let names = |scores: Option<&Scores>| -> Vec<String> {
        scores.map_or(vec![], |scores| scores.measures.iter().map(|(name, _)| name.clone()).collect())
    };
    let eval = names(record.map(|r| &r.eval)).into_iter().map(Column::Eval);
    let train = names(record.map(|r| &r.train)).into_iter().map(Column::Train);
    let head = [Column::Epoch, Column::Time, Column::Train(LOSS.into())];
    let middle = [Column::Eval(LOSS.into()), Column::Rate];
    head.into_iter().chain(eval).chain(middle).chain(train).chain([Column::Step, Column::Speed]).collect()
}

/// The file's text.
pub(crate) fn to_csv(records: &[EpochRecord]) -> String {
    let columns = columns(records.first());
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let head = line(columns.iter().map(Column::name).collect());
    head + &records.iter().map(|r| line(columns.iter().map(|column| column.value(r)).collect())).collect::<String>()
}

/// The rows of a file's text; `path` is for messages.
pub(crate) fn from_csv(path: &Path, text: &str) -> Result<Vec<EpochRecord>> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("");
    let found: Option<Vec<Column>> = first.split(',').map(Column::of).collect();
    let needed = columns(None);
    let whole = |found: &Vec<Column>| needed.iter().all(|column| found.iter().filter(|c| *c == column).count() == 1);
    let Some(found) = found.filter(whole) else {
        return Err(TrainError::corrupt(path, "its first line is not that of a table of epochs"));
    };
    let bad = |line: &str| TrainError::corrupt(path, format!("not a row of a table of epochs: {line}"));
    lines.map(|line| row(line, &found).ok_or_else(|| bad(line))).collect()
}

fn row(line: &str, columns: &[Column]) -> Option<EpochRecord> {
    let empty = || Scores { loss: f64::NAN, measures: vec![] };
    let mut record =
        EpochRecord { epoch: 0, step: 0, train: empty(), eval: empty(), lr: 0.0, seconds: 0.0, images_per_second: 0.0 };
    let fields: Vec<&str> = line.split(',').collect();
    if fields.len() != columns.len() {
        return None;
    }
    for (column, field) in columns.iter().zip(fields) {
        let number = || field.parse::<f64>().ok();
        match column {
            Column::Epoch => record.epoch = field.parse().ok()?,
            Column::Step => record.step = field.parse().ok()?,
            Column::Time => record.seconds = number()?,
            Column::Rate => record.lr = number()?,
            Column::Speed => record.images_per_second = number()?,
            Column::Train(name) => put(&mut record.train, name, number()?),
            Column::Eval(name) => put(&mut record.eval, name, number()?),
        }
    }
    Some(record)
}

fn put(scores: &mut Scores, name: &str, value: f64) {
    if name == LOSS {
        scores.loss = value;
    } else {
        scores.measures.push((name.to_string(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpochRecord {
        EpochRecord {
            epoch: 2,
            step: 936,
            train: Scores { loss: 0.1 + 0.2, measures: vec![("accuracy".into(), 0.987)] },
            eval: Scores { loss: 1e-9, measures: vec![("map".into(), 1.0), ("coverage".into(), 0.25)] },
            lr: 3e-4,
            seconds: 1.5,
            images_per_second: 12345.5,
        }
    }

    #[test]
    fn rows_come_back_with_all_their_digits() {
        let rows = [record(), EpochRecord { epoch: 3, ..record() }];
        assert_eq!(from_csv(Path::new("r.csv"), &to_csv(&rows)).expect("read"), rows);
    }

    #[test]
    fn the_columns_are_those_of_ultralytics_and_behind_them_ours() {
        let measures = vec![("accuracy".into(), 0.5), ("accuracy_top5".into(), 0.75)];
        let of_classes = EpochRecord { eval: Scores { loss: 0.5, measures }, ..record() };
        let text = to_csv(std::slice::from_ref(&of_classes));
        let columns = "epoch,time,train/loss,metrics/accuracy_top1,metrics/accuracy_top5,val/loss,lr/pg0,train/accuracy_top1,step,images_per_second";
        assert_eq!(text.lines().next(), Some(columns));
        assert_eq!(from_csv(Path::new("r.csv"), &text).expect("read"), [of_classes]);
        let text = to_csv(&[record()]);
        assert!(text.starts_with("epoch,time,train/loss,metrics/map,metrics/coverage,val/loss,lr/pg0,"), "{text}");
        assert_eq!(from_csv(Path::new("r.csv"), &to_csv(&[])).expect("no epoch yet"), []);
    }

    #[test]
    fn tables_of_before_todays_columns_are_read() {
        let text = "epoch,step,train_loss,train_accuracy,eval_loss,eval_map,eval_coverage,learning_rate,seconds,images_per_second\n\
                    2,936,0.30000000000000004,0.987,0.000000001,1,0.25,0.0003,1.500,12345.5\n";
        assert_eq!(from_csv(Path::new("m.csv"), text).expect("read"), [record()]);
    }

    #[test]
    fn other_text_is_refused_by_name() {
        let good = to_csv(&[record()]);
        let cut = &good[..good.len() - 20];
        for text in ["", "a,b\n1,2\n", "epoch,epoch\n1,2\n", cut, &format!("{good}1,2,3\n")] {
            let error = from_csv(Path::new("r.csv"), text).expect_err("refused");
            assert!(error.to_string().starts_with("r.csv: "), "{error}");
        }
    }
}
