//! Initial values of parameters, drawn on the host from Philox keyed by seed and parameter index.

use crate::arena::vector;
use crate::context::Declaration;
use crate::normals::{COUNTERS, GROUP, normals, uniforms};
use crate::whitening::ExampleImages;
use chiaro_graph::shape::count;
use chiaro_graph::{Graph, Tensor};
use std::num::NonZero;

/// Which side of a weight its spread is scaled by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// Inputs of one output: preserves variances in the forward pass.
    In,
    /// Outputs that one input reaches: preserves variances in the backward pass.
    Out,
}

/// How a parameter starts. Weights are `[O, ..., I]`: fan in is all axes but the first, fan out all but the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All elements equal.
    Constant(f64),
    /// Uniform in ±`bound`.
    Uniform {
        /// Half the width.
        bound: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Normal with mean 0, but for the row of this number, which is zeros.
    NormalBut {
        /// Standard deviation.
        std: f64,
        /// The row.
        zeros: usize,
    },
    /// Uniform with standard deviation gain / √fan (arXiv:1502.01852; gain √2 for ReLU).
    KaimingUniform {
        /// Factor that makes up for the activation.
        gain: f64,
        /// The fan.
        fan: Fan,
    },
    /// Normal with standard deviation gain / √fan.
    KaimingNormal {
        /// Factor that makes up for the activation.
        gain: f64,
        /// The fan.
        fan: Fan,
    },
    /// Uniform with standard deviation gain √(2 / (fan in + fan out)) (Glorot and Bengio, 2010).
    XavierUniform {
        /// Factor that makes up for the activation.
        gain: f64,
    },
    /// Normal with standard deviation gain √(2 / (fan in + fan out)).
    XavierNormal {
        /// Factor that makes up for the activation.
        gain: f64,
    },
    /// Of a convolution: the first outputs, as many as there are inputs, pass their input's middle pixel on; the others start as
    /// [`Init::torch_weight`] (arXiv:2404.00498, there called the Dirac initialisation).
    Passing,
    /// Of a convolution with fixed filters: made of the training images, so that they whiten patches (arXiv:2404.00498); where no
    /// images are at hand, as [`Init::torch_weight`].
    Whitening,
}

enum Draw {
    Constant(f64),
    Uniform(f64),
    Normal(f64),
}

impl Init {
    /// All elements 0.
    pub const ZEROS: Init = Init::Constant(0.0);
    /// All elements 1.
    pub const ONES: Init = Init::Constant(1.0);

    /// PyTorch's default for weights of linear layers and convolutions: uniform in ±1/√(fan in).
    pub fn torch_weight() -> Init {
        Init::KaimingUniform { gain: (1.0f64 / 3.0).sqrt(), fan: Fan::In }
    }

    /// PyTorch's default for their bias: uniform in ±1/√(fan in of the weight).
    pub fn torch_bias(fan_in: usize) -> Init {
        Init::Uniform { bound: 1.0 / (fan_in.max(1) as f64).sqrt() }
    }

    fn draw(self, shape: &[usize]) -> Draw {
        let fan_in = count(shape.get(1..).unwrap_or(&[])).max(1) as f64;
        let fan_out = count(&shape[..shape.len().saturating_sub(1)]).max(1) as f64;
        let of = |fan| if fan == Fan::In { fan_in } else { fan_out };
        let to_bound = 3.0f64.sqrt();
        match self {
            Init::Constant(value) => Draw::Constant(value),
            Init::Uniform { bound } => Draw::Uniform(bound),
            Init::Normal { std } | Init::NormalBut { std, .. } => Draw::Normal(std),
            Init::KaimingUniform { gain, fan } => Draw::Uniform(to_bound * gain / of(fan).sqrt()),
            Init::KaimingNormal { gain, fan } => Draw::Normal(gain / of(fan).sqrt()),
            Init::XavierUniform { gain } => Draw::Uniform(to_bound * gain * (2.0 / (fan_in + fan_out)).sqrt()),
            Init::XavierNormal { gain } => Draw::Normal(gain * (2.0 / (fan_in + fan_out)).sqrt()),
            Init::Passing | Init::Whitening => Init::torch_weight().draw(shape),
        }
    }

