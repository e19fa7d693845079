//! Which images are the same, byte for byte or to the eye.

use std::collections::{BTreeMap, HashMap};

use super::BLANK;
use super::picture::{Facts, Place};

/// The most of the 128 bits of two images' looks that differ where they are taken for the same. Half of them differ by chance.
const NEAR: u32 = 7;
/// Bits of a band: of [`NEAR`] + 1 bands at least one is equal in looks that are near enough.
const BAND: u32 = 16;
/// Images of one band that are compared with each other: more of them share what many images have.
const MOST_IN_BAND: usize = 2000;

/// Groups of the same images, groups of such as look the same beside those, and whether some were too small to tell.
pub(super) fn groups(usable: &[(Place, Facts)]) -> (Vec<Vec<Place>>, Vec<Vec<Place>>, bool) {
    let mut same: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
    usable.iter().enumerate().for_each(|(i, (_, facts))| same.entry(facts.hash).or_default().push(i));
    let mut exact = Sets::new(usable.len());
    for group in same.values().filter(|group| group.len() > 1) {
        // Equal hashes are not yet equal bytes.
        let first = usable[group[0]].1.source.bytes().ok();
        group[1..]
            .iter()
            .filter(|&&i| first.is_some() && usable[i].1.source.bytes().ok() == first)
            .for_each(|&i| exact.join(group[0], i));
    }
    // Of those that are the same one is compared with the others.
    let mut near = Sets::new(usable.len());
    let ones: Vec<(usize, u128)> = (0..usable.len())
        .filter(|&i| exact.of(i) == i && usable[i].1.spread >= BLANK)
        .filter_map(|i| Some((i, usable[i].1.look?)))
        .collect();
    for band in 0..u128::BITS / BAND {
        let mut in_band: HashMap<u16, Vec<(usize, u128)>> = HashMap::new();
        ones.iter().for_each(|&(i, look)| in_band.entry((look >> (band * BAND)) as u16).or_default().push((i, look)));
        for shared in in_band.values().filter(|shared| shared.len() <= MOST_IN_BAND) {
            for (at, (i, look)) in shared.iter().enumerate() {
                shared[..at]
                    .iter()
                    .filter(|(_, other)| (look ^ other).count_ones() <= NEAR)
                    .for_each(|(j, _)| near.join(*i, *j));
            }
        }
    }
    let too_small = usable.iter().any(|(_, facts)| facts.look.is_none());
    (exact.groups(usable), near.groups(usable), too_small)
}

/// Sets of images that are joined one by one; the smallest number stands for a set.
struct Sets {
    above: Vec<usize>,
}

impl Sets {
    fn new(len: usize) -> Sets {
        Sets { above: (0..len).collect() }
    }

    fn of(&self, mut i: usize) -> usize {
        while self.above[i] != i {
            i = self.above[i];
        }
        i
    }

    fn join(&mut self, i: usize, j: usize) {
        let (i, j) = (self.of(i), self.of(j));
        self.above[i.max(j)] = i.min(j);
    }

    /// Sets of more than one.
    fn groups(&self, usable: &[(Place, Facts)]) -> Vec<Vec<Place>> {
        let mut groups: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        (0..usable.len()).for_each(|i| groups.entry(self.of(i)).or_default().push(usable[i].0.clone()));
        groups.into_values().filter(|group| group.len() > 1).collect()
    }
}
