//! The matrix-product family on a device, every tile, against naive loops in float64.

use chiaro_shaders::kernels::{Conv2d, MatMul, SumParts};
use chiaro_shaders::{BufferAccess, Elem, Hook, Memory, StorageBuffer, Tile};

use crate::device::{Data, Device, blank, random, relative_error, tolerance};
use crate::variants;

/// Tiles of every kind that a device in software compiles quickly: the body of a large one takes it many seconds.
const SMALL_TILES: [Tile; 9] = [
    Tile::TINY,
    Tile::SOFTWARE,
    Tile::SMALL,
    Tile::new(Memory::Direct, [16, 32, 1], [8, 4]),
    Tile::new(Memory::Direct, [16, 32, 1], [4, 4]),
    Tile::new(Memory::Direct, [16, 32, 4], [4, 4]),
    Tile::new(Memory::Workgroup, [32, 64, 8], [4, 8]),
    Tile::new(Memory::Workgroup, [32, 16, 8], [4, 4]),
    // Words of four elements of both operands, in every direction.
    Tile::new(Memory::Workgroup, [32, 32, 16], [8, 4]),
];

/// Two of the small tiles for each case, so that each tile sees a fifth of the cases; in f16 one for a third of them.
fn some_tiles(case: usize, elem: Elem) -> impl Iterator<Item = &'static Tile> {
    let (step, most) = match elem {
        Elem::F32 => (5, 2),
        Elem::F16 if case.is_multiple_of(3) => (5, 1),
        Elem::F16 => (5, 0),
    };
    SMALL_TILES.iter().skip(case % step).step_by(step).take(most)
}

fn naive_matmul(s: &MatMul, a: &[f64], b: &[f64]) -> Vec<f64> {
    let [m, n, k] = [s.m, s.n, s.k].map(|d| d as usize);
    let mut c = Vec::new();
    for z in 0..s.batch[0] * s.batch[1] {
        let at = |strides: [u32; 2]| (z / s.batch[1] * strides[0] + z % s.batch[1] * strides[1]) as usize;
        let (a, b) = (&a[at(s.a.batch_strides)..], &b[at(s.b.batch_strides)..]);
        for i in 0..m * n {
            let (row, column) = (i / n, i % n);
            let term = |t: usize| {
                let x = if s.a.transposed { a[t * m + row] } else { a[row * k + t] };
                let y = if s.b.transposed { b[column * k + t] } else { b[t * n + column] };
                x * y
            };
            c.push((0..k).map(term).sum());
        }
    }
    c
}

/// Calls `f(y index, x index, w index)` for every product of the convolution.
fn for_each_product(s: &Conv2d, mut f: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = s.output().expect("a shape");
    let (gi, go) = (s.in_channels / s.groups, s.out_channels / s.groups);
    for y in 0..s.batch * oh * ow * s.out_channels {
        let (o, w, h, n) =
            (y % s.out_channels, y / s.out_channels % ow, y / s.out_channels / ow % oh, y / s.out_channels / ow / oh);
        for k in 0..s.kernel[0] * s.kernel[1] * gi {
            let (i, kw, kh) = (k % gi, k / gi % s.kernel[1], k / gi / s.kernel[1]);
            let ih = (h * s.stride[0] + kh * s.dilation[0]).wrapping_sub(s.padding[0][0]);
            let iw = (w * s.stride[1] + kw * s.dilation[1]).wrapping_sub(s.padding[1][0]);
            if ih < s.input[0] && iw < s.input[1] {
                let x = ((n * s.input[0] + ih) * s.input[1] + iw) * s.in_channels + o / go * gi + i;
                let weight = o * s.kernel[0] * s.kernel[1] * gi + k;
                f(y as usize, x as usize, weight as usize);
            }
        }
    }
}

