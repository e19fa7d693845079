//! What a model says about an image.

use std::fmt;

/// One of the things that a model says: of a classification, a class with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The class's number.
    pub class: usize,
    /// The class's name.
    pub name: String,
    /// What is said of it; of classes their probability, in 0..=1.
    pub value: f64,
    /// Whether the value is a share, shown in percent.
    pub percent: bool,
}

impl Guess {
    /// Classes with their probabilities, the most probable first.
    pub fn ranked(classes: &[String], probabilities: &[f64]) -> Vec<Guess> {
        let named = classes.iter().zip(probabilities).enumerate();
        let guess = |(class, (name, &value)): (usize, (&String, &f64))| Guess {
            class,
            name: name.clone(),
            value,
            percent: true,
        };
        let mut guesses: Vec<Guess> = named.map(guess).collect();
        guesses.sort_by(|a, b| b.value.total_cmp(&a.value));
        guesses
    }

    /// Whether guesses, the most probable first, are of an image of no known class: the first has a lower probability than this.
    pub fn are_unknown(guesses: &[Guess], below: f64) -> bool {
        guesses.first().is_some_and(|first| first.value < below)
    }
}

impl fmt::Display for Guess {
    /// `cat 98.21 %`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            true => write!(f, "{} {:.2} %", self.name, self.value * 100.0),
            false => write!(f, "{} {:.4}", self.name, self.value),
        }
    }
}
