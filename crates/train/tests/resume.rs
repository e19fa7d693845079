//! Going on with a run after a kill, damage, or changes to what it was made of.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chiaro_data::{Dataset, InMemory};
use chiaro_train::{Data, Ending, Event, RunFolder, Stop, TrainConfig, TrainError, Trainer};
use common::{config, cpu, data, model, noisy};

const FILES: [&str; 4] =
    ["weights/best.safetensors", "weights/last.safetensors", "checkpoint.safetensors", "results.csv"];

/// What a run ends in, and what it told when it went on.
type Outcome = Result<(Ending, Vec<String>), TrainError>;

/// Begins a run, or goes on with it where the folder has one; stops it after so many steps.
fn train_on(folder: &Path, data: &Data, config: &TrainConfig, steps: usize) -> Outcome {
    let backend = cpu();
    let mut trainer = Trainer::new(backend, &model(config, data), data, config)?;
    let (folder, notes) = if folder.join("args.toml").exists() {
        let folder = RunFolder::open(folder)?;
        let notes = trainer.resume(&folder)?;
        (folder, notes)
    } else {
        let folder = RunFolder::create(folder)?;
        fs::write(folder.config_path(), "").expect("written");
        (folder, vec![])
    };
    let (stop, mut done) = (Stop::default(), 0);
    let asked = stop.clone();
    let mut count = |event: &Event<'_>| {
        done += usize::from(matches!(event, Event::Step(_)));
        if done == steps {
            asked.request();
        }
    };
    Ok((trainer.fit(Some(&folder), &mut count, &stop)?, notes))
}

fn train(folder: &Path, epochs: usize, steps: usize) -> Outcome {
    train_on(folder, &data(), &config(epochs), steps)
}

const ALL: usize = usize::MAX;

/// A folder with an uninterrupted run of four epochs, and the place for another.
fn whole() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().expect("a folder");
    let [whole, other] = ["whole", "other"].map(|name| root.path().join(name));
    train(&whole, 4, ALL).expect("trained");
    (root, whole, other)
}

/// The content of a file, a table's times left out.
fn content(folder: &Path, name: &str) -> Vec<u8> {
    let bytes = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if !name.ends_with(".csv") {
        return bytes;
    }
    let text = String::from_utf8(bytes).expect("a table");
    // All but the time and the pace.
    let told = |row: &str| {
        row.split(',')
            .enumerate()
            .filter(|(i, _)| ![1, 9].contains(i))
            .map(|(_, cell)| format!("{cell},"))
            .collect::<String>()
    };
    text.lines().flat_map(|row| told(row).into_bytes()).collect()
}

fn same(a: &Path, b: &Path, what: &str) {
    for name in FILES.iter().filter(|name| !name.starts_with("checkpoint")) {
        assert!(content(a, name) == content(b, name), "{name} differs {what}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).expect("copied")),
        }
    }
}

/// What a kill leaves of an epoch, of whose end so many steps were done: the old checkpoint gets its other name, then these files
/// are written.
fn killed(before: &Path, after: &Path, folder: &Path, done: usize) {
    let _ = fs::remove_dir_all(folder);
    copy(before, folder);
    fs::create_dir_all(folder.join("weights")).expect("made");
    let [now, previous] = ["checkpoint.safetensors", "checkpoint.previous.safetensors"].map(|name| folder.join(name));
    if done > 0 && now.exists() {
        fs::rename(&now, previous).expect("renamed");
    }
    let order = ["checkpoint.safetensors", "weights/best.safetensors", "weights/last.safetensors", "results.csv"];
    for name in order.iter().take(done.saturating_sub(1)) {
        fs::copy(after.join(name), folder.join(name)).expect("copied");
    }
    fs::write(folder.join("weights/.last.safetensors.1.tmp"), "half").expect("written");
}

