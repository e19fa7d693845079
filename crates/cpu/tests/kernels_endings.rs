//! Endings that kernels do in registers against the same done afterwards, products by weights that were packed before, and depthwise
//! filters by lines: on every instruction set that this processor has, bit for bit.

mod support;

use chiaro_cpu::kernels::{
    ColumnEnding, ConvExtents, Epilogue, Level, MatmulShape, NoEpilogue, PackedMatrix, PackedWeights, RightOperand,
    Workspace, conv2d, madd, matmul,
};
use support::{Generator, any_shape, bound, error, for_each_product, pool};

/// A factor and a summand a column, and bounds.
struct Columns {
    scale: Vec<f32>,
    shift: Vec<f32>,
    bounds: [f32; 2],
    /// Whether kernels may know what it is.
    told: bool,
    level: Level,
}

impl Columns {
    fn new(cols: usize, bounds: [f32; 2], level: Level, g: &mut Generator) -> Columns {
        Columns { scale: g.floats(cols), shift: g.floats(cols), bounds, told: true, level }
    }
}

impl Epilogue for Columns {
    fn columns(&self) -> Option<ColumnEnding<'_>> {
        self.told.then_some(ColumnEnding { scale: &self.scale, shift: &self.shift, bounds: self.bounds })
    }

    fn apply(&self, _: usize, rows: usize, col: usize, cols: usize, tile: &mut [f32], step: usize) {
        let fused = self.level != Level::Portable || cfg!(target_arch = "aarch64");
        let [low, high] = self.bounds;
        for row in tile.chunks_mut(step).take(rows) {
            for (c, y) in row[..cols].iter_mut().enumerate() {
                let (scale, shift) = (self.scale[col + c], self.shift[col + c]);
                *y = if fused { madd::<true>(*y, scale, shift) } else { madd::<false>(*y, scale, shift) };
                *y = if *y < low { low } else { *y };
                *y = if *y > high { high } else { *y };
            }
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

const BOUNDS: [[f32; 2]; 2] = [[0.0, 1.5], [f32::NEG_INFINITY, f32::INFINITY]];

#[test]
fn endings_of_products_and_packed_weights_change_no_bit() {
    let mut g = Generator(21);
    let sizes = [1, 3, 8, 15, 16, 17, 24, 31, 32, 33, 65, 112, 300];
    for i in 0..120 {
        let mut any = |most: usize| sizes[g.range(0, most)];
        let s = MatmulShape { b_transposed: i % 4 > 0, ..MatmulShape::new(any(12), any(12), any(11)) };
        let (mut a, b) = (g.floats(s.m * s.k), g.floats(s.n * s.k));
        a[0] = if i % 5 == 0 { f32::NAN } else { a[0] };
        for &level in Level::available() {
            let mut workspace = Workspace::with_level(level);
            let mut ending = Columns::new(s.n, BOUNDS[i % 2], level, &mut g);
            let mut run = |b: RightOperand<'_>, ending: &Columns| {
                let mut c = vec![f32::NAN; s.m * s.n];
                matmul(&mut workspace, &s, &a, b, &mut c, ending);
                bits(&c)
            };
            let fused = run(RightOperand::Plain(&b), &ending);
            if s.b_transposed {
                let mut packed = PackedMatrix::new();
                packed.pack(&Workspace::with_level(level), &s, &b);
                assert_eq!(run(RightOperand::Packed(&packed), &ending), fused, "packed, {level:?} {s:?}");
            }
            ending.told = false;
            assert_eq!(run(RightOperand::Plain(&b), &ending), fused, "{level:?} {s:?}");
        }
    }
}

#[test]
fn many_rows_by_packed_weights_are_the_same_with_any_number_of_threads() {
    let mut g = Generator(22);
    for (m, n, k) in [(5000, 96, 16), (900, 300, 700), (49, 1152, 192)] {
        let s = MatmulShape { b_transposed: true, ..MatmulShape::new(m, n, k) };
        let (a, b) = (g.floats(m * k), g.floats(n * k));
        let run = |threads: usize, pack: bool| {
            pool(threads).install(|| {
                let (mut workspace, mut packed, mut c) = (Workspace::new(), PackedMatrix::new(), vec![f32::NAN; m * n]);
                packed.pack(&workspace, &s, &b);
                let b = if pack { RightOperand::Packed(&packed) } else { RightOperand::Plain(&b) };
                matmul(&mut workspace, &s, &a, b, &mut c, &NoEpilogue);
                bits(&c)
            })
        };
        let plain = run(1, false);
        assert!(run(1, true) == plain && run(2, true) == plain && run(3, true) == plain, "{s:?}");
    }
}

#[test]
#[should_panic(expected = "suits")]
fn weights_packed_for_another_product_are_refused() {
    let s = MatmulShape { b_transposed: true, ..MatmulShape::new(4, 40, 6) };
    let (mut workspace, mut packed) = (Workspace::new(), PackedMatrix::new());
    packed.pack(&workspace, &s, &[0.0; 240]);
    let other = MatmulShape { n: 6, k: 40, ..s };
    matmul(&mut workspace, &other, &[0.0; 160], RightOperand::Packed(&packed), &mut [0.0; 24], &NoEpilogue);
}

fn convolve(level: Level, s: &ConvExtents, (x, w): (&[f32], &[f32]), ending: &impl Epilogue) -> Vec<f32> {
    let (mut workspace, mut packed) = (Workspace::with_level(level), PackedWeights::new());
    packed.pack_forward(&mut workspace, s, w);
    let mut y = vec![f32::NAN; s.output_len()];
    conv2d(&mut workspace, &packed, w, x, &mut y, ending);
    y
}

/// A depthwise shape of the filters that are computed by lines.
fn by_lines(g: &mut Generator) -> ConvExtents {
    loop {
        let channels = g.range(2, 70);
        let kernel = [g.range(1, 7), 3 + 2 * g.range(0, 1)];
        let padding = [0; 4].map(|_| g.range(0, 4));
        let image = [g.range(1, 3), g.range(1, 14), g.range(1, 27), channels];
        let stride = [g.range(1, 3), g.range(1, 2)];
        let s = ConvExtents::square(image, channels, 1, 1, 0);
        let s = ConvExtents { kernel, padding, stride, groups: channels, ..s };
        let fits = |axis: usize, size: usize| size + padding[2 * axis] + padding[2 * axis + 1] >= kernel[axis];
        if fits(0, s.height) && fits(1, s.width) {
            return s;
        }
    }
}

#[test]
fn endings_of_convolutions_change_no_bit() {
    let mut g = Generator(23);
    for i in 0..90 {
        let s = if i % 2 == 0 { any_shape(&mut g) } else { by_lines(&mut g) };
        let (mut x, w) = (g.floats(s.input_len()), g.floats(s.weights_len()));
        x[0] = if i % 7 == 0 { f32::NAN } else { x[0] };
        for &level in Level::available() {
            let mut ending = Columns::new(s.channels_out, BOUNDS[i / 2 % 2], level, &mut g);
            let fused = convolve(level, &s, (&x, &w), &ending);
            ending.told = false;
            assert_eq!(bits(&convolve(level, &s, (&x, &w), &ending)), bits(&fused), "{level:?} {s:?}");
        }
    }
}

#[test]
fn depthwise_filters_by_lines_equal_naive_loops() {
    let mut g = Generator(24);
    for i in 0..200 {
        let mut s = by_lines(&mut g);
        s.out = (i % 10 == 0).then(|| [g.range(1, s.out_height()), g.range(1, s.out_width())]);
        let (x, w) = (g.floats(s.input_len()), g.floats(s.weights_len()));
        let mut truth = vec![0.0; s.output_len()];
        for_each_product(&s, |xi, wi, yi| truth[yi] += f64::from(x[xi]) * f64::from(w[wi]));
        for &level in Level::available() {
            let error = error(&convolve(level, &s, (&x, &w), &NoEpilogue), &truth);
            assert!(error <= bound(s.taps()), "{level:?} {s:?}: {error}");
        }
    }
}
