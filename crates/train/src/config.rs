//! Every setting of a run, as `config.json` keeps it.

use std::path::PathBuf;

use chiaro_data::{Dataset, Layout};
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// Which optimizer updates the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// The same with Nesterov's look-ahead.
    Nesterov,
    /// Adam; weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop.
    RmsProp,
    /// Adagrad.
    Adagrad,
}

/// How the learning rate changes over the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// Stays as it is.
    Constant,
    /// A tenth after each third of the run.
    Step,
    /// Half a cosine down to zero at the end of the run.
    Cosine,
    /// One cycle: a cosine rise over three tenths of the run, then a fall to almost zero. Warm-up is part of it.
    OneCycle,
}

/// Random changes of training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Shift by up to an eighth of the longer side, as padding and cropping at random do.
    pub crop: bool,
    /// Mirror every second image, left to right.
    pub flip: bool,
}

/// Where the images are while a model is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Residency {
    /// On the device, if it has the room.
    #[default]
    Auto,
    /// With the host, which uploads each batch.
    Off,
}

/// In which precision the layers of a training step compute. Weights, statistics and the optimizer are 32-bit always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionName {
    /// 32 bits.
    #[default]
    F32,
    /// Activations and copies of the weights in 16 bits, with a loss scale.
    F16,
    /// 16 bits where the device gains by them, else 32.
    Auto,
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder of the data set.
    pub data: PathBuf,
    /// Height and width that images are resized to; absent: as the data set has them.
    pub size: Option<[usize; 2]>,
    /// Refuse a data set with corrupt images, where otherwise they are skipped.
    pub strict: bool,
    /// Use only so many images of each split, spread evenly over it; absent: all.
    pub limit: Option<usize>,
    /// Name of the model, one of [`chiaro_nn::models::NAMES`].
    pub model: String,
    /// Epochs.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// The optimizer.
    pub optimizer: OptimizerName,
    /// The largest learning rate.
    pub lr: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Decay of weights; biases and the scales and shifts of normalisation do not decay.
    pub weight_decay: f64,
    /// The schedule of the learning rate.
    pub schedule: ScheduleName,
    /// Epochs over which the learning rate rises linearly; may be a fraction. One cycle has its own rise.
    pub warmup_epochs: f64,
    /// Label smoothing, in 0..1.
    pub label_smoothing: f64,
    /// Norm that gradients are clipped to; absent: not clipped.
    pub clip: Option<f64>,
    /// The precision of the layers.
    #[serde(default)]
    pub precision: PrecisionName,
    /// Seed of initial values, order and random changes of images, and dropout.
    pub seed: u64,
    /// Random changes of training images.
    #[serde(default)]
    pub augment: Augmentation,
    /// Where the images are.
    #[serde(default)]
    pub resident: Residency,
    /// The device asked for: `auto`, `cpu`, `gpu`, `gpu:N`, `gpu:NAME` or `reference`.
    pub device: String,
    /// Threads that load data; absent: chosen by the data set.
    pub data_threads: Option<usize>,
    /// Steps between two readings of loss and accuracy from the device; absent: 50 readings an epoch.
    pub report_every: Option<usize>,
}

impl TrainConfig {
    /// Settings that suit a training set: model, batch size and length of the run by its images' shape and number.
    pub fn suited_to(data: impl Into<PathBuf>, train: &dyn Dataset) -> TrainConfig {
        let [height, width, _] = train.image_shape();
        let (model, epochs) = match height.max(width) {
            0..=28 => ("small-cnn", 3),
            29..=40 => ("resnet20", 30),
            _ => ("tutorial-cnn", 15),
        };
        // A small set needs small batches to make enough steps.
        let batch_size = (train.len() / 20).next_power_of_two().clamp(8, 128).min(train.len().max(1));
        TrainConfig {
            data: data.into(),
            size: None,
            strict: false,
            limit: None,
            model: model.to_string(),
            epochs,
            batch_size,
            optimizer: OptimizerName::AdamW,
            lr: OptimizerName::AdamW.usual_lr(),
            momentum: 0.9,
            weight_decay: OptimizerName::AdamW.usual_weight_decay(),
            schedule: ScheduleName::Cosine,
            warmup_epochs: 0.25,
            label_smoothing: 0.0,
            clip: None,
            precision: PrecisionName::F32,
            seed: 0,
            augment: Augmentation::default(),
            resident: Residency::default(),
            device: "auto".to_string(),
            data_threads: None,
            report_every: None,
        }
    }

    /// Looks whether every number is in its range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for the first that is not.
    pub fn check(&self) -> Result<()> {
        let unit = |value: f64| (0.0..1.0).contains(&value);
        let checks = [
            (self.epochs > 0, format!("epochs must be at least 1, not {}", self.epochs)),
            (self.batch_size > 0, "the batch size must be at least 1".to_string()),
            (self.lr.is_finite() && self.lr > 0.0, format!("the learning rate must be above 0, not {}", self.lr)),
            (unit(self.momentum), format!("momentum must be at least 0 and below 1, not {}", self.momentum)),
            (
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                format!("weight decay must be at least 0, not {}", self.weight_decay),
            ),
            (
                unit(self.label_smoothing),
                format!("label smoothing must be at least 0 and below 1, not {}", self.label_smoothing),
            ),
            (
                self.clip.is_none_or(|norm| norm.is_finite() && norm > 0.0),
                format!("the norm to clip to must be above 0, not {}", self.clip.unwrap_or(0.0)),
            ),
            (
                (0.0..=self.epochs as f64).contains(&self.warmup_epochs),
                format!("warm-up must last from 0 to {} epochs, not {}", self.epochs, self.warmup_epochs),
            ),
            (self.limit != Some(0), "the limit must be at least 1 image".to_string()),
            (self.data_threads != Some(0), "there must be at least 1 thread".to_string()),
            (self.report_every != Some(0), "report_every must be at least 1 step".to_string()),
        ];
        match checks.into_iter().find(|(good, _)| !good) {
            Some((_, message)) => Err(TrainError::setting(message)),
            None => Ok(()),
        }
    }
}

impl Augmentation {
    /// What suits a data set: crops and mirror images for CIFAR-10's own files, whose usual recipe has them; nothing for
    /// others, since who knows whether a mirrored image is still of its class.
    pub fn usual(layout: Option<Layout>) -> Augmentation {
        let both = layout == Some(Layout::Cifar10);
        Augmentation { crop: both, flip: both }
    }
}

impl OptimizerName {
    /// The learning rate to start from with batch normalisation and batches of about 128.
    pub fn usual_lr(self) -> f64 {
        match self {
            Self::Sgd | Self::Nesterov => 0.05,
            Self::Adam | Self::AdamW => 0.003,
            Self::RmsProp => 0.001,
            Self::Adagrad => 0.01,
        }
    }

    /// The weight decay to start from; the same number means much less where it is added to Adam's gradient.
    pub fn usual_weight_decay(self) -> f64 {
        match self {
            Self::Sgd | Self::Nesterov => 5e-4,
            Self::Adam | Self::RmsProp | Self::Adagrad => 0.0,
            Self::AdamW => 0.01,
        }
    }
}
