//! Curves on a picture, beside SVG and text.

use chiaro_data::{Canvas, Colour};

use crate::number::short;
use crate::plot::{Plot, ticks};

/// What stays free around the curves: left, top, right, bottom.
const FREE: [usize; 4] = [72, 34, 18, 44];
const COLOURS: [Colour; 6] =
    [[31, 119, 180], [214, 39, 40], [44, 160, 44], [148, 103, 189], [255, 127, 14], [23, 190, 207]];
const GRID: Colour = [226, 226, 226];
const WORDS: Colour = [70, 70, 70];

impl Plot {
    /// Draws it at a place of a picture, in this width and height.
    pub fn draw(&self, canvas: &mut Canvas, place: [usize; 2], size: [usize; 2]) {
        let ([left, top, right, bottom], [letter, line]) = (FREE, [Canvas::LETTER_WIDTH, Canvas::LETTER_HEIGHT]);
        let [x0, y0] = [place[0] + left, place[1] + top];
        let [width, height] = [size[0].saturating_sub(left + right), size[1].saturating_sub(top + bottom)];
        let middle = |text: &str| (x0 + width / 2).saturating_sub(text.chars().count() * letter / 2);
        canvas.text([x0, place[1] + 8], &self.title, Canvas::BLACK);
        canvas.text([middle(&self.axes[0]), y0 + height + 8 + line], &self.axes[0], WORDS);
        let Some(span) = self.span() else { return };
        let share = |v: f64, [low, high]: [f64; 2]| (v - low) / (high - low);
        let at = |x: f64, y: f64| {
            [x0 as f64 + share(x, span.x) * width as f64, (y0 + height) as f64 - share(y, span.y) * height as f64]
        };
        for tick in ticks(span.x) {
            let [x, y] = at(tick, span.y[0]);
            canvas.fill([x as usize, y0], [1, height], GRID);
            let text = short(if self.log_x { 10f64.powf(tick) } else { tick });
            canvas.text([(x as usize).saturating_sub(text.len() * letter / 2), y as usize + 4], &text, WORDS);
        }
        for tick in ticks(span.y) {
            let [x, y] = at(span.x[0], tick);
            canvas.fill([x as usize, y as usize], [width, 1], GRID);
            let text = short(tick);
            let start = (x as usize).saturating_sub(6 + text.chars().count() * letter);
            canvas.text([start, (y as usize).saturating_sub(line / 2)], &text, WORDS);
        }
        if let Some((x, word)) = &self.mark {
            let [x, _] = at(self.place(*x), span.y[0]);
            (y0..y0 + height).filter(|y| y % 8 < 4).for_each(|y| canvas.fill([x as usize, y], [1, 1], WORDS));
            // On the side that has the room.
            let start = if x as usize + 6 + word.len() * letter < x0 + width {
                x as usize + 4
            } else {
                x as usize - 4 - word.len() * letter
            };
            canvas.text([start, y0 + height - line], word, WORDS);
        }
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let points: Vec<[f64; 2]> = self.drawn(curve).into_iter().map(|(x, y)| at(x, y)).collect();
            points.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], 2, *colour));
            // A single epoch is a point; of many the line alone is clearer.
            let dots = if points.len() <= 30 { &points[..] } else { &[] };
            dots.iter().for_each(|&point| canvas.line(point, point, 5, *colour));
        }
        self.legend(canvas, [x0 + (self.title.chars().count() + 4) * letter, place[1] + 8]);
    }

    /// The names of the curves, one after the other from this place on.
    fn legend(&self, canvas: &mut Canvas, [mut left, top]: [usize; 2]) {
        let middle = (top + Canvas::LETTER_HEIGHT / 2) as f64;
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            canvas.line([left as f64, middle], [left as f64 + 16.0, middle], 3, *colour);
            canvas.text([left + 24, top], &curve.name, WORDS);
            left += 24 + (curve.name.chars().count() + 3) * Canvas::LETTER_WIDTH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Curve;

    #[test]
    fn a_curve_is_drawn_from_edge_to_edge_in_its_colour() {
        let points = (0..=10).map(|i| (f64::from(i), f64::from(i * i))).collect();
        let curves = vec![Curve { name: "c".into(), points }];
        let plot = Plot { title: "t".into(), curves, mark: Some((10.0, "here".into())), ..Plot::default() };
        let (mut canvas, place) = (Canvas::new(400, 300), [20, 10]);
        plot.draw(&mut canvas, place, [360, 280]);
        let [left, top, right, bottom] = FREE;
        let ends = [[20 + left, 10 + 280 - bottom], [20 + 360 - right, 10 + top]];
        assert!(ends.iter().all(|&[x, y]| canvas.at(x, y) == Some(COLOURS[0])), "both ends");
        // Nothing to draw, and one point alone.
        Plot { curves: vec![], ..plot.clone() }.draw(&mut canvas, place, [360, 280]);
        let one = vec![Curve { name: "c".into(), points: vec![(1.0, 2.0)] }];
        Plot { curves: one, mark: Some((1.0, "a long word at the edge".repeat(9))), ..plot }.draw(
            &mut canvas,
            place,
            [360, 280],
        );
    }
}
