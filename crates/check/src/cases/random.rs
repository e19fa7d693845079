//! Random numbers and dropout: the same on every backend.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{DType, RandomKind};

pub(super) fn cases() -> Vec<Case> {
    let key = || Draw::Values(vec![123_456_789.0, 4_000_000_001.0, 7.0]);
    let mut all = vec![];
    for shape in [&[3, 5][..], &[64, 33], &[1]] {
        for kind in [RandomKind::Uniform, RandomKind::Normal] {
            let name = format!("random/{kind:?}_{}", shape.iter().product::<usize>()).to_lowercase();
            let case = Case::new(name, move |g, v| {
                // The second stream: its salt differs from the first's.
                let first = g.random(kind, shape, v[0])?;
                let second = g.random(kind, shape, v[0])?;
                g.concat(&[first, second], 0)
            });
            let case = case.fixed("key", &[3], DType::U32, key());
            all.push(if kind == RandomKind::Uniform { case.exact() } else { case });
        }
    }
    for p in [0.1, 0.5, 0.9] {
        let case = Case::new(format!("dropout/{p}"), move |g, v| g.dropout(v[0], p, v[1]));
        all.push(case.float("x", &[7, 31], Draw::Normal).fixed("key", &[3], DType::U32, key()));
    }
    all
}
