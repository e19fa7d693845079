//! The settings of `chiaro train` as options: what is given replaces what suits the data.

use std::path::PathBuf;

use chiaro::train::{Augmentation, OptimizerName, PrecisionName, Residency, ScheduleName, TrainConfig};
use clap::ValueEnum;

use crate::usage::Usage;

/// The choice of optimizer.
#[derive(Clone, Copy, ValueEnum)]
pub enum Optimizer {
    Sgd,
    Nesterov,
    Adam,
    Adamw,
    Rmsprop,
    Adagrad,
}

/// The choice of schedule.
#[derive(Clone, Copy, ValueEnum)]
pub enum Schedule {
    Constant,
    Step,
    Cosine,
    Onecycle,
}

/// A random change of training images.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Change {
    /// Shift by up to an eighth of the side
    Crop,
    /// Mirror every second image, left to right
    Flip,
    /// Leave the images as they are
    None,
}

/// Where the images are.
#[derive(Clone, Copy, ValueEnum)]
pub enum Resident {
    /// On the device, if it has the room
    Auto,
    /// With the host, which uploads each batch
    Off,
}

/// The choice of precision.
#[derive(Clone, Copy, ValueEnum)]
pub enum Precision {
    F32,
    F16,
    Auto,
}

/// Settings that may be given.
#[derive(clap::Args)]
pub struct Overrides {
    /// Folder of the data set; the MNIST of the repository if absent
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// One of `chiaro models`; chosen by the size of the images if absent
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Times to go through the training images
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images a step
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// The largest learning rate
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// The optimizer
    #[arg(long)]
    pub optimizer: Option<Optimizer>,
    /// How the learning rate changes over the run
    #[arg(long)]
    pub schedule: Option<Schedule>,
    /// Epochs over which the learning rate rises at first; may be a fraction
    #[arg(long, value_name = "EPOCHS")]
    pub warmup: Option<f64>,
    /// Momentum of sgd and nesterov
    #[arg(long, value_name = "SHARE")]
    pub momentum: Option<f64>,
    /// Decay of weights
    #[arg(long, value_name = "RATE")]
    pub weight_decay: Option<f64>,
    /// Share of the target spread evenly over the classes
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f64>,
    /// Clip gradients to this norm
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f64>,
    /// Random changes of training images, as crop,flip [default: both for CIFAR-10's files, else none]
    #[arg(long, value_delimiter = ',', value_name = "CHANGES")]
    pub augment: Vec<Change>,
    /// Where the images are while training [default: auto]
    #[arg(long, value_name = "WHERE")]
    pub resident: Option<Resident>,
    /// Store activations in 32 or 16 bits; auto: in 16 where the device gains by it [default: f32]
    #[arg(long)]
    pub precision: Option<Precision>,
    /// Resize images to this height and width: 64 or 48x64
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    pub size: Option<[usize; 2]>,
    /// Seed of initial values, order and random changes of images, and dropout
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Refuse corrupt images, where otherwise they are skipped
    #[arg(long)]
    pub strict: bool,
    /// Use only so many images of each split
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl Overrides {
    /// Replaces settings by those given.
    pub fn apply(&self, config: &mut TrainConfig) {
        fn set<T: Clone>(setting: &mut T, given: &Option<T>) {
            if let Some(value) = given {
                *setting = value.clone();
            }
        }
        set(&mut config.data, &self.data);
        set(&mut config.model, &self.model);
        set(&mut config.epochs, &self.epochs);
        set(&mut config.batch_size, &self.batch_size);
        if let Some(optimizer) = self.optimizer {
            config.optimizer = optimizer.name();
            config.lr = config.optimizer.usual_lr();
            config.weight_decay = config.optimizer.usual_weight_decay();
        }
        set(&mut config.lr, &self.lr);
        set(&mut config.schedule, &self.schedule.map(Schedule::name));
        // A run of a fraction of an epoch's length has no room for the usual warm-up.
        config.warmup_epochs = config.warmup_epochs.min(config.epochs as f64 / 4.0);
        set(&mut config.warmup_epochs, &self.warmup);
        set(&mut config.momentum, &self.momentum);
        set(&mut config.weight_decay, &self.weight_decay);
        set(&mut config.label_smoothing, &self.label_smoothing);
        if !self.augment.is_empty() {
            let has = |change| self.augment.contains(&change) && !self.augment.contains(&Change::None);
            config.augment = Augmentation { crop: has(Change::Crop), flip: has(Change::Flip) };
        }
        if let Some(resident) = self.resident {
            config.resident = match resident {
                Resident::Auto => Residency::Auto,
                Resident::Off => Residency::Off,
            };
        }
        config.clip = self.clip.or(config.clip);
        set(&mut config.precision, &self.precision.map(Precision::name));
        config.size = self.size.or(config.size);
        set(&mut config.seed, &self.seed);
        config.strict |= self.strict;
        config.limit = self.limit.or(config.limit);
    }

    /// Refuses options that would mean nothing beside each other, or nothing with these settings.
    pub fn check(&self, config: &TrainConfig) -> Result<(), Usage> {
        let has_momentum = matches!(config.optimizer, OptimizerName::Sgd | OptimizerName::Nesterov);
        let wrong = [
            (
                self.augment.contains(&Change::None) && self.augment.iter().any(|change| *change != Change::None),
                "--augment: none goes with nothing else".to_string(),
            ),
            (
                self.warmup.is_some() && config.schedule == ScheduleName::OneCycle,
                "--warmup means nothing with --schedule onecycle, which has its own rise over three tenths of the run"
                    .to_string(),
            ),
            (
                self.momentum.is_some() && !has_momentum,
                "--momentum means nothing here: only --optimizer sgd and nesterov have it".to_string(),
            ),
        ];
        wrong.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, message)| Err(Usage(message)))
    }

    /// The first option given that would change a run which goes on.
    pub fn changing_option(&self) -> Option<&'static str> {
        let given = [
            ("--model", self.model.is_some()),
            ("--batch-size", self.batch_size.is_some()),
            ("--optimizer", self.optimizer.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--warmup", self.warmup.is_some()),
            ("--momentum", self.momentum.is_some()),
            ("--weight-decay", self.weight_decay.is_some()),
            ("--label-smoothing", self.label_smoothing.is_some()),
            ("--augment", !self.augment.is_empty()),
            ("--precision", self.precision.is_some()),
            ("--size", self.size.is_some()),
            ("--seed", self.seed.is_some()),
            ("--limit", self.limit.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

impl Optimizer {
    fn name(self) -> OptimizerName {
        match self {
            Self::Sgd => OptimizerName::Sgd,
            Self::Nesterov => OptimizerName::Nesterov,
            Self::Adam => OptimizerName::Adam,
            Self::Adamw => OptimizerName::AdamW,
            Self::Rmsprop => OptimizerName::RmsProp,
            Self::Adagrad => OptimizerName::Adagrad,
        }
    }
}

impl Precision {
    fn name(self) -> PrecisionName {
        match self {
            Self::F32 => PrecisionName::F32,
            Self::F16 => PrecisionName::F16,
            Self::Auto => PrecisionName::Auto,
        }
    }
}

impl Schedule {
    fn name(self) -> ScheduleName {
        match self {
            Self::Constant => ScheduleName::Constant,
            Self::Step => ScheduleName::Step,
            Self::Cosine => ScheduleName::Cosine,
            Self::Onecycle => ScheduleName::OneCycle,
        }
    }
}

/// `64` or `48x64` as height and width.
pub fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let side = |part: &str| part.trim().parse::<usize>().ok().filter(|side| *side > 0);
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    match (side(height), side(width)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err("a size is one number, as 64, or height and width, as 48x64".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_one_side_or_two() {
        assert_eq!(parse_size("64"), Ok([64, 64]));
        assert_eq!(parse_size("48x64"), Ok([48, 64]));
        for wrong in ["", "x", "0", "4x", "-1", "a", "1x2x3"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
