//! Tensors of others as the weights of a model of this project: found by their names, in this project's order of channels.

use std::collections::BTreeMap;

use chiaro_graph::Tensor;
use chiaro_nn::{DeclaredState, Model};

use super::names::{self, Scheme};
use super::prefix::Within;

/// Tensors by the names that a network may have.
type Named<'g> = BTreeMap<&'g str, &'g Tensor>;

/// What others call what this project calls the first: the last layer, and norms of old DenseNets.
const NAMES: &[(&str, &[&str])] = &[
    ("fc.", &["linear.", "head.", "head.fc.", "classifier."]),
    ("classifier.", &["fc.", "head."]),
    ("head.", &["fc.", "classifier.", "head.fc."]),
    ("norm1.", &["norm.1."]),
    ("norm2.", &["norm.2."]),
    ("conv1.", &["conv.1."]),
    ("conv2.", &["conv.2."]),
];

/// Weights by this project's names, and what did not fit.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The weights, channels last.
    pub tensors: BTreeMap<String, Tensor>,
    /// States of the model that the file has not, or has with other extents; with both extents.
    pub missing: Vec<String>,
    /// Tensors of the file that the model has not, with their extents.
    pub extra: Vec<String>,
    /// What is to be told: which names were taken where several fit, and what is not as it was where the weights come from.
    pub remarks: Vec<String>,
}

/// The names that a state may have elsewhere; those of a scheme first.
fn candidates(name: &str, scheme: Option<&Scheme>) -> Vec<String> {
    let mut all = scheme.map_or(vec![], |scheme| scheme.names(name));
    all.push(name.to_string());
    for (own, others) in NAMES {
        let places = name.match_indices(own).filter(|(at, _)| *at == 0 || name.as_bytes()[at - 1] == b'.');
        for (at, _) in places {
            all.extend(others.iter().map(|other| format!("{}{other}{}", &name[..at], &name[at + own.len()..])));
        }
    }
    all
}

/// Extents as PyTorch has them.
fn torch_shape(state: &DeclaredState) -> Vec<usize> {
    match state.shape[..] {
        [o, h, w, i] => vec![o, i, h, w],
        _ => state.shape.clone(),
    }
}

/// Whether a tensor has these extents, but for such as join others: a dense layer may be a convolution there.
fn is_of(tensor: &Tensor, wanted: &[usize]) -> bool {
    let shape = tensor.shape();
    let joined = shape.len() != wanted.len() && shape.first() == wanted.first();
    shape == wanted || (joined && shape.iter().product::<usize>() == wanted.iter().product::<usize>())
}

/// The tensor that is meant by a state's name, the first with its extents or else the first.
fn meant<'g>(state: &DeclaredState, scheme: Option<&Scheme>, given: &Named<'g>) -> Option<(&'g str, &'g Tensor)> {
    let wanted = torch_shape(state);
    let candidates = candidates(&state.name, scheme);
    let found: Vec<_> = candidates.iter().filter_map(|n| given.get_key_value(n.as_str())).collect();
    found.iter().find(|(_, tensor)| is_of(tensor, &wanted)).or(found.first()).map(|(name, tensor)| (**name, **tensor))
}

