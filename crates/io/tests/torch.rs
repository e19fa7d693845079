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
fn what_would_be_called_is_left_out_and_told() {
    assert_eq!(read("unused_call.pt").len(), 4);
    let state = torch::read(&file("needed_call.pt")).expect("a state dict");
    assert!(!state.tensors.contains_key("evil"));
    assert_eq!(state.unread.into_iter().collect::<Vec<_>>(), [("evil".to_string(), "posix.system".to_string())]);
}

#[test]
fn networks_that_were_saved_whole_and_dictionaries_of_pairs_give_what_their_state_dicts_would() {
    let weight = Tensor::f32([2, 1, 2, 1], vec![0.0, 1.0, 2.0, 3.0]).expect("a tensor");
    let mean = Tensor::f32([2], vec![5.0, 6.0]).expect("a tensor");
    let wanted = BTreeMap::from([("conv1.weight".to_string(), weight), ("conv1.mean".to_string(), mean)]);
    // A module below a key that has itself as a part, TorchScript with its source compressed, and what Python 2 writes.
    for name in ["whole_network.pt", "script_network.pt", "pairs.pt"] {
        let state = torch::read(&file(name)).expect("a state dict");
        assert_eq!(state.tensors, wanted, "{name}");
        assert!(state.unread.is_empty(), "{name}: {:?}", state.unread);
    }
}

/// A pickle of so many modules in a row within one, which share one dictionary of as many parameters, none of them a tensor; in the older form.
fn sharing(n: usize) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let mut root = b"\x80\x02}(".to_vec();
    for i in 0..n {
        root.extend([text(&format!("p{i}")), b"cmy\nNumber\n)R".to_vec()].concat());
    }
    root.extend(b"uq\x000");
    let module = |parts: &[u8]| {
        let state = [&text("_parameters"), &b"h\0"[..], &text("_modules"), parts].concat();
        [&b"cmy\nNet\n)\x81}("[..], &state, b"ub"].concat()
    };
    let mut parts = b"}(".to_vec();
    for i in 0..n {
        parts.extend([text(&i.to_string()), module(b"}")].concat());
    }
    parts.push(b'u');
    root.extend(module(&parts));
    let head = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [&head[..], &root, b".\x80\x02](e."].concat()
}

#[test]
fn parts_of_a_network_that_share_what_they_hold_are_looked_through_to_a_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sharing.th");
    // Few are all read.
    std::fs::write(&path, sharing(20)).expect("written");
    let error = torch::read(&path).expect_err("no tensor").to_string();
    assert!(error.contains("my.Net"), "{error}");
    std::fs::write(&path, sharing(5_000)).expect("written");
    let began = std::time::Instant::now();
    assert!(torch::read(&path).is_err());
    // 25 million names otherwise.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn a_dictionary_that_holds_itself_is_an_error_and_no_endless_search() {
    let error = torch::load(&file("holds_itself.pt")).expect_err("refused").to_string();
    assert!(error.contains("no dictionary in it holds tensors"), "{error}");
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
fn views_of_one_storage_may_ask_for_it_twice_and_not_again_and_again() {
    // Bytes from 0 to 255, 2,048 of them, in each view.
    let two = read("two_views.pt");
    let bytes: Vec<f32> = (0..2048).map(|i| (i % 256) as f32).collect();
    assert!(two.len() == 2 && two.values().all(|view| view.as_f32() == Some(&bytes[..])));
    let error = torch::load(&file("many_views.pt")).expect_err("refused").to_string();
    assert!(error.contains("and those before have 2 times the elements of the file"), "{error}");
}

#[test]
fn flipped_bytes_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tiny.pt", "tiny.th", "whole_network.pt", "script_network.pt", "pairs.pt"] {
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
    let fitted = torch::fit(&model, &theirs, None);
    assert!(fitted.missing.is_empty() && fitted.extra.is_empty(), "{fitted:?}");
    assert_eq!(fitted.tensors, own);
    assert_eq!(torch::classes_of(&model, &theirs), Some(10));
    let renamed = theirs.into_iter().map(|(name, t)| (name.replace("fc.", "linear."), t)).collect();
    assert!(torch::fit(&model, &renamed, None).missing.is_empty());
}

/// What timm 1.0.31 and lukemelas' EfficientNet call the states of these models, one a line with its extents, read from their own
/// models.
fn others(file_name: &str) -> BTreeMap<String, Tensor> {
    let text = std::fs::read_to_string(file(file_name)).expect("a list");
    let one = |line: &str| {
        let (name, extents) = line.split_once(' ')?;
        let shape: Vec<usize> =
            extents.trim_matches(['[', ']']).split(',').filter_map(|n| n.trim().parse().ok()).collect();
        let n = shape.iter().product::<usize>();
        // Of each tensor the elements tell which it is.
        let sum = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let values = vec![(sum % 65_521) as f32 / 65_521.0; n];
        Some((name.to_string(), Tensor::f32(shape, values)?))
    };
    text.lines().filter_map(one).collect()
}

