//! Texts as numbers: words, a vocabulary, and reviews that are composed on the spot.
#![allow(dead_code, reason = "each example uses some of it")]

use std::collections::BTreeMap;

use chiaro::graph::philox4x32;

/// The words of a text in small letters; apostrophes within words stay.
pub fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphabetic() && c != '\'');
    let words = parts.map(|word| word.trim_matches('\'').to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

/// Words with numbers, the most frequent first; 0 stands for filling and for words that are not known.
pub struct Vocabulary {
    /// The words from number 1 on.
    pub words: Vec<String>,
    /// How often each of them came.
    pub counts: Vec<usize>,
    numbers: BTreeMap<String, usize>,
}

impl Vocabulary {
    /// Of the words that come so often at least.
    pub fn of<'w>(words: impl Iterator<Item = &'w String>, least: usize) -> Vocabulary {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        words.for_each(|word| *counts.entry(word).or_default() += 1);
        let mut kept: Vec<(&String, usize)> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
        kept.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let numbers = kept.iter().enumerate().map(|(i, (word, _))| ((*word).clone(), i + 1)).collect();
        let (words, counts) = kept.into_iter().map(|(word, count)| (word.clone(), count)).unzip();
        Vocabulary { words, counts, numbers }
    }

    /// Numbers there are, 0 among them.
    pub fn len(&self) -> usize {
        self.words.len() + 1
    }

    /// The number of a word; 0 of one that is not known.
    pub fn number(&self, word: &str) -> usize {
        self.numbers.get(word).copied().unwrap_or(0)
    }
}

/// Numbers below a bound, one after the other, that hang on the seed alone.
pub struct Draws {
    seed: u32,
    at: u32,
}

impl Draws {
    /// Those of a seed.
    pub fn new(seed: u32) -> Draws {
        Draws { seed, at: 0 }
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        self.at += 1;
        f64::from(philox4x32([self.at, 0, 0, 0x776f_7264], [self.seed, 0])[0]) / 4_294_967_296.0
    }

    /// Below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.share() * bound as f64) as usize
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

const THINGS: &[&str] =
    &["soup", "room", "film", "music", "service", "view", "bread", "ending", "garden", "story", "coffee", "bed"];
const GOOD: &[&str] =
    &["good", "lovely", "warm", "brilliant", "charming", "fresh", "delightful", "perfect", "pleasant", "fine"];
const BAD: &[&str] = &["bad", "awful", "cold", "dull", "boring", "stale", "dreadful", "poor", "unpleasant", "noisy"];
const DEGREES: &[&str] = &["", "very", "really", "quite", "so"];

/// A review of two clauses, and whether it ends well. Of what is denied the opposite is meant, and what stands behind `but` counts;
/// so that the words alone, without their order, do not tell.
pub fn review(draws: &mut Draws) -> (String, bool) {
    let clause = |draws: &mut Draws, well: bool| {
        let denied = draws.below(3) == 0;
        let adjective = draws.of(if well != denied { GOOD } else { BAD });
        let (thing, degree) = (draws.of(THINGS), draws.of(DEGREES));
        let verb = if draws.below(2) == 0 { "was" } else { "is" };
        let denial = if denied { "not " } else { "" };
        format!("the {thing} {verb} {denial}{degree} {adjective}")
    };
    let (first, last) = (draws.below(2) == 0, draws.below(2) == 0);
    let (one, other) = (clause(draws, first), clause(draws, last));
    match draws.below(3) {
        0 => (one, first),
        1 => (format!("{one}, but {other}"), last),
        _ => (format!("although {one}, {other}"), last),
    }
}