/// The scheme by which most states are found; `None` for this project's own names.
fn scheme_of(model: &Model, given: &Named<'_>) -> Option<&'static Scheme> {
    let states = &model.declared().states;
    let count = |scheme: Option<&Scheme>| states.iter().filter(|s| meant(s, scheme, given).is_some()).count();
    let own = count(None);
    let best = Scheme::of(&model.name).map(|scheme| (count(Some(scheme)), scheme)).max_by_key(|(n, _)| *n)?;
    (best.0 > own).then_some(best.1)
}

/// How many of a model's states are there with their extents, by this project's names or by a scheme.
pub(super) fn found(model: &Model, given: &Named<'_>) -> usize {
    let count = |scheme| {
        let is_there = |state: &&DeclaredState| {
            meant(state, scheme, given).is_some_and(|(_, tensor)| is_of(tensor, &torch_shape(state)))
        };
        model.declared().states.iter().filter(is_there).count()
    };
    Scheme::of(&model.name).map(|scheme| count(Some(scheme))).fold(count(None), usize::max)
}

/// Takes what fits of a state dict for a model; `eps` is what its batch norms add to the variance, where that is known.
pub fn fit(model: &Model, given: &BTreeMap<String, Tensor>, eps: Option<f64>) -> Fitted {
    let within = Within::best(model, given);
    let (all, given) = (given, &within.tensors);
    let scheme = scheme_of(model, given);
    let remark = scheme.and_then(|s| Some(format!("named as {} does: {}", s.name, s.remark?)));
    let part = |others: &[&str]| {
        format!("the names that begin with {:?} were taken; as well would fit {}", within.prefix, others.join(", "))
    };
    let parts = (!within.also.is_empty()).then(|| part(&within.also));
    let remarks = parts.into_iter().chain(remark).collect();
    let mut fitted = Fitted { tensors: BTreeMap::new(), missing: vec![], extra: vec![], remarks };
    // The same sum under the root, whatever this model's norms add.
    let own = names::own_eps(&model.name);
    let shift = eps.or(scheme.map(|scheme| scheme.eps)).map_or(0.0, |theirs| theirs - own);
    let mut used = vec![];
    for state in &model.declared().states {
        let wanted = torch_shape(state);
        let Some((name, tensor)) = meant(state, scheme, given) else {
            if let Some(made) = padded_shortcut(state, given) {
                fitted.tensors.insert(state.name.clone(), made);
                continue;
            }
            fitted.missing.push(format!("{} {wanted:?}", state.name));
            continue;
        };
        used.push(name);
        match tensor.as_f32().filter(|_| is_of(tensor, &wanted)) {
            Some(values) => {
                let shift = if state.name.ends_with("running_var") { shift as f32 } else { 0.0 };
                let own = model.torch_order(state).iter().map(|&at| values[at] + shift).collect();
                fitted.tensors.extend(Tensor::f32(state.shape.clone(), own).map(|t| (state.name.clone(), t)));
            }
            None => fitted.missing.push(format!("{} {wanted:?} ({:?} there)", state.name, tensor.shape())),
        }
    }
    let is_used = |name: &str| name.strip_prefix(within.prefix).is_some_and(|name| used.contains(&name));
    let unknown = all.iter().filter(|(n, _)| !is_used(n) && !n.ends_with("num_batches_tracked"));
    fitted.extra = unknown.map(|(name, tensor)| format!("{name} {:?}", tensor.shape())).collect();
    fitted
}

/// The state of a shortcut by convolution that does what one without weights does: every second pixel, and zeros for the channels
/// before and behind (option A of arXiv:1512.03385), where the file has no shortcuts.
fn padded_shortcut(state: &DeclaredState, given: &Named<'_>) -> Option<Tensor> {
    if !state.name.contains(".downsample.") || given.keys().any(|n| n.contains("downsample") || n.contains("shortcut"))
    {
        return None;
    }
    let n = state.shape.iter().product();
    let values = match state.shape[..] {
        [o, 1, 1, i] if o == 2 * i => {
            (0..n).map(|at| f32::from(u8::from((at / i).checked_sub(i / 2) == Some(at % i)))).collect()
        }
        [_] if state.name.ends_with(".weight") => vec![1.0; n],
        // With the epsilon of batch norm this is 1.
        [_] if state.name.ends_with("running_var") => vec![1.0 - 1e-5; n],
        [_] => vec![0.0; n],
        _ => return None,
    };
    Tensor::f32(state.shape.clone(), values)
}

/// How many classes the last layer of a state dict has, for a model of this kind.
pub fn classes_of(model: &Model, given: &BTreeMap<String, Tensor>) -> Option<usize> {
    let last = model.declared().states.iter().rev().find(|s| s.name.ends_with("bias") || s.shape.len() == 2)?;
    let given = Within::best(model, given).tensors;
    let (_, tensor) = meant(last, scheme_of(model, &given), &given)?;
    tensor.shape().first().copied()
}

/// A model's weights by name in PyTorch's order and extents.
pub(super) fn unfit(model: &Model, tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let one = |state: &DeclaredState| {
        let own = tensors.get(&state.name)?.as_f32()?;
        let mut theirs = vec![0.0; own.len()];
        model.torch_order(state).iter().zip(own).for_each(|(&at, &v)| theirs[at] = v);
        Some((state.name.clone(), Tensor::f32(torch_shape(state), theirs)?))
    };
    model.declared().states.iter().filter_map(one).collect()
}
