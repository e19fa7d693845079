//! The losses of a classification, beside their formulas.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, DType, Graph, Tensor};
use chiaro_nn::{ClassLoss, Classification, Objective};

const ROWS: usize = 4;
const CLASSES: usize = 3;
/// The third row does not count.
const LABELS: [i32; ROWS] = [0, 2, Classification::IGNORED, 1];
const OUTPUTS: [f32; ROWS * CLASSES] = [2.0, -1.0, 0.5, 0.25, 1.5, -2.0, 9.0, 9.0, -9.0, 30.0, -0.5, 0.75];

/// The loss, and its gradient by the outputs.
fn run(objective: &Classification) -> (f64, Vec<f64>) {
    let mut graph = Graph::new();
    let outputs = graph.input("outputs", &[ROWS, CLASSES], DType::F32).expect("an input");
    let labels = graph.input("labels", &[ROWS], DType::I32).expect("an input");
    let loss = objective.loss(&mut graph, outputs, labels).expect("recorded");
    let gradient = graph.grad(loss, None, &[outputs]).expect("has a gradient")[0];
    graph.output("loss", loss).expect("an output");
    graph.output("gradient", gradient).expect("an output");
    let mut backend = Reference::new();
    let plan = backend.compile(&graph).expect("compiles");
    let outputs = Tensor::f32([ROWS, CLASSES], OUTPUTS.to_vec()).expect("a tensor");
    let labels = Tensor::i32([ROWS], LABELS.to_vec()).expect("a tensor");
    backend.run(plan, &[outputs, labels]).expect("a step");
    (backend.read(plan, 0).expect("read").to_f64()[0], backend.read(plan, 1).expect("read").to_f64())
}

/// The mean over the rows that count of what `of_row` gives of a row's outputs and class.
fn mean(of_row: impl Fn(&[f64], usize) -> f64) -> f64 {
    let rows = OUTPUTS.chunks(CLASSES).zip(LABELS).filter(|(_, label)| *label >= 0);
    let all: Vec<f64> = rows
        .map(|(row, label)| of_row(&row.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), label as usize))
        .collect();
    all.iter().sum::<f64>() / all.len() as f64
}

fn surprise(row: &[f64], class: usize) -> f64 {
    let most = row.iter().copied().fold(f64::MIN, f64::max);
    row.iter().map(|v| (v - most).exp()).sum::<f64>().ln() + most - row[class]
}

#[track_caller]
fn close(objective: &Classification, want: f64) {
    let (loss, gradient) = run(objective);
    assert!((loss - want).abs() < 1e-6 * want.abs().max(1.0), "{loss}, expected {want}");
    assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    assert!(gradient[6..9].iter().all(|g| *g == 0.0), "the row that does not count: {gradient:?}");
}

#[test]
fn the_focal_loss_weighs_each_image_by_what_its_class_misses() {
    let missing = |row: &[f64], class| (1.0 - (-surprise(row, class)).exp()).max(1e-7);
    for gamma in [0.0, 0.5, 2.0] {
        let objective = Classification { loss: ClassLoss::Focal { gamma }, ..Classification::default() };
        close(&objective, mean(|row, class| missing(row, class).powf(gamma) * surprise(row, class)));
    }
    let weights = [1.0, 2.0, 0.5];
    let objective = Classification {
        loss: ClassLoss::Focal { gamma: 2.0 },
        class_weights: Some(weights.to_vec()),
        ..Classification::default()
    };
    let weighted = |row: &[f64], class: usize| f64::from(weights[class]) * surprise(row, class);
    close(&objective, mean(|row, class| missing(row, class).powi(2) * weighted(row, class)));
}

/// 1 for the class and 0 for all others, a share of it spread evenly.
fn wanted(class: usize, smoothing: f64) -> [f64; CLASSES] {
    [0, 1, 2].map(|i| smoothing / CLASSES as f64 + if i == class { 1.0 - smoothing } else { 0.0 })
}

#[test]
fn binary_cross_entropy_takes_each_class_by_itself() {
    let weights = [1.0, 2.0, 0.5];
    for (smoothing, class_weights) in [(0.0, None), (0.1, None), (0.1, Some(weights.to_vec()))] {
        let given = class_weights.clone().unwrap_or(vec![1.0; CLASSES]);
        let objective = Classification { loss: ClassLoss::Binary, label_smoothing: smoothing, class_weights };
        let one = |v: f64, t: f64| v.max(0.0) - v * t + (-v.abs()).exp().ln_1p();
        let row = |row: &[f64], class| {
            let t = wanted(class, smoothing);
            (0..CLASSES).map(|i| f64::from(given[i]) * one(row[i], t[i])).sum::<f64>() / CLASSES as f64
        };
        close(&objective, mean(row));
    }
}

#[test]
fn the_huber_loss_is_squares_that_turn_into_lines() {
    for delta in [0.5, 1.0] {
        let objective = Classification { loss: ClassLoss::Huber { delta }, ..Classification::default() };
        let one = |d: f64| if d.abs() <= delta { d * d / 2.0 } else { delta * (d.abs() - delta / 2.0) };
        let row = |row: &[f64], class| {
            let t = wanted(class, 0.0);
            (0..CLASSES).map(|i| one(row[i] - t[i])).sum::<f64>() / CLASSES as f64
        };
        close(&objective, mean(row));
    }
}

#[test]
fn losses_out_of_range_are_refused() {
    for loss in
        [ClassLoss::Focal { gamma: -1.0 }, ClassLoss::Huber { delta: 0.0 }, ClassLoss::Focal { gamma: f64::NAN }]
    {
        assert!(Classification { loss, ..Classification::default() }.check(3).is_err(), "{loss:?}");
    }
}
