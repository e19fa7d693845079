//! Pooling, row, axis and moment kernels on a device against naive loops in float64.

use chiaro_shaders::Elem;
use chiaro_shaders::kernels::{AlongAxis, CrossEntropy, Divisor, Pool2d, Rows, ShaderKernel};

use crate::device::{Data, Device, blank, noise, random, relative_error, tolerance};
use crate::variants;

/// The element types that the device has.
fn elems(device: &Device) -> Vec<Elem> {
    if device.f16 { vec![Elem::F32, Elem::F16] } else { vec![Elem::F32] }
}

fn assert_close(label: &str, got: &Data, expected: &[f64], elem: Elem) {
    let error = relative_error(&got.f64(), expected);
    assert!(error < 3.0 * tolerance(elem), "{label}: {error}\n{:?}\n{expected:?}", got.f64());
}

/// Numbers of which many are equal, so that ties matter.
fn coarse(seed: u32, count: usize, elem: Elem) -> (Data, Vec<f64>) {
    let values: Vec<f32> = noise(seed, count).iter().map(|v| (v * 3.0).round()).collect();
    let exact = values.iter().map(|&v| v.into()).collect();
    (if elem == Elem::F32 { Data::F32(values) } else { Data::F16(values) }, exact)
}

/// For each output element, the input elements under its window and what an average is divided by.
fn windows(p: &Pool2d, divisor: Divisor) -> Vec<(Vec<usize>, f64)> {
    let [oh, ow] = p.output;
    let mut list = Vec::new();
    for i in 0..p.batch * oh * ow * p.channels {
        let (c, w, h, n) = (i % p.channels, i / p.channels % ow, i / p.channels / ow % oh, i / p.channels / ow / oh);
        let (mut under, mut counted) = (Vec::new(), 0);
        for tap in 0..p.kernel[0] * p.kernel[1] {
            let at_h = h * p.stride[0] + tap / p.kernel[1] * p.dilation[0];
            let at_w = w * p.stride[1] + tap % p.kernel[1] * p.dilation[1];
            let padded = at_h < p.input[0] + 2 * p.padding[0] && at_w < p.input[1] + 2 * p.padding[1];
            counted += u32::from(padded);
            let (ih, iw) = (at_h.wrapping_sub(p.padding[0]), at_w.wrapping_sub(p.padding[1]));
            if ih < p.input[0] && iw < p.input[1] {
                under.push((((n * p.input[0] + ih) * p.input[1] + iw) * p.channels + c) as usize);
            }
        }
        let by = match divisor {
            Divisor::IncludePadding => counted as f64,
            Divisor::ExcludePadding => under.len() as f64,
            Divisor::Fixed(d) => d.into(),
        };
        list.push((under, by));
    }
    list
}

#[test]
fn max_pooling_and_its_gradient_choose_the_first_of_equal_elements() {
    let Some(device) = Device::open() else { return };
    for elem in elems(&device) {
        for p in variants::pools(elem) {
            let label = format!("{p:?}");
            let windows = windows(&p, Divisor::IncludePadding);
            let count = (p.batch * p.input[0] * p.input[1] * p.channels) as usize;
            let (x, x64) = coarse(1, count, elem);
            let (dy, dy64) = random(2, windows.len(), elem);
            let (mut y, mut at, mut dx) = (Vec::new(), Vec::new(), vec![0.0; count]);
            for ((under, _), dy) in windows.iter().zip(&dy64) {
                let first = under.iter().fold(under[0], |b, &i| if x64[i] > x64[b] { i } else { b });
                y.push(x64[first]);
                at.push((first as u32 / p.channels % (p.input[0] * p.input[1])).into());
                dx[first] += dy;
            }
            let got = device.run(&p.max_forward().expect("y"), std::slice::from_ref(&x), blank(y.len(), elem));
            assert_eq!(got.f64(), y, "{label}");
            let index =
                device.run(&p.max_index().expect("index"), std::slice::from_ref(&x), Data::I32(vec![-7; y.len()]));
            assert_eq!(index.f64(), at, "{label}");
            let got = device.run(&p.max_grad().expect("dx"), &[x.clone(), got, dy.clone()], blank(count, elem));
            assert_close(&label, &got, &dx, elem);
            if p.has_taps() {
                let taps = device.run(&p.max_taps().expect("taps"), &[x], Data::I32(vec![-7; y.len() / 4]));
                let got = device.run(&p.max_grad_by_taps().expect("dx"), &[dy, taps], blank(count, elem));
                assert_close(&label, &got, &dx, elem);
            }
        }
    }
}

