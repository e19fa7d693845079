//! Runs in phases: what is frozen costs no gradient, images grow, and a teacher is learnt from.

mod common;

use std::path::Path;
use std::sync::Arc;

use chiaro_data::{Dataset, InMemory};
use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_graph::{Graph, Tensor};
use chiaro_nn::TrainStep;
use chiaro_train::settings::{GivenSetting, SettingValue, setting};
use chiaro_train::{Data, Freeze, NormsName, RunFolder, Stop, TrainConfig, Trainer};
use common::{config, cpu, data, model};

fn trainer(config: &TrainConfig) -> Trainer {
    let data = data();
    Trainer::new(cpu(), &model(config, &data), &data, config).expect("built")
}

fn trained(config: &TrainConfig) -> Vec<(String, Tensor)> {
    let mut trainer = trainer(config);
    trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    trainer.weights().expect("weights")
}

fn flops(step: &TrainStep) -> u64 {
    Plan::new(&step.graph, &PlanOptions::default()).expect("planned").flops()
}

#[test]
fn frozen_parts_cost_no_gradient_until_they_thaw() {
    let plain = TrainConfig { model: "resnet20".into(), ..config(2) };
    let whole = flops(trainer(&plain).step());
    // All but the head: what is left backward is the head's own gradient.
    let parts = ["conv1", "bn1", "layer1", "layer2", "layer3"].map(String::from).to_vec();
    let frozen = TrainConfig { freeze: Some(Freeze::Named(parts)), ..plain };
    let idle = flops(trainer(&frozen).step());
    assert!(idle * 28 < whole * 10, "{idle} of {whole}: forward is a third");
    let thawing = trainer(&TrainConfig { thaw: Some(1.0), ..frozen });
    assert_eq!((flops(thawing.present_step()), flops(thawing.step())), (idle, whole));
}

#[test]
fn frozen_parts_stay_and_the_others_move_as_with_all_gradients() {
    let plain = TrainConfig { optimizer: "sgd".parse().expect("known"), lr: 0.05, ..config(1) };
    let frozen = TrainConfig { freeze: Some(Freeze::First(2)), ..plain.clone() };
    let before = trainer(&frozen).weights().expect("weights");
    let after = trained(&frozen);
    for ((name, old), (_, new)) in before.iter().zip(&after).filter(|((name, _), _)| !name.contains("running")) {
        assert_eq!(old == new, name.starts_with("conv1") || name.starts_with("bn1"), "{name}");
    }
    // A run that thaws before its first step is one that never froze.
    let thawed = TrainConfig { freeze: Some(Freeze::First(2)), thaw: Some(0.0), ..plain.clone() };
    assert!(trained(&thawed) == trained(&plain));
}

#[test]
fn norms_of_frozen_parts_and_still_norms_keep_their_running_statistics() {
    let plain = TrainConfig { optimizer: "sgd".parse().expect("known"), lr: 0.05, ..config(1) };
    let stays = |config: &TrainConfig| -> Vec<(String, bool)> {
        let before = trainer(config).weights().expect("weights");
        let pairs = before.into_iter().zip(trained(config));
        pairs.map(|((name, old), (_, new))| (name, old == new)).collect()
    };
    for (name, stays) in stays(&TrainConfig { freeze: Some(Freeze::First(2)), ..plain.clone() }) {
        assert_eq!(stays, name.starts_with("conv1") || name.starts_with("bn1"), "{name}");
    }
    for (name, stays) in stays(&TrainConfig { norms: NormsName::Still, ..plain }) {
        assert_eq!(stays, name.contains("running"), "{name}");
    }
}

#[test]
fn smaller_images_cost_less_and_come_first() {
    let plain = TrainConfig { model: "resnet20".into(), ..config(2) };
    let growing = TrainConfig { progressive: Some(SettingValue::parse("4:0.5").expect("sizes")), ..plain.clone() };
    let mut trainer = trainer(&growing);
    let (small, large) = (flops(trainer.present_step()), flops(trainer.step()));
    assert!(small * 3 < large, "{small} {large}");
    trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    assert_eq!(flops(trainer.present_step()), large);
    assert!(trainer.weights().expect("weights") != trained(&plain));
    // Parameters that hang on the size cannot be trained at two.
    let data = data();
    let mlp = TrainConfig { model: "mlp".into(), ..growing };
    let error = Trainer::new(cpu(), &model(&mlp, &data), &data, &mlp).err().expect("refused").to_string();
    assert!(error.contains("--progressive: mlp has other parameters for images of 4x4"), "{error}");
    // Nor are there places for all the pooling.
    let tiny = TrainConfig {
        model: "small-cnn".into(),
        progressive: Some(SettingValue::parse("1:0.5").expect("sizes")),
        ..plain
    };
    let error = Trainer::new(cpu(), &model(&tiny, &data), &data, &tiny).err().expect("refused").to_string();
    assert!(error.contains("--progressive: "), "{error}");
}

fn teacher(folder: &Path) {
    taught_by(&data(), &TrainConfig { model: "resnet20".into(), ..config(4) }, folder);
}

