//! Association rules by Apriori (Agrawal and Srikant, 1994), counted on the device: baskets as a matrix of ones and zeros, candidates as
//! another, and a basket has all k things of a candidate where their product is k. One plan counts every level; candidates are
//! joined on the host from those of the level before all of whose parts are frequent.
//!
//! The 18 baskets of a lesson, and the 3,553 of a year in one store. Support, confidence, lift and leverage of every set and rule are mlxtend's (`tests/goldens/make_apriori.py`). Lessons that sort
//! rules by confidence alone praise those whose right side is in most baskets anyway: lift, confidence by that share, tells them.
//!
//! `cargo run --release --example apriori -- [--device NAME] [baskets.csv support confidence]`

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use chiaro::graph::Shared;
use chiaro::nn::OwnStep;
use chiaro::train::Learner;
use chiaro::{DType, Tensor};

mod drawing;
mod start;
mod tabular;

/// Candidates that are counted in a step.
const CANDIDATES: usize = 128;

/// Things that go together, sorted by their numbers.
type Set = BTreeSet<usize>;

/// If the things on the left are in a basket, those on the right are too.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The left side.
    pub of: Vec<String>,
    /// The right side.
    pub follows: Vec<String>,
    /// Share of baskets with both sides.
    pub support: f64,
    /// Share of baskets with the right side among those with the left.
    pub confidence: f64,
    /// Confidence by the share of baskets with the right side: above 1, the left side speaks for the right.
    pub lift: f64,
    /// Support less what it would be if the sides had nothing to do with each other.
    pub leverage: f64,
}

/// Baskets of things.
pub struct Baskets {
    things: Vec<String>,
    baskets: Vec<Set>,
}

impl Baskets {
    /// Reads a file of one basket a line, things between commas; it may be packed (`.gz`).
    pub fn read(path: &Path) -> Result<Baskets, Box<dyn Error>> {
        let text = tabular::text(path)?;
        let lines: Vec<BTreeSet<&str>> = text
            .lines()
            .map(|line| line.split(',').map(str::trim).filter(|thing| !thing.is_empty()).collect())
            .filter(|basket: &BTreeSet<&str>| !basket.is_empty())
            .collect();
        let things: Vec<&str> = lines.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if things.is_empty() {
            return Err(format!("{} has no baskets", path.display()).into());
        }
        let number = |thing: &&str| things.binary_search(thing).ok();
        let baskets = lines.iter().map(|basket| basket.iter().filter_map(number).collect()).collect();
        Ok(Baskets { things: things.into_iter().map(str::to_string).collect(), baskets })
    }

    fn names(&self, set: &Set) -> Vec<String> {
        set.iter().map(|&thing| self.things[thing].clone()).collect()
    }

    /// Rows of ones and zeros.
    fn matrix(&self, sets: &[Set], rows: usize) -> Option<Tensor> {
        let mut cells = vec![0.0; rows * self.things.len()];
        for (row, set) in sets.iter().enumerate() {
            set.iter().for_each(|thing| cells[row * self.things.len() + thing] = 1.0);
        }
        Tensor::f32([rows, self.things.len()], cells)
    }
}

/// How many baskets have all things of each candidate.
fn counting(baskets: usize, things: usize) -> chiaro::nn::Result<OwnStep> {
    let inputs = [
        ("baskets", &[baskets, things][..], DType::F32),
        ("candidates", &[CANDIDATES, things], DType::F32),
        ("size", &[1], DType::F32),
    ];
    OwnStep::asking(&inputs, |ctx, given| {
        let g = ctx.graph();
        let in_common = g.matmul(given[0], given[1], false, true)?;
        let all = g.equal(in_common, given[2])?;
        let all = g.cast(all, DType::F32)?;
        let counts = g.sum(all, &[0], false)?;
        g.output("counts", counts)
    })
}

/// The sets one larger of which every part is frequent.
fn joined(frequent: &[Set]) -> Vec<Set> {
    let known: BTreeSet<&Set> = frequent.iter().collect();
    let mut larger = BTreeSet::new();
    for (i, one) in frequent.iter().enumerate() {
        for other in &frequent[i + 1..] {
            let both: Set = one.union(other).copied().collect();
            let without = |thing: &usize| both.iter().copied().filter(|known| known != thing).collect::<Set>();
            if both.len() == one.len() + 1 && both.iter().all(|thing| known.contains(&without(thing))) {
                larger.insert(both);
            }
        }
    }
    larger.into_iter().collect()
}

