//! Damaged files: every one is read or refused, without a panic, and with little memory. `CHIARO_FUZZ_RUNS` asks for more of them.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chiaro_onnx::{Feed, OnnxClassifier, OnnxModel, record_graph};
use support::mutate::{Numbers, damaged, peak, runs};

/// After so many there is enough to mend.
const MOST_PANICS: usize = 20;

/// Real files: small networks, and ONNX' own cases.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
    let models = ["mnist-cntk", "rapidocr-cls", "resnet20-cifar10"].map(|name| folder.join(name).join("model.onnx"));
    let mut files: Vec<Vec<u8>> = models.iter().map(|path: &PathBuf| std::fs::read(path).expect("a file")).collect();
    files.extend(support::light().into_iter().map(|light| light.model));
    files.extend(support::cases().into_iter().map(|case| case.model));
    files.sort_by_key(Vec::len);
    files
}

/// Seeds below this size are damaged nearly always: large tensors hide what is told about them.
const SMALL: usize = 5000;

/// Memory that a file must take more than all before it to be kept.
const LARGE: usize = 8 << 20;

/// What a user may do with a file: 0 where it is refused, 1 where it is read, 2 where it is recorded too.
fn used(bytes: Vec<u8>) -> usize {
    let Ok(model) = OnnxModel::parse(bytes.into(), None) else { return 0 };
    let mut feeds = BTreeMap::new();
    for input in model.inputs() {
        let (Ok(elem), Ok(declared)) = (model.elem(input), model.declared(input)) else { break };
        let shape: Vec<usize> = declared.iter().map(|extent| extent.unwrap_or(2)).collect();
        // Whoever gives such an input has the memory for it.
        if shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_some_and(|n| n < 1 << 22) {
            feeds.insert(input.to_string(), Feed::Input { shape, elem });
        }
    }
    let recorded = record_graph(&model, &feeds).is_ok();
    if let Ok(classifier) = OnnxClassifier::new(model) {
        let image = classifier.image.map(|n| if n == 0 { 3 } else { n });
        if image.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_some_and(|n| n < 1 << 22) {
            let _ = classifier.classes(image);
            let _ = classifier.with_classes(3);
        }
    }
    1 + usize::from(recorded)
}

#[test]
fn damaged_files_are_read_or_refused_without_a_panic_or_much_memory() {
    let seeds = seeds();
    assert!(seeds.len() > 100, "{} files", seeds.len());
    let small = seeds.iter().filter(|seed| seed.len() < SMALL).count();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (before, mut panics, mut ends) = (peak(), vec![], [0; 3]);
    // The file after which there had been most memory, by how much more than after those before it.
    let (mut last, mut largest) = (before, (0, PathBuf::new()));
    for run in 0..runs(40_000) {
        let among = if run % 256 == 0 { seeds.len() } else { small };
        let bytes = damaged(&seeds[numbers.below(among)], &mut numbers);
        let kept = bytes.clone();
        match std::panic::catch_unwind(move || used(bytes)) {
            Ok(end) => ends[end] += 1,
            Err(_) => {
                let path = std::env::temp_dir().join(format!("chiaro-hostile-{run}.onnx"));
                std::fs::write(&path, &kept).expect("written");
                panics.push(path);
            }
        }
        let now = peak();
        if now > last + LARGE {
            let path = std::env::temp_dir().join(format!("chiaro-large-{run}.onnx"));
            println!("{}: {} bytes, {} MB more than before all", path.display(), kept.len(), (now - before) >> 20);
            std::fs::write(&path, &kept).expect("written");
            largest = largest.max((now - last, path));
        }
        last = now;
        if panics.len() == MOST_PANICS {
            break;
        }
    }
    let [refused, read, recorded] = ends;
    println!(
        "{refused} files were refused, {read} read, {recorded} recorded, {} MB more than before",
        (peak() - before) >> 20
    );
    assert!(panics.is_empty(), "these files panic: {panics:?}");
    // Ten times the largest of these files (2 MB), and what any file may make, with what folding takes beside it; 22 measured.
    let most = 64 << 20;
    let told = || format!("{} MB more than before; most by {}", (peak() - before) >> 20, largest.1.display());
    assert!(peak() - before < most, "{}", told());
}

#[test]
fn files_that_once_panicked_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile");
    let files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    assert!(!files.is_empty());
    for path in files {
        assert!(used(std::fs::read(&path).expect("a file")) < 2, "{} is no whole model", path.display());
    }
}
