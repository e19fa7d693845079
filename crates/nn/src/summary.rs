//! What a model is made of, counted from what its layers declare.

use crate::declare::{Declared, DeclaredState, StateKind};
use crate::models::Model;
use chiaro_graph::shape::count;
use std::fmt;

/// A layer that has parameters or ops of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// Layer path.
    pub path: String,
    /// Kind of layer.
    pub kind: &'static str,
    /// Extents of the result for one image, without the batch axis.
    pub output: Vec<usize>,
    /// Trainable numbers.
    pub parameters: usize,
    /// Two for each multiplication with addition of convolutions and matrix products, for one image, forward.
    pub flops: u64,
}

/// The layers of a model in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// Height, width, channels.
    pub image: [usize; 3],
    /// The layers.
    pub rows: Vec<SummaryRow>,
    /// What whoever trains it should be told; see [`Module::remark`](crate::Module::remark).
    pub remark: Option<String>,
}

impl Summary {
    /// Counts what the model declares.
    pub fn of(model: &Model) -> Summary {
        let Declared { states, layers } = model.declared();
        let mut rows = vec![];
        for layer in layers {
            let inner = format!("{}/", layer.path);
            let parameters = own_parameters(states, &layer.path.replace('/', "."));
            if parameters == 0 && layer.flops == 0 && layers.iter().any(|other| other.path.starts_with(&inner)) {
                continue;
            }
            // A single number has no axis of pictures.
            let output = layer.output.get(1..).unwrap_or_default().to_vec();
            rows.push(SummaryRow {
                path: layer.path.clone(),
                kind: layer.kind,
                output,
                parameters,
                flops: layer.flops,
            });
        }
        // What stands under no layer of its name is the model's own.
        let all = states.iter().filter(|s| s.kind == StateKind::Parameter);
        let all = all.fold(0usize, |sum, s| sum.saturating_add(count(&s.shape)));
        let parameters =
            all - rows.iter().fold(0, |sum: usize, row: &SummaryRow| sum.saturating_add(row.parameters)).min(all);
        if parameters > 0 {
            let (path, kind) = ("(model)".to_string(), model.module.kind());
            rows.push(SummaryRow { path, kind, output: vec![model.classes], parameters, flops: 0 });
        }
        Summary { name: model.name.clone(), image: model.image, rows, remark: model.remark() }
    }

    /// Trainable numbers of all layers.
    pub fn parameters(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.parameters))
    }

    /// Numbers in the results of all layers for one image.
    pub fn results(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(count(&row.output)))
    }

    /// FLOPs of the forward pass of one image.
    pub fn flops(&self) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.flops))
    }
}

/// Trainable numbers of the layer at this path, those of layers within it left out.
fn own_parameters(states: &[DeclaredState], path: &str) -> usize {
    let layer = |s: &DeclaredState| s.name.rsplit_once('.').map_or("", |(layer, _)| layer) == path;
    let own = states.iter().filter(|s| s.kind == StateKind::Parameter && layer(s));
    own.fold(0usize, |sum, s| sum.saturating_add(count(&s.shape)))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [h, w, c] = self.image;
        writeln!(f, "{} on {h}x{w}x{c}", self.name)?;
        let widest = |len: fn(&SummaryRow) -> usize, least: usize| self.rows.iter().map(len).fold(least, usize::max);
        let (width, kinds) = (widest(|row| row.path.len(), 5), widest(|row| row.kind.len(), 13));
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 5]| {
            let [path, kind, output, parameters, mflop] = cells;
            writeln!(f, "{path:<width$}  {kind:<kinds$}  {output:<14}  {parameters:>12}  {mflop:>10}")
        };
        line(f, ["layer", "kind", "output", "parameters", "MFLOP"])?;
        let mega = |flops: u64| if flops == 0 { "-".into() } else { format!("{:.3}", flops as f64 / 1e6) };
        for row in &self.rows {
            let output = row.output.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
            line(f, [&row.path, row.kind, &output, &grouped(row.parameters), &mega(row.flops)])?;
        }
        line(f, ["total", "", "", &grouped(self.parameters()), &mega(self.flops())])?;
        self.remark.iter().try_for_each(|remark| writeln!(f, "note: {remark}"))
    }
}

/// Digits in groups of three.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