    /// `count(shape)` values for the parameter of this index.
    pub fn values(self, shape: &[usize], seed: u64, index: u32) -> Vec<f32> {
        let mut values = vec![0.0; count(shape)];
        self.fill(&mut values, shape, seed, index);
        values
    }

    /// Puts them where they belong.
    pub(crate) fn fill(self, values: &mut [f32], shape: &[usize], seed: u64, index: u32) {
        match self.draw(shape) {
            Draw::Constant(value) => values.fill(value as f32),
            Draw::Uniform(bound) => draw(values, seed, index, |u| u.map(|u| (2.0 * u - 1.0) * bound)),
            Draw::Normal(std) => draw(values, seed, index, |u| normals(&u).map(|z| z * std)),
        }
        if self == Init::Passing {
            pass_inputs(values, shape);
        }
        if let Init::NormalBut { zeros, .. } = self {
            let row = count(shape.get(1..).unwrap_or(&[])).max(1);
            values.chunks_mut(row).skip(zeros).take(1).for_each(|row| row.fill(0.0));
        }
    }
}

/// Makes the first outputs of a convolution `[O,KH,KW,I]` pass their input's middle pixel on.
fn pass_inputs(weight: &mut [f32], shape: &[usize]) {
    let &[_, rows, columns, inputs] = shape else { return };
    let each = rows * columns * inputs;
    let middle = (rows / 2 * columns + columns / 2) * inputs;
    for (input, output) in weight.chunks_mut(each.max(1)).take(inputs).enumerate() {
        output.fill(0.0);
        output[middle + input] = 1.0;
    }
}

/// Distinguishes initial values from the random ops of a graph, which use the same generator.
const DOMAIN: u32 = 0x494e_4954;

/// So many counters are worth one more thread.
const BLOCKS: usize = 1 << 16;

/// Numbers from groups of uniforms in (0, 1), four for each counter.
fn draw(values: &mut [f32], seed: u64, index: u32, f: impl Fn([f64; GROUP]) -> [f64; GROUP] + Sync) {
    let key = [seed as u32, (seed >> 32) as u32];
    let from = |first: usize, values: &mut [f32]| {
        for (group, values) in values.chunks_mut(GROUP).enumerate() {
            let drawn = f(uniforms(first + group * COUNTERS, key, [index, DOMAIN])).map(|v| v as f32);
            values.copy_from_slice(&drawn[..values.len()]);
        }
    };
    let counters = values.len().div_ceil(4);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(counters.div_ceil(BLOCKS));
    if threads < 2 {
        return from(0, values);
    }
    let each = counters.div_ceil(threads);
    std::thread::scope(|scope| {
        for (part, values) in values.chunks_mut(4 * each).enumerate() {
            scope.spawn(move || from(part * each, values));
        }
    });
}

/// The flat initial vector of an arena from its declared states; padding is zero.
pub fn initial_arena(graph: &Graph, declared: &[Declaration], seed: u64) -> Tensor {
    initial_arena_from(graph, declared, seed, None)
}

