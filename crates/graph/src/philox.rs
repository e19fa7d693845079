//! Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (SC11), used by every backend.

/// Four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The four words of elements `4 block` to `4 block + 3` of a random tensor. This is the contract of
/// [`crate::Op::Random`] on every backend: `key` is low and high half of the seed, and the step; the generator's key is the
/// seed, its counter `[block, step, salt, 0]`. Element `i` belongs to block `i / 4`. Uniform numbers take word `i % 4` through
/// [`uniform`]; normal numbers take the pair of words `i % 4 / 2` through [`normal_pair`], the even element its first.
pub fn random_words(key: [u32; 3], salt: u32, block: u32) -> [u32; 4] {
    philox4x32([block, key[2], salt, 0], [key[0], key[1]])
}

/// A number in [0, 1) from the upper 24 bits of a word, exact in 32-bit floats.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Two standard normal numbers from two words, by Box and Muller: with u = (a + 1) / 2^24 in (0, 1] and v = b / 2^24,
/// where a and b are the words' upper 24 bits, √(-2 ln u) times cos 2πv and sin 2πv. In 64 bits, to be rounded by the
/// caller.
pub fn normal_pair(words: [u32; 2]) -> [f64; 2] {
    let u = (f64::from(words[0] >> 8) + 1.0) / 16_777_216.0;
    let radius = (-2.0 * u.ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * f64::from(uniform(words[1]))).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_stays_below_one_and_normals_are_finite() {
        assert_eq!([uniform(0), uniform(u32::MAX)], [0.0, 1.0 - 1.0 / 16_777_216.0]);
        // The smallest u gives the largest radius, √(48 ln 2); u = 1 gives 0.
        let [far, side] = normal_pair([0, 0]);
        assert!((far - (48.0 * 2f64.ln()).sqrt()).abs() < 1e-12 && side == 0.0);
        assert_eq!(normal_pair([u32::MAX, 0])[0], 0.0);
    }

    /// The known answers of the authors' Random123 library.
    #[test]
    fn matches_the_published_vectors() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    }
}
