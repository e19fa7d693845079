//! Rules of extents that the host and the graph share: reshape, squeeze, slices.

use crate::call::axis;
use crate::error::{OnnxError, Result};
use crate::host::count;

/// The extents of a Reshape: 0 keeps one (unless `zeros` are meant), -1 is what is left.
pub(crate) fn reshaped(shape: &[usize], wanted: &[i64], zeros: bool) -> Result<Vec<usize>> {
    let fault = || OnnxError::node(format!("{shape:?} cannot become {wanted:?}"));
    let mut out = vec![];
    let mut open = None;
    for (i, &n) in wanted.iter().enumerate() {
        out.push(match n {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !zeros => *shape.get(i).ok_or_else(fault)?,
            n => usize::try_from(n).map_err(|_| fault())?,
        });
    }
    if let Some(i) = open {
        let rest = count(&out);
        out[i] = count(shape).checked_div(rest).unwrap_or(0);
    }
    if count(&out) == count(shape) { Ok(out) } else { Err(fault()) }
}

/// Extents without some axes of extent 1; all of them where none are named.
pub(crate) fn squeezed(shape: &[usize], axes: Option<&[i64]>) -> Result<Vec<usize>> {
    let gone: Vec<usize> = match axes {
        Some(axes) => axes.iter().map(|&a| axis(a, shape.len())).collect::<Result<_>>()?,
        None => (0..shape.len()).filter(|&i| shape[i] == 1).collect(),
    };
    if gone.iter().any(|&i| shape[i] != 1) {
        return Err(OnnxError::node(format!("axes {gone:?} of {shape:?} are not all of extent 1")));
    }
    Ok((0..shape.len()).filter(|i| !gone.contains(i)).map(|i| shape[i]).collect())
}

/// Extents with new axes of extent 1.
pub(crate) fn unsqueezed(shape: &[usize], axes: &[i64]) -> Result<Vec<usize>> {
    let rank = shape.len() + axes.len();
    let new: Vec<usize> = axes.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?;
    let mut old = shape.iter();
    let out: Option<Vec<usize>> =
        (0..rank).map(|i| if new.contains(&i) { Some(1) } else { old.next().copied() }).collect();
    out.filter(|_| old.next().is_none()).ok_or_else(|| OnnxError::node(format!("an axis stands twice in {axes:?}")))
}

/// What a slice takes of an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub start: i64,
    pub step: i64,
    pub len: usize,
}

/// What a Slice takes of each axis.
pub(crate) fn slice_of(
    shape: &[usize],
    starts: Option<Vec<i64>>,
    ends: Option<Vec<i64>>,
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
) -> Result<Vec<Cut>> {
    let starts = starts.unwrap_or_default();
    let ends = ends.unwrap_or_default();
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(OnnxError::node("starts, ends, axes and steps are not equally many"));
    }
    let mut cuts: Vec<Cut> = shape.iter().map(|&len| Cut { start: 0, step: 1, len }).collect();
    for i in 0..starts.len() {
        let at = axis(axes[i], shape.len())?;
        let (n, step) = (shape[at] as i64, steps[i]);
        if step == 0 {
            return Err(OnnxError::node("a step is 0"));
        }
        let place = |p: i64| if p < 0 { p.saturating_add(n) } else { p };
        let (start, len) = if step > 0 {
            let (start, end) = (place(starts[i]).clamp(0, n), place(ends[i]).clamp(0, n));
            (start, (end - start).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
        } else {
            let (start, end) = (place(starts[i]).clamp(-1, n - 1), place(ends[i]).clamp(-1, n - 1));
            (start, (start - end).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
        };
        cuts[at] = Cut { start, step, len: len as usize };
    }
    Ok(cuts)
}
