//! Whether what an executor gave is what the reference expects, within what rounding explains.

use super::expect::Expected;
use super::observe::Failure;
use chiaro_graph::{DType, Tensor};

/// Times the distance of the lanes that a result may be away.
const FACTOR: f64 = 8.0;

/// Part of an element's size that it may be away without a reason.
const RELATIVE: f64 = 4e-6;

/// What is too small to count in storage of 32 and of 16 bits: results below the smallest normal number may become 0.
const ABSOLUTE: [f64; 2] = [1e-30, 1.3e-7];

/// Beyond this, sums may overflow in 32 bits.
const LARGEST: f64 = 1e30;

/// How many elements were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// All elements.
    pub elements: u64,
    /// Those left out: not finite, or decided by rounding.
    pub left_out: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Tally) {
        self.elements += other.elements;
        self.left_out += other.left_out;
    }
}

/// Compares every tensor.
///
/// # Errors
/// The first element that is wrong.
pub(super) fn judge(expected: &[Expected], got: &[Tensor]) -> Result<Tally, Failure> {
    if expected.len() != got.len() {
        return Err(Failure::Wrong(format!("{} tensors, expected {}", got.len(), expected.len())));
    }
    let mut tally = Tally::default();
    for (want, got) in expected.iter().zip(got) {
        tally.add(tensor(want, got).map_err(Failure::Wrong)?);
    }
    Ok(tally)
}

fn tensor(want: &Expected, got: &Tensor) -> Result<Tally, String> {
    let (found, base) = (got.to_f64(), &want.value.base);
    if got.dtype() != want.dtype || found.len() != base.len() {
        return Err(format!("{} has {} elements of {}", want.name, found.len(), got.dtype()));
    }
    let finite = base.iter().filter(|v| v.is_finite());
    let size = (finite.map(|v| v * v).sum::<f64>() / base.len().max(1) as f64).sqrt();
    let mut tally = Tally { elements: base.len() as u64, left_out: 0 };
    for (i, (&found, &base)) in found.iter().zip(base).enumerate() {
        let spread = want.value.spread(i);
        let allowed = match allowed(want.dtype, base, spread) {
            Some(allowed) => allowed,
            None => {
                tally.left_out += 1;
                continue;
            }
        };
        // It is compared all the same, but says little.
        if allowed > 1e-3 + 0.1 * base.abs().max(size) {
            tally.left_out += 1;
        }
        let distance = (found - base).abs();
        if distance.is_nan() || distance > allowed {
            let name = &want.name;
            return Err(format!(
                "element {i} of {} of {name} is {found}, expected {base}, allowed {allowed:.1e}",
                got.data().len()
            ));
        }
    }
    Ok(tally)
}

/// How far an element may be from the reference; none if anything may be right.
fn allowed(dtype: DType, base: f64, spread: f64) -> Option<f64> {
    if !dtype.is_float() {
        return (spread == 0.0).then_some(0.0);
    }
    let usual = base.is_finite() && base.abs() < LARGEST && spread.is_finite();
    let absolute = ABSOLUTE[usize::from(dtype == DType::F16)];
    usual.then(|| FACTOR * spread + RELATIVE * base.abs() + absolute)
}
