//! What a run leaves when it ends: the temperature in the best weights, what it changes, and `results.json`.

mod common;

use std::path::Path;

use chiaro_graph::Backend;
use chiaro_train::{Classifier, EvalOptions, Evaluator, Event, RunFolder, Saved, Stop, Trainer};
use common::{config, cpu, data, model};

fn trainer(epochs: usize) -> Trainer {
    let (data, config) = (data(), config(epochs));
    Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built")
}

fn trained(folder: &Path, epochs: usize) -> RunFolder {
    let mut trainer = trainer(epochs);
    let folder = RunFolder::create(folder).expect("new");
    folder.write_config(&trainer.record("cpu")).expect("written");
    trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
    folder
}

/// Probabilities of an image by class.
fn probabilities(classifier: &mut Classifier, pixels: &[u8]) -> Vec<f64> {
    let mut guesses = classifier.classify_pixels(pixels).expect("classified");
    guesses.sort_by_key(|guess| guess.class);
    guesses.into_iter().map(|guess| guess.value).collect()
}

#[test]
fn the_best_weights_tell_a_temperature_and_probabilities_are_made_with_it() {
    let root = tempfile::tempdir().expect("a folder");
    // One epoch: its weights are the best and the last.
    let run = trained(&root.path().join("run"), 1);
    let best = Saved::load(&run.best_path()).expect("weights");
    let last = Saved::load(&run.last_path()).expect("weights");
    let temperature = best.calibration().temperature;
    assert!(temperature > 0.0 && (temperature - 1.0).abs() > 1e-3, "{temperature}");
    assert_eq!(last.calibration().temperature, 1.0);
    let [mut scaled, mut plain] = [&best, &last].map(|saved| Classifier::new(cpu(), saved).expect("opened"));
    let mut pixels = vec![0; 64];
    data().eval.write_image(3, &mut pixels).expect("an image");
    let (found, plain) = (probabilities(&mut scaled, &pixels), probabilities(&mut plain, &pixels));
    let powers: Vec<f64> = plain.iter().map(|p| p.powf(1.0 / temperature)).collect();
    let sum: f64 = powers.iter().sum();
    for (found, power) in found.iter().zip(&powers) {
        assert!((found - power / sum).abs() < 1e-12, "{found} {}", power / sum);
    }
    // The threshold is a field of the classifier.
    let guesses = scaled.classify_pixels(&pixels).expect("classified");
    assert!(!scaled.is_unknown(&guesses));
    scaled.unknown_below(Some(guesses[0].value + 1e-9));
    assert!(scaled.is_unknown(&guesses));
    scaled.unknown_below(Some(guesses[0].value));
    assert!(!scaled.is_unknown(&guesses));
}

#[test]
fn the_results_of_a_run_are_those_that_an_evaluation_finds() {
    let root = tempfile::tempdir().expect("a folder");
    let run = trained(&root.path().join("run"), 3);
    let (results, saved) =
        (run.results().expect("read").expect("the run has ended"), Saved::load(run.path()).expect("weights"));
    let row = &run.metrics().expect("a table")[results.epoch - 1];
    // Losses are added up batch by batch there.
    assert!((results.scores["loss"] - row.eval.loss).abs() < 1e-6, "{results:?} {row:?}");
    assert_eq!(results.scores["accuracy"], row.eval.get("accuracy"));
    let (data, task, model) = (data(), saved.task().expect("known"), saved.model().expect("known"));
    let options = EvalOptions { batch: 8, threads: None, resident: false, views: chiaro_nn::Views::One };
    let mut backend = cpu();
    let evaluator =
        Evaluator::new(&mut backend, &task, &model, &data.eval, &data.normalize, options).expect("compiled");
    saved.load_into(&mut backend as &mut dyn Backend, &evaluator.step().graph).expect("loaded");
    let (_, mut tally) = evaluator.tally(&mut backend, |_| {}).expect("evaluated");
    let plain = tally.metrics().expect("classes");
    tally.set_temperature(saved.calibration().temperature);
    assert_eq!(results.metrics, tally.metrics());
    assert_eq!(results.images, 21);
    assert_eq!(
        (results.temperature, results.unknown_below),
        (Some(saved.calibration().temperature), saved.calibration().unknown_below)
    );
    let scaled = results.metrics.expect("classes");
    assert!(scaled.loss < plain.loss, "{} {}", scaled.loss, plain.loss);
}

#[test]
fn a_run_that_was_killed_or_stopped_at_its_very_end_finishes_when_it_goes_on() {
    let root = tempfile::tempdir().expect("a folder");
    let run = trained(&root.path().join("run"), 2);
    let files = || [run.best_path(), run.results_path()].map(|path| std::fs::read(path).expect("a file"));
    let whole = files();
    std::fs::remove_file(run.results_path()).expect("removed");
    // Stopped in the middle of the last measurement.
    let stop = Stop::default();
    let mut hear = |event: &Event<'_>| {
        if let Event::Evaluating { .. } = event {
            stop.request();
        }
    };
    let mut again = trainer(2);
    again.resume(&run).expect("goes on");
    let ending = again.fit(Some(&run), &mut hear, &stop).expect("stopped");
    assert_eq!(ending, chiaro_train::Ending::Interrupted);
    assert!(run.results().expect("read").is_none());
    let weights = again.weights().expect("read");
    let ending = again.fit(Some(&run), &mut (), &Stop::default()).expect("finished");
    assert_eq!(ending, chiaro_train::Ending::Finished);
    assert!(files() == whole);
    assert!(again.weights().expect("read") == weights, "the last weights are in their place again");
    // A third time there is nothing to do.
    std::fs::write(run.best_path(), "not looked at").expect("written");
    again.fit(Some(&run), &mut (), &Stop::default()).expect("nothing");
}
