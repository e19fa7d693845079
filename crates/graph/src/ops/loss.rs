//! Losses over classes: cross-entropy and negative log-likelihood.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::{CrossEntropySpec, Op};
use crate::plan::Kernel;
use crate::shape::count;

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

/// Options of [`Graph::cross_entropy`] and [`Graph::nll_loss`].
#[derive(Clone, Debug)]
pub struct CrossEntropyOptions {
    /// Weight of each class, `[C]`.
    pub class_weight: Option<Var>,
    /// Share of the target spread evenly over the classes, from 0 to 1 (arXiv:1512.00567).
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
    /// Softmax cross-entropy of logits `[..., C]` with class indices (i32 `[...]`) or class probabilities (float `[..., C]`):
    /// `[M,C]` for whole images, `[N,H,W,C]` for their pixels. The losses themselves have the shape `[...]`. The mean over indices
    /// divides by the summed weights of the targets that are not ignored, over probabilities by their number. With class
    /// indices the loss is f32 even of 16-bit logits.
    ///
    /// A class outside is an error of the step where the target is an input or a view of one; where the device computes it, it
    /// counts as the nearest class.
    ///
    /// # Errors
    /// If shapes or types do not fit, the class weights are not `[C]` or the smoothing is outside [0, 1].
    pub fn cross_entropy(&mut self, logits: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        let name = "cross_entropy";
        self.check_floats(name, &[logits])?;
        self.check_own(name, &[target])?;
        let soft = self.dtype(target).is_float();
        let (rows, c) = self.check_classes(name, logits, target, options)?;
        if !(0.0..=1.0).contains(&options.label_smoothing) {
            let detail = format!("the label smoothing {} is outside [0, 1]", options.label_smoothing);
            return Err(self.shape_error(name, &[self.shape(logits)], detail));
        }
        let m = count(&rows);
        let logits = self.reshape(logits, &[m, c])?;
        if soft {
            let target = self.reshape(target, &[m, c])?;
            let losses = self.soft_cross_entropy(logits, target, options)?;
            return self.reduced_rows(losses, &rows, options.reduction, None);
        }
        let target = self.reshape(target, &[m])?;
        let dtype = self.dtype(logits).compute();
        let mut inputs = vec![logits, target];
        if let Some(weight) = options.class_weight {
            inputs.push(self.cast(weight, dtype)?);
        }
        let spec =
            CrossEntropySpec { smoothing_bits: options.label_smoothing.to_bits(), ignore_index: options.ignore_index };
        let losses = self.push(Op::CrossEntropy(spec), inputs, vec![m], dtype);
        let weight = match options.reduction {
            Reduction::Mean => Some(self.target_weight(target, options, dtype)?),
            Reduction::Sum | Reduction::None => None,
        };
        self.reduced_rows(losses, &rows, options.reduction, weight)
    }

    /// Extents of the rows and number of classes, once target and class weights are seen to fit.
    fn check_classes(
        &mut self,
        op: &str,
        logits: Var,
        target: Var,
        options: &CrossEntropyOptions,
    ) -> Result<(Vec<usize>, usize)> {
        let shapes = [self.shape(logits), self.shape(target)];
        let (rows, c) = match shapes[0] {
            [rows @ .., c] if !rows.is_empty() => (rows.to_vec(), *c),
            _ => {
                return Err(self.shape_error(
                    op,
                    &shapes,
                    "takes [..., C], class indices [...] or probabilities [..., C]".into(),
                ));
            }
        };
        let soft = self.dtype(target).is_float();
        let want = if soft { shapes[0] } else { &rows };
        if shapes[1] != want {
            return Err(self.shape_error(
                op,
                &shapes,
                format!("the target must be {want:?}, since it is {}", self.dtype(target)),
            ));
        }
        if soft {
            self.check_floats(op, &[logits, target])?;
        } else if self.dtype(target) != DType::I32 {
            return Err(self.dtype_error(op, &[self.dtype(target)], "class indices must be i32".into()));
        } else {
            self.bound_index(&format!("{op} over {c} classes"), target, c, Some(options.ignore_index))?;
        }
        if let Some(weight) = options.class_weight {
            self.check_floats(op, &[weight])?;
            if self.shape(weight) != [c] {
                let shapes = [self.shape(logits), self.shape(weight)];
                return Err(self.shape_error(op, &shapes, format!("class weights must be [{c}]")));
            }
        }
        Ok((rows, c))
    }

