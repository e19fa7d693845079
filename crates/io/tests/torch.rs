//! PyTorch files in both forms, made in `tests/data` by hand: views, shared storages, and calls that are never made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chiaro_graph::Tensor;
use chiaro_io::torch;
use chiaro_nn::models;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn read(name: &str) -> BTreeMap<String, Tensor> {
    torch::load(&file(name)).expect("a state dict")
}

#[test]
fn both_forms_give_views_of_shared_storages_without_wrappers_names() {
    for name in ["tiny.pt", "tiny.th"] {
        let tensors = read(name);
        let all: Vec<f32> = (0..24).map(|i| i as f32).collect();
        assert_eq!(tensors["conv1.weight"], Tensor::f32([2, 3, 2, 2], all).expect("a tensor"), "{name}");
        let turned = vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        assert_eq!(tensors["turned"], Tensor::f32([3, 2], turned).expect("a tensor"), "{name}");
        assert_eq!(tensors["half"].as_f32(), Some(&[0.5, -1.5][..]), "{name}");
    }
}

#[test]
fn what_would_be_called_is_an_error_only_where_a_tensor_depends_on_it() {
    assert_eq!(read("unused_call.pt").len(), 4);
    let error = torch::load(&file("needed_call.pt")).expect_err("refused").to_string();
    assert!(error.contains("\"evil\" depends on posix.system"), "{error}");
}

#[test]
fn a_dictionary_that_holds_itself_is_an_error_and_no_endless_search() {
    let error = torch::load(&file("holds_itself.pt")).expect_err("refused").to_string();
    assert!(error.contains("no tensors"), "{error}");
}

#[test]
fn tensors_beyond_their_storage_and_files_cut_anywhere_are_errors() {
    let error = torch::load(&file("short.pt")).expect_err("refused").to_string();
    assert!(error.contains("20 elements instead of 24"), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tiny.pt", "tiny.th"] {
        let whole = std::fs::read(file(name)).expect("a file");
        for end in (0..whole.len()).step_by(7) {
            let path = folder.path().join(name);
            std::fs::write(&path, &whole[..end]).expect("written");
            assert!(torch::load(&path).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tiny.pt", "tiny.th"] {
        let whole = std::fs::read(file(name)).expect("a file");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).expect("written");
            let _ = torch::load(&path);
        }
    }
}

#[test]
fn a_models_weights_go_out_and_come_back_the_same() {
    let model = models::by_name("resnet20", 10, [32, 32, 3]).expect("a model");
    let values = |i: usize, n: usize| (0..n).map(|k| (i * 31 + k) as f32).collect::<Vec<f32>>();
    let states = model.declared().states.iter().enumerate();
    let own: BTreeMap<String, Tensor> = states
        .map(|(i, s)| {
            let n = s.shape.iter().product();
            (s.name.clone(), Tensor::f32(s.shape.clone(), values(i, n)).expect("a tensor"))
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    torch::save(&path, &model, &own).expect("written");
    let theirs = torch::load_safetensors(&path).expect("read");
    assert_eq!(theirs["conv1.weight"].shape(), [16, 3, 3, 3]);
    assert_ne!(theirs["conv1.weight"], own["conv1.weight"]);
    let fitted = torch::fit(&model, &theirs);
    assert!(fitted.missing.is_empty() && fitted.extra.is_empty(), "{fitted:?}");
    assert_eq!(fitted.tensors, own);
    assert_eq!(torch::classes_of(&model, &theirs), Some(10));
    let renamed = theirs.into_iter().map(|(name, t)| (name.replace("fc.", "linear."), t)).collect();
    assert!(torch::fit(&model, &renamed).missing.is_empty());
}
