//! The losses that a classification can be trained by.

use crate::arena::vector;
use crate::classification::Classification;
use crate::error::{NnError, Result};
use crate::metrics::counted;
use chiaro_graph::{CrossEntropyOptions, DType, Elementwise, Graph, Reduction, Var};

/// What is made small in training. All take label smoothing and class weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ClassLoss {
    /// Cross-entropy of the softmax, as PyTorch's.
    #[default]
    CrossEntropy,
    /// Cross-entropy of each image times (1 - p)^gamma, p being the probability of its class (arXiv:1708.02002): images that are
    /// right already count less.
    Focal {
        /// The power; 0 gives cross-entropy.
        gamma: f64,
    },
    /// Each class by itself: the mean of binary cross-entropies, as timm trains with `--bce-loss` (arXiv:2110.00476).
    Binary,
    /// The Huber loss of the outputs beside 1 for the image's class and 0 for all others (arXiv:2006.07322 with its squares
    /// bounded).
    Huber {
        /// Where squares turn into lines.
        delta: f64,
    },
}

impl ClassLoss {
    /// Looks at its number.
    ///
    /// # Errors
    /// [`NnError::Option`] says what is wrong with it.
    pub fn check(self) -> Result<()> {
        match self {
            ClassLoss::Focal { gamma } if !gamma.is_finite() || gamma < 0.0 => {
                Err(NnError::Option(format!("the focal loss has a power of at least 0, not {gamma}")))
            }
            ClassLoss::Huber { delta } if !delta.is_finite() || delta <= 0.0 => {
                Err(NnError::Option(format!("the Huber loss turns into lines above 0, not at {delta}")))
            }
            ClassLoss::CrossEntropy | ClassLoss::Focal { .. } | ClassLoss::Binary | ClassLoss::Huber { .. } => Ok(()),
        }
    }
}

impl Classification {
    /// The options of cross-entropy in training.
    fn options(&self, graph: &mut Graph) -> Result<CrossEntropyOptions> {
        let class_weight = self.class_weights.clone().map(|w| graph.constant(vector(w))).transpose()?;
        Ok(CrossEntropyOptions {
            class_weight,
            label_smoothing: self.label_smoothing,
            ignore_index: Self::IGNORED,
            ..CrossEntropyOptions::default()
        })
    }

    /// The loss of training.
    pub(crate) fn training_loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> Result<Var> {
        let options = self.options(graph)?;
        match self.loss {
            ClassLoss::CrossEntropy => Ok(graph.cross_entropy(outputs, targets, &options)?),
            ClassLoss::Focal { gamma } => self.focal(graph, outputs, targets, &options, gamma),
            ClassLoss::Binary | ClassLoss::Huber { .. } => {
                self.each_class(graph, outputs, targets, options.class_weight)
            }
        }
    }

    fn focal(
        &self,
        graph: &mut Graph,
        outputs: Var,
        targets: Var,
        options: &CrossEntropyOptions,
        gamma: f64,
    ) -> Result<Var> {
        let plain = CrossEntropyOptions {
            ignore_index: Self::IGNORED,
            reduction: Reduction::None,
            ..CrossEntropyOptions::default()
        };
        let surprise = graph.cross_entropy(outputs, targets, &plain)?;
        let minus = graph.unary(Elementwise::Neg, surprise)?;
        let probability = graph.unary(Elementwise::Exp, minus)?;
        let minus = graph.unary(Elementwise::Neg, probability)?;
        // Rounding must not make it negative, whose power is NaN; where it is 0 the power's slope is infinite.
        let missing = graph.map_scalars(Elementwise::Add, minus, &[1.0])?;
        let missing = graph.map_scalars(Elementwise::Maximum, missing, &[1e-7])?;
        let factor = graph.powf(missing, gamma)?;
        let weighted = CrossEntropyOptions { reduction: Reduction::None, ..options.clone() };
        let losses = graph.cross_entropy(outputs, targets, &weighted)?;
        let losses = graph.mul(losses, factor)?;
        self.mean(graph, losses, targets, 1.0)
    }

    fn each_class(&self, graph: &mut Graph, outputs: Var, targets: Var, weights: Option<Var>) -> Result<Var> {
        let classes = graph.shape(outputs).last().copied().unwrap_or(1);
        let rows = graph.shape(targets)[0];
        let column = graph.reshape(targets, &[rows, 1])?;
        let places = graph.iota(classes)?;
        let hit = graph.map(Elementwise::Equal, &[column, places])?;
        let hit = graph.cast(hit, DType::F32)?;
        let hit = graph.map_scalars(Elementwise::Mul, hit, &[1.0 - self.label_smoothing])?;
        let hit = graph.map_scalars(Elementwise::Add, hit, &[self.label_smoothing / classes as f64])?;
        let mut losses = match self.loss {
            ClassLoss::Huber { delta } => graph.huber_loss(outputs, hit, delta, Reduction::None)?,
            ClassLoss::CrossEntropy | ClassLoss::Focal { .. } | ClassLoss::Binary => {
                graph.bce_with_logits(outputs, hit, None, Reduction::None)?
            }
        };
        if let Some(weights) = weights {
            losses = graph.mul(losses, weights)?;
        }
        let real = graph.map_scalars(Elementwise::NotEqual, column, &[f64::from(Self::IGNORED)])?;
        let real = graph.cast(real, DType::F32)?;
        let losses = graph.mul(losses, real)?;
        self.mean(graph, losses, targets, classes as f64)
    }

    /// The sum over the rows that count, over their number times `each`.
    fn mean(&self, graph: &mut Graph, losses: Var, targets: Var, each: f64) -> Result<Var> {
        let (sum, rows) = (graph.sum_all(losses)?, counted(graph, targets, Self::IGNORED)?);
        let mean = graph.div(sum, rows)?;
        Ok(graph.map_scalars(Elementwise::Mul, mean, &[1.0 / each])?)
    }
}
