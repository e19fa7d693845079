//! The convolution kernels against naive float64 loops, on every instruction set that this processor has.

mod support;

use chiaro_cpu::kernels::{
    ConvExtents, Epilogue, Level, NoEpilogue, PackedWeights, Workspace, conv2d, conv2d_input_gradient,
    conv2d_weight_gradient,
};
use support::{Generator, any_shape, bound, error, for_each_product, pool};

struct Operands {
    x: Vec<f32>,
    w: Vec<f32>,
    dy: Vec<f32>,
}

/// Output, input gradient and weight gradient.
type Results = [Vec<f32>; 3];

fn operands(s: &ConvExtents, g: &mut Generator) -> Operands {
    Operands { x: g.floats(s.input_len()), w: g.floats(s.weights_len()), dy: g.floats(s.output_len()) }
}

fn run(workspace: &mut Workspace, s: &ConvExtents, v: &Operands) -> Results {
    // Outputs start as NaN, so that an element which is not written shows.
    let mut results = [s.output_len(), s.input_len(), s.weights_len()].map(|n| vec![f32::NAN; n]);
    let [y, dx, dw] = &mut results;
    let mut packed = PackedWeights::new();
    packed.pack_forward(workspace, s, &v.w);
    conv2d(workspace, &packed, &v.w, &v.x, y, &NoEpilogue);
    packed.pack_input_gradient(workspace, s, &v.w);
    conv2d_input_gradient(workspace, &packed, &v.w, &v.dy, dx, &NoEpilogue);
    conv2d_weight_gradient(workspace, s, &v.x, &v.dy, dw);
    results
}

fn naive(s: &ConvExtents, v: &Operands) -> [Vec<f64>; 3] {
    let mut results = [s.output_len(), s.input_len(), s.weights_len()].map(|n| vec![0.0; n]);
    let [y, dx, dw] = &mut results;
    for_each_product(s, |xi, wi, yi| {
        let [x, w, g] = [v.x[xi], v.w[wi], v.dy[yi]].map(f64::from);
        y[yi] += x * w;
        dx[xi] += g * w;
        dw[wi] += x * g;
    });
    results
}

/// Terms of each sum in the three directions.
fn terms(s: &ConvExtents) -> [usize; 3] {
    [
        s.taps() * s.channels_in / s.groups,
        s.taps() * s.channels_out / s.groups,
        s.batch * s.out_height() * s.out_width(),
    ]
}

fn check(s: &ConvExtents, g: &mut Generator) {
    let v = operands(s, g);
    let truth = naive(s, &v);
    for &level in Level::available() {
        let results = run(&mut Workspace::with_level(level), s, &v);
        for (i, name) in ["forward", "input gradient", "weight gradient"].iter().enumerate() {
            let error = error(&results[i], &truth[i]);
            assert!(error <= bound(terms(s)[i]), "{name} {level:?} {s:?}: {error}");
        }
    }
}

#[test]
fn generated_shapes_equal_naive_loops() {
    let mut g = Generator(1);
    for _ in 0..300 {
        let s = any_shape(&mut g);
        check(&s, &mut g);
    }
}

#[test]
fn outputs_of_fewer_windows_than_fit_equal_naive_loops() {
    let mut g = Generator(8);
    for i in 0..100 {
        let mut s = any_shape(&mut g);
        if i % 4 == 0 {
            (s.channels_out, s.groups) = (s.channels_in, s.channels_in);
        }
        s.out = Some([g.range(1, s.out_height()), g.range(1, s.out_width())]);
        check(&s, &mut g);
    }
    let winograd = ConvExtents::square([2, 14, 13, 32], 32, 3, 1, 1);
    check(&ConvExtents { out: Some([9, 12]), ..winograd }, &mut g);
}

#[test]
fn depthwise_shapes_equal_naive_loops() {
    let mut g = Generator(2);
    for _ in 0..100 {
        let mut s = any_shape(&mut g);
        s.channels_in = g.range(2, 150);
        s.channels_out = s.channels_in;
        s.groups = s.channels_in;
        check(&s, &mut g);
    }
}