/// The frequent sets with their support.
fn frequent(device: &Shared, baskets: &Baskets, least: f64) -> Result<BTreeMap<Set, f64>, Box<dyn Error>> {
    let n = baskets.baskets.len();
    let all = baskets.matrix(&baskets.baskets, n).ok_or("a row each")?;
    let mut counter = Learner::new(device, counting(n, baskets.things.len())?, 0)?;
    let mut found = BTreeMap::new();
    let mut candidates: Vec<Set> = (0..baskets.things.len()).map(|thing| Set::from([thing])).collect();
    while !candidates.is_empty() {
        let size = Tensor::f32([1], vec![candidates[0].len() as f32]).ok_or("a number")?;
        let mut kept = vec![];
        for part in candidates.chunks(CANDIDATES) {
            let rows = baskets.matrix(part, CANDIDATES).ok_or("a row each")?;
            let counts = counter.ask(&[all.clone(), rows, size.clone()])?.remove(0);
            kept.extend(part.iter().cloned().zip(counts.iter().map(|c| c / n as f64)).filter(|(_, s)| *s >= least));
        }
        println!("{} of {} sets of {} are frequent", kept.len(), candidates.len(), candidates[0].len());
        let sets: Vec<Set> = kept.iter().map(|(set, _)| set.clone()).collect();
        found.extend(kept);
        candidates = joined(&sets);
    }
    counter.close()?;
    Ok(found)
}

/// The rules of a set: each part of it that is not all against the rest.
fn rules_of(baskets: &Baskets, found: &BTreeMap<Set, f64>, set: &Set, confidence: f64) -> Vec<Rule> {
    let things: Vec<usize> = set.iter().copied().collect();
    let mut rules = vec![];
    for chosen in 1..(1usize << things.len()) - 1 {
        let (left, right): (Vec<_>, Vec<_>) = things.iter().enumerate().partition(|(i, _)| chosen >> i & 1 == 1);
        let [left, right] = [left, right].map(|side| side.into_iter().map(|(_, thing)| *thing).collect::<Set>());
        let (support, of, follows) = (found[set], found[&left], found[&right]);
        if support / of >= confidence {
            rules.push(Rule {
                of: baskets.names(&left),
                follows: baskets.names(&right),
                support,
                confidence: support / of,
                lift: support / of / follows,
                leverage: support - of * follows,
            });
        }
    }
    rules
}

/// Frequent sets with their support, and the rules among them; draws the rules.
#[allow(clippy::type_complexity, reason = "named where it is taken apart")]
pub fn run(
    device: &Shared,
    file: &Path,
    support: f64,
    confidence: f64,
    picture: &Path,
) -> Result<(Vec<(Vec<String>, f64)>, Vec<Rule>), Box<dyn Error>> {
    let baskets = Baskets::read(file)?;
    println!("{}: {} baskets of {} things", file.display(), baskets.baskets.len(), baskets.things.len());
    let found = frequent(device, &baskets, support)?;
    let mut rules: Vec<Rule> = found.keys().flat_map(|set| rules_of(&baskets, &found, set, confidence)).collect();
    rules.sort_by(|a, b| b.lift.total_cmp(&a.lift));
    println!("{} rules of a confidence of {confidence} at least; those of the most lift:", rules.len());
    for rule in rules.iter().take(5) {
        let [of, follows] = [&rule.of, &rule.follows].map(|side| side.join(", "));
        let Rule { support, confidence, lift, leverage, .. } = rule;
        println!(
            "  {of} -> {follows}: support {support:.3}, confidence {confidence:.3}, lift {lift:.2}, leverage {leverage:.4}"
        );
    }
    let (x, lifts) = (drawing::span(rules.iter().map(|r| r.support)), drawing::span(rules.iter().map(|r| r.lift)));
    let mut chart = drawing::Chart::new([560, 400], "rules: support (x) and lift (y)", x, lifts);
    chart.points(rules.iter().map(|r| [r.support, r.lift]), drawing::COLOURS[0]);
    chart.save(picture)?;
    Ok((found.iter().map(|(set, support)| (baskets.names(set), *support)).collect(), rules))
}

/// A share of a whole that a word tells.
fn share(what: &str, word: &str) -> Result<f64, Box<dyn Error>> {
    let share: Option<f64> = word.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("the least {what} is a share from 0 to 1, such as 0.2, not {word:?}").into())
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("apriori.rs"))?;
    let device = device.share();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            run(&device, &tabular::path("baskets_18.csv"), 0.2, 0.6, "apriori_18.png".as_ref())?;
            let grocery = tabular::path("baskets_grocery.csv.gz");
            run(&device, &grocery, 0.03, 0.5, "apriori_grocery.png".as_ref())?;
        }
        [file, support, confidence] => {
            let [support, confidence] = [share("support", support)?, share("confidence", confidence)?];
            if support == 0.0 {
                return Err("a support of 0 keeps every set: take a share above it".into());
            }
            run(&device, file.as_ref(), support, confidence, "apriori.png".as_ref())?;
        }
        _ => return Err("takes nothing, or a file of baskets, the least support and the least confidence".into()),
    }
    Ok(())
}
