//! A run that is stopped anywhere goes on bit for bit, whatever its recipe holds.

mod common;

use std::fs;
use std::path::Path;

use chiaro_train::settings::SettingValue;
use chiaro_train::{
    ClassWeights, Ending, Event, Freeze, LossName, RunFolder, SamplingName, ScheduleName, Stop, TrainConfig, Trainer,
};
use common::{config, cpu, data, model};

const FILES: [&str; 3] = ["weights/best.safetensors", "weights/last.safetensors", "checkpoint.safetensors"];
const EPOCHS: usize = 4;

/// Recipes that between them hold every feature that keeps something between steps or hangs on the place in the run.
fn recipes() -> Vec<(&'static str, TrainConfig)> {
    let optimizer = |name: &str| name.parse().expect("known");
    let plain = config(EPOCHS);
    vec![
        (
            "ema, accumulation, plateau, thawing",
            TrainConfig {
                ema: Some(0.9),
                accumulate: 4,
                schedule: ScheduleName::Plateau,
                lr_patience: 0,
                freeze: Some(Freeze::First(2)),
                thaw: Some(2.0),
                ..plain.clone()
            },
        ),
        (
            "swa, muon, focal, balanced, layer-wise rates, mixed images",
            TrainConfig {
                swa: Some(3),
                optimizer: optimizer("muon"),
                loss: LossName::Focal,
                class_weights: Some(ClassWeights::Balanced),
                layer_decay: 0.7,
                bias_lr: 2.0,
                clip: Some(1.0),
                augment: SettingValue::parse("mixup,flip").expect("changes"),
                schedule: ScheduleName::MultiStep,
                ..plain.clone()
            },
        ),
        ("lookahead with accumulation", TrainConfig { lookahead: Some(0.7), accumulate: 2, ..plain.clone() }),
        (
            "swa with accumulation, lamb, dropout, bce",
            TrainConfig {
                model: "mlp".into(),
                dropout: Some(0.3),
                swa: Some(2),
                accumulate: 5,
                optimizer: optimizer("lamb"),
                loss: LossName::Bce,
                schedule: ScheduleName::Exponential,
                patience: Some(EPOCHS),
                ..plain.clone()
            },
        ),
        (
            "balanced sampling, growing images, thawing within an epoch, accumulation",
            TrainConfig {
                sampling: SamplingName::Balanced,
                progressive: Some(SettingValue::parse("4:0.3,6:0.8").expect("sizes")),
                model: "resnet20".into(),
                accumulate: 2,
                freeze: Some(Freeze::First(1)),
                thaw: Some(1.4),
                ..plain
            },
        ),
    ]
}

/// Begins a run or goes on with it, and stops it after so many steps.
fn train(folder: &Path, config: &TrainConfig, steps: usize) -> Ending {
    let data = data();
    let mut trainer = Trainer::new(cpu(), &model(config, &data), &data, config).expect("built");
    let folder = if folder.join("args.toml").exists() {
        let folder = RunFolder::open(folder).expect("a run");
        trainer.resume(&folder).expect("goes on");
        folder
    } else {
        let folder = RunFolder::create(folder).expect("made");
        fs::write(folder.config_path(), "").expect("written");
        folder
    };
    let (stop, mut done) = (Stop::default(), 0);
    let asked = stop.clone();
    let mut count = |event: &Event<'_>| {
        done += usize::from(matches!(event, Event::Step(_)));
        if done == steps {
            asked.request();
        }
    };
    trainer.fit(Some(&folder), &mut count, &stop).expect("trained")
}

#[test]
fn runs_of_every_recipe_that_were_stopped_at_odd_steps_end_in_the_same_bits() {
    for (name, config) in recipes() {
        let root = tempfile::tempdir().expect("a folder");
        let [whole, other] = ["whole", "other"].map(|name| root.path().join(name));
        train(&whole, &config, usize::MAX);
        for steps in [1, 4, 6, 2, 5, 3, usize::MAX] {
            if train(&other, &config, steps) == Ending::Finished {
                break;
            }
        }
        for file in FILES {
            let [a, b] = [&whole, &other].map(|f| chiaro_io::load_weights(&f.join(file)).expect("weights"));
            assert!(a.tensors() == b.tensors(), "{file} differs with {name}");
        }
        let slots = |folder: &Path| {
            let path = folder.join("checkpoint.safetensors");
            let bytes = fs::read(path).expect("read");
            let header = u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
            bytes[8 + header..].to_vec()
        };
        assert!(slots(&whole) == slots(&other), "something that is kept between steps differs with {name}");
    }
}
