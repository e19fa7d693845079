//! Builder methods of losses.

use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{CrossEntropySpec, Op};

/// How a loss of each element becomes one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// The losses themselves.
    None,
    /// Their sum.
    Sum,
    /// Their mean (weighted, for cross-entropy with class weights).
    #[default]
    Mean,
}

/// Options of [`Graph::cross_entropy`].
#[derive(Clone, Debug)]
pub struct CrossEntropyOptions {
    /// Weight of each class, `[C]`.
    pub class_weight: Option<Var>,
    /// Share of the target spread evenly over the classes (arXiv:1512.00567).
    pub label_smoothing: f64,
    /// Targets with this value have no loss and no gradient.
    pub ignore_index: i32,
    /// How rows are combined.
    pub reduction: Reduction,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        CrossEntropyOptions { class_weight: None, label_smoothing: 0.0, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl Graph {
    /// Softmax cross-entropy of logits `[M,C]` with class indices (i32 `[M]`) or class probabilities (float `[M,C]`).
    /// The mean over indices divides by the summed weights of the targets that are not ignored, over probabilities by M.
    /// With class indices the loss is f32 even of 16-bit logits.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn cross_entropy(&mut self, logits: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        let &[m, c] = self.shape(logits) else {
            return Err(self.shape_error("cross_entropy", &[self.shape(logits)], "the logits must be [M,C]".into()));
        };
        let soft = self.dtype(target).is_float();
        let want: &[usize] = if soft { &[m, c] } else { &[m] };
        if self.shape(target) != want {
            let shapes = [self.shape(logits), self.shape(target)];
            return Err(self.shape_error("cross_entropy", &shapes, format!("the target must be {want:?}")));
        }
        if let Some(weight) = options.class_weight
            && self.shape(weight) != [c]
        {
            let shapes = [self.shape(logits), self.shape(weight)];
            return Err(self.shape_error("cross_entropy", &shapes, format!("class weights must be [{c}]")));
        }
        if soft {
            return self.soft_cross_entropy(logits, target, options);
        }
        let dtype = self.dtype(logits).compute();
        let class_weight = options.class_weight.map(|w| self.cast(w, dtype));
        let mut inputs = vec![logits, target];
        inputs.extend(class_weight);
        let spec =
            CrossEntropySpec { smoothing_bits: options.label_smoothing.to_bits(), ignore_index: options.ignore_index };
        let rows = self.push(Op::CrossEntropy(spec), inputs, vec![m], dtype);
        if options.reduction != Reduction::Mean {
            return self.reduce_loss(rows, options.reduction);
        }
        let total = self.sum(rows, &[0], false)?;
        let weight = self.target_weight(target, options, dtype)?;
        let weight = self.sum(weight, &[0], false)?;
        self.div(total, weight)
    }

    /// Weight of each row: that of its class, 0 if it is ignored.
    fn target_weight(&mut self, target: Var, options: &CrossEntropyOptions, dtype: DType) -> Result<Var> {
        let counted = self.map_scalars(Elementwise::NotEqual, target, &[f64::from(options.ignore_index)])?;
        let Some(weight) = options.class_weight else {
            return Ok(self.cast(counted, dtype));
        };
        let zero_index = self.scalar(0.0, DType::I32);
        let safe = self.where_(counted, target, zero_index)?;
        let of_class = self.index_select(weight, safe, 0)?;
        let of_class = self.cast(of_class, dtype);
        let zero = self.scalar(0.0, dtype);
        self.where_(counted, of_class, zero)
    }