#[test]
fn a_kill_between_any_two_files_of_an_epoch_changes_nothing_in_the_end() {
    let (root, whole, other) = whole();
    let [before, after] = ["before", "after"].map(|name| root.path().join(name));
    fs::create_dir(&after).expect("made");
    fs::write(after.join("args.toml"), "{}").expect("written");
    for epochs in 1..=4 {
        copy(&after, &before);
        train(&after, epochs, ALL).expect("trained");
        for done in 0..=5 {
            killed(&before, &after, &other, done);
            train(&other, 4, ALL).unwrap_or_else(|error| panic!("epoch {epochs}, {done} steps: {error}"));
            same(&whole, &other, &format!("after a kill in epoch {epochs} after {done} steps of its end"));
            assert!(!other.join("weights/.last.safetensors.1.tmp").exists(), "what a killed process left is removed");
        }
    }
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before_it() {
    let (_root, whole, other) = whole();
    train(&other, 3, ALL).expect("trained");
    let path = other.join("checkpoint.safetensors");
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&path, &bytes).expect("written");
    // Stopped at once: the files are those of the checkpoint that it went on from.
    let (ending, notes) = train(&other, 4, 1).expect("goes on");
    assert_eq!(ending, Ending::Interrupted);
    assert!(notes.iter().any(|note| note.contains("is damaged") && note.contains("of 2 epochs")), "{notes:?}");
    // The damaged one is in nobody's way any more: the checkpoint before the present one is the good one.
    let before = chiaro_io::load_checkpoint(&other.join("checkpoint.previous.safetensors")).expect("not damaged");
    assert_eq!((before.progress.epoch, before.progress.step), (2, 12));
    let table = fs::read_to_string(other.join("results.csv")).expect("a table");
    assert_eq!(table.lines().count(), 3, "the third epoch is to be done again: {table}");
    let (_, notes) = train(&other, 4, ALL).expect("goes on");
    assert!(notes.is_empty(), "told once: {notes:?}");
    same(&whole, &other, "after a damaged checkpoint");
}

#[test]
fn a_checkpoint_that_is_gone_falls_back_too_and_where_both_are_no_good_both_are_named() {
    let (_root, whole, other) = whole();
    train(&other, 3, ALL).expect("trained");
    let [now, before] = ["checkpoint.safetensors", "checkpoint.previous.safetensors"].map(|name| other.join(name));
    fs::remove_file(&now).expect("removed");
    fs::write(&before, "rubbish").expect("written");
    let error = train(&other, 4, ALL).expect_err("refused").to_string();
    assert!(
        error.contains("cannot read") && error.contains("checkpoint.previous.safetensors is not usable"),
        "{error}"
    );
    fs::remove_file(&before).expect("removed");
    let error = train(&other, 4, ALL).expect_err("weights are there, so it is no new run").to_string();
    assert!(error.contains("cannot read") && error.contains("checkpoint.safetensors"), "{error}");
    let _ = fs::remove_dir_all(&other);
    train(&other, 3, ALL).expect("trained");
    fs::remove_file(&now).expect("removed");
    train(&other, 4, ALL).expect("goes on");
    same(&whole, &other, "after the loss of a checkpoint");
}

#[test]
fn a_run_without_a_checkpoint_starts_over() {
    let (_root, whole, other) = whole();
    fs::create_dir(&other).expect("made");
    fs::write(other.join("args.toml"), "{}").expect("written");
    let (_, notes) = train(&other, 4, ALL).expect("starts over");
    assert!(notes.iter().any(|note| note.contains("starts over")), "{notes:?}");
    same(&whole, &other, "after a start over");
}

#[test]
fn a_table_ahead_of_the_checkpoint_loses_its_last_row() {
    let (_root, whole, other) = whole();
    train(&other, 3, ALL).expect("trained");
    let path = other.join("results.csv");
    let table = fs::read_to_string(&path).expect("a table");
    let last = table.lines().last().expect("a row").replacen('3', "4", 1);
    fs::write(&path, format!("{table}{last}\n")).expect("written");
    train(&other, 4, ALL).expect("goes on");
    same(&whole, &other, "after a table that was ahead");
}

#[test]
fn best_weights_that_are_gone_are_told_and_looked_for_again() {
    let (_root, _, other) = whole();
    train(&other, 3, ALL).expect("trained");
    let epochs = fs::read_to_string(other.join("results.csv")).expect("a table");
    let path = other.join("weights/best.safetensors");
    fs::write(&path, "rubbish").expect("written");
    let (_, notes) = train(&other, 4, ALL).expect("goes on");
    let (told, best) =
        (notes.iter().any(|note| note.contains("weights/best.safetensors")), chiaro_io::load_weights(&path));
    // Where the best epoch was the last, its weights are in the checkpoint.
    let accuracies: Vec<f64> = epochs
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(3).and_then(|f| f.parse().ok()).expect("a number"))
        .collect();
    assert_eq!(told, accuracies[2] <= accuracies[0].max(accuracies[1]), "{notes:?}");
    assert!(best.expect("written again").extra.contains_key("accuracy"));
}