#[test]
fn every_family_is_found_by_the_names_that_others_give_it() {
    for (model, list) in [
        ("mobilenet-v2", "timm_mobilenetv2_100.txt"),
        ("mobilenet-v3-small", "timm_mobilenetv3_small_100.txt"),
        ("mobilenet-v3-large", "timm_mobilenetv3_large_100.txt"),
        ("efficientnet-b0", "timm_efficientnet_b0.txt"),
        ("efficientnet-lite0", "timm_efficientnet_lite0.txt"),
        ("efficientnet-lite0", "lukemelas_efficientnet_lite0.txt"),
        ("regnet-y-400mf", "timm_regnety_004.txt"),
        ("convnext-tiny", "timm_convnext_tiny.txt"),
        ("resnet18", "timm_resnet18.txt"),
        ("vit-tiny", "timm_vit_tiny_patch16_224.txt"),
    ] {
        let given = others(list);
        let known = models::named(model).expect("a model");
        let model = known.build(1000, [224, 224, 3]).expect("fits");
        assert_eq!(torch::classes_of(&model, &given), Some(1000), "{list}");
        let fitted = torch::fit(&model, &given, None);
        assert!(fitted.missing.is_empty() && fitted.extra.is_empty(), "{list}: {fitted:?}");
        // No tensor is taken twice.
        let mut first: Vec<u32> =
            fitted.tensors.values().filter_map(|t| t.as_f32()?.first().map(|v| v.to_bits())).collect();
        let count = first.len();
        first.sort_unstable();
        first.dedup();
        assert!(first.len() + 4 > count, "{list}: {} of {count} tensors differ", first.len());
    }
}

#[test]
fn another_epsilon_is_kept_within_the_variance() {
    let model = models::named("mobilenet-v3-small").and_then(|m| m.build(1000, [224, 224, 3])).expect("fits");
    let given = others("timm_mobilenetv3_small_100.txt");
    let variance =
        |eps| torch::fit(&model, &given, eps).tensors["features.0.1.running_var"].as_f32().expect("floats")[0];
    // timm's is 1e-5, this model's 1e-3.
    let there = given["bn1.running_var"].as_f32().expect("floats")[0];
    assert!((variance(None) - (there - 0.00099)).abs() < 1e-6);
    assert_eq!(variance(Some(1e-3)), there);
}

#[test]
fn real_files_of_both_forms_are_read_whole() {
    let Some(folder) = std::env::var_os("CHIARO_MODELS").map(PathBuf::from) else {
        println!("not read: CHIARO_MODELS names no folder with PyTorch files of others");
        return;
    };
    // Tensors and elements as PyTorch 2.15 counts them; without counters of batches.
    for (file, tensors, elements) in [
        ("burn-mnist/mnist.pt", 18, 376_938),
        ("mtcnn-facenet-pytorch/pnet.pt", 13, 6_632),
        ("mtcnn-facenet-pytorch/rnet.pt", 16, 100_178),
        ("mtcnn-facenet-pytorch/onet.pt", 21, 389_040),
        ("resnet-cifar10/resnet20-12fca82f.th", 97, 271_098),
    ] {
        let read = torch::load(&folder.join(file)).expect("a state dict");
        let kept: Vec<&Tensor> =
            read.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).map(|(_, t)| t).collect();
        let all: usize = kept.iter().map(|t| t.shape().iter().product::<usize>()).sum();
        assert_eq!((kept.len(), all), (tensors, elements), "{file}");
        assert!(kept.iter().all(|t| t.as_f32().is_some_and(|v| v.iter().all(|x| x.is_finite()))), "{file}");
    }
}

#[test]
fn counters_beside_weights_in_safetensors_are_left_out() {
    use safetensors::tensor::{Dtype, TensorView};
    let (weight, counter) = ([1.5f32.to_le_bytes(), 2.5f32.to_le_bytes()].concat(), 7i64.to_le_bytes());
    let tensors = [
        ("bn1.weight", TensorView::new(Dtype::F32, vec![2], &weight).expect("a view")),
        ("bn1.num_batches_tracked", TensorView::new(Dtype::I64, vec![], &counter).expect("a view")),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("timm.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, None).expect("a file")).expect("written");
    assert!(!torch::is_own(&path).expect("read"));
    let read = torch::load_safetensors(&path).expect("read");
    assert_eq!(read.keys().collect::<Vec<_>>(), ["bn1.weight"]);
    assert_eq!(read["bn1.weight"].as_f32(), Some(&[1.5, 2.5][..]));
}
