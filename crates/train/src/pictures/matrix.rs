//! The confusion matrix as a picture: a row for each label, a column for each prediction.

use chiaro_data::{Canvas, Colour, shortened};

use crate::confusion::Confusion;

/// Side of all cells together that is aimed at, and the sides that one may have.
const AIM: usize = 900;
const SIDES: [usize; 2] = [2, 64];
/// Letters of a class's name.
const LETTERS: usize = 22;
const GAP: usize = 12;
/// The colour of the largest number; that of 0 is white.
const FULL: Colour = [8, 48, 107];
const GRID: Colour = [225, 225, 225];

/// Draws it: counts, or of each row the shares.
pub(super) fn matrix(confusion: &Confusion, shares: bool) -> Canvas {
    let classes = confusion.classes();
    let n = classes.len().max(1);
    let side = (AIM / n).clamp(SIDES[0], SIDES[1]);
    let [letter, height] = [Canvas::LETTER_WIDTH, Canvas::LETTER_HEIGHT];
    // Names of rows that are lower than letters would lie upon each other.
    let named = side >= height;
    let longest = classes.iter().map(|name| name.chars().count().min(LETTERS)).max().unwrap_or(0);
    let room = if named { longest * letter + GAP } else { 0 };
    let (left, top) = (GAP + height + room, 2 * GAP + height);
    let whole = n * side;
    let title = if shares { "share of each label's images" } else { "images" };
    let title = format!("{title} by label (rows) and prediction (columns)");
    let width = (left + whole + GAP).max(2 * GAP + title.chars().count() * letter);
    let mut canvas = Canvas::new(width, top + whole + room + height + GAP);
    canvas.text([GAP, GAP], &title, Canvas::BLACK);
    let most = (0..classes.len()).flat_map(|label| confusion.row(label)).copied().max().unwrap_or(0).max(1);
    for (label, class) in classes.iter().enumerate() {
        let sum: u64 = confusion.row(label).iter().sum();
        for (said, &count) in confusion.row(label).iter().enumerate() {
            let share = count as f64 / if shares { sum.max(1) } else { most } as f64;
            let at = [left + said * side, top + label * side];
            canvas.fill(at, [side, side], tint(share));
            let text = if shares { format!("{share:.2}") } else { count.to_string() };
            let text = if shares && count == 0 || text == "0" { String::new() } else { text };
            if side >= height && text.len() * letter + 2 <= side {
                let middle = [at[0] + (side - text.len() * letter) / 2, at[1] + (side - height) / 2];
                canvas.text(middle, &text, if share > 0.5 { [255; 3] } else { Canvas::BLACK });
            }
        }
        if named {
            let name = shortened(class, LETTERS);
            let start = left - GAP / 2 - name.chars().count() * letter;
            canvas.text([start, top + label * side + (side - height) / 2], &name, Canvas::BLACK);
            let across = left + label * side + (side - height) / 2;
            canvas.text_up([across, top + whole + GAP / 2 + name.chars().count() * letter], &name, Canvas::BLACK);
        }
    }
    let lines = if side > 8 { n } else { 1 };
    for i in (0..=lines).map(|i| i * whole / lines) {
        canvas.fill([left + i, top], [1, whole], GRID);
        canvas.fill([left, top + i], [whole, 1], GRID);
    }
    canvas.text([left + (whole / 2).saturating_sub(5 * letter), top + whole + room], "prediction", Canvas::BLACK);
    canvas.text_up([GAP / 2, top + whole / 2 + 3 * letter], "label", Canvas::BLACK);
    canvas
}

fn tint(share: f64) -> Colour {
    // Darker sooner than the share rises: a few mistakes among many right ones are to be seen.
    let share = share.clamp(0.0, 1.0).powf(0.6);
    FULL.map(|full| (255.0 + (f64::from(full) - 255.0) * share).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(classes: usize) -> Confusion {
        let mut confusion = Confusion::new((0..classes).map(|i| format!("class {i}")).collect());
        for label in 0..classes {
            (0..8).for_each(|_| confusion.count(label, label));
            confusion.count(label, (label + 1) % classes);
        }
        confusion
    }

    #[test]
    fn matrices_of_any_number_of_classes_fit_their_picture() {
        for classes in [1, 2, 10, 100, 600] {
            for shares in [false, true] {
                let canvas = matrix(&confusion(classes), shares);
                let [width, height] = canvas.size();
                assert!(width < 1600 && height < 1600, "{classes}: {width}x{height}");
                let dark = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
                let dark = dark.filter(|&(x, y)| canvas.at(x, y).is_some_and(|c| c[2] > 90 && c[0] < 80)).count();
                assert!(dark >= classes, "the diagonal of {classes} shows: {dark}");
            }
        }
    }

    #[test]
    fn a_class_without_images_is_a_white_row() {
        let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
        confusion.count(0, 0);
        assert!(matrix(&confusion, true).to_png().is_ok());
        assert_eq!((tint(0.0), tint(1.0)), ([255; 3], FULL));
    }
}
