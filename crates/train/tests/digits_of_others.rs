//! Networks for MNIST that others trained with PyTorch, whose layers are written down here: their accuracy on its test images. The
//! environment variable `CHIARO_MODELS` names the folder of their weights; what is not there is printed.

use std::path::{Path, PathBuf};

use chiaro_cpu::Cpu;
use chiaro_data::{OpenOptions, open};
use chiaro_graph::{Backend, Tensor};
use chiaro_io::torch;
use chiaro_nn::{Activation, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Sequential};
use chiaro_nn::{EvalStep, Model, pack_arena};

const BATCH: usize = 200;

/// burn's example of PyTorch's weights.
fn of_burn() -> Sequential {
    Sequential::new()
        .named("conv1", Conv2d::new(8, 3))
        .then(Activation::Relu)
        .named("conv2", Conv2d::new(16, 3))
        .then(Activation::Relu)
        .named("conv3", Conv2d::new(24, 3))
        .then(Activation::Relu)
        .named("norm1", BatchNorm2d::new())
        .named("flatten", Flatten)
        .named("fc1", Linear::new(32))
        .then(Activation::Relu)
        .named("fc2", Linear::new(10))
        .named("norm2", BatchNorm2d::new())
}

/// The network of the package `digit-recognizer-py`.
fn of_digit_recognizer() -> Sequential {
    let mut layers = Sequential::new();
    for (i, channels) in [32, 64, 128].into_iter().enumerate() {
        let conv = Conv2d::new(channels, 3).padding(1);
        layers = layers.named(&format!("conv_layers.{}", 3 * i), conv).then(Activation::Relu);
        layers = layers.named(&format!("pool{i}"), MaxPool2d::new(2));
    }
    layers = layers.named("flatten", Flatten).named("fc_layers.0", Linear::new(256)).then(Activation::Relu);
    layers.named("fc_layers.2", Linear::new(10))
}

/// Right of the test images, with pixels normalised so.
fn right(layers: Sequential, weights: &Path, mean: f32, std: f32) -> usize {
    let model = Model::new("digits", [28, 28, 1], 10, layers).expect("fits");
    let fitted = torch::fit(&model, &torch::load(weights).expect("a state dict"), None);
    assert!(fitted.missing.is_empty() && fitted.extra.is_empty(), "{:?} {:?}", fitted.missing, fitted.extra);
    let step = EvalStep::build(&model, BATCH).expect("a step");
    let mut backend = Cpu::new(Some(2)).expect("a CPU");
    let plan = backend.compile(&step.graph).expect("compiles");
    for arena in ["params", "buffers"].into_iter().filter(|name| step.graph.find_arena(name).is_some()) {
        let values = pack_arena(&step.graph, arena, |name| fitted.tensors.get(name)).expect("all weights");
        backend.write_arena(arena, &values).expect("written");
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let test = open(&data, &OpenOptions::default()).expect("MNIST").eval;
    let (mut right, mut pixels) = (0, vec![0; 28 * 28]);
    for start in (0..test.len()).step_by(BATCH) {
        let mut x = Vec::with_capacity(BATCH * pixels.len());
        for i in start..start + BATCH {
            test.write_image(i, &mut pixels).expect("an image");
            x.extend(pixels.iter().map(|&p| (f32::from(p) / 255.0 - mean) / std));
        }
        let x = Tensor::f32([BATCH, 28, 28, 1], x).expect("images");
        let labels = Tensor::i32([BATCH], vec![EvalStep::IGNORED; BATCH]).expect("labels");
        backend.run(plan, &[x, labels]).expect("runs");
        let logits = backend.read(plan, 0).expect("logits").to_f64();
        for (i, row) in logits.chunks_exact(10).enumerate() {
            let best = (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("ten");
            right += usize::from(best == test.label(start + i) as usize);
        }
    }
    right
}

#[test]
fn networks_that_others_trained_are_as_right_as_they_say() {
    let Some(folder) = std::env::var_os("CHIARO_MODELS").map(PathBuf::from) else {
        println!("not looked at: CHIARO_MODELS names no folder with burn-mnist/mnist.pt");
        return;
    };
    for (file, layers, (mean, std), least) in [
        ("burn-mnist/mnist.pt", of_burn(), (0.1307, 0.3081), 9915),
        ("digit-recognizer/handwriting_model.pth", of_digit_recognizer(), (0.1307, 0.3081), 9906),
    ] {
        let path = folder.join(file);
        if !path.is_file() {
            println!("not looked at: {} is not there", path.display());
            continue;
        }
        let right = right(layers, &path, mean, std);
        println!("{file}: {right} of 10000 are right");
        assert!(right >= least, "{file}: {right} of 10000");
    }
}