#[test]
fn average_pooling_and_its_gradient_equal_naive_loops() {
    let Some(device) = Device::open() else { return };
    for elem in elems(&device) {
        for p in variants::pools(elem) {
            let p = Pool2d { dilation: [1, 1], ..p };
            for divisor in [Divisor::IncludePadding, Divisor::ExcludePadding, Divisor::Fixed(3)] {
                let label = format!("{divisor:?} {p:?}");
                let windows = windows(&p, divisor);
                let count = (p.batch * p.input[0] * p.input[1] * p.channels) as usize;
                let (x, x64) = random(1, count, elem);
                let (dy, dy64) = random(2, windows.len(), elem);
                let (mut y, mut dx) = (Vec::new(), vec![0.0; count]);
                for ((under, by), dy) in windows.iter().zip(&dy64) {
                    y.push(under.iter().map(|&i| x64[i]).sum::<f64>() / by);
                    under.iter().for_each(|&i| dx[i] += dy / by);
                }
                let kernel = p.average_forward(divisor).expect("y");
                assert_close(&label, &device.run(&kernel, &[x], blank(y.len(), elem)), &y, elem);
                let kernel = p.average_grad(divisor).expect("dx");
                assert_close(&label, &device.run(&kernel, &[dy], blank(count, elem)), &dx, elem);
            }
        }
    }
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = row.iter().map(|v| (v - largest).exp()).sum();
    row.iter().map(|v| v - largest - total.ln()).collect()
}

/// Logits of either sign, large enough that an exponential without the shift would overflow.
fn logits(rows: &Rows) -> (Data, Vec<f64>) {
    let values: Vec<f32> =
        noise(3, (rows.rows * rows.columns) as usize).iter().map(|v| (v * 1000.0).round() / 8.0).collect();
    let exact = values.iter().map(|&v| v.into()).collect();
    (if rows.x == Elem::F32 { Data::F32(values) } else { Data::F16(values) }, exact)
}

#[test]
fn softmax_and_cross_entropy_equal_naive_loops() {
    let Some(device) = Device::open() else { return };
    for elem in elems(&device) {
        for rows in variants::matrices(elem) {
            let (x, x64) = logits(&rows);
            let columns = rows.columns as usize;
            let log: Vec<f64> = x64.chunks(columns).flat_map(log_softmax).collect();
            let soft: Vec<f64> = log.iter().map(|v| v.exp()).collect();
            for (expected, kernel) in [(&log, rows.softmax(true)), (&soft, rows.softmax(false))] {
                let got = device.run(&kernel.expect("a kernel"), std::slice::from_ref(&x), blank(log.len(), elem));
                assert_close(&format!("{rows:?}"), &got, expected, elem);
            }
            for options in variants::losses() {
                check_loss(&device, rows, options, &x, &log);
            }
        }
    }
}