#[test]
fn matmul_equals_naive_loops_for_every_tile_and_transposition() {
    let Some(device) = Device::open() else { return };
    for elem in [Elem::F32, Elem::F16] {
        if elem == Elem::F16 && !device.f16 {
            continue;
        }
        for (case, shape) in variants::matmuls(elem).iter().enumerate() {
            some_tiles(case, elem).for_each(|tile| check_matmul(&device, shape, tile, elem));
        }
    }
}

fn check_matmul(device: &Device, shape: &MatMul, tile: &Tile, elem: Elem) {
    let batch = (shape.batch[0] * shape.batch[1]) as usize;
    let [m, n, k] = [shape.m, shape.n, shape.k].map(|d| d as usize);
    let (a, a64) = random(1, batch * m * k, elem);
    let (b, b64) = random(2, batch * k * n, elem);
    let expected = naive_matmul(shape, &a64, &b64);
    let kernel = shape.kernel(tile, 1).expect("a kernel");
    let got = device.run(&kernel, &[a, b], blank(expected.len(), elem));
    let error = relative_error(&got.f64(), &expected);
    assert!(error < tolerance(elem), "{tile} {shape:?}: {error}");
}

/// Two kernels of each tile, another shape for every one: over the tiles all directions and most shapes are seen. A device in software compiles a
/// large tile for many seconds, so that every tile over every shape would take it half an hour; the small ones see every shape above.
#[test]
fn every_tile_multiplies_and_convolves_right() {
    let Some(device) = Device::open() else { return };
    let (products, convs) = (variants::matmuls(Elem::F32), variants::convs(Elem::F32));
    for (i, tile) in Tile::ALL.iter().filter(|tile| !SMALL_TILES.contains(tile)).enumerate() {
        check_matmul(&device, &products[i % products.len()], tile, Elem::F32);
        check_direction(&device, &convs[i % convs.len()], tile, i % 3);
    }
}

/// One direction of a convolution: forward, input gradient, or weight gradient in parts.
fn check_direction(device: &Device, s: &Conv2d, tile: &Tile, direction: usize) {
    let made = Made::new(s, Elem::F32);
    match direction {
        0 => made.forward(device, s, tile),
        1 => made.input_grad(device, s, tile),
        _ => made.weight_grad(device, s, tile, 3),
    }
}

#[test]
fn convolution_and_its_gradients_equal_naive_loops_for_every_tile() {
    let Some(device) = Device::open() else { return };
    for elem in [Elem::F32, Elem::F16] {
        if elem == Elem::F16 && !device.f16 {
            continue;
        }
        for (case, shape) in variants::convs(elem).iter().enumerate() {
            for tile in some_tiles(case, elem) {
                check_conv(&device, shape, tile, elem);
            }
        }
    }
}

fn check_conv(device: &Device, s: &Conv2d, tile: &Tile, elem: Elem) {
    let made = Made::new(s, elem);
    made.forward(device, s, tile);
    made.input_grad(device, s, tile);
    // One part goes straight to the result.
    for asked in if s.groups == 1 && s.stride == [1, 1] { vec![1, 3] } else { vec![3] } {
        made.weight_grad(device, s, tile, asked);
    }
}

/// Operands of a convolution, and what all its directions give.
struct Made {
    elem: Elem,
    x: Data,
    w: Data,
    dy: Data,
    want: [Vec<f64>; 3],
}

impl Made {
    fn new(s: &Conv2d, elem: Elem) -> Made {
        let [oh, ow] = s.output().expect("a shape");
        let count = |dims: [u32; 4]| dims.iter().product::<u32>() as usize;
        let (x, x64) = random(3, count([s.batch, s.input[0], s.input[1], s.in_channels]), elem);
        let (w, w64) = random(4, count([s.out_channels, s.kernel[0], s.kernel[1], s.in_channels / s.groups]), elem);
        let (dy, dy64) = random(5, count([s.batch, oh, ow, s.out_channels]), elem);
        let (mut y, mut dx, mut dw) = (vec![0.0; dy64.len()], vec![0.0; x64.len()], vec![0.0; w64.len()]);
        for_each_product(s, |iy, ix, iw| {
            y[iy] += x64[ix] * w64[iw];
            dx[ix] += dy64[iy] * w64[iw];
            dw[iw] += dy64[iy] * x64[ix];
        });
        Made { elem, x, w, dy, want: [y, dx, dw] }
    }

