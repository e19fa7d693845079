//! Movement on the host: what shapes, axes and weights go through before a kernel takes them.

use std::sync::Arc;

use super::arithmetic::{broadcast, places};
use super::cast;
use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::extents::{reshaped, slice_of, squeezed, unsqueezed};
use crate::host::{Elem, Host, Values, check_made, count, strides};
use crate::tensor;

/// Most elements of a constant that is computed as it is read, which takes time and no memory.
const MOST_COMPUTED: usize = 1 << 30;

/// The results of an op that moves elements; `None` for others.
pub(super) fn node(call: &Call<'_>, inputs: &[Option<&Host>]) -> Result<Option<Vec<Host>>> {
    let input = |i: usize| inputs.get(i).copied().flatten();
    let Some(x) = input(0) else { return Ok(None) };
    let given = |i: usize, attribute: &str| match input(i) {
        Some(host) => host.to_ints().map(Some),
        None => Ok(call.ints(attribute)),
    };
    Ok(Some(vec![match call.proto.op_type() {
        "Identity" => x.clone(),
        "Trilu" if x.is_empty() => x.clone(),
        "Shape" => {
            let range = shape_range(call, x.shape.len());
            Host::ints(&[range.len()], range.map(|i| x.shape[i] as i64).collect())
        }
        "Size" => Host::ints(&[], vec![x.len() as i64]),
        "Cast" => cast(x, Elem::from_onnx(call.int("to", 0) as i32)?)?,
        "Reshape" => {
            let Some(shape) = given(1, "shape")? else { return Ok(None) };
            x.reshaped(&reshaped(&x.shape, &shape, call.flag("allowzero", false))?)?
        }
        "Flatten" => {
            let at = call.int("axis", 1);
            let at = if at < 0 { at + x.shape.len() as i64 } else { at } as usize;
            x.reshaped(&[count(&x.shape[..at.min(x.shape.len())]), count(&x.shape[at.min(x.shape.len())..])])?
        }
        "Squeeze" => x.reshaped(&squeezed(&x.shape, given(1, "axes")?.as_deref())?)?,
        "Unsqueeze" => x.reshaped(&unsqueezed(&x.shape, &given(1, "axes")?.unwrap_or_default())?)?,
        "Transpose" => {
            let usual = || (0..x.shape.len() as i64).rev().collect();
            let perm = call.ints("perm").unwrap_or_else(usual);
            let perm: Vec<usize> = perm.iter().map(|&a| axis(a, x.shape.len())).collect::<Result<_>>()?;
            x.permuted(&perm)?
        }
        "Concat" => concat(inputs, call)?,
        "Slice" => {
            let ranges =
                slice_of(&x.shape, given(1, "starts")?, given(2, "ends")?, given(3, "axes")?, given(4, "steps")?)?;
            let own = strides(&x.shape);
            let shape: Vec<usize> = ranges.iter().map(|r| r.len).collect();
            x.picked(&shape, |place| {
                (0..place.len()).map(|i| (ranges[i].start + ranges[i].step * place[i] as i64) as usize * own[i]).sum()
            })
        }
        "Gather" => {
            let Some(index) = input(1) else { return Ok(None) };
            gather(x, index, axis(call.int("axis", 0), x.shape.len())?, call.room)?
        }
        "Expand" => {
            let shape = input(1).map(Host::to_ints).transpose()?.unwrap_or_default();
            let shape: Vec<usize> = shape.iter().map(|&n| n.max(0) as usize).collect();
            let shape = broadcast(&x.shape, &shape)?;
            check_made(&shape, x.len(), call.room)?;
            spread(x, &shape)
        }
        "ConstantOfShape" => {
            let shape: Vec<usize> = x.to_ints()?.iter().map(|&n| n.max(0) as usize).collect();
            let value = call.tensor("value").map(tensor::host).transpose()?.unwrap_or(Host::floats(&[1], vec![0.0]));
            check_made(&shape, MOST_COMPUTED, call.room)?;
            // A large one is made on the device.
            if value.elem.is_float() && check_made(&shape, 1, call.room).is_err() {
                return Ok(None);
            }
            check_made(&shape, 1, call.room)?;
            spread(&value.reshaped(&[])?, &shape)
        }
        "Where" => {
            let (Some(a), Some(b)) = (input(1), input(2)) else { return Ok(None) };
            choose(x, a, b, call.room)?
        }
        "Range" => {
            let (Some(to), Some(by)) = (input(1), input(2)) else { return Ok(None) };
            let (from, to, by) = (x.scalar()?, to.scalar()?, by.scalar()?);
            let n = ((to - from) / by).ceil().max(0.0) as usize;
            check_made(&[n], 3, call.room)?;
            if x.elem.is_float() {
                Host::floats(&[n], (0..n).map(|i| (from + by * i as f64) as f32).collect())
            } else {
                Host { elem: x.elem, ..Host::ints(&[n], (0..n).map(|i| (from + by * i as f64) as i64).collect()) }
            }
        }
        _ => return Ok(None),
    }]))
}

