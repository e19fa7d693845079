//! The confusion matrix: which class was taken for which.

use std::fmt;

/// Counts of predictions by label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: Vec<String>,
    counts: Vec<u64>,
}

impl Confusion {
    /// No counts yet.
    pub fn new(classes: Vec<String>) -> Confusion {
        let counts = vec![0; classes.len() * classes.len()];
        Confusion { classes, counts }
    }

    /// Counts one prediction. Numbers of classes that do not exist are left out.
    pub fn count(&mut self, label: usize, predicted: usize) {
        let n = self.classes.len();
        if label < n && predicted < n {
            self.counts[label * n + predicted] += 1;
        }
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How often `label` was taken for each class.
    pub fn row(&self, label: usize) -> &[u64] {
        let n = self.classes.len();
        &self.counts[label * n..(label + 1) * n]
    }

    /// Share of samples classified correctly; NaN where there are none.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes.len()).map(|class| self.row(class)[class]).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// For each class: samples, and the share of them classified correctly; `None` where there is no sample.
    pub fn per_class(&self) -> Vec<(u64, Option<f64>)> {
        let of = |label: usize| {
            let row = self.row(label);
            let samples: u64 = row.iter().sum();
            (samples, (samples > 0).then(|| row[label] as f64 / samples as f64))
        };
        (0..self.classes.len()).map(of).collect()
    }
}

impl fmt::Display for Confusion {
    /// The matrix: a row for each label, a column for each prediction, by number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |n: u64| n.to_string().len();
        let n = self.classes.len();
        let width = self.counts.iter().copied().chain([n as u64]).map(digits).max().unwrap_or(1);
        let names = self.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, 24);
        write!(f, "{:>names$}    ", "label")?;
        for column in 0..n {
            write!(f, " {column:>width$}")?;
        }
        for (label, name) in self.classes.iter().enumerate() {
            let name: String = name.chars().take(names).collect();
            write!(f, "\n{name:>names$} {label:>2} ")?;
            for count in self.row(label) {
                write!(f, " {count:>width$}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_give_accuracy_of_each_class() {
        let mut confusion = Confusion::new(vec!["cat".into(), "dog".into(), "none".into()]);
        for (label, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1), (7, 0), (0, 7)] {
            confusion.count(label, predicted);
        }
        assert_eq!(confusion.row(0), [1, 1, 0]);
        assert_eq!(confusion.per_class(), [(2, Some(0.5)), (2, Some(1.0)), (0, None)]);
        let text = confusion.to_string();
        assert_eq!(text, "label     0 1 2\n  cat  0  1 1 0\n  dog  1  0 2 0\n none  2  0 0 0");
    }
}
