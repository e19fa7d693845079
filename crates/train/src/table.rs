//! `metrics.csv`: one row an epoch.

use std::path::Path;

use crate::error::{Result, TrainError};
use crate::observer::EpochRecord;

const HEADER: &str =
    "epoch,step,train_loss,train_accuracy,eval_loss,eval_accuracy,learning_rate,seconds,images_per_second";

/// The file's text.
pub(crate) fn to_csv(records: &[EpochRecord]) -> String {
    let mut text = format!("{HEADER}\n");
    for r in records {
        text += &format!(
            "{},{},{},{},{},{},{},{:.3},{:.1}\n",
            r.epoch,
            r.step,
            r.train_loss,
            r.train_accuracy,
            r.eval_loss,
            r.eval_accuracy,
            r.lr,
            r.seconds,
            r.images_per_second
        );
    }
    text
}

/// The rows of a file's text; `path` is for messages.
pub(crate) fn from_csv(path: &Path, text: &str) -> Result<Vec<EpochRecord>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(TrainError::corrupt(path, "its first line is not that of a metrics table"));
    }
    let bad = |line: &str| TrainError::corrupt(path, format!("not a row of a metrics table: {line}"));
    lines.map(|line| row(line).ok_or_else(|| bad(line))).collect()
}

fn row(line: &str) -> Option<EpochRecord> {
    let fields: Vec<&str> = line.split(',').collect();
    let [epoch, step, rest @ ..] = fields.as_slice() else { return None };
    let rest: Vec<f64> = rest.iter().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let &[train_loss, train_accuracy, eval_loss, eval_accuracy, lr, seconds, images_per_second] = rest.as_slice()
    else {
        return None;
    };
    Some(EpochRecord {
        epoch: epoch.parse().ok()?,
        step: step.parse().ok()?,
        train_loss,
        train_accuracy,
        eval_loss,
        eval_accuracy,
        lr,
        seconds,
        images_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpochRecord {
        EpochRecord {
            epoch: 2,
            step: 936,
            train_loss: 0.1 + 0.2,
            train_accuracy: 0.987,
            eval_loss: 1e-9,
            eval_accuracy: 1.0,
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
    fn other_text_is_refused_by_name() {
        let good = to_csv(&[record()]);
        let cut = &good[..good.len() - 20];
        for text in ["", "a,b\n1,2\n", cut, &format!("{good}1,2,3\n")] {
            let error = from_csv(Path::new("m.csv"), text).expect_err("refused");
            assert!(error.to_string().starts_with("m.csv: "), "{error}");
        }
    }
}