/// The same, with images for the initial values that are made of some.
pub(crate) fn initial_arena_from(
    graph: &Graph,
    declared: &[Declaration],
    seed: u64,
    examples: Option<&ExampleImages>,
) -> Tensor {
    let len = declared.first().map_or(0, |d| graph.arenas()[graph.states()[d.state.index()].arena.index()].len);
    let mut flat = vec![0.0; len];
    for (index, declaration) in declared.iter().enumerate() {
        let state = &graph.states()[declaration.state.index()];
        let place = &mut flat[state.offset..state.offset + count(&state.shape)];
        declaration.init.fill_from(place, &state.shape, seed, index as u32, examples);
    }
    vector(flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean, var.sqrt(), values.iter().fold(0.0, |m, &v| f64::from(v.abs()).max(m)))
    }

    #[test]
    fn every_initialiser_has_the_spread_of_its_formula() {
        let shape = [128, 3, 3, 64]; // fan in 576, fan out 1152
        let (gain, root) = (std::f64::consts::SQRT_2, f64::sqrt);
        let cases = [
            (Init::KaimingUniform { gain, fan: Fan::In }, gain / root(576.0), true),
            (Init::KaimingNormal { gain, fan: Fan::Out }, gain / root(1152.0), false),
            (Init::XavierUniform { gain: 1.0 }, root(2.0 / 1728.0), true),
            (Init::XavierNormal { gain: 1.0 }, root(2.0 / 1728.0), false),
            (Init::torch_weight(), root(1.0 / 3.0 / 576.0), true),
            (Init::torch_bias(576), root(1.0 / 3.0 / 576.0), true),
            (Init::Normal { std: 0.02 }, 0.02, false),
        ];
        for (init, want, uniform) in cases {
            let (mean, std, most) = spread(&init.values(&shape, 7, 3));
            assert!(mean.abs() < 0.02 * want, "{init:?}: mean {mean}");
            assert!((std / want - 1.0).abs() < 0.02, "{init:?}: {std} for {want}");
            let bound = want * root(3.0);
            assert!(if uniform { most <= bound * 1.000001 && most > 0.99 * bound } else { most > 3.5 * want });
        }
    }

    #[test]
    fn a_row_that_fills_up_starts_as_zeros_and_the_others_as_they_would() {
        let plain = Init::Normal { std: 1.0 }.values(&[5, 3], 4, 2);
        for row in [0, 2, 4] {
            let values = Init::NormalBut { std: 1.0, zeros: row }.values(&[5, 3], 4, 2);
            assert_eq!(values[3 * row..3 * row + 3], [0.0; 3]);
            assert_eq!((&values[..3 * row], &values[3 * row + 3..]), (&plain[..3 * row], &plain[3 * row + 3..]));
        }
    }

    #[test]
    fn passing_convolutions_start_as_the_identity_and_go_on_at_random() {
        let (inputs, each) = (4, 3 * 3 * 4);
        let values = Init::Passing.values(&[6, 3, 3, inputs], 1, 0);
        for (i, output) in values.chunks(each).enumerate() {
            let ones = output.iter().filter(|&&v| v == 1.0).count();
            if i < inputs {
                assert!(output[4 * inputs + i] == 1.0 && ones == 1 && output.iter().sum::<f32>() == 1.0, "{output:?}");
            } else {
                assert!(ones == 0 && output.iter().all(|v| v.abs() <= 1.0 / 6.0), "{output:?}");
            }
        }
    }

    #[test]
    fn what_several_threads_draw_is_what_one_would() {
        let (n, init) = (8 * BLOCKS + 3, Init::Normal { std: 1.0 });
        let all = init.values(&[n], 5, 1);
        for i in [0, 1, BLOCKS - 1, BLOCKS, n / 8, n / 8 + 1, 2 * BLOCKS] {
            let group = normals(&uniforms(i, [5, 0], [1, DOMAIN])).map(|v| v as f32);
            let values = &all[4 * i..(4 * i + GROUP).min(n)];
            assert_eq!(values, &group[..values.len()], "counter {i}");
        }
        assert_eq!(init.values(&[n / 9], 5, 1), all[..n / 9]);
    }

    #[test]
    fn seeds_and_parameters_have_streams_of_their_own() {
        let values = |seed, index| Init::Normal { std: 1.0 }.values(&[1000], seed, index);
        assert_eq!(values(1, 0), values(1, 0));
        for other in [values(2, 0), values(1, 1), values(1 << 32, 0)] {
            let dot: f32 = values(1, 0).iter().zip(&other).map(|(a, b)| a * b).sum();
            assert!(dot.abs() < 150.0, "correlation {dot} / 1000");
        }
        assert_eq!(values(1, 0)[..10], Init::Normal { std: 1.0 }.values(&[10], 1, 0)[..]);
    }
}
