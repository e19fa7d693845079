//! Pooling, sums and moments against naive float64 loops, on every instruction set that this processor has.

mod support;

use chiaro_cpu::kernels::{
    Level, NoEpilogue, PoolExtents, Workspace, avg_pool2d, avg_pool2d_gradient, column_moments, max_pool2d,
    max_pool2d_gradient,
};
use support::{Generator, error, pool};

fn any_pool(g: &mut Generator) -> PoolExtents {
    loop {
        let mut s = PoolExtents {
            batch: g.range(1, 3),
            height: g.range(1, 9),
            width: g.range(1, 9),
            channels: g.range(1, 140),
            out: [0; 2],
            kernel: [g.range(1, 3), g.range(1, 3)],
            stride: [g.range(1, 3), g.range(1, 3)],
            padding: [g.range(0, 1), g.range(0, 1)],
            dilation: [g.range(1, 2), g.range(1, 2)],
        };
        let size = [s.height, s.width];
        for (i, size) in size.into_iter().enumerate() {
            let room = (size + 2 * s.padding[i]).checked_sub(s.dilation[i] * (s.kernel[i] - 1) + 1);
            s.out[i] = room.map_or(0, |room| room / s.stride[i] + 1);
        }
        if s.output_len() > 0 {
            return s;
        }
    }
}

/// Input offsets under the window of each output element, in order.
fn windows(s: &PoolExtents) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for i in 0..s.output_len() {
        let (c, ox, oy, n) = (
            i % s.channels,
            i / s.channels % s.out[1],
            i / s.channels / s.out[1] % s.out[0],
            i / s.channels / s.out[1] / s.out[0],
        );
        let mut window = Vec::new();
        for ky in 0..s.kernel[0] {
            for kx in 0..s.kernel[1] {
                let y = (oy * s.stride[0] + ky * s.dilation[0]).wrapping_sub(s.padding[0]);
                let x = (ox * s.stride[1] + kx * s.dilation[1]).wrapping_sub(s.padding[1]);
                if y < s.height && x < s.width {
                    window.push(((n * s.height + y) * s.width + x) * s.channels + c);
                }
            }
        }
        all.push(window);
    }
    all
}

#[test]
fn max_pooling_takes_and_credits_the_first_largest() {
    let mut g = Generator(21);
    for round in 0..120 {
        let s = any_pool(&mut g);
        // Few distinct values make ties; some are NaN.
        let x: Vec<f32> = (0..s.input_len())
            .map(|_| if round % 4 == 0 && g.range(0, 9) == 0 { f32::NAN } else { g.range(0, 4) as f32 })
            .collect();
        let dy = g.floats(s.output_len());
        let (mut y, mut dx) = (vec![0.0f32; dy.len()], vec![0.0f32; x.len()]);
        for (o, window) in windows(&s).into_iter().enumerate() {
            let better = |best: usize, at: usize| {
                if x[at] > x[best] || (x[at].is_nan() && !x[best].is_nan()) { at } else { best }
            };
            let best = window.into_iter().reduce(better);
            y[o] = best.map_or(f32::NEG_INFINITY, |b| x[b]);
            if let Some(b) = best {
                dx[b] += dy[o];
            }
        }
        for &level in Level::available() {
            let mut workspace = Workspace::with_level(level);
            let (mut y2, mut dx2) = (vec![7.0; y.len()], vec![7.0; dx.len()]);
            max_pool2d(&mut workspace, &s, &x, &mut y2);
            let bits =
                |v: &[f32]| v.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect::<Vec<_>>();
            assert_eq!(bits(&y), bits(&y2), "{level:?} {s:?}");
            max_pool2d_gradient(&mut workspace, &s, &x, [&y, &dy], &mut dx2, &NoEpilogue);
            let wide: Vec<f64> = dx.iter().map(|&v| f64::from(v)).collect();
            assert!(error(&dx2, &wide) < 1e-6, "{level:?} {s:?}");
        }
    }
}

