//! An optimizer of one's own: Signum, SGD with momentum of which only the signs count (arXiv:1802.04434), given a name, and a small
//! network trained with it on MNIST.
//!
//! `cargo run --release --example own_optimizer -- [device]`

use std::error::Error;
use std::sync::Arc;

use chiaro::data::OpenOptions;
use chiaro::graph::Shared;
use chiaro::nn::{NamedOptimizer, Optimizer, OptimizerSettings, Slot, Update, named_optimizer, register_optimizer};
use chiaro::train::{Data, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Device, DeviceOptions, Var, nn};

const NAME: &str = "signum";

/// m = momentum m + (1 - momentum) g, p -= lr sign(m), g with decay.
#[derive(Debug)]
struct Signum(OptimizerSettings);

impl Optimizer for Signum {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("mean")]
    }

    fn update(&self, update: &mut Update<'_>) -> nn::Result<Var> {
        let gradient = update.decayed_gradient(self.0.weight_decay)?;
        let mean = update.slot("mean")?;
        let mean = update.blended(mean, gradient, self.0.momentum)?;
        update.store("mean", mean)?;
        let direction = update.graph().sign(mean)?;
        update.step(direction)
    }
}

/// Gives the optimizer a name, by which settings, and a run that goes on, know it from here on.
fn register() -> nn::Result<()> {
    if named_optimizer(NAME).is_ok() {
        return Ok(());
    }
    register_optimizer(NamedOptimizer {
        name: NAME,
        usual_lr: 1e-3,
        usual_weight_decay: 0.0,
        has_momentum: true,
        make: |settings| Arc::new(Signum(settings)),
    })
}

/// Trains on so many images; the mean loss of the first epoch, and the accuracy on others after the last.
pub fn run(device: Shared, images: usize, epochs: usize) -> Result<[f64; 2], Box<dyn Error>> {
    register()?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    let data = Data::open(folder.as_ref(), &OpenOptions { limit: Some(images), ..OpenOptions::default() })?;
    let lr = named_optimizer(NAME)?.usual_lr;
    let suited = TrainConfig::suited_to(folder, &data);
    let config = TrainConfig {
        model: "lenet5".into(),
        optimizer: NAME.parse()?,
        lr,
        epochs,
        weight_decay: 0.0,
        warmup_epochs: 0.0,
        ..suited
    };
    let mut trainer = Trainer::new(device, &model_for(&config, &data)?, &data, &config)?;
    trainer.fit(None, &mut (), &Stop::default())?;
    for record in trainer.records() {
        let [train, eval] = [&record.train, &record.eval].map(|scores| scores.shown(&trainer.task().measures(), ""));
        println!("epoch {}: {train}; on others {eval}", record.epoch);
    }
    let (first, last) = (trainer.records().first().ok_or("no epoch")?, trainer.records().last().ok_or("no epoch")?);
    Ok([first.train.loss, last.eval.get("accuracy")])
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "auto".into());
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    run(device.share(), 10_000, 3).map(|_| ())
}
