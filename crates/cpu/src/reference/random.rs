//! Random numbers; the contract stands in `chiaro_graph`'s `random_words`.

use super::value::Value;
use chiaro_graph::{RandomKind, normal_pair, random_words, uniform};

pub(super) fn random(kind: RandomKind, salt: u32, key: Value<'_>, count: usize) -> Vec<f64> {
    let key = [key.data[0] as u32, key.data[1] as u32, key.data[2] as u32];
    (0..count)
        .map(|i| {
            let words = random_words(key, salt, (i / 4) as u32);
            let word = i % 4;
            match kind {
                RandomKind::Uniform => f64::from(uniform(words[word])),
                RandomKind::Normal => normal_pair([words[word / 2 * 2], words[word / 2 * 2 + 1]])[word % 2],
            }
        })
        .collect()
}
