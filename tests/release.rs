//! What is released goes back: plans, arenas, and all that a trainer had on a shared device.

mod support;

use std::sync::Arc;

use chiaro::cpu::reference::Reference;
use chiaro::data::InMemory;
use chiaro::graph::{ARENA_ALIGNMENT, Shared};
use chiaro::nn::Views;
use chiaro::train::{Data, DataPlace, EvalOptions, Evaluator, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Backend, BackendError, DType, Graph, Tensor};

fn each(check: impl Fn(Shared)) {
    check(Shared::new(Reference::new()));
    check(Shared::new(support::cpu()));
    if let Some(gpu) = support::gpu() {
        check(Shared::new(gpu));
    }
}

fn set(count: usize) -> Arc<InMemory> {
    let classes = vec!["dark".to_string(), "bright".to_string()];
    let pixels = (0..count * 64).map(|i| (i / 64 % 2 * 200 + i % 7) as u8).collect();
    let labels = (0..count as u32).map(|i| i % 2).collect();
    Arc::new(InMemory::new(pixels, labels, [8, 8, 1], classes).expect("a set"))
}

/// Bytes after a trainer of so many images was made, and after it was used and dropped.
fn trained(device: &Shared, count: usize) -> [u64; 2] {
    let data = Data::new(set(count), set(10)).expect("two sets");
    let config = TrainConfig { epochs: 1, batch_size: 5, ..TrainConfig::suited_to("", &data) };
    let model = model_for(&config, &data).expect("a model");
    let mut trainer = Trainer::new(device.clone(), &model, &data, &config).expect("a trainer");
    assert!(matches!(trainer.data_place(), DataPlace::Device { .. }));
    let with = device.stats().bytes;
    trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    drop(trainer);
    [with, device.stats().bytes]
}

#[test]
fn a_trainer_that_is_dropped_leaves_its_weights_alone_on_a_shared_device() {
    each(|mut device| {
        let [with, left] = trained(&device, 100);
        assert!(with - left >= 110 * 64, "{}: {with} bytes, then {left}", device.name());
        let weights = device.read_arena("params").expect("the weights stay");
        assert!(weights.to_f64().iter().any(|w| *w != 0.0));
        // A GPU keeps the memory of the largest reading for the next.
        let left = device.stats().bytes;
        for count in [100, 160, 50] {
            assert_eq!(trained(&device, count)[1], left, "{}", device.name());
        }
    });
}

#[test]
fn an_evaluator_gives_back_its_images_and_no_one_elses() {
    each(|mut device| {
        let data = Data::new(set(20), set(300)).expect("two sets");
        let config = TrainConfig { epochs: 1, batch_size: 5, ..TrainConfig::suited_to("", &data) };
        let model = model_for(&config, &data).expect("a model");
        let mut trainer = Trainer::new(device.clone(), &model, &data, &config).expect("a trainer");
        // A GPU keeps the memory of a reading for the next.
        device.read_arena("metrics").expect("read");
        let before = device.stats().bytes;
        let options = EvalOptions { batch: 10, threads: None, resident: true, views: Views::One };
        let other: Arc<dyn chiaro::data::Dataset> = set(300);
        let task = trainer.task().clone();
        let made = Evaluator::new(&mut device, &task, &model, &other, &data.normalize, options).expect("an evaluator");
        assert!(device.stats().bytes >= before + 300 * 64);
        made.run(&mut device, |_| true).expect("run");
        made.release(&mut device);
        assert_eq!(device.stats().bytes, before, "{}", device.name());
        trainer.fit(None, &mut (), &Stop::default()).expect("the trainer has its own still");
    });
}

#[test]
fn an_arena_is_released_after_its_plans_and_begins_anew() {
    each(|mut device| {
        let mut graph = Graph::new();
        let arena = graph.arena("a", DType::F32).expect("new");
        let state = graph.state(arena, "x", &[ARENA_ALIGNMENT]).expect("new");
        let value = graph.state_value(state).expect("owned");
        graph.output("x", value).expect("new");
        let start = device.stats().bytes;
        let plans = [(); 2].map(|()| device.compile(&graph).expect("compiled"));
        device
            .write_arena("a", &Tensor::f32([ARENA_ALIGNMENT], vec![7.0; ARENA_ALIGNMENT]).expect("a vector"))
            .expect("written");
        let refused = |error: Result<(), BackendError>| matches!(error, Err(BackendError::InUse { .. }));
        assert!(refused(device.release_arena("a")));
        device.release_plan(plans[0]).expect("there");
        assert!(refused(device.release_arena("a")), "the other has it still");
        device.run(plans[1], &[]).expect("the other runs");
        assert_eq!(device.read(plans[1], 0).expect("read").to_f64(), [7.0; ARENA_ALIGNMENT]);
        device.release_plan(plans[1]).expect("there");
        assert!(matches!(device.run(plans[1], &[]), Err(BackendError::Unknown(_))));
        assert!(matches!(device.release_plan(plans[0]), Err(BackendError::Unknown(_))));
        device.release_arena("a").expect("free");
        assert!(matches!(device.release_arena("a"), Err(BackendError::Unknown(_))));
        assert!(matches!(device.read_arena("a"), Err(BackendError::Unknown(_))));
        assert_eq!(device.stats().bytes, start, "{}", device.name());
        let again = device.compile(&graph).expect("compiled");
        assert!(!plans.contains(&again), "a number comes once");
        device.run(again, &[]).expect("run");
        assert_eq!(device.read(again, 0).expect("read").to_f64(), [0.0; ARENA_ALIGNMENT]);
    });
}

#[test]
fn a_device_opens_and_computes_where_nothing_waits() {
    let options = chiaro::DeviceOptions { cache: None, ..chiaro::DeviceOptions::default() };
    let mut names = vec!["cpu", "reference"];
    names.extend(support::gpu().map(|_| "gpu:software"));
    for name in names {
        let device = pollster::block_on(chiaro::Device::by_name_async(name, &options)).expect("opened");
        let mut device = device.share();
        let mut graph = Graph::new();
        let x = graph.input("x", &[3], DType::F32).expect("new");
        let y = graph.mul(x, x).expect("fits");
        graph.output("y", y).expect("new");
        let plan = pollster::block_on(device.compile_async(&graph)).expect("compiled");
        pollster::block_on(device.turn_async(plan)).expect("its turn");
        device.submit(plan, &[Tensor::f32([3], vec![1.0, 2.0, 3.0]).expect("a vector")]).expect("submitted");
        let squares = pollster::block_on(device.read_async(plan, 0)).expect("read");
        assert_eq!(squares.to_f64(), [1.0, 4.0, 9.0], "{name}");
    }
}
