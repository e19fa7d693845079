//! Random numbers of a tile: the contract is `chiaro_graph::random_words`, here for many counters at once.

use chiaro_graph::{RandomKind, normal_pair, random_words, uniform};

/// Counters that are worked on together: two 512-bit registers of 64-bit products.
const WIDE: usize = 16;

/// Numbers for the elements `index`.
#[inline(always)]
pub(crate) fn fill(kind: RandomKind, key: [u32; 3], salt: u32, index: &[u32], out: &mut [u32]) {
    let long = index.chunks(4 * WIDE).zip(out.chunks_mut(4 * WIDE));
    for (index, out) in long {
        let first = index[0];
        let run = index.len() == 4 * WIDE
            && first % 4 == 0
            && (0..4 * WIDE).all(|i| index[i] == first.wrapping_add(i as u32));
        if run {
            let words = wide(key, salt, first / 4);
            for (block, out) in out.chunks_exact_mut(4).enumerate() {
                let words = [words[0][block], words[1][block], words[2][block], words[3][block]];
                numbers(kind, words, out);
            }
        } else {
            for (&i, out) in index.iter().zip(out) {
                let mut four = [0; 4];
                numbers(kind, random_words(key, salt, i / 4), &mut four);
                *out = four[i as usize % 4];
            }
        }
    }
}

#[inline(always)]
fn numbers(kind: RandomKind, words: [u32; 4], out: &mut [u32]) {
    match kind {
        RandomKind::Uniform => out.iter_mut().zip(words).for_each(|(o, w)| *o = uniform(w).to_bits()),
        RandomKind::Normal => {
            for (pair, out) in out.chunks_exact_mut(2).enumerate() {
                let normal = normal_pair([words[2 * pair], words[2 * pair + 1]]);
                out.iter_mut().zip(normal).for_each(|(o, v)| *o = (v as f32).to_bits());
            }
        }
    }
}

/// Philox 4x32-10 for the blocks `first..first + WIDE`: word `w` of block `b` is `[w][b]`.
#[inline(always)]
fn wide(key: [u32; 3], salt: u32, first: u32) -> [[u32; WIDE]; 4] {
    let mut c = [[0u32; WIDE], [key[2]; WIDE], [salt; WIDE], [0; WIDE]];
    c[0].iter_mut().enumerate().for_each(|(i, v)| *v = first.wrapping_add(i as u32));
    let mut k = [key[0], key[1]];
    for _ in 0..10 {
        let mut next = [[0u32; WIDE]; 4];
        for i in 0..WIDE {
            let a = u64::from(c[0][i]) * 0xD251_1F53;
            let b = u64::from(c[2][i]) * 0xCD9E_8D57;
            next[0][i] = (b >> 32) as u32 ^ c[1][i] ^ k[0];
            next[1][i] = b as u32;
            next[2][i] = (a >> 32) as u32 ^ c[3][i] ^ k[1];
            next[3][i] = a as u32;
        }
        c = next;
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_equal_one_by_one() {
        let index: Vec<u32> = (8..8 + 150).collect();
        for kind in [RandomKind::Uniform, RandomKind::Normal] {
            let mut out = vec![0; index.len()];
            fill(kind, [1, 2, 3], 4, &index, &mut out);
            for (i, o) in index.iter().zip(out) {
                let mut four = [0; 4];
                numbers(kind, random_words([1, 2, 3], 4, i / 4), &mut four);
                assert_eq!(o, four[*i as usize % 4]);
            }
        }
    }
}