fn check_loss(device: &Device, rows: Rows, options: CrossEntropy, x: &Data, log: &[f64]) {
    let label = format!("{options:?} {rows:?}");
    let c = rows.columns as usize;
    let smoothing = f64::from(options.smoothing);
    let target: Vec<i32> = (0..rows.rows).map(|r| ((r * 7 + 1) % rows.columns) as i32).collect();
    let (g, g64) = random(5, rows.rows as usize, Elem::F32);
    let weights: Vec<f32> = match options.weighted {
        true => noise(6, c).iter().map(|v| v + 1.5).collect(),
        false => vec![1.0; c],
    };
    let w: Vec<f64> = weights.iter().map(|&v| v.into()).collect();
    let all: f64 = w.iter().sum();
    let (mut loss, mut grad) = (Vec::new(), Vec::new());
    for ((log, &t), g) in log.chunks(c).zip(&target).zip(&g64) {
        let kept = if t == options.ignore_index { 0.0 } else { 1.0 };
        let t = t as usize;
        let spread: f64 = (0..c).map(|j| -w[j] * log[j]).sum();
        loss.push(kept * (-w[t] * (1.0 - smoothing) * log[t] + smoothing / c as f64 * spread));
        for j in 0..c {
            let (p, hit) = (log[j].exp(), f64::from(u8::from(j == t)));
            let smooth = smoothing / c as f64 * (p * all - w[j]);
            grad.push(kept * g * (w[t] * (1.0 - smoothing) * (p - hit) + smooth));
        }
    }
    let target = Data::I32(target);
    let mut inputs = vec![x.clone(), target.clone()];
    let mut grad_inputs = vec![x.clone(), target, g];
    if options.weighted {
        inputs.push(Data::F32(weights.clone()));
        grad_inputs.push(Data::F32(weights));
    }
    let rows = Rows { out: Elem::F32, ..rows };
    let kernel = rows.cross_entropy(options).expect("a kernel");
    assert_close(&label, &device.run(&kernel, &inputs, blank(loss.len(), Elem::F32)), &loss, Elem::F32);
    let kernel = rows.cross_entropy_grad(options).expect("a kernel");
    let got = device.run(&kernel, &grad_inputs, blank(grad.len(), Elem::F32));
    // The unit of a gradient is g: of rows that are sure of the right class little else is left.
    let largest = got.f64().iter().zip(&grad).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(largest < 1e-5, "{label}: {largest}");
}

#[test]
fn moments_keep_their_digits_where_the_mean_is_many_times_the_spread() {
    let Some(device) = Device::open() else { return };
    for offset in [0.0, 1000.0] {
        for rows in variants::matrices(Elem::F32) {
            let (r, c) = (rows.rows as usize, rows.columns as usize);
            let x: Vec<f32> = noise(8, r * c).iter().map(|v| v + offset).collect();
            let moments = |values: Vec<f64>| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
            };
            let of_columns = (0..c).map(|j| moments((0..r).map(|i| x[i * c + j].into()).collect())).unzip();
            let of_rows = (0..r).map(|i| moments((0..c).map(|j| x[i * c + j].into()).collect())).unzip();
            let x = [Data::F32(x)];
            let got = device.run(&rows.moments_of_rows().expect("rows"), &x, blank(2 * r, Elem::F32));
            assert_moments(&format!("rows {offset} {rows:?}"), &got, of_rows);
            let parts = rows.moment_parts() as usize;
            let kernel = rows.moments_of_columns().expect("columns");
            let mut got = device.run(&kernel, &x, blank(2 * c * parts, Elem::F32));
            if parts > 1 {
                got = device.run(&rows.merge_moments().expect("merge"), &[got], blank(2 * c, Elem::F32));
            }
            assert_moments(&format!("columns {offset} {rows:?}"), &got, of_columns);
        }
    }
    let parts = |r: &Rows| r.moment_parts();
    assert!(variants::matrices(Elem::F32).iter().any(|r| parts(r) > 1), "no case in parts");
}

fn assert_moments(label: &str, got: &Data, (mean, variance): (Vec<f64>, Vec<f64>)) {
    let got = got.f64();
    let (got_mean, got_variance) = got.split_at(mean.len());
    assert!(relative_error(got_mean, &mean) < 1e-6, "{label}: mean");
    // Deviations of f32 numbers near 1000 are known to 6e-5.
    let largest = got_variance.iter().zip(&variance).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(largest < 1e-4, "{label}: variance off by {largest}");
}

/// Indices, some of them outside of the axis, and where they count.
fn indices(axis: &AlongAxis, count: usize) -> (Data, Vec<usize>) {
    let raw: Vec<i32> = (0..count as i32).map(|i| i * 5 % (axis.n as i32 + 2) - 1).collect();
    let inside = raw.iter().map(|&i| i.clamp(0, axis.n as i32 - 1) as usize).collect();
    (Data::I32(raw), inside)
}

