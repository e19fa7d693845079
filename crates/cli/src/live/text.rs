//! A view as lines of text for a terminal of any size: all numbers from 30 columns on, curves where there is the room.

use super::braille::Field;
use super::view::{Curves, Phase, View};
use crate::output::{bytes, left, printable};

/// Rows of a curve, and the columns and rows of a terminal that has room for them.
const ROWS: usize = 6;
const WIDTH: usize = 60;
const HEIGHT: usize = 20;
/// Told when Ctrl-C was heard; what it told itself is gone when the view is drawn anew.
const STOPPING: &str = "stopping after this step; Ctrl-C ends at once without saving";
/// Letters of the longest number at a curve's side.
const LABEL: usize = 8;

/// The lines, each of fewer letters than `width`, and fewer than `height`.
pub fn lines(view: &View, [width, height]: [usize; 2]) -> Vec<String> {
    // Terminals begin a new line after the last column.
    let most = width.saturating_sub(1);
    let mut all = vec![bar(view, most)];
    all.extend(view.is_stopping.then(|| STOPPING.chars().take(most).collect()));
    all.extend(wrapped(&numbers(view), most));
    if width >= WIDTH && height >= HEIGHT {
        all.extend(charts(&view.curves, most));
    }
    all.truncate(height.saturating_sub(1));
    all
}

/// How far the run is, and its epoch.
fn bar(view: &View, most: usize) -> String {
    let share = |done: usize, of: usize| done.min(of) as f64 / of.max(1) as f64;
    let (what, done) = match view.phase {
        Phase::Preparing => ("first step".to_string(), 0.0),
        Phase::Training => (format!("step {}/{}", view.step, view.steps), share(view.step, view.steps)),
        Phase::Evaluating(batch, batches) => (format!("evaluating {batch}/{batches}"), 1.0),
    };
    let head = format!("epoch {}/{}, {what} ", view.epoch, view.epochs);
    let room = most.saturating_sub(head.chars().count() + 2).min(40);
    let whole = (view.epoch.saturating_sub(1) as f64 + done) / view.epochs.max(1) as f64;
    let filled = (whole.clamp(0.0, 1.0) * room as f64) as usize;
    let line = if room < 4 { head } else { format!("{head}[{:<room$}]", "=".repeat(filled)) };
    line.trim_end().chars().take(most).collect()
}

/// What is known, the most important first.
fn numbers(view: &View) -> Vec<String> {
    let speed = (view.images_per_second > 0.0).then(|| format!("{:.0} images/s", view.images_per_second));
    let wait = view.data_wait.map(|share| format!("{:.0} % waiting for data", share * 100.0));
    let rate = view.lr.map(|lr| format!("lr {}", chiaro::train::short(lr)));
    let memory = |word: &str, count: Option<u64>| count.map(|count| format!("{word} {}", bytes(count as f64)));
    let text = |text: &String| (!text.is_empty()).then(|| printable(text).into_owned());
    let all = [
        view.seconds_left.map(left),
        text(&view.scores),
        text(&view.best),
        speed,
        wait,
        rate,
        memory("device memory", view.device_bytes),
        memory("program", view.host_bytes),
        text(&view.device),
    ];
    all.into_iter().flatten().collect()
}

/// Parts one after the other, two blanks apart, in lines of at most so many letters. What is longer than a line goes on in the next behind a
/// comma.
fn wrapped(parts: &[String], most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= most => *line += &format!("  {part}"),
            Some(_) | None => lines.extend(broken(part, most)),
        }
    }
    lines
}

/// A text in lines of at most so many letters; what has no comma is cut.
fn broken(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for part in text.split(", ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= most => *line += &format!(", {part}"),
            Some(_) | None => lines.push(part.chars().take(most).collect()),
        }
    }
    lines
}

/// The curves beside each other.
fn charts(all: &[Curves], most: usize) -> Vec<String> {
    let known: Vec<&Curves> = all.iter().filter(|curves| curves.train.len().max(curves.eval.len()) > 1).collect();
    if known.is_empty() {
        return vec![];
    }
    let each = (most / known.len()).min(60);
    let drawn: Vec<Vec<String>> = known.iter().map(|curves| chart(curves, each)).collect();
    (0..=ROWS)
        .map(|row| drawn.iter().map(|chart| chart[row].as_str()).collect::<String>().trim_end().to_string())
        .collect()
}

