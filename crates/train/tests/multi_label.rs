//! A task beside classification, from data in memory to a prediction: images that show several classes at once.

mod common;

use std::sync::Arc;

use chiaro_data::{Dataset, InMemory};
use chiaro_graph::{Backend, Graph, Tensor};
use chiaro_nn::{Objective, Views};
use chiaro_train::{
    ClassWeights, Classifier, Data, EvalOptions, Evaluator, LossName, MultiLabel, Numbers, RunFolder, Saved, Stop,
    TrainConfig, Trainer,
};
use common::{config, cpu, model};

/// Images of 8x8 pixels that show any of a bright row, a bright column and a bright corner, whichever `shown` says.
fn image(shown: [bool; 3], noise: usize) -> Vec<u8> {
    let bright = |i: usize| {
        let (row, column) = (i / 8, i % 8);
        (shown[0] && row == 2) || (shown[1] && column == 5) || (shown[2] && row > 4 && column < 3)
    };
    (0..64).map(|i| ((i * 7919 + noise * 104_729) % 61) as u8 + if bright(i) { 150 } else { 0 }).collect()
}

fn shown(i: usize) -> [bool; 3] {
    [0, 1, 2].map(|class| (i * 5 + i / 8) >> class & 1 == 1)
}

fn set(count: usize, seed: usize) -> Arc<dyn Dataset> {
    let pixels = (0..count).flat_map(|i| image(shown(i + seed), i + seed)).collect();
    let values = (0..count).flat_map(|i| shown(i + seed).map(|there| f32::from(u8::from(there)))).collect();
    let classes = ["row", "column", "corner"].map(String::from).to_vec();
    let set = InMemory::new(pixels, vec![0; count], [8, 8, 1], classes).expect("a data set");
    Arc::new(set.with_values(values).expect("three numbers each"))
}

fn settings(epochs: usize) -> TrainConfig {
    TrainConfig { task: "multi-label".into(), lr: 0.01, ..config(epochs) }
}

#[test]
fn several_classes_an_image_are_learnt_saved_and_predicted() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("new");
    let (data, config) = (Data::new(set(96, 0), set(45, 1000)).expect("alike"), settings(6));
    let backend = cpu();
    let mut trainer = Trainer::new(backend, &model(&config, &data), &data, &config).expect("built");
    folder.write_config(&trainer.record("the CPU")).expect("written");
    trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
    let records = trainer.records().to_vec();
    let (first, last) = (&records[0], &records[5]);
    assert!(last.train.loss < 0.5 * first.train.loss, "{records:?}");
    assert!(last.eval.get("map") > 0.97 && last.eval.get("accuracy") > 0.9, "{records:?}");
    let best = trainer.best().expect("an epoch");
    assert_eq!(best.score, records.iter().map(|r| r.eval.get("map")).fold(0.0, f64::max));
    assert_eq!(folder.metrics().expect("a table").len(), 6);
    let mut again = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    again.resume(&folder).expect("goes on");
    assert_eq!(again.best(), Some(best));
    let told = chiaro_io::load_weights(&folder.best_path()).expect("weights").extra;
    assert_eq!((told["epoch"].parse(), told["map"].parse()), (Ok(best.epoch), Ok(best.score)));

    let file = root.path().join("picture.png");
    image::save_buffer(&file, &image([true, false, true], 7), 8, 8, image::ExtendedColorType::L8).expect("written");
    let saved = Saved::load(folder.path()).expect("weights");
    assert_eq!(saved.info().task, "multi-label");
    let bytes = saved.to_onnx(&chiaro_onnx::ExportOptions::default()).expect("written");
    let pictures: Vec<Vec<u8>> = (0..3).map(|i| image(shown(i), i)).collect();
    let (mut one, mut other) = (cpu(), cpu());
    let compared = saved.compare_onnx(&bytes, false, &pictures, [&mut one, &mut other]).expect("compared");
    assert!(compared.difference < 1e-5 * compared.scale, "{compared:?}");
    let onnx = root.path().join("several.onnx");
    std::fs::write(&onnx, &bytes).expect("written");
    let back = Saved::load(&onnx).expect("read");
    assert_eq!((back.info().task.as_str(), &back.info().classes), ("multi-label", &saved.info().classes));
    // 45 images fill no batch of 8.
    let evaluated = |batch: usize| {
        let (mut backend, task) = (cpu(), saved.task().expect("known"));
        let options = EvalOptions { batch, threads: None, resident: false, views: Views::One };
        let model = saved.model().expect("known");
        let evaluator =
            Evaluator::new(&mut backend, &task, &model, &data.eval, &data.normalize, options).expect("built");
        saved.load_into(&mut backend, &evaluator.step().graph).expect("they fit");
        evaluator.run(&mut backend, |_| true).expect("evaluated").expect("to the end")
    };
    let (filled, exact) = (evaluated(8), evaluated(45));
    assert_eq!((filled.samples, filled.scores.get("map")), (45, exact.scores.get("map")));
    assert!((filled.scores.loss / exact.scores.loss - 1.0).abs() < 1e-5, "{filled:?} {exact:?}");
    assert_eq!(filled.scores.get("map"), best.score);

    let backend = cpu();
    let guesses = Classifier::new(backend, &saved).expect("opened").classify(&file).expect("an image");
    let of_file = Classifier::new(cpu(), &back).expect("opened").classify(&file).expect("an image");
    for (own, theirs) in guesses.iter().zip(&of_file) {
        assert!(own.name == theirs.name && (own.value - theirs.value).abs() < 1e-4, "{guesses:?} {of_file:?}");
    }
    let said: Vec<&str> = guesses.iter().filter(|guess| guess.value > 0.5).map(|guess| guess.name.as_str()).collect();
    assert!(said.len() == 2 && said.contains(&"row") && said.contains(&"corner"), "{guesses:?}");
}

