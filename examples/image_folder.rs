//! The tutorial of image folders: pictures in FOLDER/train/CLASS and FOLDER/val/CLASS (or FOLDER/CLASS, of which a fifth is held out),
//! scaled to 64x64 and by 1/255, batches of 32; convolution 32, pool, convolution 64, pool, dense 128, dense of the classes with
//! softmax; Adam at 0.001, 10 epochs. Then: saved, opened again, evaluated, and one picture predicted. Without a folder it makes one
//! of 1,500 digits of MNIST as PNG files.
//!
//! Two mistakes of tutorials: a last layer of 10 whatever the number of folders (here it is their number), and a generator for
//! predictions that shuffles, so that predictions and file names do not go together (here a picture is asked for by its file).
//!
//! Known value: Keras with the same layers, numbers, first weights and files (`benches/peers/image_folder_keras.py`).
//!
//! `cargo run --release --example image_folder -- [--device NAME] [FOLDER [STARTS]]`, then `... -- predict PICTURE`; `chiaro predict image_folder-run PICTURE`
//! opens the same file.

use std::error::Error;
use std::path::{Path, PathBuf};

use chiaro::data::{Channels, Normalize, OpenOptions, shuffled};
use chiaro::graph::Shared;
use chiaro::nn::{Activation, Conv2d, Flatten, Init, Linear, MaxPool2d, Model, Sequential};
use chiaro::train::settings::ScheduleName;
use chiaro::train::{Classifier, Data, Guess, OptimizerName, RunFolder, Saved, Stop, TrainConfig, Trainer};

mod drawing;
mod start;

const RUN: &str = "image_folder-run";

/// Digits of MNIST as PNG files in a folder a class: of `train` and `val` so many.
pub fn digits(folder: &Path, train: usize, val: usize) -> Result<(), Box<dyn Error>> {
    let mnist = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"));
    let data = Data::open(mnist, &OpenOptions { holdout: None, ..OpenOptions::default() })?;
    for (split, set, count) in [("train", &data.train, train), ("val", &data.eval, val)] {
        for image in shuffled(set.len(), 1, 0).into_iter().take(count) {
            let mut pixels = vec![0; 28 * 28];
            set.write_image(image, &mut pixels)?;
            let class = folder.join(split).join(&set.classes()[set.label(image) as usize]);
            std::fs::create_dir_all(&class)?;
            let size = (28, 28);
            image::save_buffer(class.join(format!("{image}.png")), &pixels, size.0, size.1, image::ColorType::L8)?;
        }
    }
    Ok(())
}

/// The layers of the model `tutorial-cnn`, by which name they are opened again; weights and offsets start as in Keras (Glorot and Bengio, 2010).
fn network(classes: usize) -> Sequential {
    let glorot = Init::XavierUniform { gain: 1.0 };
    let conv = |channels| Conv2d { bias_init: Some(Init::ZEROS), ..Conv2d::new(channels, 3).weight_init(glorot) };
    let dense = |width| Linear { weight_init: glorot, bias_init: Some(Init::ZEROS), ..Linear::new(width) };
    let seen = Sequential::new().named("conv1", conv(32)).then(Activation::Relu).named("pool1", MaxPool2d::new(2));
    let seen = seen.named("conv2", conv(64)).then(Activation::Relu).named("pool2", MaxPool2d::new(2));
    let flat = seen.named("flatten", Flatten).named("fc1", dense(128)).then(Activation::Relu);
    flat.named("fc2", dense(classes))
}

