//! Weight files and checkpoints: what comes back, and what is said about files that are not right.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{ArenaRole, Backend, DType, Initial, PlanId, Tensor};
use chiaro_io::{
    IoError, ModelInfo, Progress, load_checkpoint, load_weights, read_arenas, save_checkpoint, save_weights,
};
use chiaro_nn::models::by_name;
use chiaro_nn::{
    AdamW, EvalStep, LOSS_SCALE, LossScale, LossScaleState, Model, Optimizers, Precision, Sgd, TrainOptions, TrainStep,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder that is removed when the test ends.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("model.safetensors")
    }
}

fn model() -> Model {
    by_name("small-cnn", 3, [8, 8, 1]).expect("fits")
}

fn info() -> ModelInfo {
    ModelInfo {
        task: "classification".into(),
        model: "small-cnn".into(),
        described: None,
        image: [8, 8, 1],
        resize: "letterbox".into(),
        classes: ["zero", "ein\"s", "zwei, drei"].map(String::from).to_vec(),
        mean: vec![0.1307],
        std: vec![0.3081],
    }
}

/// What a training loop adds.
fn extra() -> BTreeMap<String, String> {
    [("epoch".to_string(), "3".to_string())].into()
}

fn step(optimizer: impl Into<Optimizers>) -> TrainStep {
    TrainStep::build(&model(), TrainOptions::new(4, optimizer)).expect("recorded")
}

fn adamw() -> AdamW {
    AdamW::default()
}

fn train(backend: &mut Reference, plan: PlanId, step: &TrainStep, steps: std::ops::Range<u64>) {
    for s in steps {
        let pixels = (0..4 * 64).map(|i| ((i as u64 * 31 + s * 17) % 23) as f32 / 23.0).collect();
        let images = Tensor::f32([4, 8, 8, 1], pixels).expect("images");
        let labels = Tensor::i32([4], vec![0, 1, 2, (s % 3) as i32]).expect("labels");
        backend.run(plan, &step.inputs(images, labels, 5, s, 0.01)).expect("a step");
    }
}

fn write(backend: &mut Reference, arenas: Vec<(String, Tensor)>) {
    for (name, values) in arenas {
        backend.write_arena(&name, &values).expect("arena");
    }
}

fn saved(path: &Path) -> TrainStep {
    let step = step(adamw());
    save_weights(path, &info(), &extra(), &step.graph, &step.initial_arenas(1)).expect("saved");
    step
}

#[test]
fn weights_come_back_bit_by_bit_with_what_was_said_about_the_model() {
    let folder = Folder::new();
    let step = saved(&folder.file());
    let weights = load_weights(&folder.file()).expect("loaded");
    assert_eq!(weights.info, info());
    assert_eq!(weights.extra, extra());
    assert!(weights.checked);
    assert_eq!(weights.tensors().len(), 11 + 6);
    assert_eq!(weights.tensors()["conv2.weight"].shape(), [32, 3, 3, 16]);
    let eval = EvalStep::build(&model(), 2).expect("recorded");
    let back = weights.arenas(&eval.graph).expect("fits");
    let initial = step.initial_arenas(1);
    for name in ["params", "buffers"] {
        let of = |arenas: &[(String, Tensor)]| arenas.iter().find(|(n, _)| n == name).expect("arena").1.clone();
        assert_eq!(of(&back), of(&initial), "{name}");
    }
}

#[test]
fn the_same_values_give_the_same_bytes() {
    let folder = Folder::new();
    saved(&folder.file());
    let first = std::fs::read(folder.file()).expect("read");
    saved(&folder.file());
    assert_eq!(first, std::fs::read(folder.file()).expect("read"));
    assert_eq!(std::fs::read_dir(folder.0.path()).expect("a folder").count(), 1, "nothing is left beside it");
}

/// A step in 16 bits whose loss scale grows every two steps.
fn half_step() -> TrainStep {
    let precision = Precision::F16(LossScale { initial: 64.0, interval: 2, ..LossScale::default() });
    let options = TrainOptions { precision, ..TrainOptions::new(4, adamw()) };
    TrainStep::build(&model(), options).expect("recorded")
}

#[test]
fn training_goes_on_from_a_checkpoint_as_if_never_stopped() {
    goes_on(step(adamw()));
}

#[test]
fn training_in_16_bits_goes_on_with_its_loss_scale() {
    let ended = goes_on(half_step());
    let scale = ended.iter().find(|(name, _)| name == LOSS_SCALE).expect("an arena");
    let want = LossScaleState { scale: 512.0, good_steps: 0.0, skipped: 0.0 };
    assert_eq!(LossScaleState::from_arena(&scale.1), Some(want), "three times two steps");
}

