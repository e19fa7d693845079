//! Depthwise filters over runs of one output line: each input pixel is loaded once a filter row for all the outputs that it is part of.
//! `unsafe` for the raw loads and stores of the loops, whose bounds [`Kernels::depthwise_line`] checks once a run and filter row.

use super::lanes::{Four, Lanes};
use super::micro_kernels::Ending;
use super::simd::Kernels;
#[cfg(target_arch = "x86_64")]
use super::simd::Level;
use crate::kernels::ColumnEnding;
use std::ops::Range;

/// Most output pixels that are kept in registers.
const MOST: usize = 8;
/// Input pixels of a filter row over so many outputs, at most: `(MOST - 1) * 2 + 5`.
const INPUTS: usize = 19;
/// Most rows of a filter.
pub(crate) const FILTER_ROWS: usize = 7;

/// Some output pixels of one line, and the filter rows that lie in the image there.
pub(crate) struct LineRun<'a> {
    pub(crate) x: &'a [f32],
    /// `[filter row][filter column][channel]`.
    pub(crate) weights: &'a [f32],
    pub(crate) channels: usize,
    /// Filter columns: 3 or 5.
    pub(crate) width: usize,
    /// Input pixels from one output to the next: 1 or 2.
    pub(crate) stride: usize,
    /// The filter rows that count.
    pub(crate) rows: Range<usize>,
    /// Where the first input pixel of the first of these rows begins in `x`, which may be before the line, and floats to the next row.
    pub(crate) start: isize,
    pub(crate) row_step: usize,
    /// Which of the run's input pixels lie in the image.
    pub(crate) inside: Range<usize>,
}

struct LineArgs {
    rows: [*const f32; FILTER_ROWS],
    count: usize,
    weights: *const f32,
    channels: usize,
    inside: [usize; 2],
    y: *mut f32,
    ending: Option<Ending>,
}

/// `P` output pixels of a filter of `K` columns and stride `S`; with `EDGE` some of the input pixels count as zeros.
#[inline(always)]
unsafe fn line<V: Lanes, const P: usize, const K: usize, const S: usize, const EDGE: bool>(args: &LineArgs) {
    unsafe {
        let mut c = 0;
        while c + V::N <= args.channels {
            channels::<V, P, K, S, EDGE, false>(args, c);
            c += V::N;
        }
        if c < args.channels {
            channels::<V, P, K, S, EDGE, true>(args, c);
        }
    }
}

/// One vector of channels from `c` on; with `PART` the last ones, which do not fill it.
#[inline(always)]
unsafe fn channels<V: Lanes, const P: usize, const K: usize, const S: usize, const EDGE: bool, const PART: bool>(
    args: &LineArgs,
    c: usize,
) {
    unsafe {
        let left = args.channels - c;
        let load = |from: *const f32| if PART { V::load_part(from, left) } else { V::load(from) };
        let zero = V::splat(0.0);
        let mut acc = [[zero; 1]; P];
        let mut weights = args.weights.add(c);
        for row in &args.rows[..args.count] {
            let mut from = row.wrapping_add(c);
            let mut x = [zero; INPUTS];
            for (j, x) in x.iter_mut().enumerate().take((P - 1) * S + K) {
                if !EDGE || (args.inside[0] <= j && j < args.inside[1]) {
                    *x = load(from);
                }
                from = from.wrapping_add(args.channels);
            }
            for k in 0..K {
                let w = load(weights);
                weights = weights.wrapping_add(args.channels);
                for (p, [sum]) in acc.iter_mut().enumerate() {
                    *sum = x[p * S + k].fma(w, *sum);
                }
            }
        }
        if let Some(ending) = args.ending {
            ending.behind(c).apply(&mut acc, left);
        }
        for (p, [sum]) in acc.iter().enumerate() {
            let y = args.y.add(p * args.channels + c);
            if PART { sum.store_part(y, left) } else { sum.store(y) }
        }
    }
}

type LineKernel = unsafe fn(&LineArgs);

