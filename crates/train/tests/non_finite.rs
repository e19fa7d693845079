//! Runs that cannot go on because numbers are no longer finite.

mod common;

use chiaro_train::{PrecisionName, RunFolder, Stop, TrainConfig, TrainError, Trainer};
use common::{config, cpu, data, model};

fn run(config: &TrainConfig, folder: Option<&RunFolder>) -> TrainError {
    let (data, backend) = (data(), cpu());
    let mut trainer = Trainer::new(backend, &model(config, &data), &data, config).expect("built");
    trainer.fit(folder, &mut (), &Stop::default()).expect_err("not finite")
}

#[test]
fn in_16_bits_a_run_whose_every_batch_overflows_ends() {
    // The first step makes weights that are finite in 32 bits and too large for 16.
    let sgd = TrainConfig { optimizer: "sgd".parse().expect("known"), lr: 1e30, report_every: Some(2), ..config(3) };
    let error = run(&TrainConfig { precision: PrecisionName::F16, ..sgd }, None);
    let TrainError::NonFinite { what, epoch, first, last, .. } = error else { panic!("{error}") };
    assert_eq!((what, epoch, first, last), ("the loss is", 1, 2, 2));
}

#[test]
fn weights_that_are_not_finite_end_the_run_before_they_are_saved() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("new");
    // One step an epoch: its loss is finite, the weights after it are not.
    let config = TrainConfig { optimizer: "sgd".parse().expect("known"), lr: 1e300, batch_size: 50, ..config(3) };
    for folder in [Some(&folder), None] {
        let error = run(&config, folder);
        assert!(matches!(error, TrainError::NonFinite { what: "the weights are", epoch: 1, .. }), "{error}");
    }
    let saved = std::fs::read_dir(folder.path().join("weights")).expect("a folder").count();
    let table_and_checkpoint = ["results.csv", "checkpoint.safetensors"].map(|name| folder.path().join(name).exists());
    assert_eq!((saved, table_and_checkpoint), (0, [false; 2]), "nothing was saved");
}

#[test]
fn the_advice_is_a_rate_as_people_write_it() {
    let error = run(&TrainConfig { optimizer: "sgd".parse().expect("known"), lr: 3e29, ..config(3) }, None).to_string();
    assert!(error.contains("try a learning rate of 3e28, or gradients clipped to norm 1"), "{error}");
    assert!(!error.contains("000"), "{error}");
}
