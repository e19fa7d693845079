//! Instruction sets, and the register-tiled micro-kernels behind an interface that is safe: arguments are checked once a tile, before the
//! raw loops of `micro_kernels.rs` run, whose loads the optimiser cannot prove to be in bounds.

use super::lanes::prefetch_line;
#[cfg(target_arch = "x86_64")]
use super::micro_kernels::{AVX2, AVX512};
use super::micro_kernels::{Args, DepthwiseArgs, Ending, PORTABLE, Table};
use super::tile::OutputTile;
use crate::kernels::{ColumnEnding, row_tiles};
use std::ops::Range;

/// Offset that stands for a row of zeros: a tap that falls into the padding.
pub(crate) const PAD: u32 = u32::MAX;
/// Most output rows that any micro-kernel holds in registers.
pub(crate) const MAX_MR: usize = 12;
/// Vectors across a full column panel.
pub(super) const NV: usize = 2;

/// Pixels of a depthwise convolution that are kept in registers.
pub(super) const PIXELS: usize = 4;
/// What their taps in the padding read: two vectors of any level.
static ZEROS: [f32; 32] = [0.0; 32];

/// An instruction set that the micro-kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust arrays that LLVM vectorises for the target's baseline (SSE2, NEON).
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

impl Level {
    /// The best level of the processor that runs this.
    #[must_use]
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::Portable)
    }

    /// Every level that this processor can run, slowest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq");
            if avx2 && avx512 {
                return &[Self::Portable, Self::Avx2, Self::Avx512];
            }
            if avx2 {
                return &[Self::Portable, Self::Avx2];
            }
        }
        &[Self::Portable]
    }

    /// Runs `task` compiled for this level, so that plain loops in it use the level's vectors.
    #[inline]
    pub fn vectorize<T: Vectorize>(self, task: T) -> T::Output {
        match self {
            // SAFETY: the guard of each arm has just checked that the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if Self::available().contains(&Self::Avx512) => unsafe { run_avx512(task) },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if Self::available().contains(&Self::Avx2) => unsafe { run_avx2(task) },
            _ => task.run::<{ cfg!(target_arch = "aarch64") }>(),
        }
    }
}

/// A loop nest to be compiled once per [`Level`]; implement `run` as `#[inline(always)]`.
pub trait Vectorize {
    /// What the loop nest returns.
    type Output;
    /// The loops. `FMA` says that `f32::mul_add` is one instruction here (where it is not, it is a slow call).
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// `a * b + c`, fused where the instruction set has it.
#[inline(always)]
#[must_use]
pub fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// A value within bounds; NaN stays.
#[inline(always)]
pub(crate) fn bounded(x: f32, [low, high]: [f32; 2]) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
fn run_avx512<T: Vectorize>(task: T) -> T::Output {
    task.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Vectorize>(task: T) -> T::Output {
    task.run::<true>()
}

/// The micro-kernels of one [`Level`].
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    table: &'static Table,
    level: Level,
}

/// Row pointers of one tile of A that were checked against A's length: offsets `[taps][mr]`, `kc` floats at each.
pub(crate) struct Rows<'a> {
    a: &'a [f32],
    zero: &'a [f32],
    offsets: &'a [u32],
    /// Which block of `kc` rows of B each tap multiplies.
    taps: &'a [u32],
    last_tap: usize,
    kc: usize,
    mr: usize,
}

impl<'a> Rows<'a> {
    /// Checks every offset; `zero` holds at least `kc` zeros.
    pub(crate) fn new(a: &'a [f32], zero: &'a [f32], offsets: &'a [u32], taps: &'a [u32], kc: usize) -> Self {
        // PAD + 1 wraps to zero, so that the largest real offset is found without a branch.
        let largest = offsets.iter().fold(0, |max: u32, &o| max.max(o.wrapping_add(1)));
        let last_tap = taps.iter().fold(0, |max, &t| max.max(t)) as usize;
        let mr = offsets.len().checked_div(taps.len()).unwrap_or(0);
        assert!(largest == 0 || largest as usize - 1 + kc <= a.len());
        assert!(zero.len() >= kc && mr * taps.len() == offsets.len());
        Self { a, zero, offsets, taps, last_tap, kc, mr }
    }
}

/// One panel of B: `step` floats from one k to the next.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub(crate) b: &'a [f32],
    pub(crate) step: usize,
}

