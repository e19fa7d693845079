//! Networks that others trained: outputs equal to onnxruntime's, no transposition left, and the same as classifiers.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Op, Tensor};
use chiaro_nn::{EvalStep, Model, pack_arena};
use chiaro_onnx::{Feed, Host, OnnxClassifier, OnnxModel, record_graph};

const MODELS: [&str; 3] = ["mnist-cntk", "rapidocr-cls", "resnet20-cifar10"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

/// A model with an input and the output that onnxruntime 1.32 gives.
fn read(name: &str) -> (OnnxModel, Host, Host) {
    let model = OnnxModel::read(&folder(name).join("model.onnx")).expect("a model");
    let tensor =
        |file: &str| support::tensor(&std::fs::read(folder(name).join(file)).expect("a file")).expect("a tensor");
    (model, tensor("input_0.pb"), tensor("output_0.pb"))
}

fn largest_difference(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

#[test]
fn networks_of_others_give_what_onnxruntime_gives() {
    for name in MODELS {
        let (model, x, wanted) = read(name);
        let mut backend = Cpu::new(Some(2)).expect("a CPU");
        let found = support::run(&model, std::slice::from_ref(&x), &mut backend).expect("runs");
        assert_eq!(found[0].shape, wanted.shape, "{name}");
        let difference = largest_difference(&found[0].to_floats().expect("known"), &wanted.to_floats().expect("known"));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn images_that_come_channels_last_are_never_transposed() {
    for name in MODELS {
        let (model, x, _) = read(name);
        let classifier = OnnxClassifier::new(model).expect("a classifier");
        let image = [x.shape[2], x.shape[3], x.shape[1]];
        let classes = classifier.classes(image).expect("fits");
        let model = Model::new(name, image, classes, classifier).expect("a model");
        let step = EvalStep::build(&model, 2).expect("a step");
        let turned = step.graph.nodes().iter().filter(|n| matches!(n.op, Op::Transpose(_))).count();
        assert_eq!(turned, 0, "{name}");
    }
}

/// The logits of the file's classifier as a model of this project, weights given by name.
fn classified(name: &str, structure_alone: bool) -> (Vec<f32>, Host) {
    let (model, x, wanted) = read(name);
    let classifier = OnnxClassifier::new(model).expect("a classifier");
    let image = [x.shape[2], x.shape[3], x.shape[1]];
    let weights: BTreeMap<String, Tensor> = classifier.weights(image).expect("weights").into_iter().collect();
    let classifier = if structure_alone {
        let bytes = classifier.structure(image).expect("a structure");
        let whole = std::fs::metadata(folder(name).join("model.onnx")).expect("a file").len() as usize;
        assert!(bytes.len() < whole / 2, "{name}: {} of {whole} bytes are left", bytes.len());
        OnnxClassifier::new(OnnxModel::parse(bytes.into(), None).expect("a model")).expect("a classifier")
    } else {
        classifier
    };
    let classes = classifier.classes(image).expect("fits");
    let model = Model::new(name, image, classes, classifier).expect("a model");
    let step = EvalStep::build(&model, x.shape[0]).expect("a step");
    let mut backend = Cpu::new(Some(2)).expect("a CPU");
    let plan = backend.compile(&step.graph).expect("compiles");
    for arena in ["params", "buffers"] {
        if step.graph.find_arena(arena).is_some() {
            let values = pack_arena(&step.graph, arena, |name| weights.get(name)).expect("all weights");
            backend.write_arena(arena, &values).expect("written");
        }
    }
    let images = x.permuted(&[0, 2, 3, 1]).expect("four axes").to_tensor().expect("floats");
    let labels = Tensor::i32([x.shape[0]], vec![0; x.shape[0]]).expect("labels");
    backend.run(plan, &[images, labels]).expect("runs");
    (backend.read(plan, 0).expect("logits").as_f32().expect("floats").to_vec(), wanted)
}

#[test]
fn as_classifiers_they_give_the_same_logits_from_weights_by_name() {
    for name in ["mnist-cntk", "resnet20-cifar10"] {
        for structure_alone in [false, true] {
            let (logits, wanted) = classified(name, structure_alone);
            let difference = largest_difference(&logits, &wanted.to_floats().expect("known"));
            assert!(difference < 1e-4, "{name}: {difference}");
        }
    }
    // Its output is after a softmax, before which a classifier ends.
    let (logits, wanted) = classified("rapidocr-cls", true);
    let powers: Vec<f32> = logits.iter().map(|x| x.exp()).collect();
    let found: Vec<f32> = powers.iter().map(|p| p / powers.iter().sum::<f32>()).collect();
    assert!(largest_difference(&found, &wanted.to_floats().expect("known")) < 1e-4);
}

#[test]
fn a_new_head_has_its_classes_and_keeps_all_other_weights() {
    for name in MODELS {
        let (model, x, _) = read(name);
        let classifier = OnnxClassifier::new(model).expect("a classifier");
        let image = [x.shape[2], x.shape[3], x.shape[1]];
        let before = classifier.weights(image).expect("weights");
        let other = classifier.with_classes(7).expect("a new head");
        assert_eq!(other.classes(image).expect("fits"), 7, "{name}");
        let kept = other.weights(image).expect("weights");
        let gone = before.len() - kept.len();
        assert!((1..=2).contains(&gone), "{name}: {gone} tensors are new");
        assert!(kept.iter().all(|k| before.contains(k)), "{name}");
    }
}

#[test]
fn a_fixed_batch_of_one_is_no_bound() {
    let (model, x, wanted) = read("mnist-cntk");
    let feed = Feed::Input { shape: vec![1, 1, 28, 28], elem: x.elem };
    assert!(record_graph(&model, &BTreeMap::from([("Input3".to_string(), feed)])).is_ok());
    let classifier = OnnxClassifier::new(model).expect("a classifier");
    let model = Model::new("mnist", [28, 28, 1], wanted.shape[1], classifier).expect("a model");
    assert!(EvalStep::build(&model, 5).is_ok());
}