/// A finished run of this data.
fn taught_by(data: &Data, config: &TrainConfig, folder: &Path) {
    let mut trainer = Trainer::new(cpu(), &model(config, data), data, config).expect("built");
    let folder = RunFolder::create(folder).expect("new");
    folder.write_config(&trainer.record("cpu")).expect("written");
    trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
}

const CLASSES: [&str; 3] = ["rows", "columns", "checks"];

/// Grey images of this shape.
fn grey(shape: [usize; 3], classes: &[&str]) -> InMemory {
    let names = classes.iter().map(ToString::to_string).collect();
    let labels = (0..12).map(|image| (image % classes.len()) as u32).collect();
    let pixels = (0..12 * shape.iter().product::<usize>()).map(|i| (i * 7919 % 97) as u8).collect();
    InMemory::new(pixels, labels, shape, names).expect("a data set")
}

fn plain(shape: [usize; 3], classes: &[&str]) -> Data {
    let set: Arc<dyn Dataset> = Arc::new(grey(shape, classes));
    Data::new(Arc::clone(&set), set).expect("the same shape and classes")
}

fn norm(graph: &Graph) -> usize {
    graph.arenas().iter().filter(|arena| arena.name.contains("teacher")).count()
}

#[test]
fn a_teachers_part_of_the_loss_is_what_it_says_and_its_weights_stay() {
    let root = tempfile::tempdir().expect("a folder");
    teacher(&root.path().join("teacher"));
    let path = Some(root.path().join("teacher"));
    let plain = config(2);
    let weights = trained(&plain);
    // A teacher of weight 0 changes nothing but for rounding; one of weight 1 teaches without labels.
    let none = trained(&TrainConfig { teacher: path.clone(), distill_weight: 0.0, ..plain.clone() });
    let off = |a: &[(String, Tensor)], b: &[(String, Tensor)]| {
        let pairs = a.iter().zip(b).flat_map(|((_, a), (_, b))| a.to_f64().into_iter().zip(b.to_f64()));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(off(&weights, &none) < 1e-5, "{}", off(&weights, &none));
    let taught = TrainConfig { teacher: path.clone(), distill_weight: 1.0, ..plain.clone() };
    assert!(off(&weights, &trained(&taught)) > 1e-3);
    let warmer = TrainConfig { distill_temperature: 8.0, ..taught.clone() };
    assert!(off(&trained(&warmer), &trained(&taught)) > 1e-3);
    // The student agrees with its teacher: the loss is the divergence alone, which falls towards 0.
    let mut long = trainer(&TrainConfig { epochs: 30, ..taught });
    assert_eq!(norm(&long.step().graph), 2);
    long.fit(None, &mut (), &Stop::default()).expect("trained");
    let (first, last) = (&long.records()[0], &long.records()[29]);
    assert!(last.train.loss < first.train.loss / 4.0 && last.train.loss >= 0.0, "{first:?} {last:?}");
}

#[test]
fn teachers_that_do_not_fit_are_refused_and_their_numbers_mean_nothing_without_one() {
    let root = tempfile::tempdir().expect("a folder");
    let refused = |data: &Data, folder: &str| {
        let config = TrainConfig { teacher: Some(root.path().join(folder)), ..config(1) };
        Trainer::new(cpu(), &model(&config, data), data, &config).err().expect("refused").to_string()
    };
    let error = refused(&data(), "none");
    assert!(
        error.contains("--teacher: ") && error.contains("none: no such folder") && error.contains("put"),
        "{error}"
    );
    let own = TrainConfig { model: "mlp".into(), ..config(1) };
    taught_by(&data(), &own, &root.path().join("own"));
    let two = ["rows", "columns"];
    for (data, told) in [
        (
            plain([8, 8, 1], &two),
            "knows the classes [\"rows\", \"columns\", \"checks\"], the data has [\"rows\", \"columns\"]",
        ),
        (plain([8, 16, 1], &CLASSES), "takes images of 8x8x1, the run's are 8x16x1: give --size 8x8"),
        (plain([8, 8, 3], &CLASSES), "takes images of 8x8x1, the run's are 8x8x3: give --channels 1"),
        (plain([16, 16, 3], &CLASSES), "the run's are 16x16x3: give --size 8x8 --channels 1"),
    ] {
        let error = refused(&data, "own");
        assert!(error.ends_with(told) || error.contains(&format!("{told}: they must")), "{error}");
    }
    // Of the same classes and images, but for another task.
    let set = grey([8, 8, 1], &CLASSES).with_values(vec![1.0; 3 * 12]).expect("three numbers each");
    let set: Arc<dyn Dataset> = Arc::new(set);
    let several = Data::new(Arc::clone(&set), set).expect("the same shape and classes");
    taught_by(&several, &TrainConfig { task: "multi-label".into(), ..own }, &root.path().join("several"));
    let error = refused(&data(), "several");
    assert!(error.contains("was trained for multi-label, the run is for classification"), "{error}");
    let given: Vec<GivenSetting> = vec![(setting("distill_weight").expect("known"), "0.3".to_string())];
    let error = TrainConfig::default().give(&given).expect_err("refused").to_string();
    assert!(error.contains("mean nothing without --teacher"), "{error}");
}
