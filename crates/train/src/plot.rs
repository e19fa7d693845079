//! Curves as an SVG picture and as text: what it takes to look at a run, and no more.

use std::fmt::Write;

use crate::number::short;

/// Width of the picture and height of the part with the curves, and what stays free around them: left, top (beside the legend), right,
/// bottom.
const SIZE: [f64; 2] = [720.0, 420.0];
const FREE: [f64; 4] = [64.0, 44.0, 16.0, 48.0];
/// Height of a row of the legend, and about the width of a letter.
const LEGEND: [f64; 2] = [18.0, 7.0];
const COLOURS: [&str; 6] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];
/// Columns and rows of the text.
const CELLS: [usize; 2] = [60, 12];

/// A curve: points in the order in which they are joined. Those that are not finite are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
}

/// Curves over one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What x is, and y.
    pub axes: [String; 2],
    /// Whether x is drawn by its logarithm; points of x below or at 0 are left out then.
    pub log_x: bool,
    /// The curves.
    pub curves: Vec<Curve>,
    /// A vertical line at an x, with a word.
    pub mark: Option<(f64, String)>,
}

/// What the axes span, in the unit in which x is drawn.
pub(crate) struct Span {
    pub(crate) x: [f64; 2],
    pub(crate) y: [f64; 2],
}

impl Plot {
    /// The letters that curves have in text, one after the other.
    pub const LETTERS: &'static str = "*o+x";

    pub(crate) fn place(&self, x: f64) -> f64 {
        if self.log_x { x.log10() } else { x }
    }

    /// The points of a curve that can be drawn.
    pub(crate) fn drawn(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let placed = curve.points.iter().map(|&(x, y)| (self.place(x), y));
        placed.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    /// `None` where there is nothing to draw.
    pub(crate) fn span(&self) -> Option<Span> {
        let points: Vec<(f64, f64)> = self.curves.iter().flat_map(|curve| self.drawn(curve)).collect();
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(v), b.max(v)]);
            if high > low { [low, high] } else { [low - 0.5, high + 0.5] }
        };
        let (x, y) = (range(&mut points.iter().map(|p| p.0)), range(&mut points.iter().map(|p| p.1)));
        (!points.is_empty()).then_some(Span { x, y })
    }

    /// The picture.
    pub fn to_svg(&self) -> String {
        let (names, rows) = self.legend_places();
        let ([width, height], [left, top, right, bottom]) = (SIZE, FREE);
        let (height, top) = (height + rows as f64 * LEGEND[0], top + rows as f64 * LEGEND[0]);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        );
        text(&mut svg, [width / 2.0, 20.0], "middle", &self.title);
        text(&mut svg, [(width + left - right) / 2.0, height - 8.0], "middle", &self.axes[0]);
        text(&mut svg, [8.0, top - 8.0], "start", &self.axes[1]);
        let Some(span) = self.span() else { return svg + "</svg>\n" };
        let at = |x: f64, y: f64| {
            let share = |v: f64, [low, high]: [f64; 2]| (v - low) / (high - low);
            let across = left + share(x, span.x) * (width - left - right);
            [across, height - bottom - share(y, span.y) * (height - top - bottom)]
        };
        for tick in ticks(span.x) {
            let [x, y] = at(tick, span.y[0]);
            let _ = writeln!(svg, "<path d=\"M{x:.1} {y:.1}V{top}\" stroke=\"#ddd\"/>");
            text(&mut svg, [x, y + 16.0], "middle", &short(if self.log_x { 10f64.powf(tick) } else { tick }));
        }
        for tick in ticks(span.y) {
            let [x, y] = at(span.x[0], tick);
            let _ = writeln!(svg, "<path d=\"M{x:.1} {y:.1}H{:.1}\" stroke=\"#ddd\"/>", width - right);
            text(&mut svg, [x - 6.0, y + 4.0], "end", &short(tick));
        }
        for ((curve, [x, y]), colour) in self.curves.iter().zip(names).zip(COLOURS.iter().cycle()) {
            let points = self.drawn(curve).into_iter().map(|(x, y)| at(x, y));
            let points: Vec<String> = points.map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                points.join(" ")
            );
            let _ = writeln!(svg, "<path d=\"M{x} {0}h18\" stroke=\"{colour}\" stroke-width=\"2\"/>", y - 4.0);
            text(&mut svg, [x + 24.0, y], "start", &curve.name);
        }
        if let Some((x, word)) = &self.mark {
            let [x, y] = at(self.place(*x), span.y[0]);
            let _ = writeln!(svg, "<path d=\"M{x:.1} {y:.1}V{top}\" stroke=\"#555\" stroke-dasharray=\"4 3\"/>");
            // On the side that has the room.
            let (x, anchor) = if x < (width + left) / 2.0 { (x + 4.0, "start") } else { (x - 4.0, "end") };
            text(&mut svg, [x, y - 6.0], anchor, word);
        }
        svg + "</svg>\n"
    }

    /// Where the names of the curves stand, above the curves, and in how many rows.
    fn legend_places(&self) -> (Vec<[f64; 2]>, usize) {
        let ([left, _, right, _], [row, letter]) = (FREE, LEGEND);
        let (mut rows, mut x) = (0, f64::INFINITY);
        let mut places = vec![];
        for curve in &self.curves {
            let room = 24.0 + letter * curve.name.chars().count() as f64;
            if x + room > SIZE[0] - right {
                (rows, x) = (rows + 1, left);
            }
            places.push([x, 24.0 + row * rows as f64]);
            x += room + 2.0 * letter;
        }
        (places, rows)
    }

    /// The curves in letters: `*` for the first, then `o`, `+` and `x`; `|` for the mark.
    pub fn to_text(&self) -> String {
        let Some(span) = self.span() else { return String::new() };
        let [columns, rows] = CELLS;
        let cell = |v: f64, [low, high]: [f64; 2], cells: usize| {
            ((v - low) / (high - low) * (cells - 1) as f64).round().clamp(0.0, (cells - 1) as f64) as usize
        };
        let mut grid = vec![vec![' '; columns]; rows];
        if let Some((x, _)) = &self.mark {
            grid.iter_mut().for_each(|row| row[cell(self.place(*x), span.x, columns)] = '|');
        }
        for (curve, letter) in self.curves.iter().zip(Plot::LETTERS.chars().cycle()) {
            for (x, y) in self.drawn(curve) {
                grid[rows - 1 - cell(y, span.y, rows)][cell(x, span.x, columns)] = letter;
            }
        }
        let label = |row: usize| match row {
            0 => short(span.y[1]),
            _ if row == rows - 1 => short(span.y[0]),
            _ => String::new(),
        };
        let mut text = format!("{:>8}\n", self.axes[1]);
        for (i, row) in grid.iter().enumerate() {
            let row: String = row.iter().collect();
            let _ = writeln!(text, "{:>8} {}", label(i), row.trim_end());
        }
        let [low, high] = span.x.map(|x| short(if self.log_x { 10f64.powf(x) } else { x }));
        let room = columns.saturating_sub(low.len() + high.len());
        let name = format!("{:^room$}", self.axes[0]);
        text + &format!("{:>8} {low}{name}{high}", "")
    }
}