/// The loops of one level, by `[edge][pixels - 1]`, of each width and stride.
struct LineTable {
    narrow: [&'static [[LineKernel; 2]]; 2],
    wide: [&'static [[LineKernel; 2]]; 2],
}

macro_rules! lines {
    ($name:ident, $module:ident, $lanes:ty, [$($feature:literal)?], $counts:tt) => {
        mod $module {
            #[allow(clippy::wildcard_imports)]
            use super::*;
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn line<const P: usize, const K: usize, const S: usize, const EDGE: bool>(
                args: &LineArgs,
            ) {
                unsafe { super::line::<$lanes, P, K, S, EDGE>(args) }
            }
        }
        static $name: LineTable = LineTable {
            narrow: [lines!(@of $module, 3, 1, $counts), lines!(@of $module, 3, 2, $counts)],
            wide: [lines!(@of $module, 5, 1, $counts), lines!(@of $module, 5, 2, $counts)],
        };
    };
    (@of $module:ident, $k:literal, $s:literal, [$($p:literal)*]) => {
        &[$([$module::line::<$p, $k, $s, false>, $module::line::<$p, $k, $s, true>]),*]
    };
}

#[cfg(target_arch = "x86_64")]
lines!(AVX512, avx512, std::arch::x86_64::__m512, ["avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"], [1 2 3 4 5 6 7 8]);
#[cfg(target_arch = "x86_64")]
lines!(AVX2, avx2, std::arch::x86_64::__m256, ["avx2,fma"], [1 2 3 4]);
lines!(PORTABLE, portable, Four, [], [1 2 3 4]);

impl Kernels {
    fn lines(self) -> &'static LineTable {
        match self.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => &AVX512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => &AVX2,
            _ => &PORTABLE,
        }
    }

    /// Most output pixels of a [`LineRun`].
    pub(crate) fn line_pixels(self) -> usize {
        self.lines().narrow[0].len()
    }

    /// The sums of a run, or what `ending` makes of them, `channels` floats a pixel.
    pub(crate) fn depthwise_line(self, of: &LineRun, y: &mut [f32], ending: Option<&ColumnEnding>) {
        let LineRun { x, weights, channels, width, stride, ref rows, start, row_step, ref inside } = *of;
        let pixels = y.len().checked_div(channels).unwrap_or(0);
        if pixels == 0 {
            return;
        }
        let table = self.lines();
        let kernels = match width {
            3 => table.narrow[stride - 1],
            5 => table.wide[stride - 1],
            _ => panic!("a filter of {width} columns"),
        };
        let inputs = (pixels - 1) * stride + width;
        assert!(pixels <= kernels.len() && rows.len() <= FILTER_ROWS && inside.end <= inputs);
        assert!(rows.end * width * channels <= weights.len());
        let mut pointers = [std::ptr::null(); FILTER_ROWS];
        for (r, pointer) in pointers[..rows.len()].iter_mut().enumerate() {
            let begin = start + (r * row_step) as isize;
            if !inside.is_empty() {
                let [first, last] = [inside.start, inside.end].map(|at| begin + (at * channels) as isize);
                assert!(first >= 0 && last as usize <= x.len());
            }
            *pointer = x.as_ptr().wrapping_offset(begin);
        }
        let args = LineArgs {
            rows: pointers,
            count: rows.len(),
            weights: weights.as_ptr().wrapping_add(rows.start * width * channels),
            channels,
            inside: [inside.start, inside.end],
            y: y.as_mut_ptr(),
            ending: ending.map(|ending| Ending::of(ending, 0..channels)),
        };
        let edge = usize::from(*inside != (0..inputs));
        // SAFETY: the level was detected; the assertions above cover every read of the image and of the weights, `Ending::of` those of
        // the ending, and `pixels * channels` floats lie in `y`.
        unsafe { kernels[pixels - 1][edge](&args) }
    }
}

const _: () = assert!(INPUTS >= (MOST - 1) * 2 + 5);