#[test]
fn training_data_that_changed_is_refused_and_other_changed_data_told() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("run");
    train(&folder, 1, ALL).expect("trained");
    let before: Vec<Vec<u8>> = FILES.iter().map(|name| content(&folder, name)).collect();
    let with = |train: Arc<dyn Dataset>, eval: Arc<dyn Dataset>| {
        let normalize = data().normalize;
        Data { train, eval, normalize, ..data() }
    };
    let fewer = train_on(&folder, &with(noisy(48, 0), noisy(21, 1000)), &config(2), ALL).expect_err("refused");
    assert!(fewer.to_string().contains("48 training images") && fewer.to_string().contains("trained on 50"), "{fewer}");
    let other = relabelled(&*noisy(50, 0));
    let others = train_on(&folder, &with(other, noisy(21, 1000)), &config(2), ALL).expect_err("refused").to_string();
    assert!(others.contains("labels"), "{others}");
    assert!(FILES.iter().map(|name| content(&folder, name)).eq(before), "nothing has changed");
    let (_, notes) = train_on(&folder, &with(noisy(50, 0), noisy(18, 1000)), &config(2), ALL).expect("goes on");
    assert!(notes.iter().any(|note| note.contains("18 of val now, 21 of val before")), "{notes:?}");
}

/// The same images with two labels exchanged.
fn relabelled(set: &dyn Dataset) -> Arc<dyn Dataset> {
    let mut labels: Vec<u32> = (0..set.len()).map(|i| set.label(i)).collect();
    labels.swap(0, 1);
    let mut pixels = vec![0; 64 * set.len()];
    for (i, image) in pixels.chunks_exact_mut(64).enumerate() {
        set.write_image(i, image).expect("an image");
    }
    Arc::new(InMemory::new(pixels, labels, set.image_shape(), set.classes().to_vec()).expect("a data set"))
}

#[test]
fn settings_that_changed_are_told_or_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("run");
    train(&folder, 2, ALL).expect("trained");
    let before: Vec<Vec<u8>> = FILES.iter().map(|name| content(&folder, name)).collect();
    for (settings, part) in [
        (TrainConfig { batch_size: 10, ..config(3) }, "the setting batch_size is 10"),
        (TrainConfig { seed: 1, ..config(3) }, "the setting seed is 1"),
        (config(1), "done 2 epochs already"),
    ] {
        let error = train_on(&folder, &data(), &settings, ALL).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(FILES.iter().map(|name| content(&folder, name)).eq(before), "nothing has changed");
    let changed = TrainConfig { lr: 0.001, clip: Some(1.0), ..config(3) };
    let (_, notes) = train_on(&folder, &data(), &changed, ALL).expect("goes on");
    let told = [
        "epochs is 3 from here on, 2 before",
        "lr is 0.001 from here on, 0.003 before",
        "clip is 1.0 from here on, unset before",
    ];
    assert_eq!(notes, told);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("run");
    train(&folder, 1, ALL).expect("trained");
    let other = RunFolder::open(&folder).expect("a run");
    assert_eq!(other.claim().expect("free"), None);
    let error = train(&folder, 2, ALL).expect_err("in use");
    assert!(matches!(error, TrainError::InUse { .. }), "{error}");
    // Whoever trains into an opened folder without going on with it finds the same.
    let (data, config, backend) = (data(), config(2), cpu());
    let mut trainer = Trainer::new(backend, &model(&config, &data), &data, &config).expect("built");
    let opened = RunFolder::open(&folder).expect("a run");
    let error = trainer.fit(Some(&opened), &mut (), &Stop::default()).expect_err("in use");
    assert!(matches!(error, TrainError::InUse { .. }), "{error}");
    drop((other, opened));
    train(&folder, 2, ALL).expect("free again");
}
