//! Data cleaning: 320 rows about houses as people typed them, and a second table to join. Words are brought to one form, rows that come
//! twice go, missing cells are filled, outliers drawn in, the second table joined; each step tells what it changed and draws it. At
//! the end the device has the correlations of the columns, as one matrix product.
//!
//! Every cell and every correlation is pandas' by the same rules (`tests/goldens/make_cleaning.py`). The order matters, and lessons have it
//! wrong: words first, or rows that differ by a blank are not seen to be the same; missing cells before outliers, or quartiles are
//! those of other rows; and what is filled in is the median, which an income of 400 does not move.
//!
//! `cargo run --release --example data_cleaning -- [--device NAME]`

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::path::Path;

use chiaro::graph::Shared;
use chiaro::nn::OwnStep;
use chiaro::train::Learner;
use chiaro::{DType, Tensor};

mod drawing;
mod start;
mod tabular;

use tabular::frame::{Column, Frame, median, quantile};

const WORDS: &str = "ocean_proximity";
/// The columns of numbers.
pub const NUMBERS: [&str; 5] = ["median_income", "total_rooms", "total_bedrooms", "households", "median_house_value"];

/// Blanks at the ends go, several become one, letters become small.
fn one_form(word: &str) -> String {
    word.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn counts(words: &[Option<String>]) -> BTreeMap<String, usize> {
    words.iter().fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word.clone().unwrap_or_else(|| "(missing)".into())).or_default() += 1;
        counts
    })
}

fn draw_counts(file: &Path, title: &str, counts: &BTreeMap<String, usize>) -> Result<(), Box<dyn Error>> {
    let bars: Vec<(String, f64)> = counts.iter().map(|(word, count)| (word.clone(), *count as f64)).collect();
    drawing::bars(file, title, &bars)
}

/// Words in one form.
fn words(rows: &mut Frame, folder: &Path) -> Result<(), Box<dyn Error>> {
    let before = rows.words(WORDS)?.to_vec();
    let after: Vec<Option<String>> = before.iter().map(|word| word.as_deref().map(one_form)).collect();
    println!("words: {} forms become {}", counts(&before).len(), counts(&after).len());
    draw_counts(&folder.join("data_cleaning_1_words.png"), "words in one form", &counts(&after))?;
    rows.set(WORDS, Column::Words(after));
    Ok(())
}

/// Of rows that are the same in every cell, the first.
fn duplicates(rows: &mut Frame, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut seen = HashSet::new();
    let kept: Vec<usize> = (0..rows.len()).filter(|&row| seen.insert(rows.row(row))).collect();
    println!("duplicates: {} rows become {}", rows.len(), kept.len());
    let bars = [("rows".to_string(), rows.len() as f64), ("kept".to_string(), kept.len() as f64)];
    drawing::bars(&folder.join("data_cleaning_2_duplicates.png"), "rows before and after", &bars)?;
    *rows = rows.rows(&kept);
    Ok(())
}

/// Medians for missing numbers, a word for missing words.
fn missing(rows: &mut Frame, folder: &Path) -> Result<(), Box<dyn Error>> {
    let there: Vec<(String, f64)> =
        rows.names.iter().zip(&rows.columns).map(|(name, column)| (name.clone(), column.missing() as f64)).collect();
    println!("missing: {} cells are filled", there.iter().map(|(_, n)| n).sum::<f64>());
    drawing::bars(&folder.join("data_cleaning_3_missing.png"), "missing cells, now filled", &there)?;
    for name in NUMBERS {
        let middle = median(rows.numbers(name)?);
        let filled = rows.numbers(name)?.iter().map(|cell| cell.or(middle)).collect();
        rows.set(name, Column::Numbers(filled));
    }
    let filled = rows.words(WORDS)?.iter().map(|word| Some(word.clone().unwrap_or_else(|| "unknown".into()))).collect();
    rows.set(WORDS, Column::Words(filled));
    Ok(())
}

