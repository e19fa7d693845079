//! The loops of the micro-kernels, generic over a vector type, one instance per instruction set, and the tables in which
//! [`Kernels`](super::simd::Kernels) finds them. Whoever calls one has checked what its [`Args`] point to.

use super::lanes::{Four, Lanes};
use super::simd::{NV, PAD, PIXELS};
use crate::kernels::ColumnEnding;
use std::ops::Range;

/// What one call of a micro-kernel works on; see [`Rows`](super::simd::Rows) and [`Outer`](super::simd::Outer) for the meaning of the operands.
pub(super) struct Args {
    pub(super) a: *const f32,
    pub(super) zero: *const f32,
    pub(super) a_offsets: *const u32,
    /// `Rows`: the block of B that each tap multiplies. `Outer`: the offset of each row of B.
    pub(super) b_offsets: *const u32,
    /// Taps of `Rows`, summed rows of `Outer`.
    pub(super) count: usize,
    pub(super) kc: usize,
    pub(super) b: *const f32,
    pub(super) b_step: usize,
    pub(super) row_offsets: *const u32,
    pub(super) c: *mut f32,
    pub(super) c_offsets: *const usize,
    pub(super) cols: usize,
    pub(super) accumulate: bool,
    /// What is done to sums before they are stored.
    pub(super) ending: Option<Ending>,
}

/// `x * scale + shift` within bounds, the same for all rows; both pointers have as many floats as the result has columns.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    pub(super) bounds: [f32; 2],
}

impl Ending {
    /// Of some columns.
    pub(super) fn of(ending: &ColumnEnding, columns: Range<usize>) -> Ending {
        let pointer = |values: &[f32]| values[columns.clone()].as_ptr();
        Ending { scale: pointer(ending.scale), shift: pointer(ending.shift), bounds: ending.bounds }
    }

    /// The same from a later column on.
    #[inline(always)]
    pub(super) fn behind(self, columns: usize) -> Ending {
        let [scale, shift] = [self.scale, self.shift].map(|from| from.wrapping_add(columns));
        Ending { scale, shift, ..self }
    }

    /// Changes the sums of `cols` columns.
    #[inline(always)]
    pub(super) unsafe fn apply<V: Lanes, const MR: usize, const NV: usize>(self, acc: &mut [[V; NV]; MR], cols: usize) {
        unsafe {
            let [low, high] = self.bounds.map(|bound| V::splat(bound));
            for v in 0..NV {
                let left = cols.saturating_sub(v * V::N).min(V::N);
                let load = |from: *const f32| {
                    let from = from.wrapping_add(v * V::N);
                    if left == V::N { V::load(from) } else { V::load_part(from, left) }
                };
                let (scale, shift) = (load(self.scale), load(self.shift));
                for row in acc.iter_mut() {
                    row[v] = row[v].fma(scale, shift).bounded(low, high);
                }
            }
        }
    }
}

/// Starting values of the accumulators: zeros, or what the output holds.
#[inline(always)]
unsafe fn begin<V: Lanes, const MR: usize, const NV: usize>(args: &Args) -> [[V; NV]; MR] {
    unsafe {
        let mut acc = [[V::splat(0.0); NV]; MR];
        if args.accumulate {
            for (r, row) in acc.iter_mut().enumerate() {
                let c = args.c.add(*args.c_offsets.add(r));
                for (v, lane) in row.iter_mut().enumerate() {
                    let left = args.cols.saturating_sub(v * V::N).min(V::N);
                    *lane = V::load_part(c.add(v * V::N), left);
                }
            }
        }
        acc
    }
}

#[inline(always)]
unsafe fn finish<V: Lanes, const MR: usize, const NV: usize>(args: &Args, mut acc: [[V; NV]; MR]) {
    unsafe {
        if let Some(ending) = args.ending {
            ending.apply(&mut acc, args.cols);
        }
        for (r, row) in acc.iter().enumerate() {
            let c = args.c.add(*args.c_offsets.add(r));
            if args.cols == NV * V::N {
                for (v, lane) in row.iter().enumerate() {
                    lane.store(c.add(v * V::N));
                }
            } else {
                for (v, lane) in row.iter().enumerate() {
                    let left = args.cols.saturating_sub(v * V::N).min(V::N);
                    lane.store_part(c.add(v * V::N), left);
                }
            }
        }
    }
}

