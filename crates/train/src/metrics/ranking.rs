//! Measures of a ranking: how many of the images that are of a class come before those that are not.

/// Images by score, the highest first, those of one score together.
fn ranked(scores: &[f64], is: &[bool]) -> Vec<(f64, bool)> {
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(is.iter().copied()).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

/// Average precision of a ranking, the sum over its thresholds of precision times what recall gains there, as scikit-learn has it:
/// equal scores are one threshold. `None` without a positive; NaN where a score is none, since nothing can be ranked then.
pub fn average_precision(scores: &[f64], is: &[bool]) -> Option<f64> {
    let positives = is.iter().filter(|is| **is).count();
    if positives == 0 {
        return None;
    }
    if scores.iter().any(|score| score.is_nan()) {
        return Some(f64::NAN);
    }
    let (mut taken, mut found, mut area) = (0, 0, 0.0);
    for equal in ranked(scores, is).chunk_by(|a, b| a.0 == b.0) {
        let gained = equal.iter().filter(|(_, is)| *is).count();
        taken += equal.len();
        found += gained;
        area += found as f64 / taken as f64 * gained as f64 / positives as f64;
    }
    Some(area)
}

/// Area under the ROC curve: the share of pairs, one of the class and one not, that are in the right order; equal scores count a
/// half. `None` without a positive or without a negative; NaN where a score is none.
pub fn auroc(scores: &[f64], is: &[bool]) -> Option<f64> {
    let positives = is.iter().filter(|is| **is).count();
    let negatives = is.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    if scores.iter().any(|score| score.is_nan()) {
        return Some(f64::NAN);
    }
    let (mut found, mut pairs) = (0.0, 0.0);
    for equal in ranked(scores, is).chunk_by(|a, b| a.0 == b.0) {
        let here = equal.iter().filter(|(_, is)| *is).count() as f64;
        pairs += (equal.len() as f64 - here) * (found + here / 2.0);
        found += here;
    }
    Some(pairs / positives as f64 / negatives as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(measure: fn(&[f64], &[bool]) -> Option<f64>, list: &[(f64, i32)]) -> Option<f64> {
        let (scores, is): (Vec<f64>, Vec<bool>) = list.iter().map(|(score, is)| (*score, *is == 1)).unzip();
        measure(&scores, &is)
    }

    #[test]
    fn average_precision_is_that_of_the_ranking_by_hand() {
        let ap = |list: &[(f64, i32)]| of(average_precision, list);
        // Hits at places 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3.
        let mixed = [(0.3, 1), (0.9, 1), (0.8, 0), (0.5, 1), (0.1, 0)];
        assert!((ap(&mixed).expect("positives") - (1.0 + 2.0 / 3.0 + 0.75) / 3.0).abs() < 1e-12);
        // Two of three with one score, one of them a hit, are one threshold of precision 2/3 that gains half of the recall.
        let tied = [(0.9, 1), (0.4, 0), (0.4, 1), (0.1, 0)];
        assert!((ap(&tied).expect("positives") - (0.5 * 1.0 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        // Whichever of the two comes first.
        let turned = [(0.9, 1), (0.4, 1), (0.4, 0), (0.1, 0)];
        assert_eq!(ap(&turned), ap(&tied));
        // Scores that are none rank nothing, whichever image comes first.
        assert!(ap(&[(f64::NAN, 1), (f64::NAN, 0)]).expect("positives").is_nan());
        // All equal: the share of positives.
        assert_eq!(ap(&[(0.5, 1), (0.5, 0), (0.5, 0), (0.5, 0)]), Some(0.25));
        assert_eq!(ap(&[(1.0, 1), (0.5, 1), (0.0, 0)]), Some(1.0));
        assert_eq!(ap(&[(1.0, 0)]), None);
    }

    #[test]
    fn the_area_under_roc_is_the_share_of_pairs_in_order() {
        let area = |list: &[(f64, i32)]| of(auroc, list);
        // Pairs (0.9, 0.4) and (0.9, 0.1) and (0.4, 0.1) are in order, (0.4, 0.4) is a half: 3.5 of 4.
        assert_eq!(area(&[(0.4, 0), (0.9, 1), (0.1, 0), (0.4, 1)]), Some(0.875));
        assert_eq!(area(&[(0.1, 1), (0.9, 0)]), Some(0.0));
        assert_eq!(area(&[(0.1, 1)]), None);
        assert_eq!(area(&[(0.1, 0)]), None);
        assert!(area(&[(f64::NAN, 1), (0.5, 0)]).expect("both").is_nan());
    }
}