    fn soft_cross_entropy(&mut self, logits: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        let (m, c) = (self.shape(logits)[0], self.shape(logits)[1]);
        let mut target = target;
        if options.label_smoothing > 0.0 {
            target = self.map_scalars(Elementwise::Mul, target, &[1.0 - options.label_smoothing])?;
            target = self.map_scalars(Elementwise::Add, target, &[options.label_smoothing / c as f64])?;
        }
        let mut log_p = self.softmax(logits, 1, true)?;
        if let Some(weight) = options.class_weight {
            log_p = self.mul(log_p, weight)?;
        }
        let product = self.mul(log_p, target)?;
        let rows = self.sum(product, &[1], false)?;
        let rows = self.unary(Elementwise::Neg, rows)?;
        if options.reduction == Reduction::Mean {
            let total = self.sum(rows, &[0], false)?;
            return self.map_scalars(Elementwise::Mul, total, &[1.0 / m as f64]);
        }
        self.reduce_loss(rows, options.reduction)
    }

    /// Negative log-likelihood of log-probabilities `[M,C]` at class indices `[M]`; options as in
    /// [`Graph::cross_entropy`], without smoothing.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn nll_loss(&mut self, log_p: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        let &[m, _] = self.shape(log_p) else {
            return Err(self.shape_error("nll_loss", &[self.shape(log_p)], "log-probabilities must be [M,C]".into()));
        };
        let dtype = self.dtype(log_p);
        let weight = self.target_weight(target, options, dtype)?;
        let counted = self.map_scalars(Elementwise::NotEqual, target, &[f64::from(options.ignore_index)])?;
        let zero = self.scalar(0.0, DType::I32);
        let safe = self.where_(counted, target, zero)?;
        let index = self.reshape(safe, &[m, 1])?;
        let picked = self.gather(log_p, index, 1)?;
        let picked = self.reshape(picked, &[m])?;
        let product = self.mul(picked, weight)?;
        let rows = self.unary(Elementwise::Neg, product)?;
        if options.reduction != Reduction::Mean {
            return self.reduce_loss(rows, options.reduction);
        }
        let (total, weight) = (self.sum(rows, &[0], false)?, self.sum(weight, &[0], false)?);
        self.div(total, weight)
    }

    /// Combines the losses of all elements.
    ///
    /// # Errors
    /// If x is no float.
    pub fn reduce_loss(&mut self, x: Var, reduction: Reduction) -> Result<Var> {
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
    /// If shapes or types do not fit.
    pub fn mse_loss(&mut self, x: Var, target: Var, reduction: Reduction) -> Result<Var> {
        let d = self.sub(x, target)?;
        let square = self.unary(Elementwise::Square, d)?;
        self.reduce_loss(square, reduction)
    }

    /// Absolute error.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn l1_loss(&mut self, x: Var, target: Var, reduction: Reduction) -> Result<Var> {
        let d = self.sub(x, target)?;
        let size = self.unary(Elementwise::Abs, d)?;
        self.reduce_loss(size, reduction)
    }

    /// Huber's loss: d²/2 for |d| < delta, else delta (|d| - delta/2). Divided by delta it is the smooth L1 loss.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn huber_loss(&mut self, x: Var, target: Var, delta: f64, reduction: Reduction) -> Result<Var> {
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

    /// Smooth L1 loss: Huber's loss divided by `beta`.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn smooth_l1_loss(&mut self, x: Var, target: Var, beta: f64, reduction: Reduction) -> Result<Var> {
        let huber = self.huber_loss(x, target, beta, reduction)?;
        self.map_scalars(Elementwise::Mul, huber, &[1.0 / beta])
    }

    /// Binary cross-entropy of logits with targets in [0, 1]; `pos_weight` multiplies the positive part.
    /// Computed as (1-t) x + (1 + (w-1) t) softplus(-x), which does not overflow.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn bce_with_logits(
        &mut self,
        x: Var,
        target: Var,
        pos_weight: Option<Var>,
        reduction: Reduction,
    ) -> Result<Var> {
        let negative = self.unary(Elementwise::Neg, x)?;
        let mut softplus = self.map_scalars(Elementwise::Softplus, negative, &[1.0, f64::from(f32::MAX)])?;
        if let Some(weight) = pos_weight {
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
