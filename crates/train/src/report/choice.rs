//! Which evaluated images a report shows: some of all, the worst mistakes, and some of each cell of the confusion matrix.

use std::collections::BTreeMap;

use crate::confusion::Confusion;
use crate::task::Tally;

/// Images spread over the whole set.
const SPREAD: usize = 16;
/// The worst mistakes that are shown.
const MISTAKES: usize = 12;
/// Images of a cell: of mistakes, and of what is right.
const OF_CELL: [usize; 2] = [8, 4];
/// Images of all cells together, so that the page stays below a few megabytes.
const OF_CELLS: usize = 320;

/// A mistake: the image, and the class that it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub row: usize,
    pub said: usize,
}

/// The images that are shown.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// All of them, each once.
    pub rows: Vec<usize>,
    /// How many of these, from the first on, are spread over the set.
    pub spread: usize,
    /// The worst mistakes first.
    pub mistakes: Vec<Mistake>,
    /// Images of each cell: label and prediction.
    pub cells: BTreeMap<(usize, usize), Vec<usize>>,
}

impl Choice {
    /// Chooses among the images of an evaluation.
    pub fn of(tally: &dyn Tally, temperature: f64, images: usize) -> Choice {
        let mut choice = Choice::default();
        if tally.outputs().is_empty() {
            return choice;
        }
        let spread = images.min(SPREAD);
        choice.rows = (0..spread).map(|i| i * images / spread).collect();
        choice.spread = spread;
        if let Some(confusion) = tally.confusion() {
            let read = Read { confusion, outputs: tally.outputs(), labels: tally.labels(), temperature };
            choice.mistakes = read.mistakes();
            choice.cells = read.cells();
        }
        let more = choice.mistakes.iter().map(|mistake| mistake.row).chain(choice.cells.values().flatten().copied());
        let mut known: std::collections::HashSet<usize> = choice.rows.iter().copied().collect();
        let more: Vec<usize> = more.filter(|row| known.insert(*row)).collect();
        choice.rows.extend(more);
        choice
    }
}

/// The outputs of an evaluation with the labels.
struct Read<'a> {
    confusion: &'a Confusion,
    outputs: &'a [f32],
    labels: &'a [usize],
    temperature: f64,
}

impl Read<'_> {
    fn classes(&self) -> usize {
        self.confusion.classes().len().max(1)
    }

    /// Image, label, prediction.
    fn predictions(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let said = self.outputs.chunks_exact(self.classes()).map(crate::metrics::largest);
        self.labels.iter().zip(said).enumerate().map(|(row, (&label, said))| (row, label, said))
    }

    /// Those that were least in doubt of the wrong class, and most of the right one.
    fn mistakes(&self) -> Vec<Mistake> {
        let classes = self.classes();
        let mut wrong: Vec<(f64, Mistake)> = self
            .predictions()
            .filter(|(_, label, said)| label != said)
            .map(|(row, label, said)| {
                let p = crate::task::softmax_at(&self.outputs[row * classes..(row + 1) * classes], self.temperature);
                (p[said] - p[label], Mistake { row, said })
            })
            .collect();
        wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
        wrong.into_iter().take(MISTAKES).map(|(_, mistake)| mistake).collect()
    }

    /// First the cells of mistakes, those of many first, then those of the diagonal.
    fn cells(&self) -> BTreeMap<(usize, usize), Vec<usize>> {
        let mut all: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (row, label, said) in self.predictions() {
            let of = all.entry((label, said)).or_default();
            if of.len() < OF_CELL[usize::from(label == said)] {
                of.push(row);
            }
        }
        let mut order: Vec<(usize, usize)> = all.keys().copied().collect();
        order.sort_by_key(|&(label, said)| (label == said, std::cmp::Reverse(self.confusion.row(label)[said])));
        let mut left = OF_CELLS;
        let mut chosen = BTreeMap::new();
        for cell in order {
            let mut rows = all.remove(&cell).unwrap_or_default();
            rows.truncate(left);
            left -= rows.len();
            if !rows.is_empty() {
                chosen.insert(cell, rows);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TrainConfig;

    #[test]
    fn the_surest_mistake_is_the_worst_and_every_cell_has_its_images() {
        let classes = ["a", "b", "c"].map(String::from);
        let mut tally = TrainConfig::default().named_task().expect("known").tally(&classes);
        // Labels, and the logits of the three.
        let images = [(0, [5.0, 0.0, 0.0]), (1, [3.0, 0.0, 0.0]), (1, [9.0, 0.0, 0.0]), (2, [0.0, 0.0, 1.0])];
        images.iter().for_each(|(label, outputs)| tally.add(outputs, &[f64::from(*label)]));
        let choice = Choice::of(&*tally, 1.0, images.len());
        assert_eq!(choice.mistakes, [Mistake { row: 2, said: 0 }, Mistake { row: 1, said: 0 }]);
        let cells: Vec<_> = choice.cells.iter().map(|(cell, rows)| (*cell, rows.clone())).collect();
        assert_eq!(cells, [((0, 0), vec![0]), ((1, 0), vec![1, 2]), ((2, 2), vec![3])]);
        assert_eq!((choice.rows, choice.spread), (vec![0, 1, 2, 3], 4));
    }

    #[test]
    fn of_many_images_a_bounded_number_is_chosen_and_mistakes_before_what_is_right() {
        let classes: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let mut tally = TrainConfig::default().named_task().expect("known").tally(&classes);
        for i in 0..8000usize {
            let said = if i % 3 == 0 { (i * 7 + i / 40) % 40 } else { i % 40 };
            let outputs: Vec<f32> = (0..40).map(|class| f32::from(u8::from(class == said))).collect();
            tally.add(&outputs, &[(i % 40) as f64]);
        }
        let choice = Choice::of(&*tally, 1.0, 8000);
        assert!(choice.rows.len() <= OF_CELLS + SPREAD + MISTAKES, "{}", choice.rows.len());
        assert!(choice.cells.keys().all(|(label, said)| label != said), "the room is full of mistakes");
        assert_eq!(choice.mistakes.len(), MISTAKES);
    }
}
