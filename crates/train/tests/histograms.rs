//! TensorBoard's histograms of weights and gradients, read from the file that a run leaves.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chiaro_graph::Tensor;
use chiaro_train::{Freeze, RunFolder, Stop, TrainConfig, Trainer};
use common::{config, cpu, data, model};

/// A field of a protocol buffer: its number, and its eight bytes, number or content.
struct Field<'a> {
    number: u64,
    word: u64,
    content: &'a [u8],
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let [first, rest @ ..] = *bytes {
        *bytes = rest;
        value |= u64::from(first & 127) << shift;
        shift += 7;
        if first & 128 == 0 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (mut word, mut length) = (0, 0);
        match key & 7 {
            0 => word = varint(&mut bytes),
            1 => length = 8,
            5 => length = 4,
            2 => length = varint(&mut bytes) as usize,
            other => panic!("wire type {other}"),
        }
        let (content, rest) = bytes.split_at(length);
        if let Ok(eight) = content.try_into() {
            word = u64::from_le_bytes(eight);
        }
        bytes = rest;
        found.push(Field { number: key >> 3, word, content });
    }
    found
}

/// The smallest and the largest number of each histogram, by step and tag.
fn histograms(folder: &Path) -> BTreeMap<(u64, String), [f64; 2]> {
    let file = fs::read(folder.join("events.out.tfevents.chiaro")).expect("events");
    let (mut rest, mut found) = (&file[..], BTreeMap::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().expect("a length")) as usize;
        let event = fields(&rest[12..12 + length]);
        rest = &rest[16 + length..];
        let step = event.iter().find(|field| field.number == 2).map_or(0, |field| field.word);
        let summaries = event.iter().filter(|field| field.number == 5).flat_map(|field| fields(field.content));
        for value in summaries.map(|value| fields(value.content)) {
            let of = |number: u64| value.iter().find(|field| field.number == number);
            let (Some(tag), Some(bins)) = (of(1), of(5)) else { continue };
            let bins = fields(bins.content);
            let edge = |number: u64| f64::from_bits(bins.iter().find(|f| f.number == number).expect("an edge").word);
            found.insert((step, String::from_utf8_lossy(tag.content).into_owned()), [edge(1), edge(2)]);
        }
    }
    found
}

/// Weights after so many epochs.
fn weights(config: &TrainConfig, epochs: usize, folder: Option<&RunFolder>) -> Vec<(String, Tensor)> {
    // A run that ends before parts thaw has them frozen all the time.
    let config = TrainConfig { epochs, thaw: config.thaw.map(|thaw| thaw.min(epochs as f64)), ..config.clone() };
    let data = data();
    let mut trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    trainer.fit(folder, &mut (), &Stop::default()).expect("trained");
    trainer.weights().expect("weights").into_iter().filter(|(name, _)| !name.contains("running")).collect()
}

/// One step an epoch of plain SGD, so that a gradient is what it changes, divided by the rate.
fn plain() -> TrainConfig {
    let sgd = "sgd".parse().expect("known");
    TrainConfig { optimizer: sgd, momentum: 0.0, weight_decay: 0.0, lr: 0.5, batch_size: 50, ..config(1) }
}

#[test]
fn histograms_are_of_the_weights_and_of_the_gradients_that_changed_them_last() {
    let thawing = TrainConfig { freeze: Some(Freeze::First(1)), thaw: Some(2.0), ..plain() };
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("a folder");
    weights(&thawing, 3, Some(&folder));
    let told = histograms(folder.path());
    let names: Vec<String> = weights(&thawing, 1, None).into_iter().map(|(name, _)| name).collect();
    let (frozen, free): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with("conv1"));
    assert!(!frozen.is_empty() && free.len() > 1, "{names:?}");
    for epoch in 1..=3 {
        let [before, after] = [epoch - 1, epoch].map(|epochs| match epochs {
            0 => weights(&TrainConfig { lr: 1e-30, ..thawing.clone() }, 1, None),
            epochs => weights(&thawing, epochs, None),
        });
        for ((name, new), (_, old)) in after.iter().zip(&before) {
            let range = |values: &mut dyn Iterator<Item = f64>| {
                values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(v), b.max(v)])
            };
            let (new, old) = (new.to_f64(), old.to_f64());
            let tag = |kind: &str| (epoch as u64, format!("{kind}/{}", name.replace('.', "/")));
            assert_eq!(told.get(&tag("weights")), Some(&range(&mut new.iter().copied())), "{name} {epoch}");
            let gradient = range(&mut old.iter().zip(&new).map(|(old, new)| (old - new) / 0.5));
            match told.get(&tag("gradients")) {
                None => assert!(epoch <= 2 && frozen.contains(&name), "{name} {epoch}"),
                Some(_) if epoch <= 2 && frozen.contains(&name) => panic!("{name} is frozen in epoch {epoch}"),
                // Differences of weights below 1 are exact to 1e-7.
                Some(found) => assert!((0..2).all(|i| (found[i] - gradient[i]).abs() < 5e-7), "{found:?} {gradient:?}"),
            }
        }
    }
    let count = |kind: &str| told.keys().filter(|(_, tag)| tag.starts_with(kind)).count();
    assert_eq!((count("weights/"), count("gradients/")), (3 * names.len(), 3 * names.len() - 2 * frozen.len()));
}

#[test]
fn histograms_are_as_many_as_the_settings_say_and_none_costs_no_result() {
    let root = tempfile::tempdir().expect("a folder");
    for (most, wanted) in [(50, vec![1, 2, 3, 4, 5]), (2, vec![3]), (1, vec![5]), (0, vec![])] {
        let config = TrainConfig { histograms: most, epochs: 5, ..plain() };
        let folder = RunFolder::create(&root.path().join(most.to_string())).expect("a folder");
        weights(&config, 5, Some(&folder));
        let told = histograms(folder.path());
        let mut steps: Vec<u64> = told.keys().map(|(step, _)| *step).collect();
        steps.dedup();
        assert_eq!(steps, wanted);
        let data = data();
        let trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
        let outputs = trainer.step().graph.outputs().iter().filter(|(name, _)| name == "gradients").count();
        assert_eq!(outputs, usize::from(most > 0));
    }
}
