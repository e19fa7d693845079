//! Data sets on the device: the same training as with uploads, and what a step still uploads.

mod support;

use std::sync::Arc;

use chiaro::cpu::reference::Reference;
use chiaro::data::InMemory;
use chiaro::graph::{ARENA_ALIGNMENT, PlanId, Shared, Stats};
use chiaro::train::{Data, DataPlace, EpochRecord, Residency, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Backend, BackendError, Graph, Tensor};

/// Images and labels: a bright row that tells the class, noise around it.
fn set(count: usize, [h, w, c]: [usize; 3]) -> Arc<InMemory> {
    let classes: Vec<String> = (0..3).map(|i| i.to_string()).collect();
    let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) % 100;
    let pixel = |i: usize| {
        let (image, row) = (i / (h * w * c), i / (w * c) % h);
        (noise(i) + if row == image % 3 * h / 3 { 150 } else { 0 }) as u8
    };
    let pixels = (0..count * h * w * c).map(pixel).collect();
    let labels = (0..count as u32).map(|i| i % 3).collect();
    Arc::new(InMemory::new(pixels, labels, [h, w, c], classes).expect("a data set"))
}

fn data(shape: [usize; 3]) -> Data {
    // Neither fills its last batch.
    Data::new(set(50, shape), set(21, shape)).expect("two sets of one kind")
}

fn config(resident: Residency) -> TrainConfig {
    TrainConfig {
        model: "small-cnn".into(),
        epochs: 2,
        batch_size: 8,
        augment: "light".parse().expect("a level"),
        resident,
        ..TrainConfig::default()
    }
}

/// What a whole run gives: its epochs without their times, its weights, and where its data was.
fn trained(backend: impl Backend + 'static, resident: Residency) -> (Vec<[f64; 4]>, Vec<f64>, DataPlace) {
    let data = data([9, 11, 3]);
    let config = config(resident);
    let model = model_for(&config, &data).expect("a model");
    let mut trainer = Trainer::new(backend, &model, &data, &config).expect("a trainer");
    let place = trainer.data_place();
    // On the device, they are not needed here any more.
    drop(data);
    trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    let numbers = |r: &EpochRecord| [r.train.loss, r.train.get("accuracy"), r.eval.loss, r.eval.get("accuracy")];
    let epochs = trainer.records().iter().map(numbers).collect();
    let weights = trainer.weights().expect("weights").into_iter().flat_map(|(_, tensor)| tensor.to_f64()).collect();
    (epochs, weights, place)
}

/// Bytes of both sets: 297 pixels an image fill 75 words.
const BYTES: u64 = (50 + 21) * 75 * 4;

fn both_ways_give_the_same_bits(new: impl Fn() -> Option<Shared>) {
    let (Some(first), Some(second)) = (new(), new()) else { return };
    let (epochs, weights, place) = trained(first, Residency::Auto);
    assert_eq!(place, DataPlace::Device { bytes: BYTES });
    let (uploaded_epochs, uploaded_weights, place) = trained(second, Residency::Off);
    assert_eq!(place, DataPlace::Host);
    assert_eq!(epochs, uploaded_epochs);
    assert!(weights == uploaded_weights, "the weights differ");
    assert!(epochs[1][0] < epochs[0][0], "nothing is learnt: {epochs:?}");
}

#[test]
fn both_ways_give_the_same_bits_on_the_reference() {
    both_ways_give_the_same_bits(|| Some(Shared::new(Reference::new())));
}

#[test]
fn both_ways_give_the_same_bits_on_the_cpu() {
    both_ways_give_the_same_bits(|| Some(Shared::new(support::cpu())));
}

#[test]
fn both_ways_give_the_same_bits_on_the_gpu() {
    both_ways_give_the_same_bits(|| Some(Shared::new(support::gpu()?)));
}

/// Bytes that the steps of an epoch upload, its evaluation included, with the number of steps.
fn uploaded(backend: impl Backend + 'static, resident: Residency) -> (u64, u64) {
    let data = data([28, 28, 1]);
    let config = TrainConfig { epochs: 1, report_every: Some(1000), ..config(resident) };
    let model = model_for(&config, &data).expect("a model");
    let mut trainer = Trainer::new(backend, &model, &data, &config).expect("a trainer");
    let before = trainer.backend().stats().uploaded;
    trainer.fit(None, &mut (), &Stop::default()).expect("trained");
    let after = trainer.backend().stats().uploaded;
    (after - before, 50 / 8 + 21_u64.div_ceil(8))
}

fn a_step_uploads_numbers_alone(new: impl Fn() -> Option<Shared>) {
    let (Some(first), Some(second)) = (new(), new()) else { return };
    let (bytes, steps) = uploaded(first, Residency::Auto);
    // Numbers and labels of 8 images, key and rates; and four times the metrics are cleared, a whole arena. Six of the nine steps train, and
    // are told where each image is moved: 36 bytes.
    let of_step = (bytes - 4 * 4 * ARENA_ALIGNMENT as u64 - 6 * 8 * 36) / steps;
    assert!((8 * 8..8 * 8 + 64).contains(&of_step), "{of_step} bytes a step");
    // The counter counts: with uploads there are 784 bytes more for each of the 8 images, instead of its number.
    let (all, _) = uploaded(second, Residency::Off);
    assert_eq!(all - bytes, steps * 8 * (784 - 4));
}

