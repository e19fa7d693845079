//! Winograd's transforms on a device, their products in float64 here, against plain convolutions.

use chiaro_shaders::kernels::{ShaderKernel, Transforms, WINOGRAD_POSITIONS, WinogradGrid};
use chiaro_shaders::{ColumnReduction, Elem, ShaderError};

use crate::device::{Data, Device, blank, noise, relative_error};

const POSITIONS: usize = WINOGRAD_POSITIONS as usize;

/// A convolution of 3x3 filters with its extents.
struct Case {
    grid: WinogradGrid,
    channels: usize,
    filters: usize,
}

impl Case {
    /// `visit(x, w, y)` for each multiply-add, with places in the three tensors.
    fn each_term(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let WinogradGrid { batch, input, padding, output } = self.grid;
        let [h, w, oh, ow] = [input[0], input[1], output[0], output[1]].map(|extent| extent as usize);
        for (n, i, j) in (0..batch as usize).flat_map(|n| (0..oh).flat_map(move |i| (0..ow).map(move |j| (n, i, j)))) {
            for tap in 0..9 {
                let y = (i + tap / 3).wrapping_sub(padding[0] as usize);
                let x = (j + tap % 3).wrapping_sub(padding[1] as usize);
                if y >= h || x >= w {
                    continue;
                }
                for (o, c) in (0..self.filters).flat_map(|o| (0..self.channels).map(move |c| (o, c))) {
                    let from = ((n * h + y) * w + x) * self.channels + c;
                    visit(from, (o * 9 + tap) * self.channels + c, ((n * oh + i) * ow + j) * self.filters + o);
                }
            }
        }
    }

    fn lens(&self) -> [usize; 3] {
        let WinogradGrid { batch, input, output, .. } = self.grid;
        let pixels = [input, output].map(|[h, w]| (batch * h * w) as usize);
        [pixels[0] * self.channels, self.filters * 9 * self.channels, pixels[1] * self.filters]
    }
}

fn cases() -> Vec<Case> {
    let case = |batch, input, padding, output, channels, filters| Case {
        grid: WinogradGrid { batch, input, padding, output },
        channels,
        filters,
    };
    vec![
        case(5, [7, 5], [1, 1], [7, 5], 4, 36),
        case(1, [13, 12], [2, 0], [14, 10], 8, 4),
        case(2, [10, 14], [0, 1], [8, 12], 4, 8),
    ]
}

fn run(device: &Device, kernel: Result<ShaderKernel, ShaderError>, input: &[f32], len: usize) -> Vec<f32> {
    run_on(device, &kernel.expect("a kernel"), &[input], len)
}

fn run_on(device: &Device, kernel: &ShaderKernel, inputs: &[&[f32]], len: usize) -> Vec<f32> {
    let inputs: Vec<Data> = inputs.iter().map(|input| Data::F32(input.to_vec())).collect();
    let out = device.run(kernel, &inputs, blank(len, Elem::F32));
    out.f64().iter().map(|&value| value as f32).collect()
}

/// `sums[p, row, column] = sum over k of a(p, row, k) * b(p, column, k)`
fn products(extents: [usize; 3], a: impl Fn(usize) -> f32, b: impl Fn(usize) -> f32) -> Vec<f32> {
    let [rows, columns, terms] = extents;
    let place = |at: usize| (at / (rows * columns), at / columns % rows, at % columns);
    let sum = |at: usize| {
        let (p, row, column) = place(at);
        let term =
            |k: usize| f64::from(a((p * rows + row) * terms + k)) * f64::from(b((p * columns + column) * terms + k));
        (0..terms).map(term).sum::<f64>() as f32
    };
    (0..POSITIONS * rows * columns).map(sum).collect()
}

#[test]
fn transforms_around_products_are_the_convolution() {
    let Some(device) = Device::open() else { return };
    for case in cases() {
        let (transforms, tiles) = (Transforms(case.grid), case.grid.tiles() as usize);
        let [x_len, w_len, y_len] = case.lens();
        let (x, w) = (noise(1, x_len), noise(2, w_len));
        let [channels, filters] = [case.channels as u32, case.filters as u32];
        let lens = [tiles * case.channels, case.filters * case.channels].map(|len| POSITIONS * len);
        let operands = transforms.operands(channels, [filters, channels], false, false).expect("a kernel");
        let v = run_on(&device, &operands, &[&x, &w, &vec![0.0; lens[1]]], lens[0]);
        // The other of its results, as the last of its buffers.
        let operands = operands.map_source(|source| source.scratch("u"));
        let u = run_on(&device, &operands, &[&x, &w, &vec![0.0; lens[0]]], lens[1]);
        let sums = products([tiles, case.filters, case.channels], |i| v[i], |i| u[i]);
        let y = run(&device, transforms.output(filters, ColumnReduction::None), &sums, y_len);
        let mut want = vec![0.0; y_len];
        case.each_term(|from, tap, to| want[to] += f64::from(x[from]) * f64::from(w[tap]));
        let got: Vec<f64> = y.iter().map(|&value| value.into()).collect();
        let error = relative_error(&got, &want);
        assert!(error < 3e-6, "{:?}: {error:e}", case.grid);
    }
}

#[test]
fn transforms_around_products_are_the_weight_gradient() {
    let Some(device) = Device::open() else { return };
    for case in cases() {
        let (transforms, tiles) = (Transforms(case.grid), case.grid.tiles() as usize);
        let [x_len, w_len, y_len] = case.lens();
        let (x, dy) = (noise(3, x_len), noise(4, y_len));
        let [channels, filters] = [case.channels as u32, case.filters as u32];
        let v = run(&device, transforms.input(channels), &x, POSITIONS * tiles * case.channels);
        let d = run(&device, transforms.output_grad(filters, false), &dy, POSITIONS * tiles * case.filters);
        // Both have the tiles outside and the channels inside.
        let turned = |values: &[f32], channels: usize, at: usize| {
            let (p, c, t) = (at / (channels * tiles), at / tiles % channels, at % tiles);
            values[(p * tiles + t) * channels + c]
        };
        let extents = [case.filters, case.channels, tiles];
        let one = products(extents, |i| turned(&d, case.filters, i), |i| turned(&v, case.channels, i));
        // In two parts, the second of which adds half of the first.
        let half: Vec<f32> = one.iter().map(|value| value / 2.0).collect();
        let dw = run(&device, Transforms::filter_grad(filters, channels, 2), &[one, half].concat(), w_len);
        let mut want = vec![0.0; w_len];
        case.each_term(|from, tap, to| want[tap] += 1.5 * f64::from(x[from]) * f64::from(dy[to]));
        let got: Vec<f64> = dw.iter().map(|&value| value.into()).collect();
        let error = relative_error(&got, &want);
        assert!(error < 3e-6, "{:?}: {error:e}", case.grid);
    }
}