/// `c[r][:] (+)= sum_t sum_k a_t_r[k] * b_t[k][:]`: rows of A are contiguous in k, each tap has its own row pointers.
#[inline(always)]
unsafe fn rows<V: Lanes, const MR: usize, const NV: usize>(args: &Args) {
    unsafe {
        let mut acc = begin::<V, MR, NV>(args);
        for t in 0..args.count {
            let mut a = [args.zero; MR];
            for (r, pointer) in a.iter_mut().enumerate() {
                let offset = *args.a_offsets.add(t * MR + r);
                if offset != PAD {
                    *pointer = args.a.add(offset as usize);
                }
            }
            let mut b = args.b.add(*args.b_offsets.add(t) as usize * args.kc * args.b_step);
            for k in 0..args.kc {
                let mut lanes = [V::splat(0.0); NV];
                for (v, lane) in lanes.iter_mut().enumerate() {
                    *lane = V::load(b.add(v * V::N));
                }
                for r in 0..MR {
                    let value = V::splat(*a[r].add(k));
                    for v in 0..NV {
                        acc[r][v] = value.fma(lanes[v], acc[r][v]);
                    }
                }
                b = b.wrapping_add(args.b_step);
            }
        }
        finish(args, acc);
    }
}

/// `c[r][:] (+)= sum_p a_p[row_offset(r)] * b_p[:]`: a sum of outer products over pointers to rows of A and B.
#[inline(always)]
unsafe fn outer<V: Lanes, const MR: usize, const NV: usize, const GATHER: bool, const PART: bool>(args: &Args) {
    unsafe {
        let mut acc = begin::<V, MR, NV>(args);
        let mut row = [0usize; MR];
        for (r, offset) in row.iter_mut().enumerate() {
            *offset = if GATHER { *args.row_offsets.add(r) as usize } else { r };
        }
        for p in 0..args.count {
            let a = args.a.add(*args.a_offsets.add(p) as usize);
            let b = args.b.add(*args.b_offsets.add(p) as usize);
            let mut lanes = [V::splat(0.0); NV];
            for (v, lane) in lanes.iter_mut().enumerate() {
                *lane = if PART {
                    let left = args.cols.saturating_sub(v * V::N).min(V::N);
                    V::load_part(b.add(v * V::N), left)
                } else {
                    V::load(b.add(v * V::N))
                };
            }
            for r in 0..MR {
                let value = V::splat(*a.add(row[r]));
                for v in 0..NV {
                    acc[r][v] = value.fma(lanes[v], acc[r][v]);
                }
            }
        }
        finish(args, acc);
    }
}

/// What a depthwise kernel works on: some pixels, each `channels` floats behind the one before.
pub(super) struct DepthwiseArgs {
    pub(super) x: *const f32,
    /// As many zeros as a kernel reads at once: two vectors.
    pub(super) zero: *const f32,
    /// Offset of tap `t` and pixel `p` at `t * stride + p`.
    pub(super) offsets: *const u32,
    pub(super) stride: usize,
    /// The row of weights of each tap.
    pub(super) taps: *const u32,
    pub(super) count: usize,
    pub(super) weights: *const f32,
    pub(super) channels: usize,
    pub(super) y: *mut f32,
}

/// `y[p][c] = sum_t x[offset_t_p + c] * w[t][c]` of `P` pixels: sums enough to hide the latency of additions, and each weight is
/// read once for all of them.
#[inline(always)]
unsafe fn depthwise<V: Lanes, const P: usize>(args: &DepthwiseArgs) {
    unsafe {
        let mut c = 0;
        while c + 2 * V::N <= args.channels {
            depthwise_block::<V, P, 2, false>(args, c);
            c += 2 * V::N;
        }
        if c + V::N <= args.channels {
            depthwise_block::<V, P, 1, false>(args, c);
            c += V::N;
        }
        if c < args.channels {
            depthwise_block::<V, P, 1, true>(args, c);
        }
    }
}