#[test]
fn a_checkpoint_of_another_precision_is_refused() {
    let folder = Folder::new();
    let wide = step(adamw());
    save_checkpoint(&folder.file(), None, &info(), &Progress::default(), &wide.graph, &wide.initial_arenas(1))
        .expect("saved");
    let checkpoint = load_checkpoint(&folder.file()).expect("loaded");
    let text = checkpoint.arenas(&half_step().graph).expect_err("32 bits").to_string();
    assert!(text.contains("missing: loss_scale/"), "{text}");
}

/// Trains three steps, saves, and compares three more with those of another backend that goes on from the file.
fn goes_on(step: TrainStep) -> Vec<(String, Tensor)> {
    let folder = Folder::new();
    let mut through = Reference::new();
    let plan = through.compile(&step.graph).expect("compiles");
    write(&mut through, step.initial_arenas(5));
    train(&mut through, plan, &step, 0..3);
    let arenas = read_arenas(&mut through, &step.graph).expect("read");
    // Saving rounds the reference's 64-bit states, so the uninterrupted run goes on from the rounded ones too.
    write(&mut through, arenas.clone());
    let progress = Progress { step: 3, epoch: 1, seed: 5, extra: [("best".into(), "0.97".into())].into() };
    save_checkpoint(&folder.file(), None, &info(), &progress, &step.graph, &arenas).expect("saved");
    train(&mut through, plan, &step, 3..6);

    let checkpoint = load_checkpoint(&folder.file()).expect("loaded");
    assert_eq!(checkpoint.progress, progress);
    assert_eq!(checkpoint.weights.info, info());
    let mut resumed = Reference::new();
    let plan = resumed.compile(&step.graph).expect("compiles");
    write(&mut resumed, checkpoint.arenas(&step.graph).expect("fits"));
    train(&mut resumed, plan, &step, checkpoint.progress.step..6);
    let [a, b] = [through, resumed].map(|mut backend| read_arenas(&mut backend, &step.graph).expect("read"));
    assert_eq!(a, b);
    assert_eq!(load_weights(&folder.file()).expect("weights of a checkpoint").tensors().len(), 17);
    b
}

#[test]
fn a_checkpoint_of_another_optimizer_is_refused() {
    let folder = Folder::new();
    let sgd = step(Sgd { momentum: 0.9, ..Sgd::default() });
    save_checkpoint(&folder.file(), None, &info(), &Progress::default(), &sgd.graph, &sgd.initial_arenas(1))
        .expect("saved");
    let error = load_checkpoint(&folder.file()).expect("loaded").arenas(&step(adamw()).graph).expect_err("SGD");
    let text = error.to_string();
    assert!(matches!(error, IoError::Mismatch { .. }));
    assert!(text.contains("optimizer.exp_avg/") && text.contains("optimizer.momentum_buffer/"), "{text}");
    saved(&folder.file());
    let error = load_checkpoint(&folder.file()).expect_err("weights alone").to_string();
    assert!(error.contains("weights alone"), "{error}");
}

#[test]
fn a_file_of_another_model_lists_the_first_differences() {
    let folder = Folder::new();
    saved(&folder.file());
    let weights = load_weights(&folder.file()).expect("loaded");
    let resnet = EvalStep::build(&by_name("resnet20", 3, [8, 8, 1]).expect("fits"), 1).expect("recorded");
    let text = weights.arenas(&resnet.graph).expect_err("another model").to_string();
    assert!(text.contains("missing: layer1") && text.contains("more"), "{text}");
    assert!(text.contains("unknown: bn2") && text.contains("model.safetensors"), "{text}");
    let wider = EvalStep::build(&by_name("small-cnn", 5, [8, 8, 1]).expect("fits"), 1).expect("recorded");
    let text = weights.arenas(&wider.graph).expect_err("another width").to_string();
    assert!(text.contains("fc.weight is [3, 64] instead of [5, 64]") && !text.contains("missing"), "{text}");
}

#[test]
fn missing_and_damaged_files_are_typed_errors_that_name_the_file() {
    let folder = Folder::new();
    let path = folder.file();
    let error = load_weights(&path).expect_err("missing");
    assert!(matches!(error, IoError::Read { .. }) && error.to_string().contains("model.safetensors"), "{error}");
    assert!(matches!(load_weights(folder.0.path()), Err(IoError::Read { .. })), "a folder");

    saved(&path);
    let whole = std::fs::read(&path).expect("read");
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).expect("written");
        let error = load_weights(&path).expect_err("truncated");
        assert!(matches!(error, IoError::Format { .. }), "{length} bytes: {error}");
        assert!(error.to_string().contains("truncated"), "{error}");
    }
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n and then something else").expect("written");
    assert!(matches!(load_weights(&path), Err(IoError::Format { .. })));
}

