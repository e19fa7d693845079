//! Each setting of the recipe changes what it says, and nothing else.

mod common;

use std::collections::BTreeMap;

use chiaro_graph::Tensor;
use chiaro_nn::part_of;
use chiaro_train::{
    ClassWeights, Ending, EpochRecord, Event, Freeze, LossName, NormsName, RunFolder, ScheduleName, Stop, TrainConfig,
    Trainer,
};
use common::{Scripted, config, cpu, data, model};

type Weights = BTreeMap<String, Vec<f64>>;
type Change = fn(&mut TrainConfig);

/// What training leaves: the parameters, and the parameters before.
struct Trained {
    before: Weights,
    after: Weights,
    records: Vec<EpochRecord>,
    ending: Ending,
}

fn named(weights: Vec<(String, Tensor)>) -> Weights {
    weights.into_iter().filter(|(name, _)| !name.contains("running")).map(|(n, t)| (n, t.to_f64())).collect()
}

fn train(config: &TrainConfig) -> Trained {
    let data = data();
    let mut trainer = Trainer::new(cpu(), &model(config, &data), &data, config).expect("built");
    let before = named(trainer.weights().expect("weights"));
    let ending = trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    let after = named(trainer.weights().expect("weights"));
    Trained { before, after, records: trainer.records().to_vec(), ending }
}

/// Plain gradient descent in steps of the whole training set.
fn descent(epochs: usize) -> TrainConfig {
    let sgd = "sgd".parse().expect("known");
    TrainConfig { optimizer: sgd, momentum: 0.0, weight_decay: 0.0, lr: 0.1, batch_size: 50, ..config(epochs) }
}

