//! Validation images taken from the training images: so many of each class, by a seed and the files' names, whole groups at a time.

use std::collections::BTreeMap;
use std::fmt;

use crate::shuffle::mixed;
use crate::{DataError, GroupBy};

/// The share of the training images that is held out where none is given.
const USUAL_SHARE: f64 = 0.2;

/// Which training images are held out to validate by, where a data set has no validation images of its own.
///
/// The order in which images are drawn hangs on the seed and each file's name alone, so that a set that grows keeps most of its
/// split.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holdout {
    /// How much of each class; a fifth if absent.
    pub share: Option<f64>,
    /// One of several equal parts instead.
    pub fold: Option<Fold>,
    /// What the images are drawn by.
    pub seed: u64,
    /// Which images belong together.
    pub group_by: Option<GroupBy>,
}

/// A part of several: number 1 to `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Which one, counted from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

/// Training images that are kept and those held out, each in their order.
pub(crate) struct Divided {
    pub kept: Vec<usize>,
    pub held_out: Vec<usize>,
}

/// From where on the folders in a file's name say what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// Below its class's folder, the first: `class/deep/name.jpg` without the class.
    ClassFolder,
    /// From the first folder on, as in a table.
    Root,
}

impl Within {
    fn of(self, name: &str) -> &str {
        match self {
            Within::ClassFolder => name.split_once('/').map_or(name, |(_, rest)| rest),
            Within::Root => name.trim_start_matches('/'),
        }
    }
}

/// Images that go together.
struct Group {
    images: Vec<usize>,
    /// How many of which class.
    classes: BTreeMap<u32, usize>,
}

impl Holdout {
    /// Whether somebody asked for it, where it would not be done by itself.
    pub fn is_asked(&self) -> bool {
        self.share.is_some() || self.fold.is_some()
    }

    /// Looks whether it can be done to any data.
    ///
    /// # Errors
    /// A share that is none, a fold that there is not, or both at once.
    pub fn check(&self) -> Result<(), DataError> {
        let cause = match (self.share, self.fold) {
            (Some(_), Some(_)) => {
                "a share to hold out (--val-share) and a fold (--folds) exclude each other".to_string()
            }
            (Some(share), None) if !(share > 0.0 && share < 1.0) => {
                format!("the share of images to hold out must be above 0 and below 1, not {share}")
            }
            (None, Some(Fold { number, of })) if of < 2 || !(1..=of).contains(&number) => {
                format!("there is no fold {number} of {of}: --fold counts from 1, and --folds must be 2 at least")
            }
            (Some(_), None) | (None, Some(_) | None) => return Ok(()),
        };
        Err(DataError::invalid(cause))
    }

    /// Divides images with these names, within their classes, and labels.
    pub(crate) fn divide(&self, names: &[String], within: Within, labels: &[u32]) -> Result<Divided, DataError> {
        self.check_names(names, within)?;
        let groups = self.groups(names, within, labels);
        if let Some(Fold { of, .. }) = self.fold.filter(|fold| fold.of > groups.len()) {
            let what = if self.group_by.is_some() { "groups" } else { "training images" };
            return Err(DataError::invalid(format!("there are only {} {what} for {of} folds", groups.len())));
        }
        let drawn = match self.fold {
            Some(fold) => in_fold(&groups, labels, fold),
            None => share(&groups, labels, self.share.unwrap_or(USUAL_SHARE)),
        };
        if drawn.is_empty() {
            let (images, groups) = (names.len(), groups.len());
            let by = self.group_by.as_ref().map(|by| format!(" in {groups} groups by '{by}'")).unwrap_or_default();
            return Err(DataError::invalid(format!(
                "no validation images can be held out of {images} training images{by}: a class needs two of them at least"
            )));
        }
        let mut is_held_out = vec![false; names.len()];
        drawn.iter().flat_map(|&group| &groups[group].images).for_each(|&image| is_held_out[image] = true);
        let (held_out, kept) = (0..names.len()).partition(|&image| is_held_out[image]);
        Ok(Divided { kept, held_out })
    }

