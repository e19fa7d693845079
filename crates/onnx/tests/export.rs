//! Every model of this project as an ONNX file: read again it gives the same logits, with norms folded or apart.

use std::collections::BTreeMap;

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Tensor, evaluate};
use chiaro_nn::{EvalStep, Model, models, unpack_arena};
use chiaro_onnx::{Elem, ExportOptions, Feed, OnnxModel, export, record_graph};

/// Models that cannot be written, and why.
const UNWRITTEN: &[(&str, &str)] = &[];

/// The model with weights that are no initial ones: statistics too are drawn.
fn weights(step: &EvalStep) -> BTreeMap<String, Tensor> {
    let mut all = BTreeMap::new();
    for arena in ["params", "buffers"] {
        if step.graph.find_arena(arena).is_none() {
            continue;
        }
        let declared = if arena == "params" { &step.declarations.parameters } else { &step.declarations.buffers };
        let flat = chiaro_nn::initial_arena(&step.graph, declared, 7);
        all.extend(unpack_arena(&step.graph, arena, &flat).expect("an arena"));
    }
    for (i, (name, tensor)) in all.iter_mut().enumerate() {
        let wave = |k: usize| 0.1 * ((i * 37 + k * 11) as f32).sin();
        let values = tensor.as_f32().expect("floats").iter().enumerate();
        let is_variance = name.ends_with("running_var");
        let values = values.map(|(k, v)| if is_variance { (v + wave(k)).abs() + 0.1 } else { v + 0.1 * wave(k) });
        *tensor = Tensor::f32(tensor.shape().to_vec(), values.collect()).expect("a tensor");
    }
    all
}

/// The largest difference between a model's logits and those of its file, by the largest logit.
fn difference(model: &Model, options: &ExportOptions, keep: Option<&str>) -> Result<f64, String> {
    let step = EvalStep::build(model, 2).map_err(|e| e.to_string())?;
    let weights = weights(&step);
    let [h, w, c] = model.image;
    let pixels: Vec<f32> = (0..2 * h * w * c).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut backend = Cpu::new(Some(2)).map_err(|e| e.to_string())?;
    let plan = backend.compile(&step.graph).map_err(|e| e.to_string())?;
    for arena in ["params", "buffers"] {
        if step.graph.find_arena(arena).is_some() {
            let flat =
                chiaro_nn::pack_arena(&step.graph, arena, |name| weights.get(name)).map_err(|e| e.to_string())?;
            backend.write_arena(arena, &flat).map_err(|e| e.to_string())?;
        }
    }
    let images = Tensor::f32([2, h, w, c], pixels.clone()).expect("images");
    let labels = Tensor::i32([2], vec![0, 0]).expect("labels");
    backend.run(plan, &[images, labels]).map_err(|e| e.to_string())?;
    let wanted = backend.read(plan, 0).map_err(|e| e.to_string())?.to_f64();
    let bytes = export(model, &weights, options).map_err(|e| e.to_string())?;
    if let (Some(name), Ok(folder)) = (keep, std::env::var("CHIARO_EXPORT_DIR")) {
        std::fs::write(format!("{folder}/{name}.onnx"), &bytes).expect("written");
    }
    let file = OnnxModel::parse(bytes.into(), None).map_err(|e| e.to_string())?;
    let feed = Feed::Input { shape: vec![2, c, h, w], elem: Elem::F32 };
    let (graph, _) = record_graph(&file, &BTreeMap::from([("image".into(), feed)])).map_err(|e| e.to_string())?;
    let place = |n: usize, k: usize, p: usize| pixels[(n * h * w + p) * c + k];
    let first = (0..2).flat_map(|n| (0..c).flat_map(move |k| (0..h * w).map(move |p| (n, k, p))));
    let first = first.map(|(n, k, p)| place(n, k, p)).collect();
    let input = Tensor::f32([2, c, h, w], first).expect("images");
    let found = evaluate(&mut backend, &graph, &[input]).map_err(|e| e.to_string())?[0].to_f64();
    let scale = wanted.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    Ok(wanted.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale)
}

#[test]
fn every_model_goes_out_and_comes_back_with_the_same_logits() {
    let mut failed = vec![];
    for name in models::names() {
        let known = models::named(&name).expect("a model");
        // Small pictures do where a model takes them.
        let small = [known.image[0].min(64), known.image[1].min(64), known.image[2]];
        let model = known.build(10, small).or_else(|_| known.usual(10)).expect("fits");
        let options = ExportOptions { raw: true, ..ExportOptions::default() };
        match difference(&model, &options, Some(&name)) {
            Ok(d) if d < 1e-4 => println!("{name}: {d:.1e}"),
            Ok(d) => failed.push(format!("{name}: differs by {d:.1e}")),
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    let known = |line: &String| UNWRITTEN.iter().any(|(name, _)| line.starts_with(&format!("{name}: ")));
    failed.iter().for_each(|line| println!("failed: {line}"));
    assert!(failed.iter().all(known), "{failed:#?}");
}

#[test]
fn norms_stay_apart_where_that_is_asked_for() {
    let model = models::by_name("resnet20", 10, [32, 32, 3]).expect("fits");
    let apart = ExportOptions { raw: true, fold: false, ..ExportOptions::default() };
    assert!(difference(&model, &apart, None).expect("written") < 1e-5);
    let halves = ExportOptions { raw: true, half: true, ..ExportOptions::default() };
    let half = difference(&model, &halves, None).expect("written");
    assert!((1e-6..1e-2).contains(&half), "{half}");
}

#[test]
fn versions_that_are_not_written_are_refused() {
    let model = models::by_name("lenet5", 10, [28, 28, 1]).expect("fits");
    let newer = ExportOptions { opset: 18, ..ExportOptions::default() };
    let error = export(&model, &BTreeMap::new(), &newer).expect_err("refused").to_string();
    assert!(error.contains("opset 18"), "{error}");
}
