//! Tuning on a device: what it finds changes no result beyond rounding, is kept, and may be lost or damaged.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions, Tuning};
use chiaro_graph::{Backend, ConvSpec, DType, Graph, Tensor};
use tempfile::TempDir;

/// Longer than any search takes on any machine: what is found must not depend on what else the machine does.
const UNTIL_DONE: Duration = Duration::MAX;

fn new_folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The file of tuned choices in a cache folder.
fn tuned(folder: &TempDir) -> PathBuf {
    let entries = std::fs::read_dir(folder.path()).expect("the folder is there");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let tuned = |path: &&PathBuf| path.extension().is_some_and(|e| e == "json");
    paths.iter().find(tuned).unwrap_or_else(|| panic!("no choices in {paths:?}")).clone()
}

fn backend(cache: &Path, tuning: Tuning) -> Option<GpuBackend> {
    let gpu = support::open(OpenOptions { cache: Some(cache.to_owned()), ..OpenOptions::default() })?;
    Some(GpuBackend::new(gpu, BackendOptions { tuning, ..BackendOptions::default() }))
}

const SHAPES: [&[usize]; 3] = [&[2, 9, 10, 8], &[33, 3, 3, 8], &[33]];

/// A convolution with bias and ReLU, the mean of its squares, and its gradients.
fn graph() -> Graph {
    let mut g = Graph::new();
    let [x, w, b] = ["x", "w", "b"].map(|name| {
        let shape = SHAPES[["x", "w", "b"].iter().position(|n| *n == name).expect("a name")];
        g.input(name, shape, DType::F32).expect("an input")
    });
    let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
    let y = g.conv2d(x, w, &spec).and_then(|y| g.add(y, b)).and_then(|y| g.relu(y)).expect("a graph");
    let loss = g.mul(y, y).and_then(|y| g.sum_all(y)).expect("a loss");
    let gradients = g.grad(loss, None, &[x, w, b]).expect("gradients");
    for (name, var) in ["loss", "dx", "dw", "db"].iter().zip(std::iter::once(loss).chain(gradients)) {
        g.output(name, var).expect("an output");
    }
    g
}

/// All results of one run.
fn results(backend: &mut GpuBackend) -> Vec<Vec<f32>> {
    let plan = backend.compile(&graph()).expect("compiles");
    let values = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::f32(shape, values).expect("a tensor")
    };
    backend.run(plan, &SHAPES.map(values)).expect("runs");
    (0..4).map(|i| backend.read(plan, i).expect("reads").as_f32().expect("floats").to_vec()).collect()
}

fn assert_close(got: &[Vec<f32>], wanted: &[Vec<f32>]) {
    for (got, wanted) in got.iter().zip(wanted) {
        let square = |v: f64| v * v;
        let apart: f64 = got.iter().zip(wanted).map(|(g, w)| square(f64::from(g - w))).sum();
        let norm: f64 = wanted.iter().map(|w| square(f64::from(*w))).sum();
        assert!(got.len() == wanted.len() && (apart / norm).sqrt() < 1e-5, "{apart} of {norm}");
    }
}

#[test]
fn what_is_found_is_kept_and_gives_the_same_bits_again_and_the_same_results_as_no_tuning() {
    let folder = new_folder();
    let Some(mut plain) = backend(folder.path(), Tuning::Off) else { return };
    let wanted = results(&mut plain);
    let mut searching = backend(folder.path(), Tuning::Search(UNTIL_DONE)).expect("opens");
    let found = results(&mut searching);
    assert_close(&found, &wanted);
    assert_eq!(searching.gpu().notes().take(), Vec::<String>::new());
    let text = std::fs::read_to_string(tuned(&folder)).expect("choices were kept");
    assert!(text.contains("Conv2d(") && text.contains("Conv2dWeightGrad("), "{text}");

    for _ in 0..2 {
        assert_eq!(
            results(&mut backend(folder.path(), Tuning::Kept).expect("opens")),
            found,
            "the same cache, the same bits"
        );
    }
    assert_eq!(std::fs::read_to_string(tuned(&folder)).expect("still there"), text, "nothing was searched again");
    assert_eq!(results(&mut backend(folder.path(), Tuning::Off).expect("opens")), wanted, "no tuning ignores it");
}

