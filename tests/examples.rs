//! The examples run and learn.
#![allow(clippy::duplicate_mod, reason = "examples are programs of their own that read the same tables")]

#[path = "../examples/apriori.rs"]
mod apriori;
#[path = "../examples/attention.rs"]
mod attention;
#[path = "../examples/autoencoder.rs"]
mod autoencoder;
#[path = "../examples/breast_cancer.rs"]
mod breast_cancer;
#[path = "../examples/by_hand.rs"]
mod by_hand;
#[path = "../examples/cart_pole.rs"]
mod cart_pole;
#[path = "../examples/custom_model.rs"]
mod custom_model;
#[path = "../examples/data_cleaning.rs"]
mod data_cleaning;
#[path = "../examples/dense_mnist.rs"]
mod dense_mnist;
#[path = "../examples/gan.rs"]
mod gan;
#[path = "../examples/house_prices.rs"]
mod house_prices;
#[path = "../examples/image_folder.rs"]
mod image_folder;
#[path = "../examples/kmeans.rs"]
mod kmeans;
#[path = "../examples/linear_regression.rs"]
mod linear_regression;
#[path = "../examples/own_data.rs"]
mod own_data;
#[path = "../examples/own_loop.rs"]
mod own_loop;
#[path = "../examples/own_op.rs"]
mod own_op;
#[path = "../examples/own_optimizer.rs"]
mod own_optimizer;
#[path = "../examples/sequences.rs"]
mod sequences;
#[path = "../examples/words.rs"]
mod words;

mod support;

use chiaro::cpu::Cpu;
use chiaro::graph::Shared;

fn cpu() -> Shared {
    Shared::new(Cpu::new(None).expect("threads"))
}

/// The CPU, and a GPU where there is one.
fn devices() -> Vec<Shared> {
    std::iter::once(cpu()).chain(support::gpu().map(Shared::new)).collect()
}

#[test]
fn a_line_through_noisy_points_is_that_of_the_closed_form() {
    let root = tempfile::tempdir().expect("a folder");
    for device in devices() {
        let picture = root.path().join("line.png");
        let [line, exact] = linear_regression::run(device, &picture).expect("runs");
        for ((found, exact), true_value) in line.iter().zip(exact).zip([2.0, 1.0]) {
            assert!((found - true_value).abs() < 0.05 && (found - exact).abs() < 0.005, "{line:?} {exact:?}");
        }
        assert!(image::open(&picture).is_ok_and(|picture| picture.width() == 500));
    }
}

#[test]
fn gradients_written_out_are_those_that_the_graph_derives() {
    let root = tempfile::tempdir().expect("a folder");
    for mut device in devices() {
        for kind in [by_hand::Kind::Linear, by_hand::Kind::Logistic] {
            let (weights, worst) = by_hand::run(&mut device, kind, 1000, &root.path().join("loss.png")).expect("runs");
            assert!(worst < 1e-4, "{kind:?}: {worst}");
            let near = |(found, wanted): (&f64, f64)| match kind {
                by_hand::Kind::Linear => (found - wanted).abs() < 0.05,
                by_hand::Kind::Logistic => found.signum() == wanted.signum(),
            };
            assert!(weights.iter().zip([1.5, -2.0, 0.5]).all(near), "{kind:?}: {weights:?}");
        }
    }
}

#[test]
fn logistic_regression_has_the_weights_and_the_accuracy_of_scikit_learn() {
    let root = tempfile::tempdir().expect("a folder");
    for device in devices() {
        let (accuracy, weights) = breast_cancer::run(device, &root.path().join("p.png")).expect("runs");
        assert!(accuracy > 0.99, "{accuracy}");
        for (found, wanted) in weights.iter().zip([-0.27357, -0.20641, -0.26444]) {
            assert!((found - wanted).abs() < 1e-4, "{weights:?}");
        }
    }
}

#[test]
fn clusters_of_iris_are_as_tight_as_scikit_learns() {
    let root = tempfile::tempdir().expect("a folder");
    for mut device in devices() {
        let (inertia, sizes) = kmeans::iris(&mut device, 3, &root.path().join("iris.png")).expect("runs");
        assert!((inertia / 78.8514 - 1.0).abs() < 1e-3 && sizes == [62, 50, 38], "{inertia} {sizes:?}");
    }
}

#[test]
fn clusters_of_embeddings_are_kinds_of_digits_and_batches_find_nearly_as_tight_ones() {
    let root = tempfile::tempdir().expect("a folder");
    let [whole, parts, share, of_pixels] = kmeans::digits_by_kind(&mut cpu(), 1000, root.path()).expect("runs");
    assert!((whole..1.02 * whole).contains(&parts), "{whole} {parts}");
    assert!(share > 0.7 && share > of_pixels + 0.1, "{share} {of_pixels}");
    assert!(["kmeans_digits.png", "kmeans_embeddings.csv"].iter().all(|name| root.path().join(name).exists()));
}

#[test]
fn a_loop_of_ones_own_with_a_loss_of_ones_own_learns() {
    let [first, last, found] = own_loop::run(cpu(), 8).expect("runs");
    assert!(last < first / 10.0 && found > 0.9, "{first} {last} {found}");
}

