//! Matrix products against naive float64 loops, on every instruction set that this processor has.

mod support;

use chiaro_cpu::kernels::{Epilogue, Level, MatmulShape, NoEpilogue, RightOperand, Workspace, matmul};
use support::{Generator, bound, error, pool};

fn naive(s: &MatmulShape, a: &[f32], b: &[f32]) -> Vec<f64> {
    let mut c = vec![0.0; s.batch * s.m * s.n];
    for p in 0..s.batch {
        let (a, b) = (&a[p * s.a_stride..], &b[p * s.b_stride..]);
        for i in 0..s.m {
            for j in 0..s.n {
                c[(p * s.m + i) * s.n + j] = (0..s.k)
                    .map(|k| {
                        let a = a[if s.a_transposed { k * s.m + i } else { i * s.k + k }];
                        let b = b[if s.b_transposed { j * s.k + k } else { k * s.n + j }];
                        f64::from(a) * f64::from(b)
                    })
                    .sum();
            }
        }
    }
    c
}

fn run<E: Epilogue>(workspace: &mut Workspace, s: &MatmulShape, (a, b): (&[f32], &[f32]), epilogue: &E) -> Vec<f32> {
    let mut c = vec![f32::NAN; s.batch * s.m * s.n];
    matmul(workspace, s, a, RightOperand::Plain(b), &mut c, epilogue);
    c
}

fn operands(s: &MatmulShape, g: &mut Generator) -> (Vec<f32>, Vec<f32>) {
    let a = g.floats((s.batch - 1) * s.a_stride + s.m * s.k);
    let b = g.floats((s.batch - 1) * s.b_stride + s.k * s.n);
    (a, b)
}

/// Sizes around the edges of tiles and panels, in all transpositions, some of them batched or broadcast.
fn shapes() -> Vec<MatmulShape> {
    let sizes = [1, 2, 5, 6, 7, 11, 12, 13, 15, 16, 17, 31, 32, 33, 65, 100];
    let mut g = Generator(11);
    let mut all = Vec::new();
    let mut any = || sizes[g.range(0, sizes.len() - 1)];
    for i in 0..200 {
        let mut s = MatmulShape::new(any(), any(), any());
        s.a_transposed = i & 1 > 0;
        s.b_transposed = i & 2 > 0;
        if i % 5 == 0 {
            s.batch = 3;
            s.a_stride = if i & 4 > 0 { 0 } else { s.m * s.k };
            s.b_stride = if i & 8 > 0 { 0 } else { s.k * s.n + 3 };
        }
        all.push(s);
    }
    for (m, n, k) in [(64, 10, 128), (64, 128, 1030), (128, 300, 64), (130, 129, 600), (3, 4, 0)] {
        for i in 0..4 {
            let mut s = MatmulShape::new(m, n, k);
            s.a_transposed = i & 1 > 0;
            s.b_transposed = i & 2 > 0;
            all.push(s);
        }
    }
    all
}

#[test]
fn products_of_every_transposition_equal_naive_loops() {
    let mut g = Generator(12);
    for s in shapes() {
        let (a, b) = operands(&s, &mut g);
        let truth = naive(&s, &a, &b);
        for &level in Level::available() {
            let c = run(&mut Workspace::with_level(level), &s, (&a, &b), &NoEpilogue);
            let error = error(&c, &truth);
            assert!(error <= bound(s.k), "{level:?} {s:?}: {error}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut g = Generator(13);
    let mut workspace = Workspace::new();
    for s in shapes().into_iter().rev().take(40) {
        let (a, b) = operands(&s, &mut g);
        let [one, two] = [1, 2].map(|n| pool(n).install(|| run(&mut workspace, &s, (&a, &b), &NoEpilogue)));
        assert_eq!(one, two, "{s:?}");
    }
}

/// Adds the row number and ten times the column number.
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
    let mut g = Generator(14);
    for s in shapes() {
        let (a, b) = operands(&s, &mut g);
        let mut plain = run(&mut Workspace::new(), &s, (&a, &b), &NoEpilogue);
        for (i, value) in plain.iter_mut().enumerate() {
            *value += (i / s.n + 10 * (i % s.n)) as f32;
        }
        let with = run(&mut Workspace::new(), &s, (&a, &b), &Ramp);
        assert_eq!(plain, with, "{s:?}");
    }
}

#[test]
fn a_corrupted_output_fails_the_comparison() {
    let s = MatmulShape::new(20, 30, 40);
    let (a, b) = operands(&s, &mut Generator(15));
    let mut c = run(&mut Workspace::new(), &s, (&a, &b), &NoEpilogue);
    c[17] += 0.01;
    assert!(error(&c, &naive(&s, &a, &b)) > bound(s.k));
}
