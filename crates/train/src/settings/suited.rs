//! The settings that suit a data set: what an expert would try first, by the images' size, colours and number.

use std::path::PathBuf;

use chiaro_data::{Dataset, Layout};

use super::{Augmentation, OptimizerName, ScheduleName, SettingValue, TaskName, TrainConfig};
use crate::data::Data;
use crate::task::MULTI_LABEL;

/// So many grey images are worth a minute or two.
const MANY: usize = 10_000;

impl TrainConfig {
    /// Settings that suit a training set: task by its labels; model, batch size, optimizer, changes of images and length of the run
    /// by its images' shape and number.
    pub fn suited_to(folder: impl Into<PathBuf>, data: &Data) -> TrainConfig {
        let train = &*data.train;
        let [height, width, channels] = train.image_shape();
        let task = if shows_several(train) { MULTI_LABEL.into() } else { TaskName::default() };
        // A small set needs small batches to make enough steps.
        let batch_size = |most| (train.len() / 20).next_power_of_two().clamp(8, most).min(train.len().max(1));
        let plain = TrainConfig { data: folder.into(), task, batch_size: batch_size(128), ..TrainConfig::default() };
        match (height.min(width), channels) {
            (24..=32, 1) if train.len() >= MANY => characters(plain),
            (0..24, _) => plain,
            (24.., _) => {
                // Of larger images fewer, so that a batch takes no more memory.
                let most = (1024 * 32 * 32 / (height * width)).max(8).next_power_of_two();
                let cifar = data.layout.is_some_and(Layout::crops_and_mirrors);
                colours(TrainConfig { batch_size: batch_size(most.min(1024)), ..plain }, train.len(), channels, cifar)
            }
        }
    }
}

/// The model whose recipe is a part of it, and that recipe's optimizer.
const OWN_RECIPE: &str = "airbench94";
const RECIPE_OPTIMIZER: &str = "nesterov";

impl TrainConfig {
    /// After a task was given: of several labels none has a share to give to the others.
    pub(super) fn suit_task(&mut self) {
        if self.task.as_str() == MULTI_LABEL {
            self.label_smoothing = 0.0;
        }
    }

    /// After a model was given: the recipe of another is not for it. Length of the run and changes of images stay.
    pub(super) fn suit_model(&mut self) {
        // However it was spelt.
        if let Ok(known) = chiaro_nn::models::named(&self.model) {
            self.model = known.name;
        }
        let recipe_of = match self.schedule {
            ScheduleName::OneCycle => "small-cnn",
            _ if self.optimizer.as_str() == RECIPE_OPTIMIZER => OWN_RECIPE,
            _ => return,
        };
        if self.model == recipe_of {
            return;
        }
        let TrainConfig { optimizer, lr, momentum, weight_decay, schedule, warmup_epochs, .. } = TrainConfig::default();
        let TrainConfig { bias_lr, lookahead, label_smoothing, .. } = TrainConfig::default();
        let warmup_epochs = warmup_epochs.min(self.epochs as f64 / 4.0);
        (self.optimizer, self.lr, self.momentum, self.weight_decay) = (optimizer, lr, momentum, weight_decay);
        (self.schedule, self.warmup_epochs, self.bias_lr) = (schedule, warmup_epochs, bias_lr);
        (self.lookahead, self.label_smoothing) = (lookahead, label_smoothing);
    }

    /// After a batch size was given: the rate of the recipe goes with it, and one image has no other to be mixed with.
    pub(super) fn suit_batch(&mut self) {
        if self.follows_recipe() {
            self.lr = rate_of_batches(self.batch_size);
        }
        if self.batch_size < 2 && self.augment == words(PHOTOS) {
            self.augment = words("photos,cutmix=0");
        }
    }

    /// After an optimizer was given: its own numbers, but where it is that of the recipe.
    pub(super) fn suit_optimizer(&mut self) {
        if self.follows_recipe() && self.momentum == RECIPE_MOMENTUM {
            return;
        }
        if let Ok(known) = self.optimizer.known() {
            (self.lr, self.weight_decay) = (known.usual_lr, known.usual_weight_decay);
            (self.bias_lr, self.lookahead) = (1.0, None);
        }
    }

