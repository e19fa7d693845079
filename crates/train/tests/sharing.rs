//! An evaluator on the device of a trainer: the run is the one it would be alone.

mod common;

use chiaro_graph::Shared;
use chiaro_nn::Views;
use chiaro_train::{EvalOptions, Evaluator, Event, Stop, TrainConfig, Trainer};
use common::{config, cpu, data, model, noisy};

/// When the evaluator runs over its set.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nobody,
    Opened,
    RunAtStep(usize),
}

/// Losses of the epochs of a run, with an evaluator of other images beside it.
fn losses(beside: Beside, resident: bool) -> Vec<[f64; 2]> {
    let (data, config) = (data(), TrainConfig { report_every: Some(5), ..config(2) });
    let (device, model) = (Shared::new(cpu()), model(&config, &data));
    let mut trainer = Trainer::new(device.clone(), &model, &data, &config).expect("built");
    let mut own = device.clone();
    // As many images as the trainer evaluates on.
    let other = noisy(21, 77_777);
    let options = EvalOptions { batch: 7, threads: None, resident, views: Views::One };
    let evaluator = (beside != Beside::Nobody)
        .then(|| Evaluator::new(&mut own, trainer.task(), &model, &other, &data.normalize, options).expect("built"));
    let mut observer = |event: &Event<'_>| {
        if let (Event::Step(progress), Some(evaluator)) = (event, &evaluator)
            && beside == Beside::RunAtStep(progress.step)
        {
            let evaluation = evaluator.run(&mut own, |_| true).expect("evaluated").expect("not stopped");
            assert_eq!(evaluation.samples, 21);
        }
    };
    trainer.fit(None, &mut observer, &Stop::default()).expect("trained");
    trainer.records().iter().map(|record| [record.train.loss, record.eval.loss]).collect()
}

#[test]
fn an_evaluator_with_as_many_images_does_not_replace_the_trainers() {
    assert_eq!(losses(Beside::Opened, true), losses(Beside::Nobody, true));
}

#[test]
fn an_evaluation_between_steps_leaves_the_sums_that_were_not_read_yet() {
    assert_eq!(losses(Beside::RunAtStep(3), false), losses(Beside::Nobody, false));
}