/// What lies further outside than one and a half times the quartiles' distance is drawn in to there (Tukey, 1977).
fn outliers(rows: &mut Frame, folder: &Path) -> Result<(), Box<dyn Error>> {
    let income: Vec<f64> = rows.numbers(NUMBERS[0])?.iter().flatten().copied().collect();
    let mut changed = 0;
    for name in NUMBERS {
        let cells = rows.numbers(name)?;
        let (Some(low), Some(high)) = (quantile(cells, 0.25), quantile(cells, 0.75)) else { continue };
        let reach = 1.5 * (high - low);
        let drawn: Vec<Option<f64>> =
            cells.iter().map(|cell| cell.map(|v| v.clamp(low - reach, high + reach))).collect();
        changed += drawn.iter().zip(cells).filter(|(new, old)| new != old).count();
        rows.set(name, Column::Numbers(drawn));
    }
    println!("outliers: {changed} cells are drawn in");
    let size = [0.0, income.len() as f64];
    let mut chart = drawing::Chart::new(
        [640, 400],
        "income by row: as it was, and drawn in",
        size,
        drawing::span(income.iter().copied()),
    );
    chart.points(income.iter().enumerate().map(|(i, v)| [i as f64, *v]), drawing::COLOURS[1]);
    let drawn = rows.numbers(NUMBERS[0])?;
    chart.points(drawn.iter().flatten().enumerate().map(|(i, v)| [i as f64, *v]), drawing::COLOURS[0]);
    chart.save(&folder.join("data_cleaning_4_outliers.png"))
}

/// The second table's columns by the word of each row; nothing where it has none.
fn join(rows: &mut Frame, coasts: &Frame, folder: &Path) -> Result<(), Box<dyn Error>> {
    let minutes: BTreeMap<&String, Option<f64>> = coasts
        .words("coast")?
        .iter()
        .zip(coasts.numbers("minutes_to_sea")?)
        .filter_map(|(word, minutes)| Some((word.as_ref()?, *minutes)))
        .collect();
    let joined: Vec<Option<f64>> =
        rows.words(WORDS)?.iter().map(|word| minutes.get(word.as_ref()?).copied().flatten()).collect();
    let found = joined.iter().flatten().count();
    println!("join: {found} of {} rows have minutes to the sea", joined.len());
    let prices: Vec<(String, f64)> = coasts
        .words("coast")?
        .iter()
        .flatten()
        .filter_map(|word| {
            let of_word = rows.words(WORDS).ok()?.iter().zip(rows.numbers(NUMBERS[4]).ok()?);
            let prices: Vec<f64> =
                of_word.filter(|(w, _)| w.as_ref() == Some(word)).filter_map(|(_, price)| *price).collect();
            Some((word.clone(), prices.iter().sum::<f64>() / prices.len().max(1) as f64))
        })
        .collect();
    drawing::bars(&folder.join("data_cleaning_5_join.png"), "mean price by coast", &prices)?;
    rows.set("minutes_to_sea", Column::Numbers(joined));
    Ok(())
}

/// Correlations of the columns of numbers: the product of the standardised rows with themselves.
fn correlations(device: &Shared, rows: &Frame) -> Result<Vec<f64>, Box<dyn Error>> {
    let (n, width) = (rows.len(), NUMBERS.len());
    let step = OwnStep::asking(&[("rows", &[n, width], DType::F32)], |ctx, given| {
        let g = ctx.graph();
        let mean = g.mean(given[0], &[0], true)?;
        let centred = g.sub(given[0], mean)?;
        let square = g.square(centred)?;
        let spread = g.sum(square, &[0], true)?;
        let spread = g.sqrt(spread)?;
        let standard = g.div(centred, spread)?;
        let all = g.matmul(standard, standard, true, false)?;
        g.output("correlations", all)
    })?;
    let columns = NUMBERS.iter().map(|name| rows.numbers(name)).collect::<Result<Vec<_>, _>>()?;
    let cells = (0..n * width).map(|i| columns[i % width][i / width].unwrap_or(f64::NAN) as f32).collect();
    let mut asker = Learner::new(device, step, 0)?;
    Ok(asker.ask(&[Tensor::f32([n, width], cells).ok_or("rows of one width")?])?.remove(0))
}

/// Cleans the tables of the repository, draws each step into a folder, and gives the rows and their correlations.
pub fn run(device: &Shared, folder: &Path) -> Result<(Frame, Vec<f64>), Box<dyn Error>> {
    let mut rows = Frame::read(&tabular::path("houses_messy.csv"))?;
    let coasts = Frame::read(&tabular::path("coasts.csv"))?;
    println!("{} rows of {}", rows.len(), rows.names.join(", "));
    words(&mut rows, folder)?;
    duplicates(&mut rows, folder)?;
    missing(&mut rows, folder)?;
    outliers(&mut rows, folder)?;
    join(&mut rows, &coasts, folder)?;
    let correlations = correlations(device, &rows)?;
    println!("correlations with the price:");
    for (name, row) in NUMBERS.iter().zip(correlations.chunks(NUMBERS.len())) {
        println!("  {name}: {:.3}", row[4]);
    }
    Ok((rows, correlations))
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, _) = start::device(include_str!("data_cleaning.rs"))?;
    run(&device.share(), "".as_ref())?;
    Ok(())
}
