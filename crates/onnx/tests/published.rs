//! Networks as their authors publish them that are too large for this repository: looked for in the folder that the environment
//! variable `CHIARO_MODELS` names. Where it names none, that is printed, and nothing is compared.

mod support;

use std::path::{Path, PathBuf};

use chiaro_cpu::Cpu;
use chiaro_graph::{Backend, Op, Tensor};
use chiaro_nn::{EvalStep, Model, pack_arena};
use chiaro_onnx::{Host, OnnxClassifier, OnnxModel};

const FOLDER: &str = "CHIARO_MODELS";
const ANSWERS: &str = "CHIARO_ANSWERS";

/// The file of a model, or a word on why there is none.
fn published(model: &str, file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("not compared: {model}; {FOLDER} names no folder with {model}/{file}");
        return None;
    };
    let path = PathBuf::from(folder).join(model).join(file);
    assert!(path.is_file(), "{FOLDER} is set, but {} is not there", path.display());
    Some(path)
}

fn differs(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn efficientnet_lite0_gives_the_logits_that_are_published_beside_it() {
    let Some(path) = published("efficientnet-lite0", "efficientnet-lite0.onnx") else { return };
    let stored = std::fs::read(path.with_file_name("expected-daisy3.npz")).expect("the logits");
    let stored = support::npz::arrays(&stored);
    let (pixels, wanted) = (&stored["x_u8"], stored["logits"].to_floats().expect("known"));
    let values = pixels.to_floats().expect("known").iter().map(|x| (x - 127.0) / 128.0).collect();
    let x = Host::floats(&pixels.shape, values);
    let model = OnnxModel::read(&path).expect("a model");
    let mut backend = Cpu::new(Some(2)).expect("a CPU");
    let found = support::run(&model, std::slice::from_ref(&x), &mut backend).expect("runs");
    let difference = differs(&found[0].to_floats().expect("known"), &wanted);
    assert!(difference < 1e-4, "{difference}");

    let image = [224, 224, 3];
    let classifier = OnnxClassifier::new(model).expect("a classifier");
    let weights: std::collections::BTreeMap<String, Tensor> =
        classifier.weights(image).expect("weights").into_iter().collect();
    let model = Model::new("efficientnet-lite0", image, 1000, classifier).expect("a model");
    let step = EvalStep::build(&model, 3).expect("a step");
    assert!(step.graph.nodes().iter().all(|n| !matches!(n.op, Op::Transpose(_))), "images are transposed");
    let plan = backend.compile(&step.graph).expect("compiles");
    for arena in ["params", "buffers"] {
        let values = pack_arena(&step.graph, arena, |name| weights.get(name)).expect("all weights");
        backend.write_arena(arena, &values).expect("written");
    }
    let images = x.permuted(&[0, 2, 3, 1]).expect("four axes").to_tensor().expect("floats");
    backend.run(plan, &[images, Tensor::i32([3], vec![0; 3]).expect("labels")]).expect("runs");
    let found = backend.read(plan, 0).expect("logits");
    let difference = differs(found.as_f32().expect("floats"), &wanted);
    println!("logits of {} differ by {difference:.1e} at most", path.display());
    assert!(difference < 1e-4, "{difference}");
}

/// Folders below one, with a model each.
fn models_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).flat_map(|path| models_below(&path)).collect();
    if folder.join("model.onnx").is_file() {
        found.push(folder.to_path_buf());
    }
    found.sort();
    found
}

#[test]
fn networks_from_packages_give_what_onnxruntime_answers() {
    let Some(folder) = std::env::var_os(ANSWERS) else {
        println!(
            "not compared: {ANSWERS} names no folder that xtask/judges/answers.py made of models and onnxruntime's answers"
        );
        return;
    };
    let models = models_below(Path::new(&folder));
    assert!(!models.is_empty(), "{ANSWERS} is set, but there is no model");
    for path in models {
        let model = OnnxModel::read(&path.join("model.onnx")).expect("a model");
        let tensor = |file: String| std::fs::read(path.join(file)).ok().map(|b| support::tensor(&b).expect("a tensor"));
        let inputs: Vec<Host> = (0..).map_while(|i| tensor(format!("input_{i}.pb"))).collect();
        let wanted = tensor("output_0.pb".into()).expect("an answer").to_floats().expect("known");
        let mut backend = Cpu::new(Some(2)).expect("a CPU");
        let found = support::run(&model, &inputs, &mut backend).expect("runs");
        let difference = differs(&found[0].to_floats().expect("known"), &wanted);
        println!("{}: differs by {difference:.1e} at most", path.display());
        assert!(difference < 1e-4, "{}: {difference}", path.display());
    }
}