#[test]
fn an_op_of_ones_own_is_verified_like_the_rest_and_learns() {
    let mut devices = vec![cpu()];
    devices.extend(support::gpu().map(Shared::new));
    for mut device in devices {
        let report = own_op::verified(&mut device);
        assert!(report.passed() && report.cases.len() == 3, "{report}");
        assert!(report.cases.iter().all(|case| case.gradient.is_some()), "{report}");
        let prototypes = own_op::run(&mut device, 300).expect("runs");
        let far = |(found, wanted): (&f64, f64)| (found - wanted).abs();
        let worst = prototypes.iter().zip([0.0, 0.0, 3.0, 0.0, 0.0, 3.0]).map(far).fold(0.0, f64::max);
        assert!(worst < 1.0, "{prototypes:?}");
    }
}

#[test]
fn an_optimizer_of_ones_own_is_named_by_settings_and_learns() {
    let [loss, accuracy] = own_optimizer::run(cpu(), 1500, 4).expect("runs");
    assert!(loss < 3.0 && accuracy > 0.75, "{loss} {accuracy}");
}

#[test]
fn a_data_set_of_ones_own_is_learnt() {
    let accuracies = own_data::run(cpu(), 5).expect("runs");
    assert!(accuracies.last().is_some_and(|last| *last > 0.95), "{accuracies:?}");
}

#[test]
fn a_model_of_ones_own_is_trained_saved_opened_and_used() {
    let root = tempfile::tempdir().expect("a folder");
    let (accuracy, guesses) = custom_model::run(cpu(), &root.path().join("run"), 4).expect("runs");
    assert!(accuracy > 0.95, "{accuracy}");
    assert!(guesses[0].name == "columns" && guesses[0].value > 0.6, "{guesses:?}");
}

#[test]
fn house_prices_are_learnt_saved_and_predicted_from_a_table() {
    let root = tempfile::tempdir().expect("a folder");
    for mut device in devices() {
        let file = root.path().join("prices.safetensors");
        let score = house_prices::run(&mut device, "boston", 60, 1, &file).expect("runs");
        assert!(score > 0.7, "{score}");
        // Another device, as another process has it, and a table of one's own: two rows as they are in the repository's.
        let text = std::fs::read_to_string("data/tabular/boston_housing.csv").expect("the table");
        let csv = root.path().join("two.csv");
        std::fs::write(&csv, text.lines().take(3).collect::<Vec<_>>().join("\n")).expect("a table");
        let prices = house_prices::predict(&mut cpu(), &file, &csv).expect("predicts");
        assert!(prices.len() == 2 && (prices[0] - 24.0).abs() < 8.0 && (prices[1] - 21.6).abs() < 8.0, "{prices:?}");
    }
    let error = house_prices::run(&mut cpu(), "paris", 1, 1, root.path()).expect_err("no such table");
    assert_eq!(error.to_string(), "unknown table \"paris\"; known are boston, california");
}

#[test]
fn a_dense_network_learns_digits_and_is_tested_on_others() {
    let root = tempfile::tempdir().expect("a folder");
    let (held, test) = dense_mnist::run(cpu(), 2, Some(6000), &root.path().join("dense.png")).expect("runs");
    assert!(held.len() == 2 && held[1] > 0.85 && test > 0.85, "{held:?} {test}");
}

/// The last name in a folder, which is the picture that the example asks about.
fn last(folder: &std::path::Path) -> String {
    let names = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.map(|name| name.to_string_lossy().into_owned()).max().expect("a file")
}

#[test]
fn a_folder_of_pictures_is_learnt_saved_opened_and_asked() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("digits");
    image_folder::digits(&folder, 600, 100).expect("pictures");
    let (accuracy, guesses) = image_folder::run(&cpu(), &folder, [4, 0], &root.path().join("run")).expect("runs");
    assert!(accuracy > 0.6, "{accuracy}");
    let again =
        image_folder::predict(cpu(), &root.path().join("run"), &folder.join("val/9").join(last(&folder.join("val/9"))));
    assert_eq!((&again.expect("opened again"), guesses.len()), (&guesses, 10));
}

#[test]
fn rows_of_digits_and_sines_are_learnt_by_recurrent_layers() {
    let root = tempfile::tempdir().expect("a folder");
    let share = sequences::read_digits(&cpu(), chiaro::nn::Cell::Gru, 3, [4000, 500]).expect("runs");
    assert!(share > 0.6, "{share}");
    for device in devices() {
        let [error, again] = sequences::follow_a_sine(&device, 120, &root.path().join("sine.png")).expect("runs");
        assert!(error < again / 3.0, "{error} {again}");
    }
}

#[test]
fn the_order_of_words_tells_more_than_the_words_and_neighbours_are_learnt() {
    let root = tempfile::tempdir().expect("a folder");
    let [bag, network] = words::feelings(&cpu(), 1500, 8, &root.path().join("words.png")).expect("runs");
    assert!(bag > 0.5 && network > bag + 0.1, "{bag} {network}");
    let ([first, last], vectors) = words::neighbours(&cpu(), 1500).expect("runs");
    assert!(last < first - 1.0, "{first} {last}");
    let [near, far] = ["turtle", "caterpillar"].map(|word| vectors.cosine("mock", word).expect("words of the book"));
    assert!(near > far + 0.2, "{near} {far}");
}