#[test]
fn a_search_is_told_kernel_by_kernel_and_is_not_done_twice() {
    let folder = new_folder();
    let Some(mut searching) = backend(folder.path(), Tuning::Kept) else { return };
    let mut outcomes = vec![];
    searching.tune(&graph(), UNTIL_DONE, &mut |outcome| outcomes.push(outcome.clone())).expect("searches");
    assert!(outcomes.len() >= 3, "{outcomes:?}");
    for outcome in &outcomes {
        assert!(outcome.tried > 0 && outcome.rejected == 0, "every variant of this project is right: {outcome:?}");
        assert!(outcome.best_seconds > 0.0 && outcome.best_seconds <= outcome.plain_seconds, "{outcome:?}");
    }
    for limit in [UNTIL_DONE, Duration::ZERO] {
        searching.tune(&graph(), limit, &mut |outcome| panic!("searched again: {outcome:?}")).expect("knows all");
    }
}

#[test]
fn a_damaged_file_or_no_folder_costs_a_note_and_the_shapes_decide() {
    let folder = new_folder();
    let Some(mut plain) = backend(folder.path(), Tuning::Off) else { return };
    let wanted = results(&mut plain);
    let mut empty = backend(folder.path(), Tuning::Search(Duration::ZERO)).expect("opens");
    assert_eq!(results(&mut empty), wanted, "no time, no choices");
    std::fs::write(tuned(&folder), b"{ \"format\": 1, \"choices\": ").expect("writes");
    let mut damaged = backend(folder.path(), Tuning::Kept).expect("opens");
    let notes = damaged.gpu().notes().take();
    assert!(notes.len() == 1 && notes[0].contains("ignored"), "{notes:?}");
    assert_eq!(results(&mut damaged), wanted);

    let mut nowhere = backend(&tuned(&folder).join("below"), Tuning::Search(Duration::ZERO)).expect("opens");
    assert_eq!(results(&mut nowhere), wanted);
    let notes = nowhere.gpu().notes().take();
    assert!(notes.iter().any(|note| note.contains("tuned choices are not kept")), "{notes:?}");
}

#[test]
fn a_search_that_is_killed_has_lost_nothing_and_the_next_goes_on_after_it() {
    let (folder, whole) = (new_folder(), new_folder());
    let Some(mut first) = backend(folder.path(), Tuning::Kept) else { return };
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut told = 0;
        let mut die = |_: &chiaro_gpu::SearchOutcome| {
            told += 1;
            assert!(told < 2, "killed here");
        };
        first.tune(&graph(), UNTIL_DONE, &mut die)
    }));
    assert!(killed.is_err());
    let kernels = |folder: &TempDir| {
        let mut kernels = vec![];
        let mut backend = backend(folder.path(), Tuning::Kept).expect("opens");
        backend.tune(&graph(), UNTIL_DONE, &mut |outcome| kernels.push(outcome.kernel.clone())).expect("searches");
        kernels
    };
    assert_eq!(kernels(&folder), kernels(&whole)[2..], "two were found and kept");
    assert_eq!(kernels(&folder), Vec::<String>::new());
}

#[test]
fn no_tensor_of_a_search_passes_through_the_host() {
    let folder = new_folder();
    let Some(mut searching) = backend(folder.path(), Tuning::Kept) else { return };
    let before = searching.gpu().counters();
    let mut kernels = 0;
    searching.tune(&graph(), UNTIL_DONE, &mut |_| kernels += 1).expect("searches");
    let now = searching.gpu().counters();
    // Four words an operand and the few sums of a comparison; the operands themselves are 8 to 24 kB, a hundred times over.
    let up = (now.uploaded - before.uploaded) / kernels;
    let down = (now.downloaded - before.downloaded) / (now.dispatches - before.dispatches);
    assert!(up < 500 && down < 1500, "{up} bytes up a kernel, {down} down a dispatch");
}
