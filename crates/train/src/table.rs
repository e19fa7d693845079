//! `metrics.csv`: one row an epoch.

use std::path::Path;

use crate::error::{Result, TrainError};
use crate::observer::EpochRecord;
use crate::scores::Scores;

/// The file's text.
pub(crate) fn to_csv(records: &[EpochRecord]) -> String {
    let (train, eval) = records.first().map_or((vec![], vec![]), |r| (names(&r.train), names(&r.eval)));
    let mut text = format!("{}\n", header(&train, &eval));
    for r in records {
        let numbers = [values(&r.train), values(&r.eval)].concat();
        let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
        text += &format!(
            "{},{},{},{},{:.3},{:.1}\n",
            r.epoch,
            r.step,
            numbers.join(","),
            r.lr,
            r.seconds,
            r.images_per_second
        );
    }
    text
}

/// The first line: loss and measures of training and evaluation between the place in the run and what it took.
fn header(train: &[String], eval: &[String]) -> String {
    let columns = |prefix: &str, names: &[String]| -> String {
        ["loss"].into_iter().chain(names.iter().map(String::as_str)).map(|name| format!("{prefix}_{name},")).collect()
    };
    let (train, eval) = (columns("train", train), columns("eval", eval));
    format!("epoch,step,{train}{eval}learning_rate,seconds,images_per_second")
}

fn names(scores: &Scores) -> Vec<String> {
    scores.measures.iter().map(|(name, _)| name.clone()).collect()
}

fn values(scores: &Scores) -> Vec<f64> {
    [scores.loss].into_iter().chain(scores.measures.iter().map(|(_, value)| *value)).collect()
}

/// The rows of a file's text; `path` is for messages.
pub(crate) fn from_csv(path: &Path, text: &str) -> Result<Vec<EpochRecord>> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("");
    let of = |prefix: &str| -> Vec<String> {
        let names = first.split(',').filter_map(|column| column.strip_prefix(prefix));
        names.filter(|name| *name != "loss").map(str::to_string).collect()
    };
    let (train, eval) = (of("train_"), of("eval_"));
    if first != header(&train, &eval) {
        return Err(TrainError::corrupt(path, "its first line is not that of a metrics table"));
    }
    let bad = |line: &str| TrainError::corrupt(path, format!("not a row of a metrics table: {line}"));
    lines.map(|line| row(line, &train, &eval).ok_or_else(|| bad(line))).collect()
}

fn row(line: &str, train: &[String], eval: &[String]) -> Option<EpochRecord> {
    let fields: Vec<&str> = line.split(',').collect();
    let [epoch, step, rest @ ..] = fields.as_slice() else { return None };
    let rest: Vec<f64> = rest.iter().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let (trained, rest) = rest.split_at_checked(1 + train.len())?;
    let (evaluated, rest) = rest.split_at_checked(1 + eval.len())?;
    let &[lr, seconds, images_per_second] = rest else { return None };
    Some(EpochRecord {
        epoch: epoch.parse().ok()?,
        step: step.parse().ok()?,
        train: scores(train, trained),
        eval: scores(eval, evaluated),
        lr,
        seconds,
        images_per_second,
    })
}

fn scores(names: &[String], values: &[f64]) -> Scores {
    Scores { loss: values[0], measures: names.iter().cloned().zip(values[1..].iter().copied()).collect() }
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
        assert_eq!(from_csv(Path::new("m.csv"), &to_csv(&rows)).expect("read"), rows);
    }

    #[test]
    fn the_columns_are_those_of_the_measures() {
        let text = to_csv(&[record()]);
        let columns = "epoch,step,train_loss,train_accuracy,eval_loss,eval_map,eval_coverage,learning_rate,seconds,images_per_second";
        assert_eq!(text.lines().next(), Some(columns));
        assert_eq!(from_csv(Path::new("m.csv"), &to_csv(&[])).expect("no epoch yet"), []);
    }

    #[test]
    fn other_text_is_refused_by_name() {
        let good = to_csv(&[record()]);
        let cut = &good[..good.len() - 20];
        for text in ["", "a,b\n1,2\n", cut, &format!("{good}1,2,3\n")] {
            let error = from_csv(Path::new("m.csv"), text).expect_err("refused");
            assert!(error.to_string().starts_with("m.csv: "), "{error}");
        }
    }
}