    /// Weight of each row: that of its class, 0 if it is ignored.
    fn target_weight(&mut self, target: Var, options: &CrossEntropyOptions, dtype: DType) -> Result<Var> {
        let counted = self.map_scalars(Elementwise::NotEqual, target, &[f64::from(options.ignore_index)])?;
        let Some(weight) = options.class_weight else {
            return self.cast(counted, dtype);
        };
        let zero_index = self.scalar(0.0, DType::I32)?;
        let safe = self.where_(counted, target, zero_index)?;
        let of_class = self.index_select(weight, safe, 0)?;
        let of_class = self.cast(of_class, dtype)?;
        let zero = self.scalar(0.0, dtype)?;
        self.where_(counted, of_class, zero)
    }

    /// Losses `[M]` under the extents of their rows, or as one number; the mean divides by the summed weight if there is one.
    fn reduced_rows(&mut self, losses: Var, rows: &[usize], reduction: Reduction, weight: Option<Var>) -> Result<Var> {
        match (reduction, weight) {
            (Reduction::None, _) => self.reshape(losses, rows),
            (Reduction::Mean, Some(weight)) => {
                let (total, weight) = (self.sum(losses, &[0], false)?, self.sum(weight, &[0], false)?);
                self.div(total, weight)
            }
            (Reduction::Sum | Reduction::Mean, _) => self.reduce_loss(losses, reduction),
        }
    }

    fn soft_cross_entropy(&mut self, logits: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        let mut target = target;
        if options.label_smoothing > 0.0 {
            let share = options.label_smoothing / self.shape(logits)[1] as f64;
            target = self.map_scalars(Elementwise::Mul, target, &[1.0 - options.label_smoothing])?;
            target = self.map_scalars(Elementwise::Add, target, &[share])?;
        }
        let mut log_p = self.softmax(logits, 1, true)?;
        if let Some(weight) = options.class_weight {
            log_p = self.mul(log_p, weight)?;
        }
        let product = self.mul(log_p, target)?;
        let losses = self.sum(product, &[1], false)?;
        self.unary(Elementwise::Neg, losses)
    }

    /// Negative log-likelihood of log-probabilities `[..., C]` at class indices i32 `[...]`; options as in
    /// [`Graph::cross_entropy`], the smoothing not used.
    ///
    /// # Errors
    /// If shapes or types do not fit or the class weights are not `[C]`.
    pub fn nll_loss(&mut self, log_p: Var, target: Var, options: &CrossEntropyOptions) -> Result<Var> {
        self.check_floats("nll_loss", &[log_p])?;
        self.check_own("nll_loss", &[target])?;
        if self.dtype(target) != DType::I32 {
            return Err(self.dtype_error("nll_loss", &[self.dtype(target)], "class indices must be i32".into()));
        }
        let (rows, c) = self.check_classes("nll_loss", log_p, target, options)?;
        let m = count(&rows);
        let (log_p, target) = (self.reshape(log_p, &[m, c])?, self.reshape(target, &[m])?);
        let dtype = self.dtype(log_p);
        let weight = self.target_weight(target, options, dtype)?;
        let counted = self.map_scalars(Elementwise::NotEqual, target, &[f64::from(options.ignore_index)])?;
        let zero = self.scalar(0.0, DType::I32)?;
        let safe = self.where_(counted, target, zero)?;
        let index = self.reshape(safe, &[m, 1])?;
        let picked = self.gather(log_p, index, 1)?;
        let picked = self.reshape(picked, &[m])?;
        let product = self.mul(picked, weight)?;
        let losses = self.unary(Elementwise::Neg, product)?;
        self.reduced_rows(losses, &rows, options.reduction, Some(weight))
    }
}

/// The loss of each row against the index of its class.
pub(super) struct CrossEntropy(pub CrossEntropySpec);

impl Rules for CrossEntropy {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        let &[rows, classes] = place.operand(0) else { return None };
        Some(Kernel::CrossEntropy { spec: self.0, rows, classes, weighted: place.operands() > 2 })
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        if at.needs(2) {
            return at.refused("class weights of ");
        }
        let mut inputs = vec![at.inputs[0], at.inputs[1], at.d];
        inputs.extend(at.inputs.get(2));
        let (shape, dtype) = (at.shape(0), at.graph.dtype(at.x()));
        Ok(vec![Some(at.graph.push(Op::CrossEntropyGrad(self.0), inputs, shape, dtype)), None, None])
    }
}

/// The gradient of its logits.
pub(super) struct CrossEntropyGrad(pub CrossEntropySpec);

impl Rules for CrossEntropyGrad {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        let &[rows, classes] = place.result() else { return None };
        Some(Kernel::CrossEntropyGrad { spec: self.0, rows, classes, weighted: place.operands() > 3 })
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        at.refused("")
    }
}