/// A file of the same tensors whose header is another program's.
fn rewritten(whole: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")) as usize;
    let mut header = serde_json::from_slice(&whole[8..end]).expect("JSON");
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes(), &header[..], &whole[end..]].concat()
}

/// Without the checksum, as a program writes that knows the first version of the format.
fn unchecked(header: &mut serde_json::Value) {
    let metadata = header["__metadata__"].as_object_mut().expect("metadata");
    assert!(metadata.remove("checksum").is_some());
    metadata.insert("chiaro".into(), "1".into());
}

#[test]
fn weights_without_a_checksum_are_taken_and_said_to_be_so() {
    let folder = Folder::new();
    let path = folder.file();
    let step = saved(&path);
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, rewritten(&whole, unchecked)).expect("written");
    let weights = load_weights(&path).expect("taken");
    assert!(!weights.checked && weights.info == info());
    // A file of today's format has lost it.
    std::fs::write(
        &path,
        rewritten(&whole, |h| drop(h["__metadata__"].as_object_mut().expect("metadata").remove("checksum"))),
    )
    .expect("written");
    let error = load_weights(&path).expect_err("refused").to_string();
    assert!(error.contains("its checksum is missing"), "{error}");
    // Another program that changed the values but kept the metadata.
    std::fs::write(&path, rewritten(&whole, |h| h["__metadata__"]["extra.epoch"] = "4".into())).expect("written");
    assert!(matches!(load_weights(&path), Err(IoError::Damaged { .. })));
    // A training goes on from nothing that it cannot trust.
    save_checkpoint(&path, None, &info(), &Progress::default(), &step.graph, &step.initial_arenas(1)).expect("saved");
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, rewritten(&whole, unchecked)).expect("written");
    let error = load_checkpoint(&path).expect_err("refused").to_string();
    assert!(error.contains("it has no checksum"), "{error}");
}

#[test]
fn damage_is_seen_in_weights_and_checkpoints_and_the_file_before_is_kept() {
    let folder = Folder::new();
    let (path, previous) = (folder.file(), folder.0.path().join("previous"));
    let step = saved(&path);
    let whole = std::fs::read(&path).expect("read");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        bytes
    };
    for at in [whole.len() - 1, whole.len() - 4001, 9000] {
        std::fs::write(&path, flipped(at)).expect("written");
        assert!(matches!(load_weights(&path), Err(IoError::Damaged { .. })), "byte {at}");
    }
    for steps in [1, 2] {
        let progress = Progress { step: steps, ..Progress::default() };
        save_checkpoint(&path, Some(&previous), &info(), &progress, &step.graph, &step.initial_arenas(1))
            .expect("saved");
    }
    let steps = |path: &Path| load_checkpoint(path).expect("loaded").progress.step;
    assert_eq!((steps(&path), steps(&previous)), (2, 1));
    let mut bytes = std::fs::read(&path).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let error = load_checkpoint(&path).expect_err("damaged").to_string();
    assert!(error.contains("model.safetensors is damaged"), "{error}");
}

#[test]
fn weights_that_are_not_finite_are_neither_written_nor_read() {
    let folder = Folder::new();
    let path = folder.file();
    let step = saved(&path);
    let whole = std::fs::read(&path).expect("read");
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut arenas = step.initial_arenas(1);
        let params = arenas.iter_mut().find(|(name, _)| name == "params").expect("parameters");
        let mut values = params.1.as_f32().expect("floats").to_vec();
        values[0] = value;
        params.1 = Tensor::f32(params.1.shape().to_vec(), values).expect("as many");
        let checkpoint = save_checkpoint(&path, None, &info(), &Progress::default(), &step.graph, &arenas);
        for error in [save_weights(&path, &info(), &extra(), &step.graph, &arenas), checkpoint] {
            let error = error.expect_err("refused").to_string();
            assert!(error.contains("weight") && error.contains(text), "{error}");
        }
        assert_eq!(std::fs::read(&path).expect("read"), whole, "the old file is as it was");
        let mut bytes = rewritten(&whole, unchecked);
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&path, bytes).expect("written");
        let error = load_weights(&path).expect_err("refused");
        assert!(matches!(error, IoError::NotFinite { .. }) && error.to_string().contains(text), "{error}");
        std::fs::write(&path, &whole).expect("written");
    }
}

#[test]
fn the_cause_of_an_error_stands_in_it_once() {
    let error = load_weights(Path::new("/nowhere/weights")).expect_err("missing");
    assert_eq!(error.to_string().matches("os error").count(), 1, "{error}");
    assert!(std::error::Error::source(&error).is_none(), "whoever prints the chain would print it twice");
}

