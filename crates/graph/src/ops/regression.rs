//! Builder methods of losses between values and targets of one shape.

use super::loss::Reduction;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::shape::broadcast;

impl Graph {
    /// Refuses a target that is not like x: a broadcast would weigh some elements more than others without a word.
    fn check_target(&self, op: &str, x: Var, target: Var) -> Result<()> {
        self.check_floats(op, &[x, target])?;
        if self.shape(x) == self.shape(target) {
            return Ok(());
        }
        let shapes = [self.shape(x), self.shape(target)];
        Err(self.shape_error(op, &shapes, "value and target must have one shape".into()))
    }

    /// Combines the losses of all elements.
    ///
    /// # Errors
    /// If x is no float.
    pub fn reduce_loss(&mut self, x: Var, reduction: Reduction) -> Result<Var> {
        self.check_floats("reduce_loss", &[x])?;
        let axes: Vec<usize> = (0..self.shape(x).len()).collect();
        match reduction {
            Reduction::None => Ok(x),
            Reduction::Sum => self.sum(x, &axes, false),
            Reduction::Mean => self.mean(x, &axes, false),
        }
    }

    /// Squared error.
    ///
    /// # Errors
    /// If shapes or types differ.
    pub fn mse_loss(&mut self, x: Var, target: Var, reduction: Reduction) -> Result<Var> {
        self.check_target("mse_loss", x, target)?;
        let d = self.sub(x, target)?;
        let square = self.unary(Elementwise::Square, d)?;
        self.reduce_loss(square, reduction)
    }

    /// Absolute error.
    ///
    /// # Errors
    /// If shapes or types differ.
    pub fn l1_loss(&mut self, x: Var, target: Var, reduction: Reduction) -> Result<Var> {
        self.check_target("l1_loss", x, target)?;
        let d = self.sub(x, target)?;
        let size = self.unary(Elementwise::Abs, d)?;
        self.reduce_loss(size, reduction)
    }

    /// Huber's loss: d²/2 for |d| < delta, else delta (|d| - delta/2). Divided by delta it is the smooth L1 loss.
    ///
    /// # Errors
    /// If shapes or types differ, or delta is not positive.
    pub fn huber_loss(&mut self, x: Var, target: Var, delta: f64, reduction: Reduction) -> Result<Var> {
        self.check_target("huber_loss", x, target)?;
        if delta.is_nan() || delta <= 0.0 {
            return Err(self.shape_error(
                "huber_loss",
                &[self.shape(x)],
                format!("delta must be positive, not {delta}"),
            ));
        }
        let d = self.sub(x, target)?;
        let size = self.unary(Elementwise::Abs, d)?;
        let near = self.map_scalars(Elementwise::Less, size, &[delta])?;
        let square = self.unary(Elementwise::Square, d)?;
        let quadratic = self.map_scalars(Elementwise::Mul, square, &[0.5])?;
        let shifted = self.map_scalars(Elementwise::Sub, size, &[0.5 * delta])?;
        let linear = self.map_scalars(Elementwise::Mul, shifted, &[delta])?;
        let rows = self.where_(near, quadratic, linear)?;
        self.reduce_loss(rows, reduction)
    }

    /// Smooth L1 loss: Huber's loss divided by `beta`; the absolute error where that is 0.
    ///
    /// # Errors
    /// If shapes or types differ, or beta is negative or no number.
    pub fn smooth_l1_loss(&mut self, x: Var, target: Var, beta: f64, reduction: Reduction) -> Result<Var> {
        if beta == 0.0 {
            return self.l1_loss(x, target, reduction);
        }
        let huber = self.huber_loss(x, target, beta, reduction)?;
        self.map_scalars(Elementwise::Mul, huber, &[1.0 / beta])
    }

    /// Binary cross-entropy of logits with targets in [0, 1]; `pos_weight` multiplies the positive part.
    /// Computed as (1-t) x + (1 + (w-1) t) softplus(-x), which does not overflow.
    ///
    /// # Errors
    /// If shapes or types differ, or `pos_weight` does not broadcast to x.
    pub fn bce_with_logits(
        &mut self,
        x: Var,
        target: Var,
        pos_weight: Option<Var>,
        reduction: Reduction,
    ) -> Result<Var> {
        self.check_target("bce_with_logits", x, target)?;
        let negative = self.unary(Elementwise::Neg, x)?;
        let mut softplus = self.map_scalars(Elementwise::Softplus, negative, &[1.0, f64::from(f32::MAX)])?;
        if let Some(weight) = pos_weight {
            self.check_floats("bce_with_logits", &[x, weight])?;
            let shapes = [self.shape(x), self.shape(weight)];
            if broadcast(shapes[0], shapes[1]).as_deref() != Some(shapes[0]) {
                return Err(self.shape_error("bce_with_logits", &shapes, "pos_weight must broadcast to x".into()));
            }
            let less = self.map_scalars(Elementwise::Sub, weight, &[1.0])?;
            let extra = self.mul(less, target)?;
            let factor = self.map_scalars(Elementwise::Add, extra, &[1.0])?;
            softplus = self.mul(softplus, factor)?;
        }
        let off = self.map_scalars(Elementwise::Sub, target, &[1.0])?;
        let linear = self.mul(off, x)?;
        let rows = self.sub(softplus, linear)?;
        self.reduce_loss(rows, reduction)
    }
}
