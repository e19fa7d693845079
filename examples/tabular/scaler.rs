//! Standard scaling: each column less its mean, by its standard deviation.

use std::error::Error;

/// Mean and standard deviation of each column, of training rows alone: who scales by all rows has looked at the test.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations, of the whole (divided by n, as scikit-learn's); 1 of a column that is always the same.
    pub std: Vec<f64>,
}

impl Scaler {
    /// That of some rows, all as long.
    pub fn fit<'r>(rows: impl Iterator<Item = &'r [f64]> + Clone) -> Scaler {
        let n = rows.clone().count().max(1) as f64;
        let columns = rows.clone().next().map_or(0, <[f64]>::len);
        let mean: Vec<f64> = (0..columns).map(|c| rows.clone().map(|row| row[c]).sum::<f64>() / n).collect();
        let deviation = |c: usize| {
            let variance = rows.clone().map(|row| (row[c] - mean[c]).powi(2)).sum::<f64>() / n;
            if variance > 0.0 { variance.sqrt() } else { 1.0 }
        };
        Scaler { std: (0..columns).map(deviation).collect(), mean }
    }

    /// A row scaled.
    pub fn scaled(&self, row: &[f64]) -> Vec<f32> {
        row.iter().zip(&self.mean).zip(&self.std).map(|((v, mean), std)| ((v - mean) / std) as f32).collect()
    }

    /// A column's number as it was before scaling.
    pub fn unscaled(&self, column: usize, value: f64) -> f64 {
        value * self.std[column] + self.mean[column]
    }

    /// As a file keeps it: every digit.
    pub fn to_text(&self) -> String {
        serde_json::json!({"mean": self.mean, "std": self.std}).to_string()
    }

    /// From such text.
    pub fn from_text(text: &str) -> Result<Scaler, Box<dyn Error>> {
        let json: serde_json::Value = serde_json::from_str(text)?;
        let list =
            |key: &str| -> Option<Vec<f64>> { json[key].as_array()?.iter().map(serde_json::Value::as_f64).collect() };
        let (mean, std) =
            (list("mean").ok_or("a scaler without means")?, list("std").ok_or("a scaler without deviations")?);
        Ok(Scaler { mean, std })
    }
}