#[test]
fn files_of_other_programs_and_later_versions_are_refused() {
    let folder = Folder::new();
    let path = folder.file();
    saved(&path);
    let whole = std::fs::read(&path).expect("read");
    let patched = |from: &str, to: &str| {
        let bytes = rewritten(&whole, |header| {
            unchecked(header);
            let text = header.to_string();
            assert!(text.contains(from), "{from}");
            *header = serde_json::from_str(&text.replacen(from, to, 1)).expect("JSON");
        });
        std::fs::write(&path, bytes).expect("written");
        load_weights(&path).expect_err("refused").to_string()
    };
    assert!(patched("\"chiaro\":\"1\"", "\"chiaro\":\"9\"").contains("version 9"));
    assert!(patched("\"chiaro\":\"1\"", "\"clears\":\"1\"").contains("did not write"));
    assert!(patched("OHWI", "OIHW").contains("OIHW"));
    assert!(patched("[8,8,1]", "[8,8,x]").contains("image"));
    assert!(patched("[8,8,1]", "[8,8,3]").contains("channel"));
    assert!(patched("\"F32\"", "\"I32\"").contains("I32"));
    // A later version may have another checksum.
    let later = rewritten(&whole, |header| header["__metadata__"]["chiaro"] = "9".into());
    std::fs::write(&path, later).expect("written");
    assert!(load_weights(&path).expect_err("refused").to_string().contains("version 9"));
}

#[test]
fn a_folder_that_does_not_exist_is_an_error_of_writing() {
    let folder = Folder::new();
    let path = folder.0.path().join("missing").join("model.safetensors");
    let step = step(adamw());
    let error = save_weights(&path, &info(), &extra(), &step.graph, &step.initial_arenas(1)).expect_err("no folder");
    assert!(matches!(error, IoError::Write { .. }), "{error}");
    let values = vec![("params".to_string(), Tensor::zeros([3], DType::F32))];
    let error = save_weights(&folder.file(), &info(), &extra(), &step.graph, &values).expect_err("too short");
    assert!(matches!(error, IoError::Values(_)) && !folder.file().exists(), "{error}");
}

#[test]
fn a_new_kind_of_state_is_kept_in_checkpoints_as_its_role_says() {
    let mut step = step(adamw());
    let graph = &mut step.graph;
    let params = graph.find_arena("params").expect("parameters");
    // An average of the parameters, a state of its own, and what need not be kept.
    graph.arena_like(params, "average").expect("new");
    let state = graph.arena("hidden", DType::F32).expect("new");
    graph.state(state, "hidden.cell", &[2, 3]).expect("new");
    let start = Tensor::f32([2], vec![0.5, 0.25]).expect("two");
    graph.describe_arena(state, ArenaRole::Other, Initial::Values(start)).expect("fits");
    let scores = graph.arena("scores", DType::F32).expect("new");
    graph.state(scores, "scores", &[2]).expect("new");
    graph.describe_arena(scores, ArenaRole::Metrics, Initial::Fill(3.0)).expect("fits");

    let initial = step.initial_arenas(1);
    let of = |arenas: &[(String, Tensor)], name: &str| arenas.iter().find(|(n, _)| n == name).map(|(_, t)| t.to_f64());
    assert_eq!(of(&initial, "hidden").expect("there")[..3], [0.5, 0.25, 0.0]);
    assert_eq!(of(&initial, "scores").expect("there")[0], 3.0);
    let folder = Folder::new();
    save_checkpoint(&folder.file(), None, &info(), &Progress::default(), &step.graph, &initial).expect("saved");
    let names = std::fs::read(folder.file()).expect("read");
    let has = |name: &str| names.windows(name.len()).any(|part| part == name.as_bytes());
    assert!(has("\"average/conv1.weight\"") && has("\"hidden/hidden.cell\"") && !has("\"scores/"));
    let back = load_checkpoint(&folder.file()).expect("loaded").arenas(&step.graph).expect("fits");
    for name in ["params", "average", "hidden", "optimizer.exp_avg"] {
        assert_eq!(of(&back, name), of(&initial, name), "{name}");
    }
    assert_eq!(of(&back, "scores"), None);
}

#[test]
fn values_that_an_arena_cannot_start_from_are_refused() {
    let mut step = step(adamw());
    let metrics = step.graph.find_arena("metrics").expect("metrics");
    for wrong in [Tensor::zeros([1000], DType::F32), Tensor::zeros([2], DType::I32)] {
        let error =
            step.graph.describe_arena(metrics, ArenaRole::Metrics, Initial::Values(wrong)).expect_err("refused");
        assert!(error.to_string().contains("\"metrics\" has 128 elements of f32"), "{error}");
    }
}