/// Rows of A and of B to be multiplied pairwise and summed: `sum_p a[a_offsets[p] + row] * b[b_offsets[p] + col]`.
pub(crate) struct Outer<'a> {
    a: &'a [f32],
    b: &'a [f32],
    a_offsets: &'a [u32],
    b_offsets: &'a [u32],
    a_last: usize,
    b_last: usize,
}

impl<'a> Outer<'a> {
    /// Finds the largest offsets once, for the checks of every tile.
    pub(crate) fn new(a: &'a [f32], a_offsets: &'a [u32], b: &'a [f32], b_offsets: &'a [u32]) -> Self {
        assert_eq!(a_offsets.len(), b_offsets.len());
        let last = |offsets: &[u32]| offsets.iter().fold(0, |max, &o| max.max(o)) as usize;
        Self { a, b, a_offsets, b_offsets, a_last: last(a_offsets), b_last: last(b_offsets) }
    }
}

/// Which floats behind a row of A an outer product takes, one per output row.
pub(crate) enum Pick<'a> {
    /// Consecutive floats from here.
    From(usize),
    /// The float at each of these offsets.
    At(&'a [u32]),
}

impl Kernels {
    /// The kernels of `level`, or of the best level below it that this processor has.
    pub(crate) fn new(level: Level) -> Self {
        let level = if Level::available().contains(&level) { level } else { Level::Portable };
        let table = match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => &AVX512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => &AVX2,
            _ => &PORTABLE,
        };
        Self { table, level }
    }

    pub(crate) fn level(self) -> Level {
        self.level
    }

    /// Most rows of a tile.
    pub(crate) fn mr(self) -> usize {
        self.table.rows[0].len()
    }

    /// Columns of one vector; a full panel has twice as many.
    pub(crate) fn lanes(self) -> usize {
        self.table.lanes
    }

    /// Columns of a full panel.
    pub(crate) fn nr(self) -> usize {
        NV * self.table.lanes
    }

    /// One output tile from checked rows of A and a panel of B whose rows are readable for whole vectors.
    /// `tile` rows `row..row + mr`, columns `col..col + cols` are overwritten with the sums, or with what `ending` makes of them.
    pub(crate) fn rows(
        self,
        a: &Rows,
        panel: Panel,
        tile: &mut OutputTile,
        at: TilePlace,
        ending: Option<&ColumnEnding>,
    ) {
        let vectors = at.cols.div_ceil(self.lanes());
        assert!((1..=NV).contains(&vectors) && at.rows >= 1 && at.rows <= self.mr());
        if !a.taps.is_empty() && a.kc > 0 {
            let last = ((a.last_tap + 1) * a.kc - 1) * panel.step + vectors * self.lanes();
            assert!(a.mr == at.rows && last <= panel.b.len());
        }
        let mut c_offsets = [0; MAX_MR];
        tile.offsets(at.row, at.rows, at.col, at.cols, &mut c_offsets);
        let args = Args {
            a: a.a.as_ptr(),
            zero: a.zero.as_ptr(),
            a_offsets: a.offsets.as_ptr(),
            b_offsets: a.taps.as_ptr(),
            count: a.taps.len(),
            kc: a.kc,
            b: panel.b.as_ptr(),
            b_step: panel.step,
            row_offsets: std::ptr::null(),
            c: tile.base(),
            c_offsets: c_offsets.as_ptr(),
            cols: at.cols,
            accumulate: false,
            ending: ending.map(|ending| Ending::of(ending, at.col..at.col + at.cols)),
        };
        // SAFETY: the level was detected; `Rows::new` and the assertions above cover every read of A and B, `Ending::of` those of
        // the ending, `OutputTile::offsets` every write.
        unsafe { self.table.rows[vectors - 1][at.rows - 1](&args) }
    }

    /// `c[row][col] (+)= sum of outer products`, for some rows and columns behind the operands' offsets; C has no gaps.
    pub(crate) fn outers(self, operands: &Outer, [rows, cols]: [Range<usize>; 2], c: &mut [f32], accumulate: bool) {
        if !operands.a_offsets.is_empty() {
            assert!(operands.a_last + rows.end <= operands.a.len() && operands.b_last + cols.end <= operands.b.len());
        }
        assert!(cols.len().is_multiple_of(self.lanes()) && rows.len() * cols.len() <= c.len());
        let c_offsets: [usize; MAX_MR] = std::array::from_fn(|r| r * cols.len());
        for col in cols.clone().step_by(self.nr()) {
            let vectors = ((cols.end - col) / self.lanes()).min(NV);
            for (row, mr) in row_tiles(rows.clone(), self.mr()) {
                let args = Args {
                    a: operands.a.as_ptr().wrapping_add(row),
                    zero: std::ptr::null(),
                    a_offsets: operands.a_offsets.as_ptr(),
                    b_offsets: operands.b_offsets.as_ptr(),
                    count: operands.a_offsets.len(),
                    kc: 0,
                    b: operands.b.as_ptr().wrapping_add(col),
                    b_step: 0,
                    row_offsets: std::ptr::null(),
                    c: c.as_mut_ptr().wrapping_add((row - rows.start) * cols.len() + col - cols.start),
                    c_offsets: c_offsets.as_ptr(),
                    cols: vectors * self.lanes(),
                    accumulate,
                    ending: None,
                };
                // SAFETY: the level was detected; the assertions above cover every read and write.
                unsafe { self.table.outer[vectors - 1][mr - 1](&args) }
            }
        }
    }

    /// Products of small matrices; C is overwritten, or added to.
    pub(crate) fn blocks(self, a: &[f32], b: &[f32], c: &mut [f32], of: &Blocks, accumulate: bool) {
        let Blocks { positions, groups, rows, depth, cols, a_step, a_next, .. } = *of;
        if positions * groups * depth == 0 {
            return;
        }
        assert!((1..=self.mr()).contains(&rows) && cols.is_multiple_of(self.lanes()));
        let last = |step: usize| (positions - 1) * step;
        assert!((groups - 1) * a_next + last(of.a_position) + (rows - 1) * a_step + depth <= a.len());
        assert!(last(of.b_position) + depth * cols <= b.len());
        assert!(last(of.c_position) + groups * rows * cols <= c.len());
        let a_offsets: [u32; MAX_MR] = std::array::from_fn(|r| (r * a_step) as u32);
        let c_offsets: [usize; MAX_MR] = std::array::from_fn(|r| r * cols);
        for position in 0..positions {
            for col in (0..cols).step_by(self.nr()) {
                let vectors = ((cols - col) / self.lanes()).min(NV);
                for group in 0..groups {
                    if col + self.nr() >= cols {
                        let (p, g) = if group + 1 < groups { (position, group + 1) } else { (position + 1, 0) };
                        for row in 0..rows {
                            let from = a.as_ptr().wrapping_add(g * a_next + p * of.a_position + row * a_step);
                            prefetch_line(from, depth);
                        }
                    }
                    let args = Args {
                        a: a.as_ptr().wrapping_add(group * a_next + position * of.a_position),
                        zero: std::ptr::null(),
                        a_offsets: a_offsets.as_ptr(),
                        b_offsets: [0].as_ptr(),
                        count: 1,
                        kc: depth,
                        b: b.as_ptr().wrapping_add(position * of.b_position + col),
                        b_step: cols,
                        row_offsets: std::ptr::null(),
                        c: c.as_mut_ptr().wrapping_add(position * of.c_position + group * rows * cols + col),
                        c_offsets: c_offsets.as_ptr(),
                        cols: vectors * self.lanes(),
                        accumulate,
                        ending: None,
                    };
                    // SAFETY: the level was detected; the assertions above cover every read and write.
                    unsafe { self.table.rows[vectors - 1][rows - 1](&args) }
                }
            }
        }
    }

    /// One output tile as a sum of outer products; B starts at `b_col` behind each of its rows.
    pub(crate) fn outer(
        self,
        operands: &Outer,
        pick: Pick,
        b_col: usize,
        tile: &mut OutputTile,
        at: TilePlace,
        accumulate: bool,
    ) {
        let vectors = at.cols.div_ceil(self.lanes());
        assert!((1..=NV).contains(&vectors) && at.rows >= 1 && at.rows <= self.mr());
        let (start, behind, row_offsets) = match pick {
            Pick::From(start) => (start, start + at.rows, std::ptr::null()),
            Pick::At(offsets) => {
                assert_eq!(offsets.len(), at.rows);
                let largest = offsets.iter().fold(0, |max, &o| max.max(o));
                (0, largest as usize + 1, offsets.as_ptr())
            }
        };
        if !operands.a_offsets.is_empty() {
            assert!(operands.a_last + behind <= operands.a.len());
            assert!(operands.b_last + b_col + at.cols <= operands.b.len());
        }
        let mut c_offsets = [0; MAX_MR];
        tile.offsets(at.row, at.rows, at.col, at.cols, &mut c_offsets);
        let args = Args {
            a: operands.a.as_ptr().wrapping_add(start),
            zero: std::ptr::null(),
            a_offsets: operands.a_offsets.as_ptr(),
            b_offsets: operands.b_offsets.as_ptr(),
            count: operands.a_offsets.len(),
            kc: 0,
            b: operands.b.as_ptr().wrapping_add(b_col),
            b_step: 0,
            row_offsets,
            c: tile.base(),
            c_offsets: c_offsets.as_ptr(),
            cols: at.cols,
            accumulate,
            ending: None,
        };
        let partial = at.cols != vectors * self.lanes();
        let gather = !row_offsets.is_null();
        let kernels = self.table.outer[usize::from(gather) * 4 + usize::from(partial) * 2 + vectors - 1];
        // SAFETY: as in `rows`; partial panels read no float behind their last column.
        unsafe { kernels[at.rows - 1](&args) }
    }
}

