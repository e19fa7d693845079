//! Tables of tuned choices, the whole way: a search makes one, the text ships, and another start uses it without a trial.

mod support;

use std::path::Path;
use std::time::Duration;

use chiaro_gpu::{BackendOptions, ChoiceSources, GpuBackend, KnownTable, KnownTables, OpenOptions, Tuning};
use chiaro_graph::{Backend, DType, Graph, Tensor};

/// Longer than any search takes.
const UNTIL_DONE: Duration = Duration::MAX;

fn backend(cache: Option<&Path>, tuning: Tuning, known: KnownTables) -> Option<GpuBackend> {
    let gpu = support::open(OpenOptions { cache: cache.map(Path::to_owned), ..OpenOptions::default() })?;
    Some(GpuBackend::new(gpu, BackendOptions { tuning, known, ..BackendOptions::default() }))
}

const SHAPES: [&[usize]; 2] = [&[96, 50], &[50, 80]];

/// A product of matrices and the sums of its rows.
fn graph() -> Graph {
    let mut g = Graph::new();
    let [x, w] = [("x", SHAPES[0]), ("w", SHAPES[1])].map(|(name, s)| g.input(name, s, DType::F32).expect("an input"));
    let y = g.matmul(x, w, false, false).expect("a product");
    let sums = g.sum(y, &[1], false).expect("sums");
    g.output("y", y).and_then(|()| g.output("sums", sums)).expect("outputs");
    g
}

fn results(backend: &mut GpuBackend) -> Vec<Vec<f32>> {
    let plan = backend.compile(&graph()).expect("compiles");
    let values = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::f32(shape, values).expect("a tensor")
    };
    backend.run(plan, &SHAPES.map(values)).expect("runs");
    (0..2).map(|i| backend.read(plan, i).expect("reads").as_f32().expect("floats").to_vec()).collect()
}

/// Dispatches that compiling takes: those of a search.
fn trials(backend: &mut GpuBackend) -> u64 {
    let before = backend.gpu().counters().dispatches;
    backend.compile(&graph()).expect("compiles");
    backend.gpu().counters().dispatches - before
}

/// Tiles of the kernels that the graph is compiled to.
fn tiles(backend: &mut GpuBackend) -> Vec<String> {
    let planned = backend.planned(&graph()).expect("plans");
    planned.iter().filter_map(|kernel| kernel.call.launch.as_ref()?.tile.clone()).collect()
}

fn of(text: &str) -> KnownTables {
    KnownTables::Of(vec![KnownTable::parse(text).expect("a table")])
}

fn sources(found: usize, known: usize, suggested: usize) -> ChoiceSources {
    ChoiceSources { found, known, suggested }
}

/// What a search on this device finds, as the text that ships; every product with the given tile.
fn table(tile: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut searching = backend(Some(folder.path()), Tuning::Kept, KnownTables::default())?;
    searching.tune(&graph(), UNTIL_DONE, &mut |_| ()).expect("searches");
    let table = searching.known_table();
    assert_eq!(searching.choice_sources(&graph()).expect("plans"), sources(table.kernels(), 0, 0));
    let mut json: serde_json::Value = serde_json::from_str(&table.text().expect("a text")).expect("JSON");
    let choices = json["choices"].as_object_mut().expect("choices");
    assert!(choices.keys().any(|key| key.starts_with("Reduce")), "{choices:?}");
    for (key, entry) in choices.iter_mut().filter(|(key, _)| key.starts_with("MatMul")) {
        *entry = serde_json::json!({ "tile": tile });
        assert!(key.contains("f32"), "{key}");
    }
    Some(json.to_string())
}

/// Neither what shapes suggest for the product nor the portable tile; a search on a software device tries it.
const OTHER: &str = "direct 16x32x1/8x4";

#[test]
fn what_a_search_found_ships_and_another_start_runs_it_without_a_trial() {
    let Some(text) = table(OTHER) else { return };
    let open = |tuning, known| backend(None, tuning, known).expect("opens");
    let mut plain = open(Tuning::Off, KnownTables::default());
    let (wanted, suggested) = (results(&mut plain), tiles(&mut plain));
    assert_ne!(suggested, [OTHER]);

    for tuning in [Tuning::Kept, Tuning::Search(UNTIL_DONE)] {
        let mut shipped = open(tuning, of(&text));
        assert_eq!(trials(&mut shipped), 0, "nothing is searched for");
        assert_eq!(tiles(&mut shipped), [OTHER]);
        let sources = shipped.choice_sources(&graph()).expect("plans");
        assert!(sources.known >= 2 && sources.found + sources.suggested == 0, "{sources:?}");
        for (got, wanted) in results(&mut shipped).iter().zip(&wanted) {
            assert!(got.iter().zip(wanted).all(|(g, w)| (g - w).abs() < 1e-4), "{got:?}");
        }
    }

    // Without it, with another device's, and with that of older kernels there is a search; without tuning nothing is looked up.
    let format = text.split_once("\"format\":").expect("a format").1.split(',').next().expect("a number");
    let others = [text.replace("\"name\":\"", "\"name\":\"Another "), text.replace(format, "0")];
    for known in [KnownTables::default(), of(&others[0]), of(&others[1])] {
        assert!(trials(&mut open(Tuning::Search(UNTIL_DONE), known.clone())) > 0);
        assert_eq!(tiles(&mut open(Tuning::Kept, known)), suggested);
    }
    assert_eq!(tiles(&mut open(Tuning::Off, of(&text))), suggested);
}

#[test]
fn what_was_found_here_goes_before_what_a_table_knows_and_a_search_by_name_measures_it_again() {
    let Some(text) = table(OTHER) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let open = |known| backend(Some(folder.path()), Tuning::Kept, known).expect("opens");
    let (mut told, mut searching) = (0, open(of(&text)));
    assert_eq!(tiles(&mut searching), [OTHER]);
    searching.tune(&graph(), UNTIL_DONE, &mut |_| told += 1).expect("searches");
    assert!(told >= 2, "a table keeps nobody from searching");
    let sources = searching.choice_sources(&graph()).expect("plans");
    assert_eq!((sources.found, sources.known), (told, 0));
    let found = tiles(&mut searching);
    assert_eq!(tiles(&mut open(of(&text))), found, "the folder's choice, whatever the table says");
    assert_eq!(tiles(&mut open(of(&text.replace(OTHER, "direct 16x32x1/4x4")))), found);
}

#[test]
fn a_choice_that_no_search_here_could_find_is_ignored() {
    // Not for software devices; too large for any; of matrices that it has not; of no such tile.
    for tile in ["workgroup 128x128x16/8x8", "direct 1024x1024x1/4x4", "cooperative16 128x128x64/64x32", "no tile"] {
        let Some(text) = table(tile) else { return };
        let mut shipped = backend(None, Tuning::Kept, of(&text)).expect("opens");
        let mut plain = backend(None, Tuning::Off, KnownTables::default()).expect("opens");
        assert_eq!(tiles(&mut shipped), tiles(&mut plain), "{tile}");
        assert_eq!(results(&mut shipped)[0], results(&mut plain)[0], "{tile}");
        let sources = shipped.choice_sources(&graph()).expect("plans");
        assert!(sources.known >= 1 && sources.suggested == 1, "the others count: {sources:?}");
    }
}
