//! Evaluations: every image counts once, wherever the set is, and what is not finite shows.

mod common;

use std::sync::Arc;

use chiaro_data::{Dataset, InMemory};
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::{PARAMS, TrainOptions, TrainStep, Views};
use chiaro_train::{ClassTally, Confusion, EvalOptions, Evaluation, Evaluator};
use common::{config, cpu, data, model, noisy};

/// Loss and accuracy of a freshly initialised model by both ways of evaluating; the weights go through `change` first.
fn evaluated(
    set: &Arc<dyn Dataset>,
    batch: usize,
    resident: bool,
    change: impl Fn(&mut f32),
) -> (Evaluation, Evaluation, Confusion) {
    let data = data();
    let model = model(&config(1), &data);
    let mut backend = cpu();
    let task = config(1).named_task().expect("known");
    let options = EvalOptions { batch, threads: None, resident, views: Views::One };
    let evaluator = Evaluator::new(&mut backend, &task, &model, set, &data.normalize, options).expect("built");
    let step = TrainStep::build(&model, TrainOptions::new(1, chiaro_nn::Sgd::default()));
    for (name, values) in step
        .expect("built")
        .initial_arenas(3)
        .into_iter()
        .filter(|(name, _)| ["params", "buffers"].contains(&name.as_str()))
    {
        let mut numbers = values.as_f32().expect("floats").to_vec();
        if name == PARAMS {
            numbers.iter_mut().for_each(&change);
        }
        let values = Tensor::f32(values.shape().to_vec(), numbers).expect("as many");
        backend.write_arena(&name, &values).expect("written");
    }
    let run = evaluator.run(&mut backend, |_| true).expect("evaluated").expect("to the end");
    let (with_confusion, tally) = evaluator.tally(&mut backend, |_| ()).expect("evaluated");
    (run, with_confusion, tally.downcast_ref::<ClassTally>().expect("a classification's").confusion().clone())
}

/// One image of a set as a set.
fn only(set: &dyn Dataset, index: usize) -> Arc<dyn Dataset> {
    let mut pixels = vec![0; 64];
    set.write_image(index, &mut pixels).expect("an image");
    Arc::new(
        InMemory::new(pixels, vec![set.label(index)], set.image_shape(), set.classes().to_vec()).expect("a data set"),
    )
}

#[test]
fn a_last_batch_that_is_not_full_counts_its_images_and_no_others() {
    let set = noisy(11, 500);
    let one_by_one: Vec<Evaluation> = (0..11).map(|i| evaluated(&only(&*set, i), 1, true, |_| ()).0).collect();
    let loss = one_by_one.iter().map(|e| e.scores.loss).sum::<f64>() / 11.0;
    let right = one_by_one.iter().map(|e| e.scores.get("accuracy")).sum::<f64>();
    for resident in [true, false] {
        let (run, counted, confusion) = evaluated(&set, 4, resident, |_| ());
        for found in [run, counted] {
            assert_eq!((found.samples, found.scores.get("accuracy")), (11, right / 11.0), "resident: {resident}");
            assert!((found.scores.loss - loss).abs() < 1e-6 * loss, "{} by hand {loss}", found.scores.loss);
        }
        assert_eq!(confusion.per_class().iter().map(|(samples, _)| samples).sum::<u64>(), 11);
    }
}

#[test]
fn a_set_that_is_brought_to_the_device_in_parts_is_there_as_a_whole() {
    // Parts have 4096 images.
    let set = noisy(4096 + 300, 0);
    let [(device, ..), (host, ..)] = [true, false].map(|resident| evaluated(&set, 400, resident, |_| ()));
    assert_eq!(device, host);
}

#[test]
fn a_loss_that_is_not_finite_shows() {
    let set = noisy(11, 500);
    for value in [f32::INFINITY, f32::NAN] {
        let (run, counted, _) = evaluated(&set, 4, true, |weight| *weight = value);
        assert!(run.scores.loss.is_nan() && counted.scores.loss.is_nan(), "{run:?} {counted:?}");
    }
}

#[test]
fn the_device_counts_the_same_first_five_as_the_host() {
    let seven = |count: usize, seed: usize| -> Arc<dyn Dataset> {
        let pixel = |image: usize, i: usize| ((i * 7919 + (image + seed) * 104_729) % 251) as u8;
        let pixels = (0..count).flat_map(|image| (0..64).map(move |i| pixel(image, i))).collect();
        let labels = (0..count).map(|image| (image * 3 % 7) as u32).collect();
        Arc::new(InMemory::new(pixels, labels, [8, 8, 1], (0..7).map(|i| i.to_string()).collect()).expect("a data set"))
    };
    let data = chiaro_train::Data::new(seven(60, 0), seven(41, 900)).expect("alike");
    let settings = chiaro_train::TrainConfig { batch_size: 8, ..config(1) };
    let mut trainer = chiaro_train::Trainer::new(cpu(), &model(&settings, &data), &data, &settings).expect("built");
    let root = tempfile::tempdir().expect("a folder");
    let folder = chiaro_train::RunFolder::create(&root.path().join("run")).expect("made");
    trainer.fit(Some(&folder), &mut (), &chiaro_train::Stop::default()).expect("trained");
    let counted = trainer.records()[0].eval.get("accuracy_top5");
    let results = folder.results().expect("read").expect("ended");
    let of_outputs = results.metrics.and_then(|metrics| metrics.top5).expect("more than five classes");
    // The weights of the only epoch are the best.
    assert!((counted - of_outputs).abs() < 1e-9 && counted > 0.3 && counted < 1.0, "{counted} {of_outputs}");
}
