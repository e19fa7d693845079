//! The settings: one row each. A row says the name, the type, the default and, beside what is plain, what [`Row`] lists.

use std::path::PathBuf;

use chiaro_data::{Channels, Resize};
use chiaro_nn::{GradientChange, clip_by_norm};

use super::OnResume::{Silent, Told};
use super::{
    Augmentation, ClassWeights, Freeze, GroupName, LossName, NormsName, Numbers, OptimizerName, PrecisionName,
    Progressive, Range, Residency, Row, SamplingName, ScheduleName, Setting, SettingValue, TaskName,
};

/// Makes [`TrainConfig`] and [`SETTINGS`] of rows.
macro_rules! settings {
    ($( $(#[doc = $words:literal])+ $name:ident: $type:ty = $default:expr, $row:expr; )+) => {
        /// The settings of a run.
        #[derive(Clone, Debug, PartialEq)]
        pub struct TrainConfig {
            $( $(#[doc = $words])+ pub $name: $type, )+
        }

        impl Default for TrainConfig {
            fn default() -> TrainConfig {
                TrainConfig { $( $name: $default, )+ }
            }
        }

        /// Every setting, in the order of the reference page and of files.
        pub static SETTINGS: &[Setting] = &[ $( {
            const ROW: Row<$type> = $row;
            Setting {
                name: stringify!($name),
                flag: if ROW.flag.is_empty() { stringify!($name) } else { ROW.flag },
                aliases: ROW.aliases,
                value: ROW.value,
                kind: <$type as SettingValue>::KIND,
                switch: <$type as SettingValue>::SWITCH,
                range: ROW.range,
                on_resume: ROW.on_resume,
                words: concat!($($words),+),
                usual: ROW.usual,
                choices: <$type as SettingValue>::choices,
                parse: |config, text| {
                    config.$name = SettingValue::parse(text)?;
                    Ok(())
                },
                show: |config| config.$name.show(),
                number: |config| config.$name.number(),
                json: |config| config.$name.json(),
                read: |config, value| {
                    config.$name = SettingValue::from_json(value)?;
                    Ok(())
                },
                suits: ROW.suits,
                means: |config, options| (ROW.means)(&config.$name, options),
            }
        } ),+ ];
    };
}

settings! {
    /// The data set: a folder, a table of labels (CSV), or mnist, fashion-mnist, cifar10 or cifar100
    data: PathBuf = PathBuf::new(),
        Row { value: "DIR", usual: "the MNIST of the repository", on_resume: Told, ..Row::PLAIN };

    /// Share of each class's training images that is held out to validate by, where there are no validation images
    val_share: Option<f64> = None,
        Row {
            flag: "val-share",
            aliases: &["val-split", "validation-split"],
            value: "SHARE",
            range: Range::above(0.0).and_below(1.0),
            usual: "0.2 of image files without validation images, else none",
            ..Row::PLAIN
        };

    /// Cut the training images into so many equal parts, one of which is held out to validate by
    folds: Option<usize> = None,
        Row { range: Range::at_least(2.0), usual: "not cut", ..Row::PLAIN };

    /// Which of the folds is held out, counted from 1; without it `chiaro train` holds out each in turn and tells mean and deviation
    fold: usize = 1,
        Row { range: Range::at_least(1.0), ..Row::PLAIN };

    /// Hold out together what has the same part of its file name: what separates the parts and which one counts, as _:2, or / for folders
    group_by: Option<GroupName> = None,
        Row { flag: "group-by", value: "PART", usual: "each image by itself", ..Row::PLAIN };

    /// Resize images to this height and width: 64 or 48x64
    size: Option<[usize; 2]> = None,
        Row { value: "SIZE", aliases: &["img-size", "imgsz"], usual: "as the data set has them; image files' own, 28 to 64", ..Row::PLAIN };

    /// What becomes of images whose sides are in another ratio; always antialiased
    resize: Resize = Resize::Squash,
        Row { value: "HOW", ..Row::PLAIN };

    /// Channels of the images
    channels: Option<Channels> = None,
        Row { usual: "as the data set has them; of image files 3, or 1 where all are small and grey", ..Row::PLAIN };

    /// Refuse a data set with corrupt images, where otherwise they are skipped
    strict: bool = false,
        Row { on_resume: Silent, ..Row::PLAIN };

    /// Use only so many images of each split, spread evenly over it
    limit: Option<usize> = None,
        Row { range: Range::at_least(1.0), usual: "all", ..Row::PLAIN };

    /// What is learnt
    task: TaskName = TaskName::default(),
        Row { value: "NAME", usual: "classification, or multi-label for a table of several labels an image", suits: TrainConfig::suit_task, ..Row::PLAIN };

    /// The model: one of `chiaro models`, a TOML file that describes its layers (docs/models.md), an ONNX file, or a folder that `chiaro import` made
    model: String = "small-cnn".to_string(),
        Row { value: "NAME", usual: "by size and number of the images", suits: TrainConfig::suit_model, ..Row::PLAIN };

    /// Times to go through the training images
    epochs: usize = 3,
        Row {
            range: Range::at_least(1.0),
            usual: "3 to 100, by size and number of the images",
            on_resume: Told,
            // A run of a fraction of an epoch's length has no room for the usual warm-up.
            suits: |config| {
                config.warmup_epochs = config.warmup_epochs.min(config.epochs as f64 / 4.0);
                config.thaw = config.thaw.map(|thaw| thaw.min(config.epochs as f64 / 4.0));
            },
            ..Row::PLAIN
        };

    /// Images a step; auto, on the command line: as many as memory has the room for, and an epoch makes 20 steps of
    batch_size: usize = 128,
        Row {
            flag: "batch-size",
            aliases: &["batch"],
            range: Range::at_least(1.0),
            usual: "8 to 1024, by number and size of the images",
            suits: TrainConfig::suit_batch,
            ..Row::PLAIN
        };

    /// The optimizer
    optimizer: OptimizerName = OptimizerName::default(),
        Row {
            value: "NAME",
            aliases: &["opt"],
            usual: "adamw; nesterov with airbench94",
            suits: TrainConfig::suit_optimizer,
            ..Row::PLAIN
        };

    /// The largest learning rate
    lr: f64 = OptimizerName::usual().usual_lr,
        Row {
            value: "RATE",
            aliases: &["lr0"],
            range: Range::above(0.0),
            usual: "by the optimizer",
            on_resume: Told,
            ..Row::PLAIN
        };

    /// Momentum of optimizers that have it
    momentum: f64 = 0.9,
        Row { value: "SHARE", range: Range::SHARE, usual: "0.9; 0.85 with airbench94", ..Row::PLAIN };

    /// Decay of weights; biases and the scales and shifts of normalisation do not decay
    weight_decay: f64 = OptimizerName::usual().usual_weight_decay,
        Row { flag: "weight-decay", value: "RATE", range: Range::at_least(0.0), usual: "by the optimizer", ..Row::PLAIN };

    /// How the learning rate changes over the run
    schedule: ScheduleName = ScheduleName::Cosine,
        Row { value: "NAME", aliases: &["sched"], usual: "cosine; linear with airbench94, onecycle for many small grey images", ..Row::PLAIN };

    /// Epochs over which the learning rate rises linearly at first; may be a fraction
    warmup_epochs: f64 = 0.25,
        Row {
            flag: "warmup",
            aliases: &["warmup-epochs"],
            value: "EPOCHS",
            range: Range::at_least(0.0),
            usual: "0.25, at most a quarter of the run; a fifth of it with airbench94",
            ..Row::PLAIN
        };

    /// Factor of a fall of the learning rate: of the schedules step, multistep, exponential (each epoch) and plateau
    gamma: Option<f64> = None,
        Row {
            value: "FACTOR",
            aliases: &["decay-rate"],
            range: Range::above(0.0),
            usual: "0.1; exponential: down to a hundredth over the run",
            ..Row::PLAIN
        };

    /// Epochs between two falls of the schedule step; may be a fraction
    decay_epochs: Option<f64> = None,
        Row { flag: "decay-epochs", value: "EPOCHS", range: Range::above(0.0), usual: "a third of the run", ..Row::PLAIN };

    /// Epochs at which the schedule multistep falls, as 30,60
    milestones: Option<Numbers> = None,
        Row {
            value: "EPOCHS",
            aliases: &["decay-milestones"],
            usual: "half and three quarters of the run",
            ..Row::PLAIN
        };

    /// The power of the schedule polynomial
    power: f64 = 2.0,
        Row { value: "N", range: Range::above(0.0), ..Row::PLAIN };

    /// Epochs without a lower loss that the schedule plateau bears
    lr_patience: usize = 3,
        Row { flag: "lr-patience", aliases: &["patience-epochs"], value: "EPOCHS", ..Row::PLAIN };

    /// Learning rates fall with the depth: each part of the model has that of the part behind it times this
    layer_decay: f64 = 1.0,
        Row { flag: "layer-decay", value: "FACTOR", range: Range::above(0.0), ..Row::PLAIN };

    /// Factor of the learning rate of biases and of norms' shifts
    bias_lr: f64 = 1.0,
        Row { flag: "bias-lr", value: "FACTOR", range: Range::at_least(0.0), usual: "1; 8 or 64 with airbench94", ..Row::PLAIN };

    /// Factor of the learning rate of the model's last part, its head
    head_lr: f64 = 1.0,
        Row { flag: "head-lr", value: "FACTOR", range: Range::at_least(0.0), usual: "1; 20 with weights to begin with", ..Row::PLAIN };

    /// Parts of the model that are not trained: the first N, or those whose names begin so, as conv1,layer1
    freeze: Option<Freeze> = None,
        Row {
            value: "PARTS",
            usual: "none; all but the head with weights to begin with",
            // Where others are frozen than the recipe's, they are so for as long as is said.
            suits: |config| config.thaw = None,
            ..Row::PLAIN
        };

    /// Epochs after which frozen parts are trained too; may be a fraction
    thaw: Option<f64> = None,
        Row { value: "EPOCHS", range: Range::at_least(0.0), usual: "never; after a fifth of the run with weights to begin with", ..Row::PLAIN };

    /// What batch norms normalise by in training
    norms: NormsName = NormsName::Batch,
        Row {
            value: "HOW",
            usual: "batch; still with weights to begin with",
            means: |norms, options| options.still_norms = *norms == NormsName::Still,
            ..Row::PLAIN
        };

    /// Weights to begin with, a file or a run's folder; layers that do not fit, as a head of other classes, begin anew
    init: Option<PathBuf> = None,
        Row {
            value: "FILE",
            aliases: &["initial-checkpoint"],
            usual: "random weights",
            on_resume: Silent,
            ..Row::PLAIN
        };

    /// Draw the last layer anew, also where that of the weights to begin with has as many classes
    new_head: bool = false,
        Row { flag: "new-head", ..Row::PLAIN };

    /// Steps whose gradients make one update: a batch so many times as large, in the memory of one
    accumulate: usize = 1,
        Row { value: "STEPS", aliases: &["grad-accum-steps"], range: Range::at_least(1.0), ..Row::PLAIN };

    /// Compute most results of the forward pass anew in the backward pass instead of keeping them: less memory, up to a third more time
    recompute: bool = false,
        Row { aliases: &["grad-checkpointing"], means: |p, options| options.recompute = *p, ..Row::PLAIN };

    /// Evaluate and save an exponential average of the weights that keeps this share of itself in each update
    ema: Option<f64> = None,
        Row { value: "SHARE", aliases: &["model-ema-decay"], range: Range::SHARE, usual: "no average", suits: TrainConfig::suit_average, ..Row::PLAIN };

    /// Evaluate and save the mean of the weights at the ends of the last so many epochs
    swa: Option<usize> = None,
        Row { value: "EPOCHS", range: Range::at_least(1.0), usual: "no average", suits: TrainConfig::suit_average, ..Row::PLAIN };

    /// Draw the weights back to an average of them every 5 updates, of which it keeps a share that rises over the run to this
    lookahead: Option<f64> = None,
        Row { value: "SHARE", range: Range::SHARE, usual: "not drawn back, but for CIFAR's files", ..Row::PLAIN };

    /// End the run after so many epochs without a better one
    patience: Option<usize> = None,
        Row { value: "EPOCHS", range: Range::at_least(1.0), usual: "all epochs", on_resume: Told, ..Row::PLAIN };

    /// End the run before the epoch that would end after so many minutes
    time_limit: Option<f64> = None,
        Row { flag: "time-limit", value: "MINUTES", range: Range::above(0.0), usual: "none", on_resume: Told, ..Row::PLAIN };

    /// Probability of the model's dropout layers
    dropout: Option<f64> = None,
        Row {
            value: "SHARE",
            aliases: &["drop"],
            range: Range::SHARE,
            usual: "the model's own",
            means: |p, options| options.dropout = *p,
            ..Row::PLAIN
        };

    /// Probability at which the last residual branch is dropped for an image; those before it have their share
    drop_path: Option<f64> = None,
        Row {
            flag: "drop-path",
            value: "SHARE",
            range: Range::SHARE,
            usual: "the model's own",
            means: |p, options| options.drop_path = *p,
            ..Row::PLAIN
        };

    /// What is made small in training
    loss: LossName = LossName::CrossEntropy,
        Row { value: "NAME", ..Row::PLAIN };

    /// The power of the focal loss
    focal_gamma: f64 = 2.0,
        Row { flag: "focal-gamma", value: "N", range: Range::at_least(0.0), ..Row::PLAIN };

    /// Where the Huber loss turns from squares into lines
    huber_delta: f64 = 1.0,
        Row { flag: "huber-delta", value: "N", range: Range::above(0.0), ..Row::PLAIN };

    /// Weights of the classes in the loss: balanced (by their numbers of training images), or a number each, as 1,2.5
    class_weights: Option<ClassWeights> = None,
        Row { flag: "class-weights", value: "WEIGHTS", usual: "all the same", ..Row::PLAIN };

    /// Which training images make an epoch
    sampling: SamplingName = SamplingName::Shuffled,
        Row { value: "HOW", ..Row::PLAIN };

    /// Share of the target spread evenly over the classes
    label_smoothing: f64 = 0.0,
        Row {
            flag: "label-smoothing",
            aliases: &["smoothing"],
            value: "SHARE",
            range: Range::SHARE,
            usual: "0; 0.2 with airbench94, 0.05 for many small grey images",
            ..Row::PLAIN
        };

    /// A trained run, or weights, whose outputs are learnt beside the labels (distillation)
    teacher: Option<PathBuf> = None,
        Row { value: "RUN", usual: "none", ..Row::PLAIN };

    /// The teacher's part of the loss
    distill_weight: f64 = 0.5,
        Row { flag: "distill-weight", value: "SHARE", range: Range::at_least(0.0).and_at_most(1.0), ..Row::PLAIN };

    /// What outputs are divided by before they are compared with the teacher's
    distill_temperature: f64 = 2.0,
        Row { flag: "distill-temperature", value: "T", range: Range::above(0.0), ..Row::PLAIN };

    /// Train on smaller images at first: sizes with the share of the run up to which each is used, as 64:0.5,96:1
    progressive: Option<Progressive> = None,
        Row { value: "SIZES", usual: "as large as they are", ..Row::PLAIN };

    /// Scale gradients so that the norm of all together is at most this
    clip: Option<f64> = None,
        Row {
            value: "NORM",
            aliases: &["clip-grad"],
            range: Range::above(0.0),
            usual: "not clipped",
            on_resume: Told,
            means: |norm, options| options.gradient_changes.extend(norm.map(clip_by_norm)),
            ..Row::PLAIN
        };

    /// Limit each gradient to this size, up and down
    clip_value: Option<f64> = None,
        Row {
            flag: "clip-value",
            value: "SIZE",
            range: Range::above(0.0),
            usual: "not clipped",
            on_resume: Told,
            means: |most, options| {
                let clip = |most: f64| GradientChange::new(move |g, x| Ok(g.clamp(x, Some(-most), Some(most))?));
                options.gradient_changes.extend(most.map(clip));
            },
            ..Row::PLAIN
        };

    /// Store activations in 32 or 16 bits; weights, statistics and the optimizer are 32-bit always
    precision: PrecisionName = PrecisionName::F32,
        Row { value: "NAME", means: |precision, options| options.precision = precision.option(), ..Row::PLAIN };

    /// Seed of initial values, order and random changes of images, dropout, and of what is held out
    seed: u64 = 0,
        Row::PLAIN;

    /// Random changes of training images: a level, or changes with their numbers, as medium,mixup=0.2
    augment: Augmentation = Augmentation::default(),
        Row { value: "CHANGES", aliases: &["aug"], usual: "by what the images are; told before training", ..Row::PLAIN };

    /// Where the images are while training
    resident: Residency = Residency::Auto,
        Row { value: "WHERE", on_resume: Silent, ..Row::PLAIN };

    /// The device: auto, cpu, gpu, gpu:N, gpu:NAME, gpu:software or reference
    device: String = "auto".to_string(),
        Row { value: "NAME", on_resume: Silent, ..Row::PLAIN };

    /// Keep decoded images in this folder, so that the next run need not decode them; off keeps none
    data_cache: Option<PathBuf> = None,
        Row { flag: "data-cache", value: "DIR", usual: "in the user's cache folder", on_resume: Silent, ..Row::PLAIN };

    /// Threads that load data
    data_threads: Option<usize> = None,
        Row {
            flag: "data-threads",
            aliases: &["workers"],
            range: Range::at_least(1.0),
            usual: "chosen by the data set",
            on_resume: Silent,
            ..Row::PLAIN
        };

    /// Steps between two readings of loss and measures from the device
    report_every: Option<usize> = None,
        Row {
            flag: "report-every",
            value: "STEPS",
            range: Range::at_least(1.0),
            usual: "50 readings an epoch",
            on_resume: Silent,
            ..Row::PLAIN
        };

    /// Epochs, spread over the run, of which TensorBoard has histograms of weights and gradients at most; 0 for none
    histograms: usize = 50,
        Row {
            value: "EPOCHS",
            on_resume: Silent,
            means: |most, options| options.output_gradients = *most > 0,
            ..Row::PLAIN
        };
}
