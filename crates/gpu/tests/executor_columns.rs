//! Batch norm whose statistics, forward and backward, are made by the kernels around it: the kernels of GPUs, on the software
//! adapter, against the float64 reference.

mod support;

use chiaro_check::compare::compare;
use chiaro_cpu::reference::Reference;
use chiaro_gpu::{AdapterKind, BackendOptions, Gpu, GpuBackend, KernelChoice, OpenOptions, WinogradUse};
use chiaro_graph::plan::{Plan, Step};
use chiaro_graph::{ConvSpec, DType, Elementwise, Graph, Tensor, Var, evaluate, normal_pair, random_words};

/// Normal numbers.
fn draw(stream: u32, shape: &[usize], scale: f64) -> Tensor {
    let count: usize = shape.iter().product();
    let number = |i: usize| {
        let words = random_words([5, 6, stream], 1, i as u32);
        scale * normal_pair([words[0], words[1]])[0]
    };
    let values: Vec<f64> = (0..count).map(number).collect();
    Tensor::from_f64(shape, DType::F32, &values).expect("as many as the shape has")
}

/// Shapes of two convolutions with batch norm, the second of them over the first's output.
struct Net {
    image: [usize; 4],
    channels: [usize; 2],
    strides: [usize; 2],
    groups: usize,
    /// Added to the first convolution's results, so that their mean is many times their spread.
    offset: f64,
    /// Channels and stride of a third convolution behind the second, to whose results an input is added; else the first one's are, where they fit.
    behind: Option<[usize; 2]>,
}

/// A graph with its inputs by name.
#[derive(Default)]
struct Recorded {
    graph: Graph,
    inputs: Vec<(String, Var)>,
}

impl Recorded {
    fn input(&mut self, name: &str, shape: &[usize]) -> Var {
        let v = self.graph.input(name, shape, DType::F32).expect("new");
        self.inputs.push((name.to_string(), v));
        v
    }

    fn conv(&mut self, x: Var, out: usize, stride: usize, groups: usize, name: &str) -> Var {
        let w = self.input(name, &[out, 3, 3, self.graph.shape(x)[3] / groups]);
        let spec = ConvSpec { stride: [stride; 2], padding: [1; 4], groups, ..ConvSpec::default() };
        self.graph.conv2d(x, w, &spec).expect("fits")
    }

    fn norm(&mut self, x: Var, name: &str) -> Var {
        let c = self.graph.shape(x)[3];
        let (scale, shift) = (self.input(&format!("{name} scale"), &[c]), self.input(&format!("{name} shift"), &[c]));
        let (y, moments) = self.graph.batch_norm(x, scale, shift, 1e-5).expect("fits");
        self.graph.output(&format!("{name} moments"), moments).expect("new");
        y
    }
}

impl Net {
    /// Outputs and gradients of everything, with a cotangent that differs everywhere.
    fn graph(&self) -> (Graph, Vec<Tensor>) {
        let mut r = Recorded::default();
        let x = r.input("x", &self.image);
        let y = r.conv(x, self.channels[0], self.strides[0], 1, "w1");
        let y = r.graph.map_scalars(Elementwise::Add, y, &[self.offset]).expect("a float");
        let y = r.norm(y, "norm 1");
        let y = r.graph.relu(y).expect("a float");
        let z = r.conv(y, self.channels[1], self.strides[1], self.groups, "w2");
        let z = r.norm(z, "norm 2");
        let shape = r.graph.shape(z).to_vec();
        let z = match self.behind {
            None if shape == r.graph.shape(y) => r.graph.add(z, y).expect("one shape"),
            None => z,
            Some(_) => {
                let skip = r.input("skip", &shape);
                r.graph.add(z, skip).expect("one shape")
            }
        };
        let mut z = r.graph.relu(z).expect("a float");
        if let Some([channels, stride]) = self.behind {
            z = r.conv(z, channels, stride, 1, "w3");
            z = r.norm(z, "norm 3");
            z = r.graph.relu(z).expect("a float");
        }
        let shape = r.graph.shape(z).to_vec();
        let wrt = r.inputs.clone();
        let d = r.input("d", &shape);
        let mut g = r.graph;
        g.output("z", z).expect("new");
        let values: Vec<Var> = wrt.iter().map(|(_, v)| *v).collect();
        for ((name, _), gradient) in wrt.iter().zip(g.grad(z, Some(d), &values).expect("differentiable")) {
            g.output(&format!("gradient of {name}"), gradient).expect("new");
        }
        let inputs = g.inputs().iter().enumerate().map(|(i, input)| draw(i as u32, &input.shape, 0.4)).collect();
        (g, inputs)
    }
}

