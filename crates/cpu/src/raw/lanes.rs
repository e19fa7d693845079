//! Vector registers behind one trait, and the two data movements that need intrinsics: prefetch and 4x4 transpose.
//! `unsafe` for `std::arch` and for raw loads and stores, whose bounds the callers in `simd.rs` check once a tile.

use super::simd::{bounded, madd};

/// A vector register of `N` floats.
pub(super) trait Lanes: Copy {
    const N: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The first `n <= N` floats, zeros behind them; reads no byte beyond.
    unsafe fn load_part(from: *const f32, n: usize) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_part(self, to: *mut f32, n: usize);
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// Within `low..=high`, which are not NaN; NaN stays.
    unsafe fn bounded(self, low: Self, high: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    impl Lanes for __m512 {
        const N: usize = 16;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, n: usize) -> Self {
            unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as __mmask16, self) }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn bounded(self, low: Self, high: Self) -> Self {
            // The second operand is what these instructions give where one is NaN.
            unsafe { _mm512_min_ps(high, _mm512_max_ps(low, self)) }
        }
    }

    /// Four rounds of interleaving: floats, pairs, fours, eights.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn transpose16(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        unsafe {
            let mut a = [_mm512_setzero_ps(); 16];
            for (j, row) in a.iter_mut().enumerate() {
                *row = _mm512_loadu_ps(from.add(j * from_step));
            }
            let mut b = a;
            for i in 0..8 {
                b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
                b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
            }
            for i in 0..4 {
                let [p, q, r, s] = [0, 1, 2, 3].map(|j| _mm512_castps_pd(b[4 * i + j]));
                a[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, r));
                a[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, r));
                a[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, s));
                a[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, s));
            }
            // Row k of the result has its fours in lane k / 4 of rows k % 4, 4 + k % 4, 8 + k % 4 and 12 + k % 4.
            for k in 0..4 {
                let (even_low, odd_low) =
                    (_mm512_shuffle_f32x4::<0x88>(a[k], a[4 + k]), _mm512_shuffle_f32x4::<0xdd>(a[k], a[4 + k]));
                let (even_high, odd_high) = (
                    _mm512_shuffle_f32x4::<0x88>(a[8 + k], a[12 + k]),
                    _mm512_shuffle_f32x4::<0xdd>(a[8 + k], a[12 + k]),
                );
                let rows = [
                    _mm512_shuffle_f32x4::<0x88>(even_low, even_high),
                    _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high),
                    _mm512_shuffle_f32x4::<0xdd>(even_low, even_high),
                    _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high),
                ];
                for (lane, row) in rows.into_iter().enumerate() {
                    _mm512_storeu_ps(to.add((4 * lane + k) * to_step), row);
                }
            }
        }
    }

    static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    impl Lanes for __m256 {
        const N: usize = 8;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, n: usize) -> Self {
            unsafe {
                let mask = _mm256_loadu_si256(MASK.as_ptr().add(8 - n).cast());
                _mm256_maskload_ps(from, mask)
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, n: usize) {
            unsafe {
                let mask = _mm256_loadu_si256(MASK.as_ptr().add(8 - n).cast());
                _mm256_maskstore_ps(to, mask, self);
            }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn bounded(self, low: Self, high: Self) -> Self {
            unsafe { _mm256_min_ps(high, _mm256_max_ps(low, self)) }
        }
    }
}

/// Four floats in an array: one SSE or NEON register after LLVM has seen it.
#[derive(Clone, Copy)]
pub(super) struct Four([f32; 4]);

impl Lanes for Four {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(n) {
            *lane = unsafe { *from.add(i) };
        }
        Self(lanes)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        for (i, lane) in self.0.iter().enumerate().take(n) {
            unsafe { *to.add(i) = *lane };
        }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        const FMA: bool = cfg!(target_arch = "aarch64");
        Self(std::array::from_fn(|i| madd::<FMA>(self.0[i], b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn bounded(self, low: Self, high: Self) -> Self {
        Self(std::array::from_fn(|i| bounded(self.0[i], [low.0[i], high.0[i]])))
    }
}

/// Asks for the cache lines of a slice to be brought into the second-level cache.
#[inline]
pub(crate) fn prefetch(data: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in data.chunks(16) {
        // SAFETY: a prefetch has no effect that a program can see, and SSE is part of x86-64.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}

/// Asks for `len` floats from an address, which need not be valid, to be brought into the first-level cache.
#[inline(always)]
pub(super) fn prefetch_line(from: *const f32, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len).step_by(16) {
        // SAFETY: a prefetch has no effect that a program can see, of any address, and SSE is part of x86-64.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(line).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, len);
}

/// `to[k * to_step + j] = from[j * from_step + k]` for j and k below 4.
#[inline]
pub(crate) fn transpose4(from: &[f32], from_step: usize, to: &mut [f32], to_step: usize) {
    assert!(3 * from_step + 4 <= from.len() && 3 * to_step + 4 <= to.len());
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the assertion covers all loads and stores, and SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps};
        let row = |j: usize| _mm_loadu_ps(from.as_ptr().add(j * from_step));
        let (mut a, mut b, mut c, mut d) = (row(0), row(1), row(2), row(3));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        for (k, lanes) in [a, b, c, d].into_iter().enumerate() {
            _mm_storeu_ps(to.as_mut_ptr().add(k * to_step), lanes);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    for k in 0..4 {
        for j in 0..4 {
            to[k * to_step + j] = from[j * from_step + k];
        }
    }
}

/// Rows and columns of [`transpose16`].
pub(crate) const SQUARE: usize = 16;

/// `to[k * to_step + j] = from[j * from_step + k]` for j and k below 16: whole cache lines on both sides. Returns whether the
/// processor has the instructions; nothing is written otherwise.
#[inline]
pub(crate) fn transpose16(from: &[f32], from_step: usize, to: &mut [f32], to_step: usize) -> bool {
    assert!(15 * from_step + 16 <= from.len() && 15 * to_step + 16 <= to.len());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the assertion covers all loads and stores, and the processor was asked.
        unsafe { x86::transpose16(from.as_ptr(), from_step, to.as_mut_ptr(), to_step) };
        return true;
    }
    false
}