    fn close(&self, which: usize, got: &Data, s: &Conv2d, tile: &Tile) {
        let error = relative_error(&got.f64(), &self.want[which]);
        let what = ["y", "dx", "dw"][which];
        assert!(error < tolerance(self.elem), "{what} {tile} {s:?}: {error}");
    }

    fn forward(&self, device: &Device, s: &Conv2d, tile: &Tile) {
        let kernel = s.forward(tile).expect("forward");
        let out = blank(self.want[0].len(), self.elem);
        self.close(0, &device.run(&kernel, &[self.x.clone(), self.w.clone()], out), s, tile);
    }

    fn input_grad(&self, device: &Device, s: &Conv2d, tile: &Tile) {
        let kernel = s.input_grad(tile).expect("input gradient");
        let out = blank(self.want[1].len(), self.elem);
        self.close(1, &device.run(&kernel, &[self.dy.clone(), self.w.clone()], out), s, tile);
    }

    fn weight_grad(&self, device: &Device, s: &Conv2d, tile: &Tile, asked: u32) {
        let parts = s.weight_grad_parts(tile, asked).expect("parts");
        let kernel = s.weight_grad(tile, asked).expect("weight gradient");
        let count = self.want[2].len();
        let partial = device.run(&kernel, &[self.x.clone(), self.dy.clone()], blank(count * parts as usize, Elem::F32));
        let sum = SumParts { parts, count: count as u32, out: Elem::F32 };
        let sum = sum.kernel().expect("sum");
        self.close(2, &device.run(&sum, &[partial], blank(count, Elem::F32)), s, tile);
    }
}

#[test]
fn a_corrupted_kernel_is_noticed() {
    let Some(device) = Device::open() else { return };
    let shape = variants::convs(Elem::F32)[0];
    let [oh, ow] = shape.output().expect("a shape");
    let (x, x64) = random(3, 2 * 7 * 6 * 8, Elem::F32);
    let (w, w64) = random(4, 12 * 9 * 8, Elem::F32);
    let mut y = vec![0.0; (2 * oh * ow * 12) as usize];
    for_each_product(&shape, |iy, ix, iw| y[iy] += x64[ix] * w64[iw]);
    let kernel = shape.forward(&Tile::TINY).expect("a kernel");
    let kernel = kernel.map_source(|s| s.set_const("PAD_LEFT", 0u32));
    let got = device.run(&kernel, &[x, w], blank(y.len(), Elem::F32));
    assert!(relative_error(&got.f64(), &y) > 0.1);
}

#[test]
fn every_element_of_a_result_is_put_once_at_its_index() {
    let Some(device) = Device::open() else { return };
    for shape in [MatMul::new(9, 8, 4), MatMul::new(9, 7, 5)] {
        for tile in some_tiles(shape.n as usize, Elem::F32) {
            let count = (shape.m * shape.n) as usize;
            let kernel = shape.kernel(tile, 1).expect("a kernel").map_source(|s| {
                let mut s = if s.has(Hook::Put) {
                    s.append("put", "    seen[index] += 1.0;")
                } else {
                    s.append("put4", "    for (var i = 0u; i < 4u; i++) {\n        seen[index + i] += 1.0;\n    }")
                };
                s.push_buffer(StorageBuffer::new("seen", BufferAccess::ReadWrite, "f32"));
                s
            });
            let zeros = |n| Data::F32(vec![0.0; n as usize]);
            let inputs = [zeros(shape.m * shape.k), zeros(shape.k * shape.n), zeros(shape.m * shape.n)];
            // The last buffer is read back: how often each element was seen.
            let seen = device.run(&kernel, &inputs, Data::F32(vec![0.0; count]));
            assert_eq!(seen.f64(), vec![1.0; count], "{tile}");
        }
    }
}
