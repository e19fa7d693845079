//! What follows a convolution of a network that is asked (norms, residuals with norms of their own, bounds) against the reference, and
//! depthwise convolutions of every number of channels.

use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{ConvSpec, DType, Graph, Result, Tensor, Var, evaluate};

/// Numbers that repeat nowhere near.
fn wave(shape: &[usize], step: f32, around: f32) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::f32(shape.to_vec(), (0..n).map(|i| around + (i as f32 * step).sin()).collect())
        .expect("as many as extents say")
}

/// Compares a graph of `[2, 5, 7, c]` images on two backends; the largest difference, and how many results are NaN.
fn compare(c: usize, spoilt: bool, record: impl FnOnce(&mut Graph, Var) -> Result<Var>) -> (f64, usize) {
    let mut graph = Graph::new();
    let x = graph.input("x", &[2, 5, 7, c], DType::F32).expect("an input");
    let y = record(&mut graph, x).expect("recorded");
    graph.output("y", y).expect("an output");
    let mut input = wave(&[2, 5, 7, c], 0.37, 0.0);
    if spoilt {
        let mut values = input.as_f32().expect("floats").to_vec();
        values[c * 17] = f32::NAN;
        input = Tensor::f32(vec![2, 5, 7, c], values).expect("a tensor");
    }
    let mut cpu = Cpu::new(Some(2)).expect("threads");
    let found = evaluate(&mut cpu, &graph, std::slice::from_ref(&input)).expect("runs")[0].to_f64();
    let wanted = evaluate(&mut Reference::new(), &graph, &[input]).expect("runs")[0].to_f64();
    let pairs = found.iter().zip(&wanted);
    assert!(pairs.clone().all(|(a, b)| a.is_nan() == b.is_nan()), "NaN stays NaN");
    let most = pairs.filter(|(a, _)| !a.is_nan()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    (most, found.iter().filter(|v| v.is_nan()).count())
}

fn conv(g: &mut Graph, x: Var, out: usize, phase: f32) -> Result<Var> {
    let c = g.shape(x)[3];
    let w = g.constant(wave(&[out, 1, 1, c], 0.61 + phase, 0.0))?;
    g.conv2d(x, w, &ConvSpec::default())
}

fn norm(g: &mut Graph, x: Var, phase: f32) -> Result<Var> {
    let c = *g.shape(x).last().expect("four axes");
    let parts = [(0.0, 0.3), (1.5, 0.2), (1.0, 0.1), (0.2, 0.4)];
    let [mean, variance, scale, shift] = parts.map(|(around, step)| wave(&[c], step + phase, around));
    let (mean, variance) = (g.constant(mean)?, g.constant(variance)?);
    let (scale, shift) = (g.constant(scale)?, g.constant(shift)?);
    g.normalise(x, mean, variance, Some(scale), Some(shift), 1e-3)
}

#[test]
fn a_norm_a_residual_with_its_own_norm_and_bounds_agree_with_the_reference() {
    // More columns than a tile of the interpreter repeats, fewer than a vector, and neither.
    for out in [3, 24, 600] {
        for spoilt in [false, true] {
            let (most, nans) = compare(10, spoilt, |g, x| {
                let main = conv(g, x, out, 0.0)?;
                let main = norm(g, main, 0.0)?;
                let main = g.clamp(main, Some(-0.5), Some(0.9))?;
                let side = conv(g, x, out, 0.1)?;
                let side = norm(g, side, 0.05)?;
                let both = conv(g, main, out, 0.2)?;
                let both = norm(g, both, 0.07)?;
                let sum = g.add(both, side)?;
                g.relu(sum)
            });
            // Sums of up to 600 products of numbers around 1: 3.5e-5 measured.
            println!("{out} columns: {most:.1e}");
            assert!(most < 1e-4, "{out} columns: {most:.1e}");
            assert_eq!(nans > 0, spoilt, "{out} columns: {nans} are NaN");
        }
    }
}

#[test]
fn what_follows_bounds_is_not_taken_for_what_precedes_them() {
    let (most, _) = compare(10, false, |g, x| {
        let y = conv(g, x, 24, 0.0)?;
        let y = g.clamp(y, Some(-1.0), Some(1.0))?;
        let y = norm(g, y, 0.0)?;
        g.minimum(y, 0.25)
    });
    assert!(most < 1e-5, "{most:.1e}");
}

#[test]
fn depthwise_convolutions_of_any_number_of_channels_agree_with_the_reference() {
    for c in [2, 7, 8, 15, 16, 33, 48, 71] {
        for (kernel, stride) in [(3, 1), (5, 2)] {
            let (most, _) = compare(c, false, |g, x| {
                let w = g.constant(wave(&[c, kernel, kernel, 1], 0.23, 0.1))?;
                let spec = ConvSpec { padding: [kernel / 2; 4], stride: [stride; 2], groups: c, ..ConvSpec::default() };
                let y = g.conv2d(x, w, &spec)?;
                norm(g, y, 0.0)
            });
            assert!(most < 1e-5, "{c} channels, {kernel}x{kernel}: {most:.1e}");
        }
    }
}
