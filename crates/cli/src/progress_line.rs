//! The line of a run's progress on a terminal: as much as its width has room for, the important parts first.

use chiaro::train::{Measure, Progress};

/// Characters of the bar.
const BAR: usize = 12;

/// A training step's line, of fewer characters than `width`.
pub fn training(at: &Progress, measures: &[Measure], width: usize) -> String {
    let head = format!("epoch {}/{} {} {}/{}", at.epoch, at.epochs, bar(at.step, at.steps), at.step, at.steps);
    let known = |measure: Measure, value: f64| value.is_finite().then(|| measure.shown(value));
    let loss = known(Measure::LOSS, at.scores.loss);
    let others = measures.iter().map(|measure| known(*measure, at.scores.get(measure.name)));
    let speed = (at.images_per_second > 0.0).then(|| format!("{:.0} images/s", at.images_per_second));
    let numbers = [at.seconds_left.map(left), loss].into_iter().chain(others).chain([speed]);
    fitted(head, numbers.flatten(), width)
}

/// The line of an evaluation after an epoch.
pub fn evaluating(batch: usize, batches: usize, seconds_left: Option<f64>, width: usize) -> String {
    fitted(format!("evaluating {} {batch}/{batches}", bar(batch, batches)), seconds_left.map(left).into_iter(), width)
}

fn fitted(head: String, parts: impl Iterator<Item = String>, width: usize) -> String {
    // Terminals begin a new line after the last column.
    let most = width.saturating_sub(1);
    let mut line: String = head.chars().take(most).collect();
    for part in parts {
        if line.chars().count() + 2 + part.chars().count() > most {
            break;
        }
        line += &format!("  {part}");
    }
    line
}

fn bar(done: usize, of: usize) -> String {
    let filled = (BAR * done.min(of)).checked_div(of).unwrap_or(0);
    let head = if filled < BAR { ">" } else { "" };
    format!("[{:<BAR$}]", "=".repeat(filled) + head)
}

/// The time to the end of the run.
fn left(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s left"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02} left"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02} left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro::train::Scores;

    const ACCURACY: [Measure; 1] = [Measure::share("accuracy")];

    fn progress() -> Progress {
        Progress {
            epoch: 2,
            epochs: 30,
            step: 117,
            steps: 468,
            scores: Scores { loss: 0.12345, measures: vec![("accuracy".into(), 0.98765)] },
            images_per_second: 12345.6,
            seconds_left: Some(3725.4),
            lr: 0.1,
        }
    }

    #[test]
    fn a_line_has_what_its_width_has_room_for() {
        let cases = [
            (200, "epoch 2/30 [===>        ] 117/468  1:02:05 left  loss 0.1235  accuracy 98.77 %  12346 images/s"),
            (80, "epoch 2/30 [===>        ] 117/468  1:02:05 left  loss 0.1235  accuracy 98.77 %"),
            (60, "epoch 2/30 [===>        ] 117/468  1:02:05 left"),
            (20, "epoch 2/30 [===>   "),
            (0, ""),
        ];
        for (width, line) in cases {
            assert_eq!(training(&progress(), &ACCURACY, width), line);
        }
        for width in 0..120 {
            assert!(training(&progress(), &ACCURACY, width).len() <= width.saturating_sub(1), "{width}");
            assert!(evaluating(3, 79, Some(5.0), width).len() <= width.saturating_sub(1), "{width}");
        }
    }

    #[test]
    fn numbers_that_are_not_known_yet_are_left_out() {
        let scores = Scores { loss: f64::NAN, measures: vec![("accuracy".into(), f64::NAN)] };
        let first = Progress { step: 0, scores, images_per_second: 0.0, ..progress() };
        let first = Progress { seconds_left: None, ..first };
        assert_eq!(training(&first, &ACCURACY, 80), "epoch 2/30 [>           ] 0/468");
        assert_eq!(evaluating(79, 79, Some(5.2), 80), "evaluating [============] 79/79  5 s left");
        assert_eq!(left(75.0), "1:15 left");
    }
}
