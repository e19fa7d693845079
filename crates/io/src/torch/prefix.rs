//! Names that stand within something larger: `model.conv1.weight` of a module that holds the network beside its loss.

use std::collections::{BTreeMap, BTreeSet};

use chiaro_graph::Tensor;
use chiaro_nn::Model;

use super::fit::found;

/// Parts of a name that may be no part of a network's own.
const DEEPEST: usize = 3;

/// Tensors of a file by the names that a network's states may have.
pub(super) struct Within<'g> {
    /// What stands before these names in the file.
    pub prefix: &'g str,
    /// Other prefixes by which as many states are found.
    pub also: Vec<&'g str>,
    pub tensors: BTreeMap<&'g str, &'g Tensor>,
}

impl<'g> Within<'g> {
    fn of(given: &'g BTreeMap<String, Tensor>, prefix: &'g str) -> Within<'g> {
        let tensors = given.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
        Within { prefix, also: vec![], tensors: tensors.collect() }
    }

    /// The names as they stand, or those of a part of the file by which more of the model's states are found.
    pub fn best(model: &Model, given: &'g BTreeMap<String, Tensor>) -> Within<'g> {
        let plain = Within::of(given, "");
        let as_it_stands = found(model, &plain.tensors);
        if as_it_stands == model.declared().states.len() {
            return plain;
        }
        let (mut most, mut best) = (as_it_stands, vec![]);
        for prefix in prefixes(given) {
            let part = Within::of(given, prefix);
            // No more can be found than there are.
            let count = if part.tensors.len() < most { 0 } else { found(model, &part.tensors) };
            if count > most {
                (most, best) = (count, vec![]);
            }
            if count == most && count > as_it_stands {
                best.push(part);
            }
        }
        // As of whole dictionaries, an average of weights before the weights.
        best.sort_by_key(|part| !part.prefix.contains("ema"));
        let also: Vec<&str> = best.iter().skip(1).map(|part| part.prefix).collect();
        match best.into_iter().next() {
            Some(part) => Within { also, ..part },
            None => plain,
        }
    }
}

/// The first parts of names, each with its dot.
fn prefixes(given: &BTreeMap<String, Tensor>) -> BTreeSet<&str> {
    let of = |name: &'_ String| name.match_indices('.').take(DEEPEST).map(|(at, _)| at + 1).collect::<Vec<_>>();
    given.keys().flat_map(|name| of(name).into_iter().map(|end| &name[..end])).collect()
}
