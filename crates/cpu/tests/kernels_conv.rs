//! The convolution kernels against naive float64 loops, on every instruction set that this processor has.

mod support;

use chiaro_cpu::kernels::{
    ConvShape, Level, NoEpilogue, PackedWeights, Workspace, conv2d, conv2d_input_gradient,
};
use support::{Generator, any_shape, bound, error, for_each_product};

fn forward(level: Level, s: &ConvShape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let mut workspace = Workspace::with_level(level);
    let mut packed = PackedWeights::new();
    packed.pack_forward(&mut workspace, s, w);
    let mut y = vec![f32::NAN; s.output_len()];
    conv2d(&mut workspace, &packed, x, &mut y, &NoEpilogue);
    y
}

fn input_gradient(level: Level, s: &ConvShape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let mut workspace = Workspace::with_level(level);
    let mut packed = PackedWeights::new();
    packed.pack_input_gradient(&mut workspace, s, w);
    let mut dx = vec![f32::NAN; s.input_len()];
    conv2d_input_gradient(&mut workspace, &packed, dy, &mut dx, &NoEpilogue);
    dx
}

fn check(s: &ConvShape, g: &mut Generator) {
    let (x, w) = (g.floats(s.input_len()), g.floats(s.weights_len()));
    let dy = g.floats(s.output_len());
    let mut y64 = vec![0.0; y_len(s)];
    let mut dx64 = vec![0.0; x.len()];
    for_each_product(s, |xi, wi, yi| {
        y64[yi] += f64::from(x[xi]) * f64::from(w[wi]);
        dx64[xi] += f64::from(dy[yi]) * f64::from(w[wi]);
    });
    let k = s.taps() * s.channels_in.max(s.channels_out) / s.groups;
    for &level in Level::available() {
        let y = error(&forward(level, s, &x, &w), &y64);
        assert!(y <= bound(k), "forward {level:?} {s:?}: {y}");
        let dx = error(&input_gradient(level, s, &dy, &w), &dx64);
        assert!(dx <= bound(k), "input gradient {level:?} {s:?}: {dx}");
    }
}

fn y_len(s: &ConvShape) -> usize {
    s.output_len()
}

#[test]
fn generated_shapes_equal_naive_loops() {
    let mut g = Generator(1);
    for _ in 0..150 {
        let s = any_shape(&mut g);
        check(&s, &mut g);
    }
}
