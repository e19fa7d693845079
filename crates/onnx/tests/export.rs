//! Every model of this project as an ONNX file: read again it gives the same logits, with norms folded or apart.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Tensor, evaluate};
use chiaro_nn::{EvalStep, Model, models, unpack_arena};
use chiaro_onnx::{Elem, ExportOptions, Feed, OnnxModel, export, record_graph};
use prost::Message;

/// Models that cannot be written, and why.
const UNWRITTEN: &[(&str, &str)] = &[];

/// The model with weights that are no initial ones: what begins as 0 or 1 everywhere, statistics too, is drawn.
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
        if tensor.shape().len() > 1 {
            continue;
        }
        let is_variance = name.ends_with("running_var");
        let values = values.map(|(k, v)| if is_variance { (v + wave(k)).abs() + 0.1 } else { v + 0.1 * wave(k) });
        *tensor = Tensor::f32(tensor.shape().to_vec(), values.collect()).expect("a tensor");
    }
    all
}

/// Names of fixed tensors and results that no node takes and that are no output.
fn unused(bytes: &[u8]) -> Vec<String> {
    let graph = chiaro_onnx::proto::ModelProto::decode(bytes).expect("a model").graph.expect("a graph");
    let taken: BTreeSet<&str> = graph.node.iter().flat_map(|n| &n.input).map(String::as_str).collect();
    let outputs: Vec<&str> = graph.output.iter().map(|o| o.name()).collect();
    let made = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
    let all = graph.initializer.iter().map(|t| t.name()).chain(made);
    all.filter(|name| !taken.contains(name) && !outputs.contains(name)).map(str::to_string).collect()
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
    assert_eq!(unused(&bytes), [""; 0], "{} has what nobody takes", model.name);
    if let (Some(name), Ok(folder)) = (keep, std::env::var("CHIARO_EXPORT_DIR")) {
        support::judged::leave(&Path::new(&folder).join(name), model, &weights, options);
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
    // Some of them alone, as lenet5,resnet20.
    let asked = std::env::var("CHIARO_JUDGE_MODELS").ok();
    let is_asked = |name: &String| asked.as_ref().is_none_or(|some| some.split(',').any(|one| one == name));
    for name in models::names().into_iter().filter(is_asked) {
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
    let count = |options: &ExportOptions| {
        let step = EvalStep::build(&model, 2).expect("a step");
        let bytes = export(&model, &weights(&step), options).expect("written");
        let proto = chiaro_onnx::proto::ModelProto::decode(&bytes[..]).expect("a model");
        let nodes = proto.graph.expect("a graph").node;
        nodes.iter().filter(|n| n.op_type() == "BatchNormalization").count()
    };
    let norms = model.declared().states.iter().filter(|s| s.name.ends_with("running_mean")).count();
    assert_eq!((count(&apart), norms > 18), (norms, true), "each is one node");
    assert_eq!(count(&ExportOptions { raw: true, ..ExportOptions::default() }), 0);
    let halves = ExportOptions { raw: true, half: true, ..ExportOptions::default() };
    let half = difference(&model, &halves, None).expect("written");
    assert!((1e-6..1e-2).contains(&half), "{half}");
}

#[test]
fn every_version_that_is_written_gives_the_same_logits() {
    // A vision transformer has reductions, whose axes became inputs with version 18.
    let model = models::named("vit-tiny").and_then(|m| m.build(10, [32, 32, 3])).expect("fits");
    for opset in [14, 17, 18, 21, 26] {
        let options = ExportOptions { raw: true, opset, ..ExportOptions::default() };
        assert!(difference(&model, &options, None).expect("written") < 1e-4, "{opset}");
    }
}

#[test]
fn versions_that_are_not_written_are_refused() {
    let model = models::by_name("lenet5", 10, [28, 28, 1]).expect("fits");
    let newer = ExportOptions { opset: 27, ..ExportOptions::default() };
    let error = export(&model, &BTreeMap::new(), &newer).expect_err("refused").to_string();
    assert!(error.contains("opset 27"), "{error}");
}

/// Layers that the named models do not have.
const ODD: &str = r#"
name = "odd"
image = [32, 32, 3]
layers = [
    { type = "conv", channels = 8, kernel = 5, padding = 1, stride = 2 },
    { type = "mish" },
    { type = "layer-norm" },
    { type = "conv", channels = 12, kernel = 3, groups = 4 },
    { type = "batch-norm" },
    { type = "gelutanh" },
    { type = "squeeze-excite", reduced = 3 },
    { type = "residual", layers = [
        { type = "conv", channels = 12, bias = false },
        { type = "batch-norm" },
        { type = "softplus" },
        { type = "layer-scale", initial = 0.3 },
        { type = "drop-path" },
    ] },
    { type = "concat", layers = [{ type = "conv", channels = 5 }, { type = "leakyrelu" }] },
    { type = "max-pool", size = 3, stride = 2, padding = 1 },
    { type = "avg-pool", size = 2 },
    { type = "adaptive-avg-pool", size = 3 },
    { type = "hardswish" },
    { type = "flatten" },
    { type = "dense", units = "classes" },
]
"#;

#[test]
fn no_form_of_a_file_holds_what_nobody_takes() {
    let odd = models::NamedModel::described("odd.toml", ODD).and_then(|m| m.build(10, [32, 32, 3])).expect("a model");
    let known = models::by_name("resnet20", 10, [32, 32, 3]).expect("fits");
    for model in [odd, known] {
        let weights = weights(&EvalStep::build(&model, 2).expect("a step"));
        for (raw, fold, half) in [(true, true, false), (false, true, false), (false, false, false), (false, true, true)]
        {
            let options = ExportOptions { raw, fold, half, ..ExportOptions::default() };
            let bytes = export(&model, &weights, &options).expect("written");
            assert_eq!(unused(&bytes), [""; 0], "{}: raw {raw}, fold {fold}, half {half}", model.name);
            if !half {
                let watched = chiaro_onnx::watched(&bytes).expect("watched");
                let watched = OnnxModel::parse(watched.into(), None).expect("a model");
                let ranges = watched.outputs().iter().map(|name| (name.to_string(), [-1.0, 1.0])).collect();
                let bytes = chiaro_onnx::quantized(&bytes, &ranges).expect("written");
                assert_eq!(unused(&bytes), [""; 0], "{} in 8 bits", model.name);
            }
        }
    }
}
