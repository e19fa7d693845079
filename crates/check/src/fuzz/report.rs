//! What a run over many random graphs found, and what occurred in them.

use super::expect::last_readers;
use super::{Executor, Failure, Outcome, Question, Tally};
use std::collections::BTreeMap;

/// How often something occurred.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Coverage {
    /// Ops of the nodes that outputs or assignments need.
    pub ops: BTreeMap<String, u64>,
    /// Kernels that executors called, by executor.
    pub kernels: BTreeMap<String, BTreeMap<String, u64>>,
    /// Graphs by their number of needed nodes: up to 3, 10, 30, 100, and more.
    pub sizes: [u64; 5],
}

/// A graph that failed.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its seed.
    pub seed: u64,
    /// Who failed.
    pub executor: String,
    /// How; of the smaller graph.
    pub failure: Failure,
    /// The smaller graph as builder calls; none if it could not be made.
    pub graph: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct FuzzReport {
    /// Graphs that ran.
    pub graphs: u64,
    /// Elements compared, by executor.
    pub tallies: BTreeMap<String, Tally>,
    /// Graphs that write states.
    pub with_assignments: u64,
    /// Of the graph of which most was left out, the part that was.
    pub largest_share_left_out: f64,
    /// What occurred.
    pub coverage: Coverage,
    /// What failed.
    pub failures: Vec<Found>,
}

impl FuzzReport {
    pub(super) fn count(&mut self, question: &Question) {
        self.graphs += 1;
        let graph = &question.graph;
        self.with_assignments += u64::from(!graph.assignments().is_empty());
        let needed = last_readers(graph);
        let nodes = graph.nodes().iter().zip(&needed).filter(|(_, n)| n.is_some());
        nodes.for_each(|(node, _)| *self.coverage.ops.entry(node.op.name()).or_default() += 1);
        let count = needed.iter().flatten().count();
        let class = [3, 10, 30, 100].iter().filter(|&&limit| count > limit).count();
        self.coverage.sizes[class] += 1;
    }

    pub(super) fn agreed(&mut self, executor: &Executor<'_>, outcome: &Outcome) {
        self.tallies.entry(executor.name.clone()).or_default().add(outcome.tally);
        let share = outcome.tally.left_out as f64 / outcome.tally.elements.max(1) as f64;
        self.largest_share_left_out = self.largest_share_left_out.max(share);
        let kernels = self.coverage.kernels.entry(executor.name.clone()).or_default();
        outcome.kernels.iter().for_each(|k| *kernels.entry(k.clone()).or_default() += 1);
    }

    /// Everything that was compared.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.tallies.values().for_each(|t| total.add(*t));
        total
    }
}

impl std::fmt::Display for FuzzReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failures.iter().try_for_each(|found| writeln!(f, "{found}"))?;
        writeln!(f, "{} graphs, {} of them with states", self.graphs, self.with_assignments)?;
        for (executor, tally) in &self.tallies {
            let (all, left) = (tally.elements, tally.left_out);
            writeln!(f, "{executor}: {all} elements compared, {left} left out since rounding decides them")?;
        }
        let failed = self.failures.len();
        write!(f, "{}\n{failed} failure{}", self.coverage, if failed == 1 { "" } else { "s" })
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} on {}: {}", self.seed, self.executor, self.failure)?;
        match &self.graph {
            Some(graph) => f.write_str(graph),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = |counts: &BTreeMap<String, u64>| {
            let mut all: Vec<(&String, &u64)> = counts.iter().collect();
            all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            all.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        let [few, some, many, most, more] = self.sizes;
        writeln!(f, "graphs of up to 3 nodes {few}, 10: {some}, 30: {many}, 100: {most}, more: {more}")?;
        write!(f, "ops: {}", row(&self.ops))?;
        for (executor, kernels) in &self.kernels {
            write!(f, "\nkernels of {executor}: {}", row(kernels))?;
        }
        Ok(())
    }
}
