//! Softmax cross-entropy with class indices, and its gradient, row by row.

use super::operands::Operands;
use super::softmax::log_sum;
use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::CrossEntropySpec;

/// Loss of each row `w[t] (1-s) (-log p[t]) + s/C sum_c w[c] (-log p[c])`, or with a cotangent d the gradient
/// `d [w[t] (1-s) (p - e_t) + s/C (p sum_c w[c] - w)]`; 0 where ignored.
pub(crate) struct CrossEntropy {
    spec: CrossEntropySpec,
    rows: usize,
    classes: usize,
    logits: MemoryRegion,
    target: MemoryRegion,
    weight: Option<MemoryRegion>,
    cotangent: Option<MemoryRegion>,
    out: MemoryRegion,
}

impl CrossEntropy {
    pub fn new(
        spec: CrossEntropySpec,
        [rows, classes]: [usize; 2],
        weighted: bool,
        gradient: bool,
        o: &mut Operands<'_>,
        out: MemoryRegion,
    ) -> CrossEntropy {
        let (logits, target) = (o.input(0), o.input(1));
        let cotangent = gradient.then(|| o.input(2));
        let weight = weighted.then(|| o.input(2 + usize::from(gradient)));
        CrossEntropy { spec, rows, classes, logits, target, weight, cotangent, out }
    }

    /// Class of a row, or none if it is ignored. A class outside is the caller's error; it is moved inside.
    fn class(&self, row: usize) -> Option<usize> {
        let target = self.target.lane(row) as i32;
        (target != self.spec.ignore_index).then(|| (target.max(0) as usize).min(self.classes - 1))
    }

    fn weight(&self, class: usize) -> f32 {
        self.weight.map_or(1.0, |w| f32::from_bits(w.lane(class)))
    }

    fn loss(&self, r: usize) {
        let row = self.logits.floats(r * self.classes, self.classes);
        let loss = self.class(r).map_or(0.0, |t| {
            let (largest, log) = log_sum(row);
            let smoothing = self.spec.smoothing();
            let minus_log_p = |c: usize| f64::from(self.weight(c)) * f64::from(log - (row[c] - largest));
            let mut loss = (1.0 - smoothing) * minus_log_p(t);
            if smoothing != 0.0 {
                loss += smoothing / self.classes as f64 * (0..self.classes).map(minus_log_p).sum::<f64>();
            }
            loss as f32
        });
        self.out.floats_mut(r, 1)[0] = loss;
    }

    fn gradient(&self, r: usize, cotangent: MemoryRegion, total: f32) {
        let n = self.classes;
        let (row, out) = (self.logits.floats(r * n, n), self.out.floats_mut(r * n, n));
        let Some(t) = self.class(r) else { return out.fill(0.0) };
        let (largest, log) = log_sum(row);
        let d = f32::from_bits(cotangent.lane(r));
        let smoothing = self.spec.smoothing();
        let (hard, soft) = ((1.0 - smoothing) as f32 * self.weight(t), (smoothing / n as f64) as f32);
        for (c, (o, v)) in out.iter_mut().zip(row).enumerate() {
            let p = ((v - largest) - log).exp();
            let hit = if c == t { 1.0 } else { 0.0 };
            let spread = if soft == 0.0 { 0.0 } else { soft * (p * total - self.weight(c)) };
            *o = d * (hard * (p - hit) + spread);
        }
    }
}

impl Action for CrossEntropy {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        let total = (0..this.classes).map(|c| f64::from(this.weight(c))).sum::<f64>() as f32;
        for_each(this.rows, 16 * this.classes, |r| match this.cotangent {
            Some(cotangent) => this.gradient(r, cotangent, total),
            None => this.loss(r),
        });
    }
}