fn nets() -> Vec<Net> {
    let net = |image, channels, strides, groups, offset| Net { image, channels, strides, groups, offset, behind: None };
    vec![
        net([3, 7, 5, 3], [20, 20], [1, 1], 1, 0.0),
        net([2, 9, 7, 5], [6, 10], [1, 2], 2, 0.0),
        net([4, 17, 17, 8], [40, 72], [1, 2], 4, 0.0),
        net([2, 12, 12, 4], [16, 8], [1, 1], 1, 300.0),
    ]
}

#[test]
fn statistics_made_by_the_kernels_around_a_norm_equal_the_reference() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let options =
        BackendOptions { kernels: KernelChoice::Gpu, winograd: WinogradUse::Never, ..BackendOptions::default() };
    nets().iter().for_each(|net| check(&gpu, net, &options));
}

/// Inputs that a kernel computes as it reads them and keeps for those behind it: gradients by weight gradients, and the sum of a block by the
/// convolution behind it. Channels that are no vectors, parts of tiles, several tiles of rows and of columns, and strides.
#[test]
fn inputs_that_are_kept_as_they_are_computed_equal_the_reference() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let net = |image, channels, strides, behind| Net { image, channels, strides, groups: 1, offset: 0.0, behind };
    let kept = [net([3, 9, 7, 3], [6, 6], [1, 1], Some([10, 1])), net([2, 8, 8, 16], [40, 40], [1, 1], Some([8, 2]))];
    let options =
        BackendOptions { kernels: KernelChoice::Gpu, winograd: WinogradUse::Never, ..BackendOptions::default() };
    for net in &kept {
        assert_eq!(keeping(&gpu, net, &options), [true, true], "{:?}: forward passes, weight gradients", net.image);
        check(&gpu, net, &options);
    }
}

/// Whether forward passes, and weight gradients, keep an input that they compute.
fn keeping(gpu: &Gpu, net: &Net, options: &BackendOptions) -> [bool; 2] {
    let (graph, _) = net.graph();
    let plan = Plan::new(&graph, &GpuBackend::new(gpu.clone(), options.clone()).plan_options(&graph)).expect("a plan");
    let keeps = |step: &Step| step.loads.iter().flatten().any(|load| !load.program.stores.is_empty());
    let of = |kernel: &str| plan.steps.iter().any(|step| step.kernel.name() == kernel && keeps(step));
    ["Conv2d", "Conv2dWeightGrad"].map(of)
}

/// Images of parts of tiles, whose pixels workgroups must count for the moments, and inputs that are kept.
#[test]
fn transformed_convolutions_and_the_norms_around_them_equal_the_reference() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let net =
        Net { image: [5, 10, 12, 4], channels: [12, 4], strides: [1, 1], groups: 1, offset: 0.0, behind: Some([8, 1]) };
    assert_eq!(products(&gpu, &net.graph().0), 9, "three directions of three convolutions");
    assert_eq!(keeping(&gpu, &net, &always()), [true, true], "forward passes, weight gradients");
    check(&gpu, &net, &always());
}

/// Whole tiles, the last workgroup with fewer of them than the others.
#[test]
fn moments_of_transformed_convolutions_count_what_the_last_workgroup_has() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let mut net = Recorded::default();
    let x = net.input("x", &[3, 8, 12, 4]);
    let y = net.conv(x, 8, 1, 1, "w");
    let y = net.norm(y, "norm");
    net.graph.output("y", y).expect("new");
    assert_eq!(products(&gpu, &net.graph), 1);
    let inputs: Vec<Tensor> =
        net.graph.inputs().iter().enumerate().map(|(i, v)| draw(i as u32, &v.shape, 1.0)).collect();
    let want = evaluate(&mut Reference::new(), &net.graph, &inputs).expect("the reference runs");
    let got = evaluate(&mut GpuBackend::new(gpu, always()), &net.graph, &inputs).expect("runs");
    for ((got, want), (output, _)) in got.iter().zip(&want).zip(net.graph.outputs()) {
        let error = compare(got, want).unwrap_or_else(|e| panic!("{output}: {e}"));
        assert!(error <= 1e-5, "{output}: {error:e}");
    }
}

