//! What is kept between runs: it makes no difference to results, and nothing in the folder, nor the folder, can stop a run.

mod support;

use std::path::{Path, PathBuf};

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{Backend, DType, Graph, Tensor};

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(kind))).collect()
}

fn backend(cache: &Path) -> Option<GpuBackend> {
    let gpu = support::open(OpenOptions { cache: Some(cache.to_owned()), ..OpenOptions::default() })?;
    Some(GpuBackend::new(gpu, BackendOptions::default()))
}

/// A product of matrices with a bias and a ReLU.
fn product(backend: &mut GpuBackend) -> Vec<f32> {
    let mut g = Graph::new();
    let [x, w, b] = [("x", vec![40, 36]), ("w", vec![33, 36]), ("b", vec![33])]
        .map(|(name, shape)| g.input(name, &shape, DType::F32).expect("an input"));
    let y = g.matmul(x, w, false, true).and_then(|y| g.add(y, b)).and_then(|y| g.relu(y)).expect("a graph");
    g.output("y", y).expect("an output");
    let plan = backend.compile(&g).expect("compiles");
    let values = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::f32(shape, values).expect("a tensor")
    };
    backend.run(plan, &[values(&[40, 36]), values(&[33, 36]), values(&[33])]).expect("runs");
    backend.read(plan, 0).expect("reads").as_f32().expect("floats").to_vec()
}

#[test]
fn compiled_kernels_are_kept_when_a_plan_is_compiled_and_change_no_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut first) = backend(folder.path()) else { return };
    let expected = product(&mut first);
    assert_eq!(first.gpu().notes().take(), Vec::<String>::new());
    let kept = files(folder.path(), "pipelines");
    assert_eq!(kept.len(), usize::from(first.gpu().features().pipeline_cache), "{kept:?}");
    assert!(
        files(folder.path(), "").iter().all(|file| file.extension().is_some_and(|e| e != "partial")),
        "no half file"
    );
    assert_eq!(product(&mut backend(folder.path()).expect("opens again")), expected, "from the cache");
    for file in kept {
        std::fs::write(&file, b"chiaroP1 and then nothing that a driver wrote").expect("writes");
        assert_eq!(product(&mut backend(folder.path()).expect("opens with a damaged cache")), expected);
        let repaired = std::fs::read(&file).expect("the file is there");
        assert!(repaired.len() > 50, "the damaged file was replaced");
    }
}

#[test]
fn a_folder_that_takes_no_files_costs_a_note_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file where the folder should be: refused whoever runs the test, unlike a read-only folder, which root may write.
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, b"").expect("writes");
    let Some(mut closed) = backend(&blocked.join("below")) else { return };
    let got = product(&mut closed);
    let notes = closed.gpu().notes().take();
    if closed.gpu().features().pipeline_cache {
        assert!(notes.iter().any(|note| note.contains("not kept")), "{notes:?}");
    }
    assert_eq!(closed.gpu().notes().take(), Vec::<String>::new(), "told once");
    assert_eq!(got, product(&mut backend(folder.path()).expect("opens")), "and the results are those of any other run");
}
