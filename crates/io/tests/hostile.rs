//! Damaged files of PyTorch: every one is read or refused, without a panic. `CHIARO_FUZZ_RUNS` asks for more of them, `CHIARO_MODELS`
//! for real ones as seeds.

#[path = "../../onnx/tests/support/mutate.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod mutate;

use std::path::{Path, PathBuf};

use chiaro_io::torch;
use mutate::{Numbers, damaged, peak, runs};

/// Seeds up to this size are damaged most of the time: damage of a large one is mostly damage of numbers.
const SMALL: usize = 64 << 10;

/// Files of one form; real ones where the environment names them.
fn seeds(own: &[&str], real: &[&str]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<PathBuf> = own.iter().map(|name| folder.join(name)).collect();
    match std::env::var_os("CHIARO_MODELS").map(PathBuf::from) {
        Some(folder) => paths.extend(real.iter().map(|name| folder.join(name)).filter(|path| path.is_file())),
        None => println!("CHIARO_MODELS names no folder with real files, so that small ones alone are damaged"),
    }
    let mut seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    seeds.sort_by_key(Vec::len);
    seeds
}

/// Damages files of one form and reads them.
fn damage(seeds: &[Vec<u8>], usual: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let largest = seeds.iter().map(Vec::len).max().unwrap_or(0);
    let small = seeds.iter().filter(|seed| seed.len() <= SMALL).count();
    let (mut numbers, path, before) = (Numbers(0x2545_f491_4f6c_dd1d), folder.path().join("damaged.pt"), peak());
    let (mut read, runs) = (0, runs(usual));
    for run in 0..runs {
        let among = if run % 256 == 0 { seeds.len() } else { small };
        let bytes = damaged(&seeds[numbers.below(among)], &mut numbers);
        std::fs::write(&path, &bytes).expect("written");
        match std::panic::catch_unwind(|| torch::load(&path).map(|tensors| tensors.len())) {
            Ok(tensors) => read += usize::from(tensors.is_ok()),
            Err(_) => {
                let kept = std::env::temp_dir().join(format!("chiaro-hostile-{run}.pt"));
                std::fs::write(&kept, bytes).expect("written");
                panic!("run {run} panics; its file is {}", kept.display());
            }
        }
    }
    println!("{runs} damaged files: {read} were read, {} MB more than before", (peak() - before) >> 20);
    let most = (16 << 20) + 10 * largest;
    assert!(peak() - before < most, "{} MB more than before", (peak() - before) >> 20);
}

#[test]
fn damaged_zip_files_are_read_or_refused_without_a_panic_or_much_memory() {
    damage(&seeds(&["tiny.pt", "unused_call.pt"], &["burn-mnist/mnist.pt"]), 3000);
}

#[test]
fn damaged_files_of_the_older_form_are_read_or_refused_without_a_panic_or_much_memory() {
    let real =
        ["mtcnn-facenet-pytorch/pnet.pt", "mtcnn-facenet-pytorch/rnet.pt", "resnet-cifar10/resnet20-12fca82f.th"];
    damage(&seeds(&["tiny.th"], &real), 3000);
}