/// Round numbers within a range, some five of them.
pub(crate) fn ticks([low, high]: [f64; 2]) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=10).map(|i| (first + f64::from(i)) * step).take_while(|tick| *tick <= high + step * 1e-9).collect()
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        let points = (0..=20).map(|i| (10f64.powf(f64::from(i) / 5.0 - 4.0), (f64::from(i) - 12.0).powi(2))).collect();
        let curves = vec![Curve { name: "a < b".into(), points }];
        let axes = ["rate", "loss"].map(String::from);
        Plot { title: "t".into(), axes, log_x: true, curves, mark: Some((0.01, "here".into())) }
    }

    #[test]
    fn a_curve_goes_from_edge_to_edge_and_numbers_stand_at_its_axes() {
        let svg = plot().to_svg();
        // The first point is at the left edge and the top: 144 is the largest y.
        assert!(svg.contains("points=\"64.0,62.0 "), "{svg}");
        assert!(svg.contains("704.0,") && svg.contains(">a &lt; b<") && svg.contains(">here<"), "{svg}");
        for tick in [">0.01<", ">0.1<", ">50<", ">100<"] {
            assert!(svg.contains(tick), "{tick} {svg}");
        }
        let text = plot().to_text();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[1].starts_with("     144 *") && rows[12].trim_start().starts_with('0'), "{text}");
        assert!(rows[13].contains("0.0001") && rows[13].ends_with('1') && text.contains('|'), "{text}");
    }

    #[test]
    fn the_names_of_curves_stand_above_them_in_as_many_rows_as_they_take() {
        let curve = |i: usize| Curve {
            name: format!("runs/train{i}, a name of some length"),
            points: vec![(0.1, 1.0), (1.0, 2.0)],
        };
        for (curves, rows) in [(1, 1), (2, 1), (5, 3)] {
            let plot = Plot { curves: (0..curves).map(curve).collect(), ..plot() };
            let (places, found) = plot.legend_places();
            assert_eq!((places.len(), found), (curves, rows));
            let top = FREE[1] + rows as f64 * LEGEND[0];
            assert!(places.iter().all(|[x, y]| *x < SIZE[0] && *y < top - 12.0), "{places:?}");
            let svg = plot.to_svg();
            assert!(
                svg.contains(&format!("points=\"64.0,{:.1} ", SIZE[1] + rows as f64 * LEGEND[0] - FREE[3])),
                "{svg}"
            );
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let mut broken = plot();
        broken.curves[0].points.extend([(0.0, 1.0), (1.0, f64::NAN)]);
        assert_eq!(broken.to_svg(), plot().to_svg());
        let empty = Plot { curves: vec![], ..plot() };
        assert!(empty.to_text().is_empty() && empty.to_svg().ends_with("</svg>\n"));
        let flat = Plot { curves: vec![Curve { name: "c".into(), points: vec![(1.0, 3.0)] }], ..plot() };
        assert!(!flat.to_svg().contains("NaN"), "{}", flat.to_svg());
    }
}