#[test]
fn a_step_uploads_numbers_alone_on_the_cpu() {
    a_step_uploads_numbers_alone(|| Some(Shared::new(support::cpu())));
}

#[test]
fn a_step_uploads_numbers_alone_on_the_gpu() {
    a_step_uploads_numbers_alone(|| Some(Shared::new(support::gpu()?)));
}

/// A device with little room, or with too little memory for a step and the data.
struct Small {
    backend: Box<dyn Backend>,
    room: u64,
    refusals: usize,
}

impl Backend for Small {
    fn name(&self) -> String {
        self.backend.name()
    }
    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(BackendError::OutOfMemory { device: self.name(), detail: "too much".into() });
        }
        self.backend.compile(graph)
    }
    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.backend.run(plan, inputs)
    }
    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        self.backend.read(plan, output)
    }
    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        self.backend.write_arena(name, values)
    }
    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        self.backend.write_arena_part(name, first, values)
    }
    fn room(&self) -> u64 {
        self.room
    }
    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        self.backend.read_arena(name)
    }
    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.backend.release_plan(plan)
    }
    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.backend.release_arena(name)
    }
    fn stats(&self) -> Stats {
        self.backend.stats()
    }
}

#[test]
fn a_set_that_does_not_fit_is_uploaded_and_trained_on_all_the_same() {
    let (epochs, weights, _) = trained(support::cpu(), Residency::Auto);
    // The limit of a binding; the limit with the training set just inside and the test set too; memory for the step.
    let bytes = 50_u64 * 75 * 4;
    let enough = bytes.next_multiple_of(4 * ARENA_ALIGNMENT as u64);
    let cases = [
        (enough - 1, 0, DataPlace::TooLarge { bytes, room: enough - 1 }),
        (enough, 0, DataPlace::Device { bytes: BYTES }),
        (enough, 1, DataPlace::TooLarge { bytes, room: enough }),
    ];
    for (room, refusals, expected) in cases {
        let small = Small { backend: Box::new(support::cpu()), room, refusals };
        let (other, other_weights, place) = trained(small, Residency::Auto);
        assert_eq!((other, place), (epochs.clone(), expected));
        assert!(other_weights == weights, "the weights differ");
    }
}

#[test]
fn memory_that_is_too_small_even_with_uploads_is_an_error() {
    let data = data([9, 11, 3]);
    let config = config(Residency::Auto);
    let model = model_for(&config, &data).expect("a model");
    let small = Small { backend: Box::new(support::cpu()), room: u64::MAX, refusals: 2 };
    let error = Trainer::new(small, &model, &data, &config).err().expect("no memory").to_string();
    assert!(error.contains("out of memory") && error.contains("too much"), "{error}");
}

/// Sets of several sizes are used on one backend, one after the other.
#[test]
fn one_backend_trains_on_sets_of_several_sizes() {
    let backend = Shared::new(support::cpu());
    for count in [50, 60, 50] {
        let data = Data::new(set(count, [9, 11, 3]), set(21, [9, 11, 3])).expect("two sets");
        let config = config(Residency::Auto);
        let model = model_for(&config, &data).expect("a model");
        let mut trainer = Trainer::new(backend.clone(), &model, &data, &config).expect("a trainer");
        trainer.fit(None, &mut (), &Stop::default()).expect("trained");
        assert_eq!(trainer.steps_per_epoch(), count / 8);
    }
}

#[test]
fn parts_that_leave_an_arena_are_refused() {
    let backends: [Option<Box<dyn Backend>>; 3] = [
        Some(Box::new(Reference::new())),
        Some(Box::new(support::cpu())),
        support::gpu().map(|gpu| Box::new(gpu) as Box<dyn Backend>),
    ];
    for mut backend in backends.into_iter().flatten() {
        let mut graph = Graph::new();
        let arena = graph.arena("data/x", chiaro::DType::U32).expect("an arena");
        let state = graph.state(arena, "x", &[ARENA_ALIGNMENT]).expect("a state");
        let value = graph.state_value(state).expect("owned");
        graph.output("x", value).expect("an output");
        backend.compile(&graph).expect("compiled");
        let part = |n: usize, dtype| Tensor::from_f64([n], dtype, &vec![7.0; n]).expect("a vector");
        backend.write_arena_part("data/x", ARENA_ALIGNMENT - 4, &part(4, chiaro::DType::U32)).expect("the end");
        let before = backend.read_arena("data/x").expect("read");
        assert_eq!(before.to_f64()[ARENA_ALIGNMENT - 8..], [0.0, 0.0, 0.0, 0.0, 7.0, 7.0, 7.0, 7.0]);
        assert!(backend.write_arena_part("data/x", ARENA_ALIGNMENT - 3, &part(4, chiaro::DType::U32)).is_err());
        assert!(backend.write_arena_part("data/x", usize::MAX, &part(4, chiaro::DType::U32)).is_err());
        assert!(backend.write_arena_part("data/x", 0, &part(4, chiaro::DType::F32)).is_err());
        assert!(backend.write_arena_part("data/y", 0, &part(4, chiaro::DType::U32)).is_err());
        assert_eq!(backend.read_arena("data/x").expect("read"), before);
    }
}