#[test]
fn sets_and_rules_of_baskets_are_mlxtends() {
    let root = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string("tests/goldens/apriori.json").expect("golden values");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let list = |v: &serde_json::Value| -> Vec<String> {
        v.as_array().expect("a list").iter().map(|v| v.as_str().expect("a word").to_string()).collect()
    };
    let number = |v: &serde_json::Value| v.as_f64().expect("a number");
    for device in devices() {
        for (name, wanted) in golden.as_object().expect("sets of baskets") {
            let file = format!("data/tabular/{name}");
            let [support, confidence] = ["support", "confidence"].map(|key| number(&wanted[key]));
            let picture = root.path().join("rules.png");
            let (mut sets, mut rules) =
                apriori::run(&device, file.as_ref(), support, confidence, &picture).expect("runs");
            sets.sort_by(|a, b| a.0.cmp(&b.0));
            let known = wanted["sets"].as_array().expect("sets");
            assert_eq!(sets.len(), known.len());
            for ((set, share), known) in sets.iter().zip(known) {
                assert!(
                    *set == list(&known[0]) && (share - number(&known[1])).abs() < 1e-12,
                    "{set:?} {share} {known}"
                );
            }
            rules.sort_by(|a, b| (&a.of, &a.follows).cmp(&(&b.of, &b.follows)));
            let known = wanted["rules"].as_array().expect("rules");
            assert_eq!(rules.len(), known.len());
            for (rule, known) in rules.iter().zip(known) {
                let numbers = [rule.support, rule.confidence, rule.lift, rule.leverage];
                let same = numbers.iter().enumerate().all(|(i, n)| (n - number(&known[2 + i])).abs() < 1e-12);
                assert!(rule.of == list(&known[0]) && rule.follows == list(&known[1]) && same, "{rule:?} {known}");
            }
        }
    }
}

#[test]
fn a_table_is_cleaned_as_pandas_does_it() {
    let root = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string("tests/goldens/cleaned.json").expect("golden values");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for device in devices() {
        let (rows, correlations) = data_cleaning::run(&device, root.path()).expect("runs");
        for (name, cells) in golden["rows"].as_object().expect("columns") {
            let (cells, column) = (cells.as_array().expect("cells"), rows.column(name).expect("the column"));
            assert_eq!(column.len(), cells.len(), "{name}");
            for (row, cell) in cells.iter().enumerate() {
                let found = column.text(row);
                let same = match cell {
                    serde_json::Value::Null => found.is_empty(),
                    serde_json::Value::String(word) => found == *word,
                    number => number
                        .as_f64()
                        .is_some_and(|n| found.parse().is_ok_and(|f: f64| (f - n).abs() <= 1e-9 * n.abs())),
                };
                assert!(same, "{name}, row {row}: {found:?} is not {cell}");
            }
        }
        let known = golden["correlation"].as_array().expect("rows").iter();
        let known: Vec<_> = known.flat_map(|row| row.as_array().expect("a row")).collect();
        assert!(known.len() == correlations.len() && known.len() >= 25, "{} of {}", correlations.len(), known.len());
        for (found, known) in correlations.iter().zip(known) {
            assert!((found - known.as_f64().expect("a number")).abs() < 1e-5, "{found} {known}");
        }
        assert!((1..=5).all(|step| std::fs::read_dir(root.path()).expect("pictures").any(|file| {
            file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with(&format!("data_cleaning_{step}_")))
        })));
    }
}

#[test]
fn digits_of_another_kind_are_told_by_how_badly_they_are_drawn() {
    let root = tempfile::tempdir().expect("a folder");
    let area = autoencoder::run(&cpu(), 0, 10, [6000, 1000], &root.path().join("drawn.png")).expect("runs");
    assert!(area > 0.9, "{area}");
    assert!((autoencoder::auroc(&[(1.0, false), (2.0, true), (2.0, false), (3.0, true)]) - 0.875).abs() < 1e-12);
}

#[test]
fn a_transformer_reads_digits() {
    let root = tempfile::tempdir().expect("a folder");
    let share = attention::run(&cpu(), true, 4, [3000, 500], &root.path().join("wrong.png")).expect("runs");
    assert!(share > 0.75, "{share}");
}

#[test]
fn two_networks_with_an_optimizer_each_learn_from_each_other() {
    let root = tempfile::tempdir().expect("a folder");
    let (recognised, kinds) = gan::run(&cpu(), 700, 6400, &root.path().join("grid.png")).expect("runs");
    assert!(recognised > 0.3 && kinds >= 5, "{recognised} {kinds}");
}

#[test]
fn a_cart_learns_to_keep_its_pole_up() {
    let root = tempfile::tempdir().expect("a folder");
    let reward = cart_pole::run(&cpu(), 30, &root.path().join("rewards.png")).expect("runs");
    assert!(reward > 100.0, "at random it is 22: {reward}");
}
