//! Losses: cross-entropy with every option, and the others.

use crate::case::{Case, Kink};
use crate::draw::Draw;
use chiaro_graph::{CrossEntropyOptions, DType, Graph, Reduction, Result, Var};

pub(super) fn cases() -> Vec<Case> {
    let mut all = cross_entropies();
    all.extend(likelihoods());
    all.extend(regressions());
    all
}

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

fn cross_entropies() -> Vec<Case> {
    // Name, spread of the logits, class weights, smoothing, targets equal to 2 ignored.
    let table: &[(&str, f64, bool, f64, bool)] = &[
        ("plain", 2.0, false, 0.0, false),
        ("weights", 2.0, true, 0.0, false),
        ("smoothing", 2.0, false, 0.1, false),
        ("smoothing_weights", 2.0, true, 0.1, false),
        ("ignore", 2.0, false, 0.0, true),
        ("ignore_weights_smoothing", 2.0, true, 0.2, true),
        ("large_logits", 40.0, false, 0.0, false),
    ];
    let mut all = vec![];
    for &(name, spread, weighted, label_smoothing, ignored) in table {
        for reduction in REDUCTIONS {
            let name = format!("cross_entropy/{name}_{reduction:?}").to_lowercase();
            let case = Case::new(name, move |g, v| {
                let ignore_index = if ignored { 2 } else { -100 };
                let class_weight = v.get(2).copied();
                let options = CrossEntropyOptions { class_weight, label_smoothing, ignore_index, reduction };
                g.cross_entropy(v[0], v[1], &options)
            });
            let case = case.float("logits", &[13, 7], Draw::NormalAround(0.0, spread));
            let case = case.fixed("target", &[13], DType::I32, Draw::Integers(0, 7));
            let weights = Draw::Uniform(0.2, 3.0);
            all.push(if weighted { case.fixed("class_weight", &[7], DType::F32, weights) } else { case });
        }
    }
    all.extend(pixels());
    // A class that cannot be, and is no row's target, costs nothing.
    let masked = Case::new("cross_entropy/impossible_class", |g, v| {
        g.cross_entropy(v[0], v[1], &CrossEntropyOptions::default())
    });
    let logits = Draw::Values(vec![0.0, 1.0, -2.0, 0.5, 3.0, -0.25, f64::NEG_INFINITY]);
    let masked = masked.float("logits", &[13, 7], logits);
    all.push(masked.fixed("target", &[13], DType::I32, Draw::Integers(0, 6)).kink(Kink::Convention));
    let wide = Case::new("cross_entropy/wide", |g, v| g.cross_entropy(v[0], v[1], &CrossEntropyOptions::default()));
    let wide = wide.float("logits", &[3, 300], Draw::NormalAround(0.0, 3.0));
    all.push(wide.fixed("target", &[3], DType::I32, Draw::Integers(0, 300)));
    for (name, label_smoothing, weighted) in [("soft", 0.0, false), ("soft_smoothing_weights", 0.1, true)] {
        let case = Case::new(format!("cross_entropy/{name}"), move |g, v| {
            let options = CrossEntropyOptions {
                class_weight: v.get(2).copied(),
                label_smoothing,
                ..CrossEntropyOptions::default()
            };
            g.cross_entropy(v[0], v[1], &options)
        });
        let case = case.float("logits", &[8, 5], Draw::Normal).float("target", &[8, 5], Draw::Probabilities);
        all.push(if weighted { case.float("class_weight", &[5], Draw::Uniform(0.2, 3.0)) } else { case });
    }
    all
}

/// Losses of every pixel of an image.
fn pixels() -> Vec<Case> {
    let mut all = vec![];
    for reduction in REDUCTIONS {
        type Loss = fn(&mut Graph, Var, Var, &CrossEntropyOptions) -> Result<Var>;
        let losses: [(&str, Loss); 2] = [("cross_entropy", Graph::cross_entropy), ("nll_loss", Graph::nll_loss)];
        for (name, loss) in losses {
            let case = Case::new(format!("{name}/pixels_{reduction:?}").to_lowercase(), move |g, v| {
                let class_weight = Some(v[2]);
                let options = CrossEntropyOptions { class_weight, ignore_index: 3, reduction, ..Default::default() };
                loss(g, v[0], v[1], &options)
            });
            let case = case.float("x", &[2, 3, 4, 5], Draw::Uniform(-4.0, -0.1));
            let case = case.fixed("target", &[2, 3, 4], DType::I32, Draw::Integers(0, 5));
            all.push(case.fixed("class_weight", &[5], DType::F32, Draw::Uniform(0.2, 3.0)));
        }
    }
    let soft = Case::new("cross_entropy/pixels_soft", |g, v| g.cross_entropy(v[0], v[1], &Default::default()));
    let soft = soft.float("logits", &[2, 3, 4, 5], Draw::Normal);
    all.push(soft.float("target", &[2, 3, 4, 5], Draw::Probabilities));
    all
}

fn likelihoods() -> Vec<Case> {
    let mut all = vec![];
    for reduction in REDUCTIONS {
        let case = Case::new(format!("nll_loss/{reduction:?}").to_lowercase(), move |g, v| {
            let options =
                CrossEntropyOptions { class_weight: Some(v[2]), ignore_index: 1, reduction, ..Default::default() };
            g.nll_loss(v[0], v[1], &options)
        });
        let case = case.float("log_p", &[9, 6], Draw::Uniform(-4.0, -0.1));
        let case = case.fixed("target", &[9], DType::I32, Draw::Integers(0, 6));
        all.push(case.float("class_weight", &[6], Draw::Uniform(0.2, 3.0)));
    }
    all
}

fn regressions() -> Vec<Case> {
    let mut all = vec![];
    for r in REDUCTIONS {
        let pair = |name: &str, case: fn(String, Reduction) -> Case| {
            let case = case(format!("{name}/{r:?}").to_lowercase(), r);
            case.float("x", &[5, 7], Draw::Normal).float("target", &[5, 7], Draw::Uniform(0.0, 1.0))
        };
        all.push(pair("mse_loss", |n, r| Case::new(n, move |g, v| g.mse_loss(v[0], v[1], r))));
        all.push(pair("l1_loss", |n, r| Case::new(n, move |g, v| g.l1_loss(v[0], v[1], r))));
        all.push(pair("huber_loss", |n, r| Case::new(n, move |g, v| g.huber_loss(v[0], v[1], 0.7, r))));
        all.push(pair("smooth_l1_loss", |n, r| Case::new(n, move |g, v| g.smooth_l1_loss(v[0], v[1], 0.3, r))));
        all.push(pair("bce", |n, r| Case::new(n, move |g, v| g.bce_with_logits(v[0], v[1], None, r))));
    }
    let weighted = Case::new("bce/pos_weight", |g, v| g.bce_with_logits(v[0], v[1], Some(v[2]), Reduction::Mean));
    let weighted = weighted.float("x", &[6, 8], Draw::NormalAround(0.0, 3.0));
    let weighted = weighted.float("target", &[6, 8], Draw::Uniform(0.0, 1.0));
    all.push(weighted.float("pos_weight", &[8], Draw::Uniform(0.3, 4.0)));
    let large = Case::new("bce/large_logits", |g, v| g.bce_with_logits(v[0], v[1], None, Reduction::Sum));
    let large = large.float("x", &[6, 8], Draw::NormalAround(0.0, 40.0));
    all.push(large.float("target", &[6, 8], Draw::Uniform(0.0, 1.0)));
    all
}
