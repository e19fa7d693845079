//! Numbers in bins, as TensorBoard takes them.

use super::message::Message;

/// Numbers that are looked at: more would change nothing that is to be seen.
const SAMPLED: usize = 100_000;
const BINS: usize = 30;

/// A HistogramProto of 30 bins of equal width from the smallest to the largest number; what is not finite is left out.
pub(super) fn of(values: &[f32]) -> Message {
    let every = values.len().div_ceil(SAMPLED).max(1);
    let some: Vec<f64> = values.iter().step_by(every).map(|v| f64::from(*v)).filter(|v| v.is_finite()).collect();
    let [low, high] = some.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(*v), b.max(*v)]);
    let (low, high) = if some.is_empty() { (0.0, 0.0) } else { (low, high) };
    let width = if high > low { (high - low) / BINS as f64 } else { 1.0 };
    let mut counts = [0.0; BINS];
    some.iter().for_each(|v| counts[(((v - low) / width) as usize).min(BINS - 1)] += 1.0);
    let limits: Vec<f64> = (1..=BINS).map(|i| low + width * i as f64).collect();
    let numbers = [low, high, some.len() as f64, some.iter().sum(), some.iter().map(|v| v * v).sum()];
    let named = (1..).zip(numbers).fold(Message::default(), |message, (field, number)| message.double(field, number));
    named.doubles(6, &limits).doubles(7, &counts)
}
