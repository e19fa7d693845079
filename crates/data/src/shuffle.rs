//! The order of images in an epoch: SplitMix64 and Fisher-Yates, the same on every machine.

/// A permutation of `0..len` that depends on `seed` and `epoch` alone.
///
/// The generator is SplitMix64 (Steele, Lea and Flood, 2014), started at the first output for
/// `seed` xor the second output for `epoch`; the shuffle is Fisher and Yates's, from the end,
/// with Lemire's unbiased choice below a bound (2019).
pub fn shuffled(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut for_epoch = SplitMix64(epoch);
    for_epoch.next();
    let mut random = SplitMix64(SplitMix64(seed).next() ^ for_epoch.next());
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}

/// A number that hangs on the seed and the text alone: SplitMix64 from the text's FNV-1a hash.
pub(crate) fn mixed(seed: u64, text: &str) -> u64 {
    SplitMix64(SplitMix64(seed).next() ^ fnv(text.as_bytes())).next()
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            // The low half below 2^64 mod bound marks the values that would come once too often.
            if product as u64 >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_splitmix64s_published_outputs() {
        let mut random = SplitMix64(1234567);
        assert_eq!(random.next(), 6457827717110365317);
        assert_eq!(random.next(), 3203168211198807973);
        assert_eq!(random.next(), 9817491932198370423);
    }

    #[test]
    fn an_order_is_a_permutation_that_seed_and_epoch_decide() {
        let order = shuffled(1000, 7, 3);
        assert_eq!(order, shuffled(1000, 7, 3));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        for (seed, epoch) in [(7, 4), (8, 3), (3, 7)] {
            let other = shuffled(1000, seed, epoch);
            let same = order.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 20, "{same} of 1000 alike for ({seed}, {epoch})");
        }
    }

    #[test]
    fn every_permutation_of_three_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *counts.entry(shuffled(3, 1, epoch)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 6 standard deviations of a binomial of 6000 trials at 1/6.
        let near = |count: &i32| (count - 1000).abs() < 174;
        assert!(counts.values().all(near), "{counts:?}");
    }

    #[test]
    fn nothing_and_one_can_be_shuffled() {
        assert_eq!(shuffled(0, 1, 1), []);
        assert_eq!(shuffled(1, 1, 1), [0]);
    }
}
