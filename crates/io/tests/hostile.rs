//! Damaged files of PyTorch: every one is read or refused, without a panic. `CHIARO_FUZZ_RUNS` asks for more of them, `CHIARO_MODELS`
//! for real ones as seeds.

#[path = "../../onnx/tests/support/mutate.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod mutate;

use std::path::{Path, PathBuf};

use chiaro_io::torch;
use mutate::{Numbers, damaged, peak, runs};

/// Files of both forms; real ones where the environment names them.
fn seeds() -> Vec<Vec<u8>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<PathBuf> = ["tiny.pt", "tiny.th", "unused_call.pt"].map(|name| own.join(name)).to_vec();
    match std::env::var_os("CHIARO_MODELS").map(PathBuf::from) {
        Some(folder) => {
            let real = ["burn-mnist/mnist.pt", "mtcnn-facenet-pytorch/pnet.pt", "resnet-cifar10/resnet20-12fca82f.th"];
            paths.extend(real.map(|name| folder.join(name)).into_iter().filter(|path| path.is_file()));
        }
        None => println!("CHIARO_MODELS names no folder with real files, so that small ones alone are damaged"),
    }
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

#[test]
fn damaged_files_of_both_forms_are_read_or_refused_without_a_panic_or_much_memory() {
    let (seeds, folder) = (seeds(), tempfile::tempdir().expect("a folder"));
    let largest = seeds.iter().map(Vec::len).max().unwrap_or(0);
    let (mut numbers, path, before) = (Numbers(0x2545_f491_4f6c_dd1d), folder.path().join("damaged.pt"), peak());
    for run in 0..runs(6000) {
        let seed = &seeds[numbers.below(seeds.len())];
        let bytes = damaged(seed, &mut numbers);
        std::fs::write(&path, &bytes).expect("written");
        let read = std::panic::catch_unwind(|| torch::load(&path).map(|tensors| tensors.len()));
        if read.is_err() {
            let kept = std::env::temp_dir().join(format!("chiaro-hostile-{run}.pt"));
            std::fs::write(&kept, bytes).expect("written");
            panic!("run {run} panics; its file is {}", kept.display());
        }
    }
    let most = (16 << 20) + 10 * largest;
    assert!(peak() - before < most, "{} MB more than before", (peak() - before) >> 20);
}