    /// Refuses a part to group by that no file has: each would be a group by itself, which nobody can have meant.
    fn check_names(&self, names: &[String], within: Within) -> Result<(), DataError> {
        let Some(by) = &self.group_by else { return Ok(()) };
        if self.ungrouped(names, within).len() < names.len() {
            return Ok(());
        }
        let (count, some) = (names.len(), names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", "));
        Err(DataError::invalid(format!(
            "--group-by '{by}': none of {count} training images has such a part in its name ({some}, ...); give what separates the parts and which of them counts, as _:2, or / for \
             folders within a class"
        )))
    }

    /// Those of these files whose names lack the part to group by, so that each is a group by itself.
    pub(crate) fn ungrouped<'n>(&self, names: &'n [String], within: Within) -> Vec<&'n str> {
        let lacks = |by: &GroupBy, name: &str| by.of(within.of(name)).is_none();
        let lacking = names.iter().filter(|name| self.group_by.as_ref().is_some_and(|by| lacks(by, name)));
        lacking.map(String::as_str).collect()
    }

    /// The groups in the order in which they are drawn: large ones first, while there is room for them, else by seed and name.
    fn groups(&self, names: &[String], within: Within, labels: &[u32]) -> Vec<Group> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for (image, name) in names.iter().enumerate() {
            // An image of no group is one by itself, by its whole name: other classes may have a file of the same.
            let key = self.group_by.as_ref().and_then(|by| by.of(within.of(name))).unwrap_or(name);
            let group = groups.entry(key).or_insert_with(|| Group { images: vec![], classes: BTreeMap::new() });
            group.images.push(image);
            *group.classes.entry(labels[image]).or_insert(0) += 1;
        }
        let mut ranked: Vec<(&str, Group)> = groups.into_iter().collect();
        ranked.sort_by_cached_key(|(name, group)| (usize::MAX - group.images.len(), mixed(self.seed, name), *name));
        ranked.into_iter().map(|(_, group)| group).collect()
    }
}

/// What each class has.
struct ClassCount {
    images: usize,
    groups: usize,
}

fn classes(groups: &[Group], labels: &[u32]) -> Vec<ClassCount> {
    let count = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let mut classes: Vec<ClassCount> = (0..count).map(|_| ClassCount { images: 0, groups: 0 }).collect();
    for (&class, &images) in groups.iter().flat_map(|group| &group.classes) {
        classes[class as usize].images += images;
        classes[class as usize].groups += 1;
    }
    classes
}

/// Whether a class would be left without a training image: what it has lies in this group alone.
fn is_only_one(group: &Group, classes: &[ClassCount]) -> bool {
    group.classes.keys().any(|&class| classes[class as usize].groups == 1)
}

/// The groups that bring each class nearest to its share; some of every class that has two groups.
fn share(groups: &[Group], labels: &[u32], share: f64) -> Vec<usize> {
    let classes = classes(groups, labels);
    let target = |class: u32| (classes[class as usize].images as f64 * share).round().max(1.0);
    let mut taken = vec![0usize; classes.len()];
    let takes = |taken: &[usize], group: &Group| {
        let leaves_some = |(&class, &n): (&u32, &usize)| taken[class as usize] + n < classes[class as usize].images;
        let nearer = |(&class, &n): (&u32, &usize)| {
            let (now, target) = (taken[class as usize] as f64, target(class));
            (now + n as f64 - target).abs() - (now - target).abs()
        };
        group.classes.iter().all(leaves_some) && group.classes.iter().map(nearer).sum::<f64>() < 0.0
    };
    let mut drawn = vec![];
    for (i, group) in groups.iter().enumerate() {
        if !is_only_one(group, &classes) && takes(&taken, group) {
            group.classes.iter().for_each(|(&class, n)| taken[class as usize] += n);
            drawn.push(i);
        }
    }
    if drawn.is_empty() {
        // All are larger than what is wanted: the smallest is nearest.
        drawn.extend(groups.iter().rposition(|group| !is_only_one(group, &classes)));
    }
    drawn
}

/// The groups of one fold, where each goes to the fold that has the least of its classes.
fn in_fold(groups: &[Group], labels: &[u32], fold: Fold) -> Vec<usize> {
    let classes = classes(groups, labels);
    let mut counts = vec![vec![0usize; classes.len()]; fold.of];
    let mut totals = vec![0usize; fold.of];
    let mut drawn = vec![];
    for (i, group) in groups.iter().enumerate().filter(|(_, group)| !is_only_one(group, &classes)) {
        // By how much the squares of the classes' shares would grow.
        let cost = |counts: &[usize]| -> f64 {
            let grown = group.classes.iter().map(|(&class, &n)| {
                (n * (2 * counts[class as usize] + n)) as f64 / classes[class as usize].images as f64
            });
            grown.sum()
        };
        let by_cost = |a: &usize, b: &usize| {
            cost(&counts[*a]).total_cmp(&cost(&counts[*b])).then(totals[*a].cmp(&totals[*b])).then(a.cmp(b))
        };
        let Some(least) = (0..fold.of).min_by(by_cost) else { continue };
        group.classes.iter().for_each(|(&class, n)| counts[least][class as usize] += n);
        totals[least] += group.images.len();
        if least + 1 == fold.number {
            drawn.push(i);
        }
    }
    drawn
}

impl fmt::Display for Holdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fold {
            Some(Fold { number, of }) => write!(f, "fold {number} of {of}")?,
            None => write!(f, "{} % of each class", (self.share.unwrap_or(USUAL_SHARE) * 1000.0).round() / 10.0)?,
        }
        write!(f, " by seed {}", self.seed)?;
        self.group_by.as_ref().map_or(Ok(()), |by| write!(f, ", in groups by '{by}'"))
    }
}

#[cfg(test)]
mod tests;