#[test]
fn average_pooling_equals_naive_loops() {
    let mut g = Generator(22);
    for _ in 0..80 {
        let s = any_pool(&mut g);
        let (x, dy) = (g.floats(s.input_len()), g.floats(s.output_len()));
        let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
        let divisor = |oy: usize, ox: usize, count: usize| (oy + 2 * ox + count + 1) as f32;
        for (o, window) in windows(&s).into_iter().enumerate() {
            let (ox, oy) = (o / s.channels % s.out[1], o / s.channels / s.out[1] % s.out[0]);
            let by = f64::from(divisor(oy, ox, window.len()));
            for at in window {
                y[o] += f64::from(x[at]) / by;
                dx[at] += f64::from(dy[o]) / by;
            }
        }
        for &level in Level::available() {
            let mut workspace = Workspace::with_level(level);
            let (mut y2, mut dx2) = (vec![7.0; y.len()], vec![7.0; dx.len()]);
            avg_pool2d(&mut workspace, &s, &x, &mut y2, &divisor);
            avg_pool2d_gradient(&mut workspace, &s, &dy, &mut dx2, &divisor);
            assert!(error(&y2, &y) < 1e-6 && error(&dx2, &dx) < 1e-6, "{level:?} {s:?}");
        }
    }
}

/// Mean and sum of squared deviations of each column.
fn moments(workspace: &mut Workspace, x: &[f32], cols: usize) -> [Vec<f32>; 2] {
    let [mut mean, mut m2] = [vec![f32::NAN; cols], vec![f32::NAN; cols]];
    column_moments(workspace, x, cols, &mut mean, &mut m2);
    [mean, m2]
}

#[test]
fn moments_keep_six_digits_far_from_zero() {
    let mut g = Generator(23);
    let shapes =
        [(1, 1), (2, 3), (33, 64), (100, 65), (1000, 7), (5000, 130), (40_000, 16), (16_385, 8), (9, 32), (70_001, 1)];
    for (rows, cols) in shapes {
        let mut x = g.floats(rows * cols);
        x.iter_mut().for_each(|x| *x += 30.0);
        let column = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).sum::<f64>();
        let (mut mean, mut m2) = (vec![0.0; cols], vec![0.0; cols]);
        for c in 0..cols {
            mean[c] = column(&|r| f64::from(x[r * cols + c])) / rows as f64;
            m2[c] = column(&|r| (f64::from(x[r * cols + c]) - mean[c]).powi(2));
        }
        for &level in Level::available() {
            let [found_mean, found_m2] = moments(&mut Workspace::with_level(level), &x, cols);
            let at = format!("{level:?} {rows}x{cols}");
            assert!(error(&found_mean, &mean) < 1e-6, "mean {at}");
            assert!(error(&found_m2, &m2) < 1e-6, "m2 {at}: {}", error(&found_m2, &m2));
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut g = Generator(24);
    for cols in [70, 16] {
        let x = g.floats(3000 * cols);
        let [one, two] = [1, 2].map(|n| pool(n).install(|| moments(&mut Workspace::new(), &x, cols)));
        assert_eq!(one, two);
    }
}

/// Found by a random graph: the same few numbers again and again are rounded in the same direction at each addition.
#[test]
fn moments_of_few_columns_of_repeated_numbers_keep_their_digits() {
    for (rows, cols) in [(1024, 3), (1024, 6), (2730, 3), (20_000, 5), (4000, 2), (3000, 17)] {
        let x: Vec<f32> =
            (0..rows * cols).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 9) % 5).map(|n| n as f32 - 2.0).collect();
        for c in 0..cols {
            let column = || (0..rows).map(|r| f64::from(x[r * cols + c]));
            let mean = column().sum::<f64>() / rows as f64;
            let want: f64 = column().map(|x| (x - mean).powi(2)).sum();
            for &level in Level::available() {
                let [_, m2] = moments(&mut Workspace::with_level(level), &x, cols);
                let lost = (f64::from(m2[c]) - want).abs() / want;
                // Measured: 3.8e-6 at most; 1.3e-5 with 1024 rows and more to a block.
                assert!(lost < 5e-6, "{level:?} {rows}x{cols}, column {c}: {lost:e}");
            }
        }
    }
}