/// A line of words and the rows of both curves, each padded to so many letters.
fn chart(curves: &Curves, width: usize) -> Vec<String> {
    let points = || curves.train.iter().chain(&curves.eval);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(v), b.max(v)]);
        if high > low { [low, high] } else { [low - 0.5, high + 0.5] }
    };
    let (x, y) = (range(&mut points().map(|p| p.0)), range(&mut points().map(|p| p.1)));
    let share = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
    let mut field = Field::new(width.saturating_sub(LABEL + 3), ROWS);
    for curve in [&curves.train, &curves.eval] {
        let placed: Vec<(f64, f64)> = curve.iter().map(|&(at, value)| (share(at, x), share(value, y))).collect();
        field.curve(&placed);
    }
    let label = |row: usize| match row {
        0 => chiaro::train::short(y[1]),
        _ if row + 1 == ROWS => chiaro::train::short(y[0]),
        _ => String::new(),
    };
    let padded = |text: String| format!("{:<width$}", text.chars().take(width).collect::<String>());
    let last = |curve: &[(f64, f64)]| curve.last().map_or("-".to_string(), |(_, value)| chiaro::train::short(*value));
    let words = format!("{}: train {}, val {}", curves.name, last(&curves.train), last(&curves.eval));
    let indent = (LABEL + 1).min(width.saturating_sub(words.chars().count() + 1));
    let words = format!("{:indent$}{words}", "");
    let rows = field.rows().into_iter().enumerate().map(|(row, text)| padded(format!("{:>LABEL$} {text}", label(row))));
    [padded(words)].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let curve = |factor: f64| (1..=5).map(|i| (f64::from(i), factor / f64::from(i))).collect();
        View {
            device: "GPU (NVIDIA H100)".into(),
            phase: Phase::Training,
            epoch: 6,
            epochs: 20,
            step: 117,
            steps: 468,
            seconds_left: Some(3725.0),
            images_per_second: 12345.6,
            data_wait: Some(0.03),
            lr: Some(0.0125),
            device_bytes: Some(2_500_000_000),
            host_bytes: Some(300_000_000),
            scores: "loss 0.1234, accuracy 98.21 %".into(),
            best: "best accuracy 97.50 %, epoch 5".into(),
            curves: ["loss", "accuracy %"]
                .map(|name| Curves { name: name.into(), train: curve(2.0), eval: curve(3.0) })
                .to_vec(),
            is_stopping: false,
        }
    }

    #[test]
    fn thirty_columns_have_all_numbers_and_large_terminals_curves_too() {
        for size in [[30, 24], [80, 24], [200, 60]] {
            let text = lines(&view(), size).join("\n");
            let together = text.replace('\n', " ");
            let parts = [
                "epoch 6/20, step 117/468",
                "best accuracy 97.50 %",
                "epoch 5",
                "loss 0.1234",
                "accuracy 98.21 %",
                "1:02:05 left",
                "98.21 %",
                "12346 images/s",
                "3 % waiting for data",
                "lr 0.0125",
                "2.5 GB",
                "300.0 MB",
                "H100",
            ];
            for part in parts {
                assert!(together.contains(part), "{part} in {size:?}:\n{text}");
            }
            assert_eq!(text.contains("loss: train 0.4, val 0.6"), size[0] > 60, "{size:?}:\n{text}");
            assert_eq!(text.contains('⠉') || text.contains('⢇'), size[0] > 60, "{size:?}:\n{text}");
        }
    }

    #[test]
    fn a_run_that_was_asked_to_stop_says_so_below_its_bar() {
        let all = lines(&View { is_stopping: true, ..view() }, [80, 24]);
        assert!(all[1].starts_with("stopping after this step") && all[2].contains("left"), "{all:?}");
        assert!(!lines(&view(), [80, 24]).join("\n").contains("stopping"));
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_whatever_the_run_is_doing() {
        let odd = View { epochs: 0, steps: 0, curves: vec![Curves::default()], ..view() };
        let single = View { curves: vec![Curves { train: vec![(1.0, 2.0)], ..Curves::default() }], ..view() };
        let evaluating = View { phase: Phase::Evaluating(3, 79), ..view() };
        let stopping = View { is_stopping: true, ..view() };
        for view in [view(), View::default(), odd, single, evaluating, stopping] {
            for width in (0..130).chain([400]) {
                for height in [0, 1, 2, 5, 24, 60] {
                    let all = lines(&view, [width, height]);
                    assert!(all.len() <= height.saturating_sub(1), "{width}x{height}");
                    assert!(
                        all.iter().all(|line| line.chars().count() <= width.saturating_sub(1)),
                        "{width}x{height}: {all:?}"
                    );
                }
            }
        }
    }
}
