//! A task of a program's own: a number is learnt of each image, epochs are judged by the loss, and nothing is a class.

mod common;

use std::sync::Arc;

use chiaro_data::{Dataset, InMemory};
use chiaro_graph::{DType, Graph, Reduction, Var};
use chiaro_nn::{Objective, TargetSpec};
use chiaro_train::task::{NamedTask, register};
use chiaro_train::{
    Classifier, Data, Guess, Measure, RunFolder, Saved, Stop, Tally, Targets, Task, TrainConfig, Trainer,
};
use common::{config, cpu};

/// How bright an image is, 0 to 1.
#[derive(Debug)]
struct Brightness;

impl Objective for Brightness {
    fn target(&self, _outputs: usize) -> TargetSpec {
        TargetSpec { name: "brightness", shape: vec![1], dtype: DType::F32, filler: -1.0 }
    }

    fn loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> chiaro_nn::Result<Var> {
        let errors = graph.mse_loss(outputs, targets, Reduction::None)?;
        let errors = graph.reshape(errors, &[graph.shape(outputs)[0]])?;
        let counts = self.rows_that_count(graph, outputs, targets)?;
        let counted = graph.mul(errors, counts)?;
        let (sum, rows) = (graph.sum_all(counted)?, graph.sum_all(counts)?);
        Ok(graph.div(sum, rows)?)
    }

    fn sums(&self, _: &mut Graph, _: Var, _: Var) -> chiaro_nn::Result<Vec<Var>> {
        Ok(vec![])
    }
}

/// The largest error.
struct Worst(f64);

impl Tally for Worst {
    fn add(&mut self, outputs: &[f32], target: &[f64]) {
        self.0 = self.0.max((f64::from(outputs[0]) - target[0]).abs());
    }

    fn measures(&self) -> Vec<f64> {
        vec![]
    }

    fn report(&self) -> String {
        format!("the largest error is {:.3}", self.0)
    }
}

impl Task for Brightness {
    fn name(&self) -> &str {
        "brightness"
    }

    fn outputs(&self, _classes: usize) -> usize {
        1
    }

    fn targets(&self, set: &dyn Dataset) -> chiaro_train::Result<Targets> {
        Targets::rows(1, (0..set.len()).map(|i| set.values(i)[0]).collect())
    }

    fn measures(&self) -> Vec<Measure> {
        vec![]
    }

    fn tally(&self, _classes: &[String]) -> Box<dyn Tally> {
        Box::new(Worst(0.0))
    }

    fn predict(&self, outputs: &[f64], _classes: &[String]) -> Vec<Guess> {
        vec![Guess { class: 0, name: "brightness".into(), value: outputs[0], percent: false }]
    }
}

fn pixels(image: usize) -> Vec<u8> {
    (0..64).map(|i| ((image * 53 % 200) + (i * 7919 + image * 104_729) % 50) as u8).collect()
}

fn set(images: std::ops::Range<usize>) -> Arc<dyn Dataset> {
    let mean = |image: usize| pixels(image).iter().map(|p| f32::from(*p) / 255.0).sum::<f32>() / 64.0;
    let (all, labels) = (images.clone().flat_map(pixels).collect(), vec![0; images.len()]);
    let set = InMemory::new(all, labels, [8, 8, 1], vec!["any".into(), "other".into()]).expect("a data set");
    Arc::new(set.with_values(images.map(mean).collect()).expect("one number each"))
}

/// Trains to so many epochs, going on where the folder has a run.
fn train(folder: &RunFolder, epochs: usize, data: &Data) -> Trainer {
    let config = TrainConfig { lr: 0.01, ..config(epochs) };
    let model = chiaro_nn::models::by_name(&config.model, 1, [8, 8, 1]).expect("fits");
    let mut trainer = Trainer::for_task(cpu(), &model, data, &config, Arc::new(Brightness)).expect("built");
    let goes_on = folder.config_path().exists();
    folder.write_config(&trainer.record("the CPU")).expect("written");
    if goes_on {
        trainer.resume(folder).expect("goes on");
    }
    trainer.fit(Some(folder), &mut (), &Stop::default()).expect("trained");
    trainer
}

#[test]
fn a_task_of_ones_own_is_trained_resumed_saved_and_asked() {
    let root = tempfile::tempdir().expect("a folder");
    let data = Data::new(set(0..200), set(500..545)).expect("alike");
    let folder = |name: &str| RunFolder::create(&root.path().join(name)).expect("new");
    let (whole, parts) = (folder("whole"), folder("parts"));
    let mut trainer = train(&whole, 6, &data);
    drop(train(&parts, 2, &data));
    let path = parts.path().to_path_buf();
    drop(parts);
    let parts = RunFolder::open(&path).expect("a run");
    assert!(train(&parts, 6, &data).weights().expect("weights") == trainer.weights().expect("weights"));
    assert_eq!(train(&parts, 6, &data).best(), trainer.best(), "a finished run that is opened again");

    let records = trainer.records();
    assert!(records[5].train.loss < records[0].train.loss / 10.0, "{records:?}");
    let least = records.iter().map(|r| r.eval.loss).fold(f64::INFINITY, f64::min);
    assert_eq!(
        trainer.best().expect("an epoch").score,
        least,
        "epochs are judged by the loss, of which less is better"
    );
    let table = std::fs::read_to_string(whole.path().join("results.csv")).expect("a table");
    assert!(table.starts_with("epoch,time,train/loss,val/loss,lr/pg0,step,"), "{table}");

    let saved = Saved::load(whole.path()).expect("weights");
    let error = saved.task().expect_err("no task of this program").to_string();
    assert!(error.contains("unknown task \"brightness\"; known are classification, multi-label"), "{error}");
    let model = chiaro_nn::models::by_name("small-cnn", 1, [8, 8, 1]).expect("fits");
    let mut given = Classifier::of_model(cpu(), &saved, &model, Arc::new(Brightness)).expect("opened");
    let make = |_: &TrainConfig| Arc::new(Brightness) as Arc<dyn Task>;
    register(NamedTask { name: "brightness", help: "How bright an image is", settings: &[], make })
        .expect("a new name");
    let mut named = Classifier::new(cpu(), &saved).expect("opened by its name");
    let right = f64::from(set(777..778).values(0)[0]);
    for asked in [&mut given, &mut named] {
        let said = asked.classify_pixels(&pixels(777)).expect("an image");
        assert!((said[0].value - right).abs() < 0.1, "{} is {right}", said[0]);
        assert!(asked.classify_pixels(&[0; 63]).is_err());
    }
}