#[test]
fn a_run_of_another_task_goes_on_to_the_same_bits() {
    let root = tempfile::tempdir().expect("a folder");
    let run = |name: &str, epochs: usize, resume: bool| {
        let (data, config) = (Data::new(set(96, 0), set(45, 1000)).expect("alike"), settings(epochs));
        let path = root.path().join(name);
        let folder = if resume { RunFolder::open(&path) } else { RunFolder::create(&path) }.expect("a folder");
        let backend = cpu();
        let mut trainer = Trainer::new(backend, &model(&config, &data), &data, &config).expect("built");
        folder.write_config(&trainer.record("the CPU")).expect("written");
        if resume {
            trainer.resume(&folder).expect("goes on");
        }
        trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
        trainer.weights().expect("weights")
    };
    let whole = run("whole", 3, false);
    run("parts", 1, false);
    assert!(run("parts", 3, true) == whole, "the weights differ");
}

#[test]
fn data_without_the_values_that_the_task_needs_is_refused() {
    let (data, config) = (common::data(), settings(1));
    let backend = cpu();
    let error = Trainer::new(backend, &model(&config, &data), &data, &config).err().expect("refused").to_string();
    assert!(error.starts_with("image 0 has the values [], but multi-label needs 0 or 1"), "{error}");
}

/// The training loss of two images with three logits each, by itself.
fn loss(objective: &MultiLabel) -> f64 {
    let mut graph = Graph::new();
    let outputs = Tensor::f32([3, 3], LOGITS.to_vec()).expect("nine numbers");
    // The last row does not count.
    let targets = Tensor::f32([3, 3], SHOWN.iter().copied().chain([-1.0; 3]).collect()).expect("nine numbers");
    let [outputs, targets] = [outputs, targets].map(|values| graph.constant(values).expect("a constant"));
    let loss = objective.loss(&mut graph, outputs, targets).expect("built");
    graph.output("loss", loss).expect("an output");
    let mut backend = cpu();
    let plan = backend.compile(&graph).expect("compiled");
    backend.run(plan, &[]).expect("run");
    f64::from(backend.read(plan, 0).expect("read").as_f32().expect("f32")[0])
}

const LOGITS: [f32; 9] = [0.5, -1.0, 2.0, 3.0, 0.25, -4.0, 9.0, 9.0, 9.0];
const SHOWN: [f32; 6] = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0];

#[test]
fn the_focal_loss_and_weights_of_what_is_shown_are_those_of_their_formulas() {
    let weights = [2.0, 0.5, 3.0];
    let by_hand = |power: f64, weights: [f64; 3]| {
        let one = |i: usize| {
            let (x, shown) = (f64::from(LOGITS[i]), SHOWN[i] == 1.0);
            let p = 1.0 / (1.0 + (-x).exp());
            let (right, weight) = if shown { (p, weights[i % 3]) } else { (1.0 - p, 1.0) };
            (1.0 - right).powf(power) * weight * -right.ln()
        };
        (0..6).map(one).sum::<f64>() / 6.0
    };
    let positive_weights = Some(weights.map(|w| w as f32).to_vec());
    for (objective, wanted) in [
        (MultiLabel::default(), by_hand(0.0, [1.0; 3])),
        (MultiLabel { focal: Some(2.0), positive_weights: None }, by_hand(2.0, [1.0; 3])),
        (MultiLabel { focal: None, positive_weights: positive_weights.clone() }, by_hand(0.0, weights)),
        (MultiLabel { focal: Some(0.5), positive_weights }, by_hand(0.5, weights)),
    ] {
        let found = loss(&objective);
        assert!((found - wanted).abs() < 1e-6, "{objective:?}: {found} for {wanted}");
    }
}

#[test]
fn losses_and_weights_of_classes_change_what_is_learnt() {
    // Not all classes are shown by half of the images.
    let data = Data::new(set(90, 0), set(45, 1000)).expect("alike");
    let after = |change: fn(&mut TrainConfig)| {
        let mut config = settings(1);
        change(&mut config);
        let mut trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
        trainer.fit(None, &mut (), &Stop::default()).expect("trained");
        trainer.records()[0].eval.loss
    };
    let plain = after(|_| ());
    let changed = [
        after(|c| c.loss = LossName::Focal),
        after(|c| (c.loss, c.focal_gamma) = (LossName::Focal, 0.5)),
        after(|c| c.class_weights = Some(ClassWeights::Balanced)),
        after(|c| c.class_weights = Some(ClassWeights::Given(Numbers(vec![1.0, 2.0, 4.0])))),
    ];
    assert_eq!(after(|c| c.loss = LossName::Bce), plain);
    assert!(changed.iter().enumerate().all(|(i, loss)| *loss != plain && !changed[..i].contains(loss)), "{changed:?}");
    let config = TrainConfig { class_weights: Some(ClassWeights::Given(Numbers(vec![1.0]))), ..settings(1) };
    let error = Trainer::new(cpu(), &model(&config, &data), &data, &config).err().expect("refused").to_string();
    assert!(error.contains("1 numbers, but there are 3 classes"), "{error}");
}