/// Pixels of a depthwise convolution, whose taps were found.
pub(crate) struct Depthwise<'a> {
    pub(crate) x: &'a [f32],
    /// `[tap][channel]`.
    pub(crate) weights: &'a [f32],
    /// The row of weights of each tap.
    pub(crate) taps: &'a [u32],
    /// Where tap `t` of pixel `p` begins in `x`, or `PAD`: at `t * stride + p`.
    pub(crate) offsets: &'a [u32],
    pub(crate) stride: usize,
    pub(crate) channels: usize,
}

impl Kernels {
    /// `y[p][c] = sum_t x[offset_t_p + c] * w[t][c]` for all pixels of `y`, which are those of `offsets` from the first on.
    pub(crate) fn depthwise(self, of: &Depthwise, y: &mut [f32]) {
        let Depthwise { x, weights, taps, offsets, stride, channels } = *of;
        if channels == 0 {
            return;
        }
        let pixels = y.len() / channels;
        if let Some(last) = taps.len().checked_sub(1) {
            // PAD + 1 wraps to zero, so that the largest real offset is found without a branch.
            let largest = offsets.iter().fold(0, |max: u32, &o| max.max(o.wrapping_add(1)));
            let last_tap = taps.iter().fold(0, |max, &t| max.max(t)) as usize;
            assert!(largest == 0 || largest as usize - 1 + channels <= x.len());
            assert!((last_tap + 1) * channels <= weights.len() && last * stride + pixels <= offsets.len());
        }
        let mut p = 0;
        while p < pixels {
            let (kernel, step) = if p + PIXELS <= pixels { (1, PIXELS) } else { (0, 1) };
            let args = DepthwiseArgs {
                x: x.as_ptr(),
                zero: ZEROS.as_ptr(),
                offsets: offsets.as_ptr().wrapping_add(p),
                stride,
                taps: taps.as_ptr(),
                count: taps.len(),
                weights: weights.as_ptr(),
                channels,
                y: y.as_mut_ptr().wrapping_add(p * channels),
            };
            // SAFETY: the level was detected; the assertions above cover every read, and `p + step` pixels lie in `y`.
            unsafe { self.table.depthwise[kernel](&args) }
            p += step;
        }
    }
}

/// Products `c[p][g] (+)= a[g][p] * b[p]` of small matrices: A is `[group][position][row][k]`, B `[position][k][column]` and
/// C `[position][group][row][column]`.
pub(crate) struct Blocks {
    pub(crate) positions: usize,
    pub(crate) groups: usize,
    pub(crate) rows: usize,
    /// Terms of each sum.
    pub(crate) depth: usize,
    /// Columns, a multiple of [`Kernels::lanes`].
    pub(crate) cols: usize,
    /// Floats between rows of A, and between its groups.
    pub(crate) a_step: usize,
    pub(crate) a_next: usize,
    /// Floats between positions.
    pub(crate) a_position: usize,
    pub(crate) b_position: usize,
    pub(crate) c_position: usize,
}

/// Where a micro-tile lies inside the tile that a task owns.
#[derive(Clone, Copy)]
pub(crate) struct TilePlace {
    pub(crate) row: usize,
    pub(crate) rows: usize,
    pub(crate) col: usize,
    pub(crate) cols: usize,
}