/// Paddings of every kind.
#[test]
fn transformed_convolutions_equal_the_reference() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    for (image, out, padding) in [([3, 7, 6, 8], 4, [2, 0, 1, 2])] {
        let mut net = Recorded::default();
        let (x, w) = (net.input("x", &image), net.input("w", &[out, 3, 3, image[3]]));
        let y = net.graph.conv2d(x, w, &ConvSpec { padding, ..ConvSpec::default() }).expect("fits");
        let shape = net.graph.shape(y).to_vec();
        let d = net.input("d", &shape);
        let mut g = net.graph;
        let gradients = g.grad(y, Some(d), &[x, w]).expect("differentiable");
        for (name, value) in [("y", y), ("dx", gradients[0]), ("dw", gradients[1])] {
            g.output(name, value).expect("new");
        }
        assert_eq!(products(&gpu, &g), 3, "three directions of {image:?}");
        let inputs: Vec<_> = g.inputs().iter().enumerate().map(|(i, v)| draw(i as u32, &v.shape, 1.0)).collect();
        let want = evaluate(&mut Reference::new(), &g, &inputs).expect("the reference runs");
        let got = evaluate(&mut GpuBackend::new(gpu.clone(), always()), &g, &inputs).expect("runs");
        for ((got, want), (output, _)) in got.iter().zip(&want).zip(g.outputs()) {
            let error = compare(got, want).unwrap_or_else(|e| panic!("{image:?}, {output}: {e}"));
            assert!(error <= 1e-5, "{image:?}, {output}: {error:e}");
        }
    }
}

fn always() -> BackendOptions {
    BackendOptions { kernels: KernelChoice::Gpu, winograd: WinogradUse::Always, ..BackendOptions::default() }
}

/// Transformed convolutions of a graph.
fn products(gpu: &Gpu, graph: &Graph) -> usize {
    let planned = GpuBackend::new(gpu.clone(), always()).planned(graph).expect("a plan");
    planned.iter().filter(|kernel| kernel.call.kernel.ends_with("products")).count()
}

fn check(gpu: &Gpu, net: &Net, options: &BackendOptions) {
    let (graph, inputs) = net.graph();
    let name = format!("{:?} to {:?} by {:?}, offset {}", net.image, net.channels, net.strides, net.offset);
    let mut backend = GpuBackend::new(gpu.clone(), options.clone());
    let plan = Plan::new(&graph, &backend.plan_options(&graph)).expect("a plan");
    let reducing = plan.steps.iter().filter(|s| s.columns.is_some()).count();
    assert!(reducing >= 2, "{name}: {reducing} kernels reduce columns");
    let computing = plan.steps.iter().filter(|s| s.loads.iter().any(Option::is_some)).count();
    // Cards with stacked memory rather store what they would compute several times.
    let wanted = if gpu.summary().kind == AdapterKind::Software { 2 } else { 0 };
    assert!(computing >= wanted, "{name}: {computing} kernels compute an input as they read it");
    let want = evaluate(&mut Reference::new(), &graph, &inputs).expect("the reference runs");
    let got = evaluate(&mut backend, &graph, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
    for ((got, want), (output, _)) in got.iter().zip(&want).zip(graph.outputs()) {
        let error = compare(got, want).unwrap_or_else(|e| panic!("{name}, {output}: {e}"));
        // Rounding of the first layer's results, 300 times their spread, reaches everything behind (7.3e-5 measured).
        let limit = if net.offset == 0.0 { 1e-5 } else { 2e-4 };
        assert!(error <= limit, "{name}, {output}: {error:e}");
    }
}

/// Phases of the transposed convolution whose extents are no multiple of the stride have rows that are no results.
#[test]
fn moments_of_a_strided_transposed_convolution_count_its_results_alone() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let mut gpu = GpuBackend::new(gpu, BackendOptions { kernels: KernelChoice::Gpu, ..BackendOptions::default() });
    for output_padding in [0, 1] {
        let mut net = Recorded::default();
        let (x, w) = (net.input("x", &[2, 4, 4, 8]), net.input("w", &[8, 3, 3, 8]));
        let spec = ConvSpec { stride: [2; 2], padding: [1; 4], ..ConvSpec::default() };
        let y = net.graph.conv_transpose2d(x, w, &spec, [output_padding; 2]).expect("fits");
        let y = net.graph.map_scalars(Elementwise::Add, y, &[3.0]).expect("a number");
        let y = net.norm(y, "norm");
        net.graph.output("y", y).expect("new");
        let shapes = net.inputs.iter().map(|(_, v)| net.graph.shape(*v).to_vec());
        let inputs: Vec<Tensor> = shapes.enumerate().map(|(i, shape)| draw(i as u32, &shape, 1.0)).collect();
        let want = evaluate(&mut Reference::new(), &net.graph, &inputs).expect("the reference runs");
        let got = evaluate(&mut gpu, &net.graph, &inputs).expect("runs");
        for (got, want) in got.iter().zip(&want) {
            let error = compare(got, want).expect("one shape");
            assert!(error < 1e-5, "output padding {output_padding}: {error:e}");
        }
    }
}