/// How far each parameter moved.
fn moves(trained: &Trained) -> BTreeMap<String, f64> {
    let far = |(name, before): (&String, &Vec<f64>)| {
        let off = before.iter().zip(&trained.after[name]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        (name.clone(), off)
    };
    trained.before.iter().map(far).collect()
}

#[test]
fn rates_fall_with_the_depth_and_biases_have_a_factor_of_their_own() {
    let plain = moves(&train(&descent(1)));
    let with = TrainConfig { layer_decay: 0.5, bias_lr: 3.0, ..descent(1) };
    let parts: Vec<&str> = vec!["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc"];
    for (name, moved) in moves(&train(&with)) {
        let at = parts.iter().position(|part| *part == part_of(&name)).expect("a part of small-cnn") as i32;
        let factor = 0.5f64.powi(6 - at) * if name.ends_with(".bias") { 3.0 } else { 1.0 };
        assert!((moved / plain[&name] / factor - 1.0).abs() < 1e-3, "{name}: {moved}, {} without", plain[&name]);
    }
}

#[test]
fn frozen_parts_do_not_move_until_they_thaw() {
    let freeze = |freeze, thaw| TrainConfig { freeze: Some(freeze), thaw, ..descent(2) };
    for (config, thawed) in [
        (freeze(Freeze::First(2), None), false),
        (freeze(Freeze::Named(vec!["conv1".into(), "bn1".into()]), None), false),
        (freeze(Freeze::First(2), Some(1.0)), true),
        (freeze(Freeze::First(2), Some(2.0)), false),
    ] {
        let trained = train(&config);
        for (name, moved) in moves(&trained) {
            let frozen = ["conv1", "bn1"].contains(&part_of(&name)) && !thawed;
            assert_eq!(moved == 0.0, frozen, "{name} moved by {moved} with {:?}", config.freeze);
        }
    }
    let error = Trainer::new(cpu(), &model(&descent(1), &data()), &data(), &freeze(Freeze::First(9), None));
    assert!(error.err().expect("refused").to_string().contains("nothing to train"));
}

#[test]
fn accumulated_steps_move_nothing_before_the_last() {
    let steps = |accumulate| TrainConfig { accumulate, batch_size: 8, ..descent(1) };
    let far = |accumulate| moves(&train(&steps(accumulate))).values().sum::<f64>();
    let (seven, data) = (steps(7), data());
    let error = Trainer::new(cpu(), &model(&seven, &data), &data, &seven).err().expect("refused").to_string();
    assert!(error.contains("--accumulate 7: the run has 6 steps"), "{error}");
    assert!(far(6) > 0.0 && far(3) > far(6) && far(1) > far(3));
}

/// The parameters in a file of weights.
fn saved(folder: &RunFolder, name: &str) -> Weights {
    let weights = chiaro_io::load_weights(&folder.path().join(name)).expect("weights");
    weights.tensors().iter().filter(|(n, _)| !n.contains("running")).map(|(n, t)| (n.clone(), t.to_f64())).collect()
}

fn in_folder(config: &TrainConfig) -> (tempfile::TempDir, RunFolder, Vec<EpochRecord>) {
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("made");
    let data = data();
    let mut trainer = Trainer::new(cpu(), &model(config, &data), &data, config).expect("built");
    folder.write_config(&trainer.record("cpu")).expect("written");
    trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
    let records = trainer.records().to_vec();
    (root, folder, records)
}

#[test]
fn an_average_is_evaluated_and_saved_while_training_goes_on_with_the_weights() {
    let plain = |epochs| in_folder(&TrainConfig { lr: 0.02, batch_size: 8, ..descent(epochs) });
    let (_a, third, _) = plain(3);
    let (_b, fourth, records) = plain(4);
    let with = |swa, ema| in_folder(&TrainConfig { lr: 0.02, batch_size: 8, swa, ema, ..descent(4) });
    let (_c, swa, of_swa) = with(Some(2), None);
    let (_d, ema, of_ema) = with(None, Some(0.9));
    let (last, raw) = ("weights/last.safetensors", "checkpoint.safetensors");
    for folder in [&swa, &ema] {
        assert_eq!(saved(folder, raw), saved(&fourth, raw), "the weights themselves are as without");
        assert_ne!(saved(folder, last), saved(&fourth, last));
    }
    let lookahead = TrainConfig { lr: 0.02, batch_size: 8, lookahead: Some(0.8), ..descent(4) };
    let (_e, drawn_back, _) = in_folder(&lookahead);
    assert_ne!(saved(&drawn_back, raw), saved(&fourth, raw), "lookahead moves the weights themselves");
    assert_ne!(saved(&drawn_back, last), saved(&drawn_back, raw), "between two looks back they go on");
    let (one, other, mean) = (saved(&third, last), saved(&fourth, last), saved(&swa, last));
    for (name, mean) in &mean {
        for ((a, b), m) in one[name].iter().zip(&other[name]).zip(mean) {
            assert!(((a + b) / 2.0 - m).abs() < 1e-6, "{name}: the mean of {a} and {b} is not {m}");
        }
    }
    let losses = |records: &[EpochRecord]| -> Vec<f64> { records.iter().map(|r| r.eval.loss).collect() };
    let [plain, of_swa, of_ema] = [&records, &of_swa, &of_ema].map(|r| losses(r));
    assert_eq!(plain[..3], of_swa[..3], "in the third epoch the mean is of one");
    assert_ne!(plain[3], of_swa[3]);
    assert!((0..4).all(|i| plain[i] != of_ema[i]));
}

#[test]
fn losses_class_weights_and_dropping_change_what_is_learnt() {
    let plain = TrainConfig { model: "mlp".into(), dropout: Some(0.0), ..descent(1) };
    let changes: [(&str, Change); 7] = [
        ("focal", |c| c.loss = LossName::Focal),
        ("focal gamma", |c| (c.loss, c.focal_gamma) = (LossName::Focal, 0.5)),
        ("bce", |c| c.loss = LossName::Bce),
        ("huber", |c| c.loss = LossName::Huber),
        ("huber delta", |c| (c.loss, c.huber_delta) = (LossName::Huber, 0.125)),
        ("balanced", |c| c.class_weights = Some(ClassWeights::Balanced)),
        ("dropout", |c| c.dropout = Some(0.5)),
    ];
    let mut seen = vec![train(&plain).after];
    for (name, change) in changes {
        let mut config = plain.clone();
        change(&mut config);
        let after = train(&config).after;
        assert!(!seen.contains(&after), "{name} changes nothing");
        seen.push(after);
    }
    let refused = |config: &TrainConfig| {
        let data = data();
        Trainer::new(cpu(), &model(config, &data), &data, config).err().expect("refused").to_string()
    };
    let error = refused(&TrainConfig { drop_path: Some(0.1), ..plain.clone() });
    assert!(error.contains("no residual branch that can be dropped"), "{error}");
    let error =
        refused(&TrainConfig { model: "resnet20".into(), ..TrainConfig { dropout: Some(0.1), ..plain.clone() } });
    assert!(error.contains("no dropout layer"), "{error}");
    let numbers = chiaro_train::Numbers(vec![1.0, 2.0]);
    let error = refused(&TrainConfig { class_weights: Some(ClassWeights::Given(numbers)), ..plain });
    assert!(error.contains("2 numbers, but there are 3 classes"), "{error}");
}

#[test]
fn lamb_and_muon_learn() {
    for (optimizer, lr) in [("lamb", 0.02), ("muon", 0.02)] {
        let optimizer = optimizer.parse().expect("known");
        let trained = train(&TrainConfig { optimizer, lr, batch_size: 8, ..descent(6) });
        let losses: Vec<f64> = trained.records.iter().map(|r| r.train.loss).collect();
        assert!(losses[5] < 0.8 * losses[0], "{losses:?}");
        assert_eq!(trained.ending, Ending::Finished);
    }
}

/// A run whose evaluations have so many right, and its rates.
fn scripted(config: &TrainConfig, right: &[usize]) -> (Ending, Vec<f64>) {
    let data = data();
    let backend = Scripted::new(21, right);
    let mut trainer = Trainer::new(backend, &model(config, &data), &data, config).expect("built");
    let ending = trainer.fit(None, &mut |_: &Event<'_>| (), &Stop::default()).expect("trained");
    (ending, trainer.records().iter().map(|record| record.lr).collect())
}

#[test]
fn a_run_ends_once_so_many_epochs_were_no_better() {
    let patient = |patience| TrainConfig { patience, ..descent(6) };
    let right = [5, 9, 8, 9, 7, 6];
    assert_eq!(scripted(&patient(None), &right).0, Ending::Finished);
    for (patience, epochs) in [(1, 3), (3, 5)] {
        let (ending, rates) = scripted(&patient(Some(patience)), &right);
        assert_eq!((ending, rates.len()), (Ending::NoBetter, epochs), "patience {patience}");
    }
    assert_eq!(scripted(&patient(Some(5)), &right).0, Ending::Finished);
}

#[test]
fn a_run_ends_before_the_epoch_that_would_go_beyond_the_time_limit() {
    let limited = |minutes| train(&TrainConfig { time_limit: Some(minutes), ..descent(3) });
    let short = limited(1e-9);
    assert_eq!((short.ending, short.records.len()), (Ending::OutOfTime, 1));
    let long = limited(1e9);
    assert_eq!((long.ending, long.records.len()), (Ending::Finished, 3));
}

#[test]
fn the_rate_falls_on_a_plateau_of_the_evaluations_loss() {
    // The script's loss is always the same.
    let plateau =
        TrainConfig { schedule: ScheduleName::Plateau, gamma: Some(0.5), lr_patience: 1, lr: 1.0, ..descent(6) };
    assert_eq!(scripted(&plateau, &[1; 6]).1, [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
}

#[test]
fn weights_of_other_classes_are_begun_with_but_for_the_head_which_is_told() {
    let (_root, folder, _) = in_folder(&descent(1));
    let mut config = TrainConfig { init: Some(folder.path().to_path_buf()), batch_size: 20, ..descent(1) };
    let data = data();
    let mut same = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    let told = same.begin().expect("fits");
    assert!(told.len() == 1 && told[0].starts_with("begun with 17 tensors"), "{told:?}");
    assert_eq!(named(same.weights().expect("weights")), saved(&folder, "weights/best.safetensors"));

    let narrow = chiaro_train::Data::new(two_classes(), two_classes()).expect("data");
    let mut other = Trainer::new(cpu(), &model(&config, &narrow), &narrow, &config).expect("built");
    let drawn = named(other.weights().expect("weights"));
    let told = other.begin().expect("fits");
    assert!(told[0].contains("anew begin fc.weight ([3, 64] there, [2, 64] here), fc.bias ([3] there"), "{told:?}");
    let (got, file) = (named(other.weights().expect("weights")), saved(&folder, "weights/best.safetensors"));
    for (name, values) in got {
        assert_eq!(values, if name.starts_with("fc.") { &drawn[&name] } else { &file[&name] }.clone(), "{name}");
    }

    // Norms that keep their running statistics need all of them, and what finds no place is told.
    let deeper = TrainConfig { model: "resnet20".into(), ..config.clone() };
    let (_root, shallow, _) = in_folder(&TrainConfig { init: None, ..deeper.clone() });
    let deep = TrainConfig { init: Some(shallow.path().to_path_buf()), model: "resnet32".into(), ..deeper.clone() };
    let mut trainer = Trainer::new(cpu(), &model(&deep, &data), &data, &deep).expect("built");
    assert!(trainer.begin().expect("some fit")[0].contains("anew begin"));
    let still = TrainConfig { norms: NormsName::Still, ..deep };
    let mut trainer = Trainer::new(cpu(), &model(&still, &data), &data, &still).expect("built");
    let error = trainer.begin().expect_err("refused").to_string();
    assert!(error.contains("--norms batch") && error.contains("running_mean"), "{error}");
    let (_root, deep, _) = in_folder(&TrainConfig { init: None, model: "resnet32".into(), ..deeper.clone() });
    let shallow = TrainConfig { init: Some(deep.path().to_path_buf()), ..deeper };
    let mut trainer = Trainer::new(cpu(), &model(&shallow, &data), &data, &shallow).expect("built");
    let told = trainer.begin().expect("fits");
    assert!(
        told.len() == 2 && told[1].contains("tensors") && told[1].contains("have no place in this model"),
        "{told:?}"
    );

    config.model = "mlp".into();
    let mut unlike = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    let error = unlike.begin().expect_err("nothing fits").to_string();
    assert!(error.contains("none of the tensors"), "{error}");
}

/// The images of two of the classes.
fn two_classes() -> std::sync::Arc<dyn chiaro_data::Dataset> {
    let set = data().train;
    let mut pixels = vec![0; 64 * 40];
    for (i, image) in pixels.chunks_exact_mut(64).enumerate() {
        set.write_image(i, image).expect("an image");
    }
    let labels = (0..40).map(|i| i % 2).collect();
    let classes = ["even", "odd"].map(String::from).to_vec();
    std::sync::Arc::new(chiaro_data::InMemory::new(pixels, labels, [8, 8, 1], classes).expect("a data set"))
}