/// Trains on a folder into a run folder by a seed; draws; opens what was saved, and predicts a picture. The accuracy on the pictures to validate
/// by, and what is said of the picture.
pub fn run(
    device: &Shared,
    folder: &Path,
    [epochs, seed]: [usize; 2],
    run: &Path,
) -> Result<(f64, Vec<Guess>), Box<dyn Error>> {
    let open = OpenOptions { size: Some([64, 64]), channels: Some(Channels::Rgb), ..OpenOptions::default() };
    let mut data = Data::open(folder, &open)?;
    data.normalize = Normalize::new(vec![0.0; 3], vec![1.0; 3])?;
    println!(
        "{} pictures to train on, {} to validate by, of {} classes",
        data.train.len(),
        data.eval.len(),
        data.classes()
    );
    let config = TrainConfig {
        data: folder.to_path_buf(),
        model: "tutorial-cnn".into(),
        size: Some([64, 64]),
        epochs,
        batch_size: 32,
        optimizer: "adam".parse::<OptimizerName>()?,
        lr: 1e-3,
        weight_decay: 0.0,
        schedule: ScheduleName::Constant,
        warmup_epochs: 0.0,
        seed: seed as u64,
        ..TrainConfig::default()
    };
    let folder = RunFolder::create(run)?;
    let model = Model::new("tutorial-cnn", data.train.image_shape(), data.classes(), network(data.classes()))?;
    let mut trainer = Trainer::new(device.clone(), &model, &data, &config)?;
    folder.write_config(&trainer.record("the device of this example"))?;
    trainer.fit(Some(&folder), &mut (), &Stop::default())?;
    let learnt: Vec<[f64; 2]> =
        trainer.records().iter().map(|r| [r.train.get("accuracy"), r.eval.get("accuracy")]).collect();
    for (epoch, [train, eval]) in learnt.iter().enumerate() {
        println!(
            "epoch {}: {:.1} % of the training pictures, {:.1} % of the others",
            epoch + 1,
            100.0 * train,
            100.0 * eval
        );
    }
    let accuracy = learnt.iter().map(|both| both[1]).fold(0.0, f64::max);
    let last = learnt.last().map_or(0.0, |both| both[1]);
    println!("seed {seed}: best epoch {:.1} %, last {:.1} %", 100.0 * accuracy, 100.0 * last);
    let curves: Vec<Vec<[f64; 2]>> =
        [0, 1].map(|which| learnt.iter().enumerate().map(|(i, both)| [i as f64 + 1.0, both[which]]).collect()).into();
    let span = drawing::span(learnt.iter().flatten().copied());
    let mut chart = drawing::Chart::new([560, 400], "accuracy by epoch", [1.0, learnt.len() as f64], span);
    for ((curve, name), colour) in curves.iter().zip(["training", "validation"]).zip(drawing::COLOURS) {
        chart.curve(curve, colour);
        chart.note(usize::from(name == "validation"), name, colour);
    }
    chart.save(&run.with_extension("png"))?;
    drop(trainer);
    let picture = first_picture(&config.data)?;
    let guesses = predict(device.clone(), run, &picture)?;
    println!("{}: {}, of {} guesses", picture.display(), guesses[0], guesses.len());
    Ok((accuracy, guesses))
}

/// What the model of a run folder says of a picture.
pub fn predict(device: Shared, run: &Path, picture: &Path) -> Result<Vec<Guess>, Box<dyn Error>> {
    Ok(Classifier::new(device, &Saved::load(run)?)?.classify(picture)?)
}

/// The first picture of the last class, of those to validate by where there are any.
fn first_picture(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut place = folder.join("val");
    if !place.exists() {
        place = folder.to_path_buf();
    }
    while place.is_dir() {
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(&place)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        inside.retain(|path| path.is_dir() || image::ImageFormat::from_path(path).is_ok());
        inside.sort();
        place = inside.pop().ok_or_else(|| format!("{} has no pictures", place.display()))?;
    }
    Ok(place)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("image_folder.rs"))?;
    let device = device.share();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["predict", picture] => {
            println!("{}", predict(device, RUN.as_ref(), picture.as_ref())?[0]);
            Ok(())
        }
        [folder] | [folder, _] => {
            for seed in 0..start::count(&arguments, 1, "starts", 1)? {
                let place = if seed == 0 { RUN.to_string() } else { format!("{RUN}{}", seed + 1) };
                run(&device, folder.as_ref(), [10, seed], place.as_ref())?;
            }
            Ok(())
        }
        [] => {
            let made = std::env::temp_dir().join("chiaro-digits");
            if !made.exists() {
                digits(&made, 1200, 300)?;
            }
            println!("digits of MNIST in {}", made.display());
            run(&device, &made, [10, 0], RUN.as_ref())?;
            Ok(())
        }
        _ => Err("takes a folder and a number of starts, or predict PICTURE".into()),
    }
}
