//! Averages of the weights over steps, beside the weights themselves.

use crate::error::{NnError, Result};
use chiaro_graph::{ArenaId, ArenaRole, Graph, Initial, Target, Var};

/// An average of parameters and running statistics that a training step keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Average {
    /// Exponential: the old average keeps this share in each update, in the first ones (1 + t) / (10 + t) where that is less, so
    /// that the start is forgotten.
    Exponential {
        /// The share, below 1.
        keep: f64,
    },
    /// Stochastic weight averaging (arXiv:1803.05407): the mean of the weights after every `every` updates, those before
    /// `from` left out.
    Equal {
        /// Updates before the first that counts.
        from: u64,
        /// Updates from one that counts to the next.
        every: u64,
    },
    /// Lookahead (arXiv:1907.08610): exponential, after every `every` updates alone, and the weights go back to it. What it keeps
    /// rises with the cube of the share of the run that is done (arXiv:2404.00498), so that the start is free.
    Lookahead {
        /// The share that the old average keeps at the end, below 1.
        keep: f64,
        /// Updates from one to the next.
        every: u64,
        /// Updates of the run.
        over: u64,
    },
}

impl Average {
    /// Looks at its numbers.
    ///
    /// # Errors
    /// [`NnError::Option`] says which is out of range.
    pub fn check(self) -> Result<()> {
        match self {
            Average::Exponential { keep } | Average::Lookahead { keep, .. } if !(0.0..1.0).contains(&keep) => {
                Err(NnError::Option(format!("an average must keep at least 0 and less than 1 of itself, not {keep}")))
            }
            Average::Equal { every: 0, .. } | Average::Lookahead { every: 0, .. } => {
                Err(NnError::Option("weights are averaged every 0 updates".into()))
            }
            Average::Exponential { .. } | Average::Equal { .. } | Average::Lookahead { .. } => Ok(()),
        }
    }

    /// The share of the old average that is kept in update `t`, from 0.
    pub fn kept(self, t: u64) -> f64 {
        match self {
            Average::Exponential { keep } => keep.min((1.0 + t as f64) / (10.0 + t as f64)),
            Average::Equal { from, every } => match (t + 1).checked_sub(from) {
                Some(since) if since > 0 && since.is_multiple_of(every) => {
                    let before = (since / every - 1) as f64;
                    before / (before + 1.0)
                }
                Some(_) | None => 1.0,
            },
            Average::Lookahead { every, .. } if !(t + 1).is_multiple_of(every) => 1.0,
            Average::Lookahead { keep, over, .. } => keep * ((t + 1) as f64 / over.max(1) as f64).min(1.0).powi(3),
        }
    }

    /// Whether there is an average after so many updates.
    pub fn exists(self, updates: u64) -> bool {
        match self {
            Average::Exponential { .. } => updates > 0,
            Average::Equal { from, every } => updates >= from.saturating_add(every),
            Average::Lookahead { every, .. } => updates >= every,
        }
    }

    /// Whether the weights go back to the average whenever it moves.
    pub(crate) fn draws_back(self) -> bool {
        match self {
            Average::Exponential { .. } | Average::Equal { .. } => false,
            Average::Lookahead { .. } => true,
        }
    }
}

/// The arena that holds the average of another.
pub fn average_of(arena: &str) -> String {
    format!("average.{arena}")
}

/// Records the average of an arena whose values after the step are `new`, and gives it; `kept`, one element, is the share of the
/// old one.
pub(crate) fn record(graph: &mut Graph, of: ArenaId, new: Var, kept: Var) -> Result<Var> {
    let name = average_of(&graph.arenas()[of.index()].name);
    let arena = graph.arena_like(of, &name)?;
    graph.describe_arena(arena, ArenaRole::Other, Initial::Drawn)?;
    let old = graph.arena_values(arena)?;
    // new + kept (old - new) is new itself where nothing is kept.
    let difference = graph.sub(old, new)?;
    let part = graph.mul(difference, kept)?;
    let sum = graph.add(new, part)?;
    graph.assign(Target::Arena(arena), sum)?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_averages_are_the_mean_of_what_counts() {
        let average = Average::Equal { from: 4, every: 3 };
        let (mut mean, mut counted) = (f64::NAN, vec![]);
        for t in 0..14u64 {
            let (weight, kept) = ((t * t) as f64, average.kept(t));
            if kept < 1.0 {
                counted.push(weight);
                mean = if kept == 0.0 { weight } else { kept * mean + (1.0 - kept) * weight };
                assert!((mean - counted.iter().sum::<f64>() / counted.len() as f64).abs() < 1e-12);
            }
            assert_eq!(average.exists(t + 1), !counted.is_empty());
        }
        assert_eq!(counted, [36.0, 81.0, 144.0], "after updates 7, 10 and 13");
    }

    #[test]
    fn lookahead_keeps_more_and_more_every_few_updates() {
        let average = Average::Lookahead { keep: 0.8, every: 5, over: 20 };
        let kept: Vec<f64> = (0..22).map(|t| average.kept(t)).filter(|kept| *kept < 1.0).collect();
        assert_eq!(kept, [0.8 / 64.0, 0.8 / 8.0, 0.8 * 0.75f64.powi(3), 0.8]);
        assert_eq!((average.kept(24), average.exists(4), average.exists(5)), (0.8, false, true));
        assert!(Average::Lookahead { keep: 1.0, every: 5, over: 1 }.check().is_err() && average.check().is_ok());
        assert!(Average::Lookahead { keep: 0.5, every: 0, over: 1 }.check().is_err());
    }

    #[test]
    fn exponential_averages_forget_the_start_and_keep_their_share_later() {
        let average = Average::Exponential { keep: 0.99 };
        assert_eq!((average.kept(0), average.kept(8), average.kept(10_000)), (0.1, 0.5, 0.99));
        assert!(Average::Exponential { keep: 1.0 }.check().is_err() && average.check().is_ok());
        assert!(Average::Equal { from: 0, every: 0 }.check().is_err());
    }
}
