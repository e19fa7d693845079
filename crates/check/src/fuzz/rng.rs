//! Decisions from one seed: SplitMix64 (Steele, Lea and Flood, 2014) in integers alone, so that they are the same everywhere.

pub(super) struct Rng(u64);

/// One step of SplitMix64's output function: a hash of 64 bits.
pub(super) fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        // Neighbouring seeds must not give streams that are shifts of each other.
        Rng(mix(seed ^ 0x6368_6961_726f_2131))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A number in `low..=high`.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True this many times in a hundred.
    pub fn percent(&mut self, p: usize) -> bool {
        self.below(100) < p
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A position, each as often as its weight says; none if all are 0.
    pub fn weighted(&mut self, weights: &[usize]) -> Option<usize> {
        let total: usize = weights.iter().sum();
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        weights.iter().position(|&w| {
            let hit = left < w;
            left = left.saturating_sub(w);
            hit
        })
    }

    /// The positions `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            all.swap(i, self.below(i + 1));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_same_on_every_machine() {
        let mut rng = Rng::new(7);
        let found: Vec<usize> = (0..8).map(|_| rng.below(1000)).collect();
        assert_eq!(found, FIRST);
    }

    const FIRST: [usize; 8] = [824, 617, 950, 625, 130, 628, 296, 924];
}