#[test]
fn axis_kernels_equal_naive_loops() {
    let Some(device) = Device::open() else { return };
    for axis in variants::axes() {
        let [outer, n, inner, m] = [axis.outer, axis.n, axis.inner, axis.m].map(|d| d as usize);
        let (x, x64) = coarse(9, outer * n * inner, Elem::F32);
        let (source, s64) = random(10, outer * m * inner, Elem::F32);
        let (index, at) = indices(&axis, outer * m * inner);
        let (short, short_at) = indices(&axis, m);
        let (mut gathered, mut selected) = (vec![0.0; s64.len()], vec![0.0; s64.len()]);
        let (mut scattered, mut added) = (vec![0.0; x64.len()], vec![0.0; x64.len()]);
        for i in 0..s64.len() {
            let place = |n_at: usize| (i / (m * inner) * n + n_at) * inner + i % inner;
            let (each, whole) = (place(at[i]), place(short_at[i / inner % m]));
            (gathered[i], selected[i]) = (x64[each], x64[whole]);
            scattered[each] += s64[i];
            added[whole] += s64[i];
        }
        let run = |kernel: ShaderKernel, inputs: [&Data; 2], expected: &[f64]| {
            let got = device.run(&kernel, &inputs.map(Clone::clone), blank(expected.len(), Elem::F32));
            assert_close(&format!("{} {axis:?}", kernel.name), &got, expected, Elem::F32);
        };
        run(axis.gather("f32").expect("gather"), [&x, &index], &gathered);
        run(axis.index_select("f32").expect("select"), [&x, &short], &selected);
        run(axis.scatter_add(Elem::F32, Elem::F32).expect("scatter"), [&source, &index], &scattered);
        run(axis.index_add(Elem::F32, Elem::F32).expect("add"), [&source, &short], &added);
        for smallest in [false, true] {
            let sign = if smallest { -1.0 } else { 1.0 };
            let first = |i: usize| {
                let v = |k: usize| sign * x64[(i / inner * n + k) * inner + i % inner];
                (1..n).fold(0, |b, k| if v(k) > v(b) { k } else { b }) as f64
            };
            let expected: Vec<f64> = (0..outer * inner).map(first).collect();
            let kernel = axis.arg_reduce(smallest, "f32").expect("a kernel");
            let got = device.run(&kernel, std::slice::from_ref(&x), Data::I32(vec![-7; expected.len()]));
            assert_eq!(got.f64(), expected, "{axis:?} {smallest}");
        }
    }
}

#[test]
fn the_first_nan_wins_in_pooling_and_arg_reduction() {
    let Some(device) = Device::open() else { return };
    let x = Data::F32(vec![1.0, f32::NAN, 3.0, f32::NAN, 0.0, -1.0]);
    let axis = AlongAxis { outer: 1, n: 6, inner: 1, m: 1 };
    for smallest in [false, true] {
        let kernel = axis.arg_reduce(smallest, "f32").expect("a kernel");
        assert_eq!(device.run(&kernel, std::slice::from_ref(&x), Data::I32(vec![-7])).f64(), [1.0]);
    }
    let base = variants::pools(Elem::F32)[0];
    let pool = Pool2d { batch: 1, input: [1, 6], channels: 1, output: [1, 2], kernel: [1, 3], stride: [1, 3], ..base };
    let index = device.run(&pool.max_index().expect("index"), std::slice::from_ref(&x), Data::I32(vec![-7; 2]));
    assert_eq!(index.f64(), [1.0, 3.0]);
    let y = device.run(&pool.max_forward().expect("y"), std::slice::from_ref(&x), Data::F32(vec![0.0; 2]));
    assert!(y.f64().iter().all(|v| v.is_nan()));
    let dy = Data::F32(vec![5.0, 7.0]);
    let dx = device.run(&pool.max_grad().expect("dx"), &[x.clone(), y, dy.clone()], Data::F32(vec![9.0; 6]));
    assert_eq!(dx.f64(), [0.0, 5.0, 0.0, 7.0, 0.0, 0.0]);
    // The same in each of four channels.
    let four = |d: &Data| Data::F32(d.f64().iter().flat_map(|&v| [v as f32; 4]).collect());
    let (x, dy, pool) = (four(&x), four(&dy), Pool2d { channels: 4, fours: true, ..pool });
    let y = device.run(&pool.max_forward().expect("y"), std::slice::from_ref(&x), Data::F32(vec![0.0; 8]));
    assert!(y.f64().iter().all(|v| v.is_nan()));
    let taps = device.run(&pool.max_taps().expect("taps"), &[x], Data::I32(vec![-7; 2]));
    let got = device.run(&pool.max_grad_by_taps().expect("dx"), &[dy, taps], Data::F32(vec![9.0; 24]));
    assert_eq!(got.f64(), four(&dx).f64());
}