/// The axes that a Shape node tells.
pub(crate) fn shape_range(call: &Call<'_>, rank: usize) -> std::ops::Range<usize> {
    let place = |n: i64| (if n < 0 { n + rank as i64 } else { n }).clamp(0, rank as i64) as usize;
    let (start, end) = (place(call.int("start", 0)), place(call.int("end", rank as i64)));
    start..end.max(start)
}

/// A tensor under extents that it broadcasts to.
fn spread(x: &Host, shape: &[usize]) -> Host {
    let places = places(&x.shape, shape);
    let all = strides(shape);
    x.picked(shape, |place| places[place.iter().zip(&all).map(|(i, s)| i * s).sum::<usize>()])
}

fn concat(inputs: &[Option<&Host>], call: &Call<'_>) -> Result<Host> {
    let parts: Vec<&Host> = inputs.iter().copied().flatten().collect();
    let first = parts[0];
    let axis = axis(call.int("axis", 0), first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = parts.iter().map(|p| p.shape.get(axis).copied().unwrap_or(0)).sum();
    let lead = count(&shape[..axis]);
    let rows = |p: &Host| p.len() / lead.max(1);
    let values = if first.elem.is_float() {
        let all: Vec<Vec<f32>> = parts.iter().map(|p| p.to_floats()).collect::<Result<_>>()?;
        let row = |i: usize| all.iter().zip(&parts).flat_map(move |(v, p)| v[i * rows(p)..(i + 1) * rows(p)].to_vec());
        Values::Floats(Arc::new((0..lead).flat_map(row).collect()))
    } else {
        let all: Vec<Vec<i64>> = parts.iter().map(|p| p.to_ints()).collect::<Result<_>>()?;
        let row = |i: usize| all.iter().zip(&parts).flat_map(move |(v, p)| v[i * rows(p)..(i + 1) * rows(p)].to_vec());
        Values::Ints(Arc::new((0..lead).flat_map(row).collect()))
    };
    if values.len() != Some(count(&shape)) {
        return Err(OnnxError::node("the parts do not fit each other"));
    }
    Ok(Host { shape, elem: first.elem, values })
}

fn gather(x: &Host, index: &Host, axis: usize, room: usize) -> Result<Host> {
    let n = x.shape[axis];
    let at: Option<Vec<usize>> = index
        .to_ints()?
        .into_iter()
        .map(|i| usize::try_from(if i < 0 { i + n as i64 } else { i }).ok().filter(|&i| i < n))
        .collect();
    let at = at.ok_or_else(|| OnnxError::node(format!("an index is outside of {n}")))?;
    let shape = [&x.shape[..axis], &index.shape[..], &x.shape[axis + 1..]].concat();
    check_made(&shape, x.len(), room)?;
    let (own, inner, rank) = (strides(&x.shape), strides(&index.shape), index.shape.len());
    Ok(x.picked(&shape, |place| {
        let chosen: usize = place[axis..axis + rank].iter().zip(&inner).map(|(i, s)| i * s).sum();
        let before: usize = place[..axis].iter().zip(&own).map(|(i, s)| i * s).sum();
        let after: usize = place[axis + rank..].iter().zip(&own[axis + 1..]).map(|(i, s)| i * s).sum();
        before + at[chosen] * own[axis] + after
    }))
}

fn choose(c: &Host, a: &Host, b: &Host, room: usize) -> Result<Host> {
    let shape = broadcast(&broadcast(&c.shape, &a.shape)?, &b.shape)?;
    check_made(&shape, a.len().max(b.len()).max(c.len()), room)?;
    let [pc, pa, pb] = [c, a, b].map(|host| places(&host.shape, &shape));
    let (c, elem) = (c.to_ints()?, a.elem);
    let values = if elem.is_float() {
        let (a, b) = (a.to_floats()?, b.to_floats()?);
        let made = (0..pc.len()).map(|i| if c[pc[i]] != 0 { a[pa[i]] } else { b[pb[i]] });
        Values::Floats(Arc::new(made.collect()))
    } else {
        let (a, b) = (a.to_ints()?, b.to_ints()?);
        let made = (0..pc.len()).map(|i| if c[pc[i]] != 0 { a[pa[i]] } else { b[pb[i]] });
        Values::Ints(Arc::new(made.collect()))
    };
    Ok(Host { shape, elem, values })
}
