//! What a model says of each image of a data set, beside what the image shows: `chiaro eval --predictions`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chiaro::data::Dataset;
use chiaro::data::pictures::Picture;
use chiaro::train::{Classifier, Guess, Task};

use crate::rows::as_io;
use crate::waiting::Waiting;

/// Mistakes that are shown.
const SHOWN: usize = 10;

/// What is said of one image.
struct Verdict {
    name: String,
    shown: String,
    said: String,
    /// The lowest probability of what is said, and of what is shown.
    probability: [f64; 2],
    right: bool,
}

/// Writes a row an image, in their order; lines on the worst mistakes come back.
pub fn write(
    classifier: &mut Classifier,
    task: &dyn Task,
    set: &Arc<dyn Dataset>,
    path: &Path,
) -> anyhow::Result<Vec<String>> {
    let failed = || format!("cannot write {}", path.display());
    let mut table = csv::Writer::from_path(path).map_err(as_io).with_context(failed)?;
    let fixed = ["file", "label", "predicted", "probability", "label_probability", "correct"].map(String::from);
    let classes = set.classes().iter().map(|class| format!("p({class})"));
    table.write_record(fixed.into_iter().chain(classes)).map_err(as_io).with_context(failed)?;
    let (pictures, waiting) = (Picture::of_set(set, ""), Waiting::new("writing predictions"));
    let (mut mistakes, mut count) = (vec![], 0);
    for answer in classifier.over(&pictures)? {
        let (number, guesses) = answer?;
        // Whatever of the set cannot be read was left out when it was opened.
        let guesses = guesses?;
        let verdict = verdict(task, &**set, number, &guesses);
        let [probability, of_label] = verdict.probability.map(|p| format!("{p:.6}"));
        let right = if verdict.right { "1" } else { "0" };
        let row = [&verdict.name, &verdict.shown, &verdict.said, &probability, &of_label, right].map(String::from);
        table
            .write_record(row.into_iter().chain(by_class(&guesses, set.classes().len())))
            .map_err(as_io)
            .with_context(failed)?;
        waiting.says(format!("writing predictions: {} of {} images", number + 1, pictures.len()));
        if !verdict.right {
            count += 1;
            mistakes.push(verdict);
            mistakes.sort_by(|a, b| a.probability[1].total_cmp(&b.probability[1]));
            mistakes.truncate(SHOWN);
        }
    }
    table.flush().with_context(failed)?;
    Ok(told(&mistakes, count, path))
}

/// The probability of each class, in their order.
fn by_class(guesses: &[Guess], classes: usize) -> impl Iterator<Item = String> {
    let mut of = vec![String::new(); classes];
    for guess in guesses {
        if let Some(place) = of.get_mut(guess.class) {
            *place = format!("{:.6}", guess.value);
        }
    }
    of.into_iter()
}

fn verdict(task: &dyn Task, set: &dyn Dataset, image: usize, guesses: &[Guess]) -> Verdict {
    let (mut shown, said) = (task.shown(set, image), task.said(guesses));
    shown.sort_unstable();
    let names = |classes: &[usize]| {
        let names: Vec<&str> = classes.iter().filter_map(|&class| Some(set.classes().get(class)?.as_str())).collect();
        names.join("|")
    };
    // Of nothing the most that could have been something.
    let of = |class: usize| guesses.iter().find(|guess| guess.class == class).map(|guess| guess.value);
    let lowest = |classes: &[usize]| {
        let least = classes.iter().filter_map(|&class| of(class)).reduce(f64::min);
        least.or(guesses.first().map(|guess| 1.0 - guess.value)).unwrap_or(f64::NAN)
    };
    let probability = [lowest(&said), lowest(&shown)];
    Verdict { name: set.name(image), shown: names(&shown), said: names(&said), probability, right: shown == said }
}

fn told(mistakes: &[Verdict], count: usize, path: &Path) -> Vec<String> {
    let mut lines = vec![];
    if count > 0 {
        lines.push(format!("\nworst of {count} mistakes:"));
        lines.extend(mistakes.iter().map(|verdict| {
            let nothing = |text: &str| if text.is_empty() { "nothing".to_string() } else { text.to_string() };
            let percent = verdict.probability[0] * 100.0;
            format!(
                "  {}: {}, taken for {} ({percent:.2} %)",
                verdict.name,
                nothing(&verdict.shown),
                nothing(&verdict.said)
            )
        }));
    }
    lines.push(format!("predictions: {}", path.display()));
    lines
}
