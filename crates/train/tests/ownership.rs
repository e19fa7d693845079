//! Who owns the device: a trainer, or several who share it. No type has a lifetime for it.

mod common;

use chiaro_graph::{Backend, BackendError, Shared};
use chiaro_train::{Classifier, RunFolder, Saved, Stop, TrainConfig, TrainError, Trainer};
use common::{config, cpu, data, model};

/// A program's own state, which holds a device beside who uses it.
struct Workshop {
    device: Shared,
    trainer: Trainer,
    classifier: Option<Classifier>,
}

fn workshop() -> Workshop {
    let (device, data, config) = (Shared::new(cpu()), data(), config(1));
    let trainer = Trainer::new(device.clone(), &model(&config, &data), &data, &config).expect("built");
    Workshop { device, trainer, classifier: None }
}

#[test]
fn a_trainer_is_held_beside_its_device_and_both_are_used() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("new");
    let mut held = workshop();
    folder.write_config(&held.trainer.record(&held.device.name())).expect("written");
    let before = held.device.read_arena("params").expect("parameters");
    held.trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
    let after = held.device.read_arena("params").expect("parameters");
    assert!(before != after, "the device does not see what was trained");
    assert_eq!(held.device.stats().bytes, held.trainer.device_bytes());
    assert!(held.device.stats().bytes > 0);

    let saved = Saved::load(folder.path()).expect("weights");
    held.classifier = Some(Classifier::new(held.device.clone(), &saved).expect("opened"));
    let file = root.path().join("picture.png");
    image::save_buffer(&file, &[7; 64], 8, 8, image::ExtendedColorType::L8).expect("written");
    let guesses = held.classifier.as_mut().expect("there").classify(&file).expect("an image");
    assert!((guesses.iter().map(|guess| guess.value).sum::<f64>() - 1.0).abs() < 1e-6, "{guesses:?}");
}

#[test]
fn a_trainer_may_own_its_device_and_be_moved() {
    let (data, config) = (data(), config(1));
    let trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    let mut moved = [trainer];
    moved[0].fit(None, &mut (), &Stop::default()).expect("trained");
    assert_eq!(moved[0].records().len(), 1);
}

#[test]
fn another_model_on_a_device_whose_trainer_is_gone_is_told_what_to_do() {
    let (device, data, config) = (Shared::new(cpu()), data(), config(1));
    let first = Trainer::new(device.clone(), &model(&config, &data), &data, &config).expect("built");
    let wider = TrainConfig { model: "resnet20".into(), ..config.clone() };
    let open = || Trainer::new(device.clone(), &model(&wider, &data), &data, &wider);
    let told = |expected: &str| {
        let error = open().err().expect("the parameters are the first model's").to_string();
        assert!(error.contains("the arena \"params\" on this device has") && error.contains(expected), "{error}");
    };
    told("another model is in use there");
    drop(first);
    told("release it (`Backend::release_arena`)");
    let mut freed = device.clone();
    let opened = (0..8).find_map(|_| match open() {
        Ok(trainer) => Some(trainer),
        Err(TrainError::Backend(BackendError::Taken { arena, .. })) => {
            freed.release_arena(&arena).expect("nobody has it");
            None
        }
        Err(other) => panic!("{other}"),
    });
    opened.expect("a device without the first model");
}
