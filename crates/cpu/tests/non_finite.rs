//! One infinite pixel: Winograd's transforms spread it over a tile, so that more of the result is NaN than by the definition. Allowed, and
//! never less is: a training step still counts its loss as not finite.

use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, ConvSpec, DType, Graph, Tensor, evaluate};
use chiaro_nn::{Conv2d, Flatten, Linear, METRICS, Metrics, Model, Sequential, Sgd, TrainOptions, TrainStep};

const IMAGE: [usize; 3] = [16, 16, 32];

/// Images of which one pixel is this.
fn images(value: f32) -> Tensor {
    let count = 2 * IMAGE.iter().product::<usize>();
    let mut values: Vec<f32> = (0..count).map(|i| (i * 37 % 23) as f32 / 11.0 - 1.0).collect();
    values[5000] = value;
    Tensor::f32([2, 16, 16, 32], values).expect("as many pixels")
}

#[test]
fn what_a_convolution_gives_of_an_infinite_pixel_is_not_finite_wherever_the_definition_says_so() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 16, 16, 32], DType::F32).expect("new");
    let w = g.input("w", &[32, 3, 3, 32], DType::F32).expect("new");
    let y = g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() }).expect("shapes fit");
    g.output("y", y).expect("new");
    let weights = (0..32 * 9 * 32).map(|i| (i * 11 % 17) as f32 / 8.0 - 0.95).collect::<Vec<_>>();
    let weights = Tensor::f32([32, 3, 3, 32], weights).expect("as many");
    for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let inputs = [images(value), weights.clone()];
        let got = evaluate(&mut Cpu::new(Some(2)).expect("threads"), &g, &inputs).expect("a step")[0].to_f64();
        let want = evaluate(&mut Reference::new(), &g, &inputs).expect("a step")[0].to_f64();
        let hidden = got.iter().zip(&want).filter(|(got, want)| got.is_finite() && !want.is_finite()).count();
        assert_eq!(hidden, 0, "finite where the definition gives infinities or NaN");
        let spread = got.iter().zip(&want).filter(|(got, want)| !got.is_finite() && want.is_finite()).count();
        // The pixel lies in the 6x6 inputs of at most 4 tiles of 4x4 results.
        assert!(spread <= (4 * 16 - 9) * 32, "{spread} values are lost to one pixel");
    }
}

#[test]
fn a_training_step_counts_a_loss_spoilt_by_one_infinite_pixel() {
    let layers = Sequential::new().push(Conv2d::new(32, 3).padding(1)).push(Flatten).push(Linear::new(3));
    let model = Model::new("one-conv", IMAGE, 3, layers).expect("a model");
    let step = TrainStep::build(&model, TrainOptions::new(2, Sgd::default())).expect("a step");
    let mut backend = Cpu::new(Some(2)).expect("threads");
    let plan = backend.compile(&step.graph).expect("a plan");
    for (value, wanted) in [(0.5, 0.0), (f32::INFINITY, 1.0), (f32::NAN, 1.0)] {
        for (name, values) in step.initial_arenas(3) {
            backend.write_arena(&name, &values).expect("an arena of the step");
        }
        let labels = Tensor::i32([2], vec![0, 2]).expect("two");
        backend.run(plan, &step.inputs(images(value), labels, 1, 0, 0.01)).expect("a step");
        let metrics = Metrics::from_arena(&backend.read_arena(METRICS).expect("metrics"), 2).expect("four numbers");
        assert_eq!(metrics.non_finite, wanted, "with a pixel of {value}");
    }
}