#[test]
fn shapes_of_real_networks_equal_naive_loops() {
    let mut g = Generator(3);
    let image = |n, size, c| [n, size, size, c];
    for s in [
        ConvExtents::square(image(8, 8, 64), 64, 3, 1, 1),
        ConvExtents::square(image(9, 4, 96), 160, 3, 1, 1),
        ConvExtents::square(image(2, 17, 64), 72, 3, 1, 1),
        ConvExtents::square(image(3, 16, 64), 128, 3, 2, 1),
        ConvExtents::square(image(3, 16, 64), 128, 1, 2, 0),
        ConvExtents::square(image(2, 32, 3), 64, 7, 2, 3),
        ConvExtents::square(image(2, 28, 1), 32, 5, 1, 2),
        ConvExtents::square(image(70, 1, 300), 10, 1, 1, 0),
        ConvExtents::square(image(2, 32, 64), 64, 3, 1, 1),
        ConvExtents::square(image(2, 21, 32), 48, 3, 1, 0),
        ConvExtents { padding: [2, 1, 0, 2], ..ConvExtents::square([3, 7, 30, 48], 32, 3, 1, 0) },
        ConvExtents { padding: [0, 1, 2, 0], ..ConvExtents::square([2, 33, 15, 32], 160, 3, 1, 0) },
        ConvExtents::square(image(2, 8, 256), 192, 3, 1, 1),
        // Winograd's method with its inputs transformed some images at a time, and with tiles cut off on both sides.
        ConvExtents::square(image(16, 28, 160), 32, 3, 1, 1),
        ConvExtents::square(image(5, 7, 144), 176, 3, 1, 1),
        ConvExtents::square(image(30, 3, 160), 160, 3, 1, 1),
        // The same with half a vector of channels left, in all filters and in panels and parts of them.
        ConvExtents::square(image(2, 9, 24), 64, 3, 1, 1),
        ConvExtents::square(image(3, 13, 56), 24, 3, 1, 0),
        ConvExtents::square(image(5, 7, 136), 200, 3, 1, 1),
        ConvExtents::square(image(16, 14, 152), 40, 3, 1, 1),
        // A kernel larger than the image, held up by padding.
        ConvExtents::square(image(2, 3, 5), 7, 5, 1, 2),
    ] {
        check(&s, &mut g);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut g = Generator(4);
    for i in 0..15 {
        let s = match i {
            12 => ConvExtents::square([4, 32, 32, 64], 32, 3, 1, 1),
            13 => ConvExtents::square([4, 8, 8, 128], 256, 3, 1, 1),
            14 => ConvExtents::square([3, 20, 20, 104], 72, 3, 1, 1),
            0 => ConvExtents::square([8, 8, 8, 64], 64, 3, 1, 1),
            1 => ConvExtents::square([6, 28, 28, 1], 32, 3, 1, 0),
            2 => ConvExtents::square([2, 32, 32, 16], 40, 3, 2, 1),
            _ => any_shape(&mut g),
        };
        let v = operands(&s, &mut g);
        let [one, two] = [1, 2].map(|n| pool(n).install(|| run(&mut Workspace::new(), &s, &v)));
        assert_eq!(one, two, "{s:?}");
    }
}

#[test]
fn one_workspace_and_one_packing_serve_many_shapes() {
    let mut g = Generator(5);
    let mut workspace = Workspace::new();
    for _ in 0..40 {
        let s = any_shape(&mut g);
        let v = operands(&s, &mut g);
        let fresh = run(&mut Workspace::new(), &s, &v);
        assert_eq!(run(&mut workspace, &s, &v), fresh, "{s:?}");
    }
}

/// Adds the row number and ten times the column number, and so shows where each call says that it is.
struct Ramp;

impl Epilogue for Ramp {
    fn apply(&self, r0: usize, rows: usize, c0: usize, cols: usize, tile: &mut [f32], step: usize) {
        for r in 0..rows {
            for c in 0..cols {
                tile[r * step + c] += ((r0 + r) + 10 * (c0 + c)) as f32;
            }
        }
    }
}

#[test]
fn the_epilogue_sees_every_element_once_with_its_place() {
    let mut g = Generator(6);
    let mut shapes: Vec<_> = (0..40).map(|_| any_shape(&mut g)).collect();
    shapes.push(ConvExtents::square([8, 8, 8, 64], 64, 3, 1, 1));
    shapes.push(ConvExtents::square([8, 4, 4, 512], 96, 3, 1, 1));
    shapes.push(ConvExtents::square([3, 31, 29, 32], 32, 3, 1, 1));
    for s in shapes {
        let v = operands(&s, &mut g);
        let mut workspace = Workspace::new();
        let mut packed = PackedWeights::new();
        let [mut y, mut dx, _] = run(&mut workspace, &s, &v);
        let (mut y2, mut dx2) = (y.clone(), dx.clone());
        packed.pack_forward(&mut workspace, &s, &v.w);
        conv2d(&mut workspace, &packed, &v.w, &v.x, &mut y2, &Ramp);
        packed.pack_input_gradient(&mut workspace, &s, &v.w);
        conv2d_input_gradient(&mut workspace, &packed, &v.w, &v.dy, &mut dx2, &Ramp);
        for (plain, channels) in [(&mut y, s.channels_out), (&mut dx, s.channels_in)] {
            for (i, value) in plain.iter_mut().enumerate() {
                *value += (i / channels + 10 * (i % channels)) as f32;
            }
        }
        assert_eq!((y, dx), (y2, dx2), "{s:?}");
    }
}

#[test]
fn a_corrupted_output_fails_the_comparison() {
    let mut g = Generator(7);
    let s = ConvExtents::square([2, 9, 9, 20], 33, 3, 1, 1);
    let v = operands(&s, &mut g);
    let truth = naive(&s, &v);
    let mut results = run(&mut Workspace::new(), &s, &v);
    for i in 0..3 {
        results[i][7] += 0.02;
        assert!(error(&results[i], &truth[i]) > bound(terms(&s)[i]));
    }
}