    /// After an average of the weights was given: it takes the place of the recipe's.
    pub(super) fn suit_average(&mut self) {
        self.lookahead = None;
    }

    fn follows_recipe(&self) -> bool {
        self.model == OWN_RECIPE && self.optimizer.as_str() == RECIPE_OPTIMIZER
    }
}

const RECIPE_MOMENTUM: f64 = 0.85;
/// The changes of photos.
const PHOTOS: &str = "photos";

/// The paper's rate for batches of 1,024, and for smaller ones less, between the root of the size and the size itself.
fn rate_of_batches(size: usize) -> f64 {
    (1.5 * (size as f64 / 1024.0).powf(0.75) * 1000.0).round() / 1000.0
}

/// Digits and other small grey pictures, which are not to be mirrored.
fn characters(plain: TrainConfig) -> TrainConfig {
    let (lr, schedule, augment) = (0.015, ScheduleName::OneCycle, words("digits"));
    TrainConfig { epochs: 15, lr, schedule, augment, label_smoothing: 0.05, ..plain }
}

/// The network and the recipe of arXiv:2404.00498: whatever the number of images, it takes fewer looks at each than any other here.
/// The paper's numbers are those of 50,000 images of 32x32; those for few photos were found on 415 photos of flowers.
fn colours(plain: TrainConfig, images: usize, channels: usize, cifar: bool) -> TrainConfig {
    // So many looks at images, and ten more at each, are what a small set and a large one need.
    let epochs = (20_000 / images.max(1) + 10).min(100);
    let (bias_lr, lookahead, augment) = match cifar {
        true => (64.0, Some(0.774), "crop=0.0625,reflect,altflip"),
        // A fourth channel has no colour to change.
        false => (8.0, None, ["digits", "light", PHOTOS, "light"][channels.clamp(1, 4) - 1]),
    };
    let mut config = TrainConfig {
        model: OWN_RECIPE.to_string(),
        epochs,
        optimizer: OptimizerName::parse(RECIPE_OPTIMIZER).unwrap_or_default(),
        momentum: RECIPE_MOMENTUM,
        lr: rate_of_batches(plain.batch_size),
        weight_decay: if cifar { 0.00133 } else { 0.002 },
        bias_lr,
        lookahead,
        label_smoothing: 0.2,
        schedule: ScheduleName::Linear,
        warmup_epochs: (epochs as f64 * 0.2).round(),
        augment: words(augment),
        ..plain
    };
    config.suit_task();
    config.suit_batch();
    config
}

fn words(text: &str) -> Augmentation {
    text.parse().unwrap_or_default()
}

