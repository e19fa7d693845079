//! Trains the small CNN on MNIST with the library.
//!
//! `cargo run --release --example mnist -- [epochs] [images]`

use chiaro::data::OpenOptions;
use chiaro::nn::Summary;
use chiaro::train::{Data, Event, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Device, DeviceOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    let epochs = numbers.next().transpose()?.unwrap_or(3);
    let images = numbers.next().transpose()?;

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    let data = Data::open(folder.as_ref(), &OpenOptions { limit: images, ..OpenOptions::default() })?;
    let config = TrainConfig { epochs, ..TrainConfig::suited_to(folder, &data) };
    let model = model_for(&config, &data)?;
    print!("{}", Summary::of(&model));

    let device = Device::auto(&DeviceOptions::default())?;
    println!("on {}: {}", device.name(), device.why());

    let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
    let mut print = |event: &Event<'_>| {
        if let Event::Epoch { record, .. } = event {
            println!(
                "epoch {}: test accuracy {:.2} %, {:.0} images/s",
                record.epoch,
                100.0 * record.eval.get("accuracy"),
                record.images_per_second
            );
        }
    };
    trainer.fit(None, &mut print, &Stop::default())?;

    let weights = trainer.weights()?;
    println!("{} tensors, the first of which is {} {:?}", weights.len(), weights[0].0, weights[0].1.shape());
    Ok(())
}
