//! Which epoch is the best, what its file holds, and that both stay so when a run goes on.

mod common;

use std::path::Path;

use chiaro_io::{Weights, load_weights};
use chiaro_train::{Best, Ending, EpochRecord, Event, RunFolder, Stop, Trainer};
use common::{Scripted, config, data, model};

/// A run of scripted evaluations over 21 images, from the start or from where the folder is; which epochs were told to be the
/// best, and the best in the end.
fn run(folder: &Path, epochs: usize, correct: &[usize]) -> (Vec<usize>, Option<Best>) {
    let (data, config) = (data(), config(epochs));
    let backend = Scripted::new(21, correct);
    let mut trainer = Trainer::new(backend, &model(&config, &data), &data, &config).expect("built");
    let folder = if folder.join("args.toml").exists() {
        let folder = RunFolder::open(folder).expect("a run");
        assert_eq!(trainer.resume(&folder).expect("goes on").len(), 1, "the new number of epochs is told");
        folder
    } else {
        let folder = RunFolder::create(folder).expect("new");
        std::fs::write(folder.config_path(), "").expect("written");
        folder
    };
    let mut told = vec![];
    let mut hear = |event: &Event<'_>| {
        if let Event::Epoch { record, best: true, .. } = event {
            told.push(record.epoch);
        }
    };
    let ending = trainer.fit(Some(&folder), &mut hear, &Stop::default()).expect("trained");
    assert_eq!(ending, Ending::Finished);
    let best = trainer.best();
    (told, best)
}

fn weights(run: &Path, name: &str) -> Weights {
    load_weights(&run.join(name)).expect("weights")
}

fn best_of(epoch: usize, correct: f64) -> Option<Best> {
    // Counts are f32 on the device, the quotient is made of them in f64.
    Some(Best { epoch, score: correct / 21.0, loss: 1.0 })
}

#[test]
fn the_best_file_has_the_first_epoch_of_the_highest_accuracy() {
    let root = tempfile::tempdir().expect("a folder");
    let [whole, two] = ["whole", "two"].map(|name| root.path().join(name));
    // Falls in the third epoch, and the fourth is a tie.
    assert_eq!(run(&whole, 5, &[9, 15, 12, 15, 3]), (vec![1, 2], best_of(2, 15.0)));
    run(&two, 2, &[9, 15]);
    let (best, second, last) = (
        weights(&whole, "weights/best.safetensors"),
        weights(&two, "weights/last.safetensors"),
        weights(&whole, "weights/last.safetensors"),
    );
    assert_eq!(best.extra["epoch"], "2");
    assert!(best.tensors() == second.tensors(), "the weights are those after two epochs");
    assert_eq!(last.extra["epoch"], "5");
    assert!(best.tensors() != last.tensors());
}

#[test]
fn the_best_epoch_is_kept_when_a_run_goes_on() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("run");
    assert_eq!(run(&folder, 3, &[9, 15, 12]), (vec![1, 2], best_of(2, 15.0)));
    let before = std::fs::read(folder.join("weights/best.safetensors")).expect("read");
    assert_eq!(run(&folder, 5, &[15, 14]), (vec![], best_of(2, 15.0)));
    assert!(std::fs::read(folder.join("weights/best.safetensors")).expect("read") == before);
    assert_eq!(run(&folder, 6, &[16]), (vec![6], best_of(6, 16.0)));
    assert_eq!(weights(&folder, "weights/best.safetensors").extra["epoch"], "6");
}

#[test]
fn the_epoch_that_is_told_is_the_one_in_the_file_whatever_became_of_the_table() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("run");
    run(&folder, 3, &[9, 15, 12]);
    std::fs::remove_file(folder.join("results.csv")).expect("removed");
    assert_eq!(run(&folder, 4, &[13]), (vec![], best_of(2, 15.0)));
    let rows: Vec<EpochRecord> = RunFolder::open(&folder).expect("a run").metrics().expect("a table");
    let epochs: Vec<(usize, f64)> =
        rows.iter().map(|row| (row.epoch, (row.eval.get("accuracy") * 21.0).round())).collect();
    assert_eq!(epochs, [(1, 9.0), (2, 15.0), (3, 12.0), (4, 13.0)], "the table is whole again");
}
