//! Weights in PyTorch's names and order: what goes out comes back with the same logits. Where `CHIARO_EXPORT_DIR` names a folder, they
//! are left there with images and logits for PyTorch itself to be asked (`cargo xtask judges`).

mod common;

use std::collections::BTreeMap;

use chiaro_graph::{Backend, Tensor};
use chiaro_io::torch;
use chiaro_nn::{EvalStep, Model, initial_arena, models, pack_arena, unpack_arena};
use common::cpu;

/// Images of 224x224, channels last.
const IMAGES: usize = 2;

fn model() -> Model {
    models::named("resnet18").and_then(|m| m.build(10, [224, 224, 3])).expect("a model")
}

fn pixel(i: usize, y: usize, x: usize, channel: usize) -> f32 {
    ((i * 31 + x * 3 + channel * 7) as f32 * 0.05 + y as f32 * 0.11).sin()
}

fn logits(model: &Model, weights: &BTreeMap<String, Tensor>) -> Vec<f32> {
    let step = EvalStep::build(model, IMAGES).expect("a step");
    let mut backend = cpu();
    let plan = backend.compile(&step.graph).expect("compiles");
    for arena in ["params", "buffers"] {
        let flat = pack_arena(&step.graph, arena, |name| weights.get(name)).expect("all weights");
        backend.write_arena(arena, &flat).expect("written");
    }
    let places = (0..IMAGES * 224 * 224 * 3).map(|at| (at / 150_528, at / 672 % 224, at / 3 % 224, at % 3));
    let images = Tensor::f32([IMAGES, 224, 224, 3], places.map(|(i, y, x, c)| pixel(i, y, x, c)).collect());
    let labels = Tensor::i32([IMAGES], vec![0; IMAGES]).expect("labels");
    backend.run(plan, &[images.expect("images"), labels]).expect("runs");
    backend.read(plan, 0).expect("logits").as_f32().expect("floats").to_vec()
}

#[test]
fn weights_for_pytorch_come_back_with_the_same_logits() {
    let model = model();
    let step = EvalStep::build(&model, IMAGES).expect("a step");
    let mut weights = BTreeMap::new();
    for (arena, declared) in [("params", &step.declarations.parameters), ("buffers", &step.declarations.buffers)] {
        let flat = initial_arena(&step.graph, declared, 3);
        weights.extend(unpack_arena(&step.graph, arena, &flat).expect("an arena"));
    }
    for (i, (name, tensor)) in weights.iter_mut().enumerate() {
        // Norms of positive scale and shift, so that something of the image is left behind every ReLU.
        let wave = |k: usize| ((i * 37 + k * 11) as f32).sin();
        let shift = |k: usize| match name {
            _ if name.ends_with("running_mean") => 0.1 * wave(k),
            _ if name.ends_with("running_var") || tensor.shape().len() == 1 => 0.3 + 0.2 * wave(k),
            _ => 0.0,
        };
        let values = tensor.as_f32().expect("floats").iter().enumerate().map(|(k, v)| v + shift(k)).collect();
        *tensor = Tensor::f32(tensor.shape().to_vec(), values).expect("a tensor");
    }
    let kept = std::env::var_os("CHIARO_EXPORT_DIR").map(std::path::PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = kept.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let path = folder.join("weights.safetensors");
    torch::save(&path, &model, &weights).expect("written");
    let back = torch::fit(&model, &torch::load_safetensors(&path).expect("read"), None);
    assert!(back.missing.is_empty() && back.extra.is_empty(), "{back:?}");
    let wanted = logits(&model, &weights);
    assert_eq!(logits(&model, &back.tensors), wanted);
    let (first, second) = wanted.split_at(wanted.len() / IMAGES);
    let largest = wanted.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
    let apart = first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart > 1e-3 * largest, "logits that say nothing of the images: {first:?} and {second:?}");
    if kept.is_some() {
        let first =
            (0..IMAGES).flat_map(|i| (0..3).flat_map(move |c| (0..224 * 224).map(move |p| (i, p / 224, p % 224, c))));
        let images: Vec<u8> = first.flat_map(|(i, y, x, c)| pixel(i, y, x, c).to_le_bytes()).collect();
        std::fs::write(folder.join("images"), images).expect("written");
        std::fs::write(folder.join("logits"), wanted.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
            .expect("written");
    }
}