/// Whether any image shows several of the classes, or none of them.
pub(crate) fn shows_several(set: &dyn Dataset) -> bool {
    let classes = set.classes().len();
    (0..set.len()).map(|image| set.values(image)).any(|shown| {
        let is_list = shown.len() == classes && shown.iter().all(|value| *value == 0.0 || *value == 1.0);
        is_list && shown.iter().sum::<f32>() != 1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::setting;
    use chiaro_data::InMemory;
    use std::sync::Arc;

    fn suited(images: usize, shape: [usize; 3]) -> TrainConfig {
        let pixels = vec![0; images * shape.iter().product::<usize>()];
        let set = InMemory::new(pixels, vec![0; images], shape, vec!["a".into()]).expect("a data set");
        TrainConfig::suited_to("", &data_of(set))
    }

    fn data_of(set: InMemory) -> Data {
        let set = Arc::new(set);
        Data::new(set.clone(), set).expect("the same shape")
    }

    fn given(list: &[(&str, &str)]) -> TrainConfig {
        let mut config = suited(415, [64, 64, 3]);
        let given: Vec<_> = list.iter().map(|(name, text)| (setting(name).expect("known"), text.to_string())).collect();
        config.give(&given).expect("values");
        config
    }

    #[test]
    fn model_and_length_of_the_run_suit_shape_and_number_of_the_images() {
        let of = |images, shape| {
            let TrainConfig { model, epochs, batch_size, augment, .. } = suited(images, shape);
            (model, epochs, batch_size, augment.show())
        };
        let name = |model: &str, epochs, batch, words: &str| (model.to_string(), epochs, batch, words.to_string());
        assert_eq!(of(50, [8, 8, 1]), name("small-cnn", 3, 8, "none"));
        assert_eq!(of(1_000, [23, 99, 1]), name("small-cnn", 3, 64, "none"));
        assert_eq!(of(1_000, [28, 28, 1]), name("airbench94", 30, 64, "digits"));
        assert_eq!(of(10_000, [28, 28, 1]), name("small-cnn", 15, 128, "digits"));
        assert_eq!(of(415, [64, 64, 3]), name("airbench94", 58, 32, "photos"));
        assert_eq!(of(20, [64, 64, 3]), name("airbench94", 100, 8, "photos"));
        assert_eq!(of(415, [64, 64, 1]), name("airbench94", 58, 32, "digits"));
        assert_eq!(of(415, [64, 64, 4]), name("airbench94", 58, 32, "light"));
        assert_eq!(of(30_000, [32, 32, 3]), name("airbench94", 10, 1024, "photos"));
        assert_eq!(of(600, [256, 256, 3]), name("airbench94", 43, 16, "photos"), "a batch of no more pixels");
        assert_eq!(suited(415, [64, 64, 3]).lr, 0.111);
    }

    #[test]
    fn small_grey_images_have_a_recipe_of_the_small_cnn_alone() {
        let of = |model: &str| {
            let mut config = suited(10_000, [28, 28, 1]);
            config.give(&[(setting("model").expect("known"), model.into())]).expect("a model");
            (config.lr, config.schedule, config.label_smoothing, config.epochs)
        };
        let usual = TrainConfig::default();
        assert_eq!(of("small-cnn"), (0.015, ScheduleName::OneCycle, 0.05, 15));
        assert_eq!(of("lenet5"), (usual.lr, usual.schedule, 0.0, 15));
    }

    #[test]
    fn another_model_batch_or_optimizer_takes_the_numbers_that_are_its_own() {
        let own = given(&[]);
        assert_eq!((own.optimizer.as_str(), own.momentum, own.bias_lr), ("nesterov", 0.85, 8.0));
        let resnet = given(&[("model", "resnet18")]);
        let usual = TrainConfig::default();
        let numbers =
            |c: &TrainConfig| (c.optimizer.clone(), c.lr, c.weight_decay, c.bias_lr, c.schedule, c.warmup_epochs);
        assert_eq!((numbers(&resnet), resnet.momentum), (numbers(&usual), 0.9));
        assert_eq!((resnet.epochs, resnet.augment.show()), (58, "photos".to_string()));
        assert_eq!(given(&[("model", "airbench94")]), own);
        assert_eq!(given(&[("batch", "1024")]).lr, 1.5);
        assert_eq!(given(&[("batch", "1024"), ("lr", "0.25")]).lr, 0.25);
        assert_eq!(given(&[("batch", "1")]).augment.show(), "photos,cutmix=0");
        assert_eq!(given(&[("optimizer", "nesterov")]), own);
        assert_eq!(given(&[("task", "multi-label")]).label_smoothing, 0.0);
        let mut drawn_back = TrainConfig { lookahead: Some(0.5), ..own.clone() };
        drawn_back.give(&[(setting("ema").expect("known"), "0.9".into())]).expect("one average alone");
        assert_eq!((drawn_back.ema, drawn_back.lookahead), (Some(0.9), None));
        let adam = given(&[("optimizer", "adamw"), ("batch", "16")]);
        assert_eq!((adam.lr, adam.bias_lr), (usual.lr, 1.0));
    }
}
