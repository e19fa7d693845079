//! `results.png`: the curves of a run, four plots in one picture.

use chiaro_data::Canvas;

use crate::observer::EpochRecord;
use crate::plot::{Curve, Plot};
use crate::scores::Scores;
use crate::task::Measure;

/// Width and height of a plot.
const SIZE: [usize; 2] = [620, 380];

/// Draws the epochs so far; `best` is the one whose weights are kept.
pub(super) fn curves(records: &[EpochRecord], train: &[Measure], eval: &[Measure], best: Option<usize>) -> Canvas {
    let [width, height] = SIZE;
    let mut canvas = Canvas::new(2 * width, 2 * height);
    for (i, plot) in plots(records, train, eval, best).iter().enumerate() {
        plot.draw(&mut canvas, [i % 2 * width, i / 2 * height], SIZE);
    }
    canvas
}

/// Loss, measures, learning rate and speed by epoch.
fn plots(records: &[EpochRecord], train: &[Measure], eval: &[Measure], best: Option<usize>) -> [Plot; 4] {
    let mark = best.map(|epoch| (epoch as f64, "best".to_string()));
    let curve = |name: String, value: &dyn Fn(&EpochRecord) -> f64| Curve {
        name,
        points: records.iter().map(|record| (record.epoch as f64, value(record))).collect(),
    };
    let plot = |title: &str, curves: Vec<Curve>| Plot {
        title: title.to_string(),
        axes: ["epoch".to_string(), String::new()],
        curves,
        mark: mark.clone(),
        ..Plot::default()
    };
    let of = |scores: &Scores, measure: &Measure| scores.get(measure.name) * if measure.percent { 100.0 } else { 1.0 };
    let named =
        |split: &str, measure: &Measure| format!("{split} {}{}", measure.name, if measure.percent { " %" } else { "" });
    let mut measured: Vec<Curve> =
        train.iter().map(|measure| curve(named("train", measure), &|r| of(&r.train, measure))).collect();
    measured.extend(eval.iter().map(|measure| curve(named("val", measure), &|r| of(&r.eval, measure))));
    [
        plot("loss", vec![curve("train".into(), &|r| r.train.loss), curve("val".into(), &|r| r.eval.loss)]),
        plot("measures", measured),
        plot("learning rate", vec![curve("lr/pg0".into(), &|r| r.lr)]),
        plot("training images a second", vec![curve("images/s".into(), &|r| r.images_per_second)]),
    ]
}