/// Some vectors of channels from `c` on; with `PART` the last channels, which fill no vector.
#[inline(always)]
unsafe fn depthwise_block<V: Lanes, const P: usize, const NV: usize, const PART: bool>(args: &DepthwiseArgs, c: usize) {
    unsafe {
        let left = args.channels - c;
        let load = |from: *const f32| if PART { V::load_part(from, left) } else { V::load(from) };
        let mut acc = [[V::splat(0.0); NV]; P];
        for t in 0..args.count {
            let w = args.weights.add(*args.taps.add(t) as usize * args.channels + c);
            let mut lanes = [V::splat(0.0); NV];
            for (v, lane) in lanes.iter_mut().enumerate() {
                *lane = load(w.add(v * V::N));
            }
            for (p, sums) in acc.iter_mut().enumerate() {
                let offset = *args.offsets.add(t * args.stride + p);
                let x = if offset == PAD { args.zero } else { args.x.add(offset as usize + c) };
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = load(x.add(v * V::N)).fma(lanes[v], *sum);
                }
            }
        }
        for (p, sums) in acc.iter().enumerate() {
            let y = args.y.add(p * args.channels + c);
            for (v, sum) in sums.iter().enumerate() {
                if PART { sum.store_part(y, left) } else { sum.store(y.add(v * V::N)) }
            }
        }
    }
}

pub(super) type MicroKernel = unsafe fn(&Args);
pub(super) type DepthwiseKernel = unsafe fn(&DepthwiseArgs);

/// The micro-kernels of one level, by what they compute and by their number of rows less one.
pub(super) struct Table {
    /// Indexed by `[vectors - 1][rows - 1]`.
    pub(super) rows: [&'static [MicroKernel]; NV],
    /// Indexed by `[gather * 4 + partial * 2 + vectors - 1][rows - 1]`.
    pub(super) outer: [&'static [MicroKernel]; 8],
    /// Of one pixel, and of [`PIXELS`](super::simd::PIXELS).
    pub(super) depthwise: [DepthwiseKernel; 2],
    pub(super) lanes: usize,
}

macro_rules! table {
    ($name:ident, $module:ident, $lanes:ty, [$($feature:literal)?], $counts:tt) => {
        mod $module {
            #[allow(clippy::wildcard_imports)]
            use super::*;
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn rows<const MR: usize, const NV: usize>(args: &Args) {
                unsafe { super::rows::<$lanes, MR, NV>(args) }
            }
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn outer<const MR: usize, const NV: usize, const G: bool, const P: bool>(args: &Args) {
                unsafe { super::outer::<$lanes, MR, NV, G, P>(args) }
            }
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn depthwise<const P: usize>(args: &DepthwiseArgs) {
                unsafe { super::depthwise::<$lanes, P>(args) }
            }
        }
        pub(super) static $name: Table = Table {
            rows: [table!(@rows $module, 1, $counts), table!(@rows $module, 2, $counts)],
            outer: [
                table!(@outer $module, 1, false, false, $counts),
                table!(@outer $module, 2, false, false, $counts),
                table!(@outer $module, 1, false, true, $counts),
                table!(@outer $module, 2, false, true, $counts),
                table!(@outer $module, 1, true, false, $counts),
                table!(@outer $module, 2, true, false, $counts),
                table!(@outer $module, 1, true, true, $counts),
                table!(@outer $module, 2, true, true, $counts),
            ],
            depthwise: [$module::depthwise::<1>, $module::depthwise::<PIXELS>],
            lanes: <$lanes as Lanes>::N,
        };
    };
    (@rows $module:ident, $nv:literal, [$($mr:literal)*]) => { &[$($module::rows::<$mr, $nv>),*] };
    (@outer $module:ident, $nv:literal, $gather:literal, $part:literal, [$($mr:literal)*]) => {
        &[$($module::outer::<$mr, $nv, $gather, $part>),*]
    };
}

#[cfg(target_arch = "x86_64")]
table!(AVX512, avx512, std::arch::x86_64::__m512, ["avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"],
    [1 2 3 4 5 6 7 8 9 10 11 12]);
#[cfg(target_arch = "x86_64")]
table!(AVX2, avx2, std::arch::x86_64::__m256, ["avx2,fma"], [1 2 3 4 5 6]);
table!(PORTABLE, portable, Four, [], [1 2 3 4 5 6]);
