//! Which dictionary of a file is meant as its state dict: training scripts keep it below keys of their own, beside averages of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use super::pickle::{Id, Unpickler};

/// Keys of averages of weights over the steps. They are taken before the weights themselves, as timm does with the first two.
const AVERAGES: [&str; 6] =
    ["state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "params_ema", "ema"];
/// Keys of weights, the best first.
const KEYS: [&str; 9] =
    ["state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "model_weights", "checkpoint"];
/// Beginnings of keys below which tensors are no weights of a model.
const OTHERS: [&str; 6] = ["optim", "scheduler", "lr_sched", "scaler", "hyper_parameters", "callbacks"];

/// Dictionaries within each other, and all of them, that are looked through.
const DEEPEST: usize = 5;
const MOST: usize = 10_000;
/// Bytes of a name below which further parts are looked for.
const LONGEST: usize = 300;
/// What the parts of a network hold, all together, and what a part has beside its tensors and parts: no network has been seen with a tenth.
const LOOKED: usize = 100_000;
const KEPT: usize = 1_000;
/// Networks that a file may hold beside each other.
const NETWORKS: usize = 64;

/// A dictionary with tensors.
#[derive(Debug)]
struct Candidate {
    at: Id,
    path: Vec<String>,
    tensors: usize,
}

/// The dictionary that is meant, and what is to be told of the choice.
#[derive(Debug)]
pub(super) struct Found {
    pub at: Id,
    /// The weights themselves, where averages of them were taken, and the name of their key.
    pub beside: Option<(Id, String)>,
    pub note: Option<String>,
}

/// Looks for the state dict below a value.
pub(super) fn find(machine: &Unpickler, root: Id) -> Result<Found, String> {
    let all = candidates(machine, root);
    let Some(best) = all.iter().map(Candidate::rank).min() else {
        let nothing = "no dictionary in it holds tensors by their names: save a state dict";
        return Err(match machine.opaque(root) {
            Some(class) => format!("it is a {class}, of which nothing is read: save its state dict"),
            None => nothing.to_string(),
        });
    };
    let mut equal: Vec<&Candidate> = all.iter().filter(|one| one.rank() == best).collect();
    equal.sort_by_key(|one| Reverse(one.tensors));
    // Of equal places the one with most of the tensors is meant, if any is.
    if equal.len() > 1 && equal[0].tensors < 2 * equal[1].tensors {
        return Err(format!("it holds several state dicts, {}: save one of them alone", named(&equal)));
    }
    let taken = equal[0];
    let others: Vec<&Candidate> = all.iter().filter(|one| one.at != taken.at).collect();
    let note = match (taken.average(), others.is_empty()) {
        (true, false) => Some(format!("its {} was taken, an average of weights, not {}", taken.name(), named(&others))),
        (false, false) => Some(format!("its {} was taken, not {}", taken.name(), named(&others))),
        (_, true) => None,
    };
    let weights = others.iter().filter(|one| taken.average() && !one.average()).min_by_key(|one| one.rank());
    Ok(Found { at: taken.at, beside: weights.map(|one| (one.at, one.name())), note })
}

impl Candidate {
    /// The least is the best: averages, then weights by keys that are known, then others; of each the outermost.
    fn rank(&self) -> (usize, usize, usize) {
        let place = |keys: &[&str]| self.path.iter().filter_map(|key| keys.iter().position(|k| k == key)).min();
        let known = |key: &String| AVERAGES.contains(&key.as_str()) || KEYS.contains(&key.as_str());
        match (place(&AVERAGES), place(&KEYS)) {
            _ if self.path.is_empty() || !self.path.iter().all(known) => (2, self.path.len(), 0),
            (Some(average), _) => (0, self.path.len(), average),
            (None, key) => (1, self.path.len(), key.unwrap_or(KEYS.len())),
        }
    }

    fn average(&self) -> bool {
        self.rank().0 == 0
    }

    fn name(&self) -> String {
        if self.path.is_empty() { "outermost dictionary".to_string() } else { self.path.join(".") }
    }
}

fn named(some: &[&Candidate]) -> String {
    const SHOWN: usize = 4;
    let mut names: Vec<String> = some.iter().take(SHOWN).map(|one| one.name()).collect();
    if some.len() > SHOWN {
        names.push(format!("{} more", some.len() - SHOWN));
    }
    names.join(", ")
}

/// All dictionaries that hold tensors by their names, the outermost first, each once.
fn candidates(machine: &Unpickler, root: Id) -> Vec<Candidate> {
    let (mut found, mut seen) = (vec![], HashSet::from([root]));
    let mut level = vec![(root, vec![])];
    let mut networks = 0;
    for _ in 0..DEEPEST {
        let mut below = vec![];
        for (at, path) in level {
            let entries = entries(machine, at);
            let tensors = entries.values().filter(|&&value| machine.tensor(value).is_some()).count();
            for (key, value) in entries {
                let weights = !OTHERS.iter().any(|other| key.starts_with(other));
                if !weights || seen.len() >= MOST || seen.contains(&value) {
                    continue;
                }
                let is_network = networks < NETWORKS && is_network(machine, value);
                networks += usize::from(is_network);
                if machine.is_dict(value) || is_network {
                    seen.insert(value);
                    below.push((value, path.iter().cloned().chain([key]).collect()));
                }
            }
            if tensors > 0 {
                found.push(Candidate { at, path, tensors });
            }
        }
        level = below;
    }
    found
}

/// The values of a dictionary by their names; of equal names the last, as Python has it. Of a network that was saved whole its parameters and
/// buffers, by the names that its state dict would have.
pub(super) fn entries(machine: &Unpickler, at: Id) -> BTreeMap<String, Id> {
    if is_network(machine, at) {
        return of_network(machine, at);
    }
    texts(machine, at).map(|(key, value)| (key.to_string(), value)).collect()
}

fn texts(machine: &Unpickler, at: Id) -> impl Iterator<Item = (&str, Id)> {
    let entries = machine.entries(at).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((machine.text(key)?, value)))
}

/// What a network keeps under a name, as PyTorch's modules do.
fn kept(machine: &Unpickler, at: Id, name: &str) -> Option<Id> {
    let state = machine.state(at).filter(|&state| machine.entries(state).is_some_and(|all| all.count() <= KEPT))?;
    texts(machine, state).filter(|(key, _)| *key == name).last().map(|(_, value)| value)
}

/// Whether a value is a network that was saved whole: an object of a class that is not known, filled as PyTorch's modules are, or of TorchScript.
fn is_network(machine: &Unpickler, at: Id) -> bool {
    is_script(machine, at) || (kept(machine, at, "_parameters").is_some() && kept(machine, at, "_modules").is_some())
}

/// Whether it is one of TorchScript, which keeps tensors and parts side by side.
fn is_script(machine: &Unpickler, at: Id) -> bool {
    machine.opaque(at).is_some_and(|class| class.starts_with("__torch__.")) && machine.state(at).is_some()
}

/// The tensors of a network and of the networks in it.
fn of_network(machine: &Unpickler, root: Id) -> BTreeMap<String, Id> {
    let (mut found, mut seen) = (BTreeMap::new(), HashSet::from([root]));
    let mut left = vec![(root, String::new())];
    // Parts of a small file may share what they hold.
    let mut room = LOOKED;
    while let Some((at, path)) = left.pop().filter(|_| room > 0) {
        let kinds = |names: &[&str]| -> Vec<Id> { names.iter().filter_map(|name| kept(machine, at, name)).collect() };
        let script = || machine.state(at).into_iter().collect();
        // Beside its tensors TorchScript keeps settings, of which nothing is told.
        let is_script = is_script(machine, at);
        let (tensors, parts) = match is_script {
            true => (script(), script()),
            false => (kinds(&["_parameters", "_buffers"]), kinds(&["_modules"])),
        };
        let unread = |value: Id| !is_script && machine.opaque(value).is_some() && !is_network(machine, value);
        let short = |(name, _): &(&str, Id)| name.len() < LONGEST;
        for (name, value) in tensors.into_iter().flat_map(|dict| texts(machine, dict)).filter(short).take(room) {
            room = room.saturating_sub(1);
            if machine.tensor(value).is_some() || unread(value) {
                found.insert(format!("{path}{name}"), value);
            }
        }
        for (name, inner) in parts.into_iter().flat_map(|dict| texts(machine, dict)).filter(short).take(room) {
            room = room.saturating_sub(1);
            // A part that stands in two places is read in one of them, and long names end somewhere.
            if is_network(machine, inner) && path.len() < LONGEST && seen.insert(inner) {
                left.push((inner, format!("{path}{name}.")));
            }
        }
    }
    found
}
