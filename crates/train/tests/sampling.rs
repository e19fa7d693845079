//! Which images make an epoch, and how many a step takes.

mod common;

use std::sync::Arc;

use chiaro_data::{Dataset, InMemory, LoaderOptions, Sampler};
use chiaro_graph::{Backend, BackendError, Graph, GraphError, PlanId, Stats, Tensor};
use chiaro_train::{Data, FittingBatch, SamplingName, Stop, TrainConfig, Trainer, fitting_batch};
use common::{config, cpu, data, model};

/// 45 dark images of class 0 and 5 bright ones of class 1.
fn uneven() -> Data {
    let label = |image: usize| u32::from(image % 10 == 9);
    let pixels = (0..50)
        .flat_map(|image| (0..64).map(move |i| (100 + 4 * label(image) + (i * 37 + image * 11) as u32 % 60) as u8));
    let labels = (0..50).map(label).collect();
    let set = InMemory::new(pixels.collect(), labels, [8, 8, 1], ["dark", "bright"].map(String::from).to_vec());
    let set: Arc<dyn Dataset> = Arc::new(set.expect("a data set"));
    Data::new(Arc::clone(&set), set).expect("the same")
}

#[test]
fn balanced_sampling_makes_a_model_say_the_rare_class_more_often() {
    let said = |sampling| {
        let config = TrainConfig { sampling, lr: 0.01, ..config(2) };
        let data = uneven();
        let root = tempfile::tempdir().expect("a folder");
        let folder = chiaro_train::RunFolder::create(root.path()).expect("new");
        let mut trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
        trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
        folder.results().expect("read").expect("ended").metrics.expect("classes").classes[1].predicted
    };
    let [shuffled, balanced] = [SamplingName::Shuffled, SamplingName::Balanced].map(said);
    assert!(balanced > shuffled, "{balanced} {shuffled}");
}

#[test]
fn labels_that_are_not_one_for_each_image_balance_nothing() {
    let options = LoaderOptions { balance: Some(vec![0, 1].into()), ..LoaderOptions::training(1, 0) };
    assert!(Sampler::new(3, &options).is_err_and(|error| error.to_string().contains("2 labels")));
}

#[test]
fn the_batch_is_the_largest_that_memory_holds() {
    let (data, config) = (data(), config(1));
    let model = model(&config, &data);
    let fitting = |memory: u64| fitting_batch(&cpu(), memory, &model, &data, &config);
    // 50 images make few steps: eight a step at the most.
    let eight = fitting(1 << 40).expect("room");
    assert_eq!(eight.images, 8);
    let resident = 50 * 64;
    let needs = |found: FittingBatch| found.bytes.div_ceil(3) * 4 + 8 + resident;
    assert_eq!(fitting(needs(eight)).expect("room"), eight);
    let four = fitting(needs(eight) - 64).expect("room for four");
    assert!(four.images == 4 && four.bytes < eight.bytes, "{four:?} {eight:?}");
    let error = fitting(resident + 1000).expect_err("no room").to_string();
    assert!(error.contains("for one image") && error.contains("--size"), "{error}");
}

/// A device that has tensors of so many images at the most, and does nothing else.
struct Narrow(usize);

type Answer<T> = Result<T, BackendError>;

impl Backend for Narrow {
    fn name(&self) -> String {
        "a narrow device".into()
    }
    fn planned_bytes(&self, graph: &Graph) -> Answer<u64> {
        let images = graph.inputs().iter().filter_map(|input| input.shape.first()).max().copied().unwrap_or(0);
        let [needed, available] = [images, self.0];
        let [what, hint] = ["a tensor", "take fewer"].map(String::from);
        let fits = needed <= available;
        if fits { Ok(1000) } else { Err(GraphError::TooLarge { what, needed, available, hint }.into()) }
    }
    fn compile(&mut self, _: &Graph) -> Answer<PlanId> {
        Err(BackendError::Unknown("graph".into()))
    }
    fn run(&mut self, _: PlanId, _: &[Tensor]) -> Answer<()> {
        Ok(())
    }
    fn read(&mut self, _: PlanId, output: usize) -> Answer<Tensor> {
        Err(BackendError::Unknown(format!("output {output}")))
    }
    fn write_arena(&mut self, _: &str, _: &Tensor) -> Answer<()> {
        Ok(())
    }
    fn write_arena_part(&mut self, _: &str, _: usize, _: &Tensor) -> Answer<()> {
        Ok(())
    }
    fn room(&self) -> u64 {
        u64::MAX
    }
    fn read_arena(&mut self, name: &str) -> Answer<Tensor> {
        Err(BackendError::Unknown(name.into()))
    }
    fn release_plan(&mut self, _: PlanId) -> Answer<()> {
        Ok(())
    }
    fn release_arena(&mut self, _: &str) -> Answer<()> {
        Ok(())
    }
    fn stats(&self) -> Stats {
        Stats::default()
    }
}

#[test]
fn a_batch_whose_tensors_the_device_cannot_have_is_halved() {
    let (data, config) = (data(), config(1));
    let model = model(&config, &data);
    let fitting = |most: usize| fitting_batch(&Narrow(most), 1 << 40, &model, &data, &config);
    assert_eq!([8, 7, 3].map(|most| fitting(most).expect("fits").images), [8, 4, 2]);
    let error = fitting(0).expect_err("no tensor fits").to_string();
    assert!(error.contains("a training step of 1 images: a tensor needs"), "{error}");
}
