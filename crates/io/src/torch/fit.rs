//! Tensors of others as the weights of a model of this project: names, and the order of channels.

use std::collections::BTreeMap;

use chiaro_graph::Tensor;
use chiaro_nn::{DeclaredState, Model};

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
}

/// The names that a state may have elsewhere.
fn candidates(name: &str) -> Vec<String> {
    let mut all = vec![name.to_string()];
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

/// Takes what fits of a state dict for a model.
pub fn fit(model: &Model, given: &BTreeMap<String, Tensor>) -> Fitted {
    let mut fitted = Fitted { tensors: BTreeMap::new(), missing: vec![], extra: vec![] };
    let mut used = vec![];
    for state in &model.declared().states {
        let wanted = torch_shape(state);
        let found = candidates(&state.name).into_iter().find_map(|n| given.get_key_value(&n));
        let Some((name, tensor)) = found else {
            if let Some(made) = padded_shortcut(state, given) {
                fitted.tensors.insert(state.name.clone(), made);
                continue;
            }
            fitted.missing.push(format!("{} {wanted:?}", state.name));
            continue;
        };
        used.push(name.as_str());
        match tensor.as_f32().filter(|_| tensor.shape() == wanted) {
            Some(values) => {
                let own = model.torch_order(state).iter().map(|&at| values[at]).collect();
                fitted.tensors.extend(Tensor::f32(state.shape.clone(), own).map(|t| (state.name.clone(), t)));
            }
            None => fitted.missing.push(format!("{} {wanted:?} ({:?} there)", state.name, tensor.shape())),
        }
    }
    let unknown = given.iter().filter(|(n, _)| !used.contains(&n.as_str()) && !n.ends_with("num_batches_tracked"));
    fitted.extra = unknown.map(|(name, tensor)| format!("{name} {:?}", tensor.shape())).collect();
    fitted
}

/// The state of a shortcut by convolution that does what one without weights does: every second pixel, and zeros for the channels
/// before and behind (option A of arXiv:1512.03385), where the file has no shortcuts.
fn padded_shortcut(state: &DeclaredState, given: &BTreeMap<String, Tensor>) -> Option<Tensor> {
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
    let tensor = candidates(&last.name).into_iter().find_map(|n| given.get(&n))?;
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
