//! Whole training steps on the CPU, by criterion: `cargo bench --bench step`. `chiaro bench` measures every device.

use chiaro::graph::DType;
use chiaro::nn::{AdamW, Optimizer, TrainOptions, TrainStep, models};
use chiaro::{Device, DeviceOptions, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MODELS: [(&str, [usize; 3], usize); 3] =
    [("small-cnn", [28, 28, 1], 128), ("tutorial-cnn", [64, 64, 3], 32), ("resnet20", [32, 32, 3], 64)];

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("training step");
    group.sample_size(10);
    for (name, [h, w, c], batch) in MODELS {
        let model = models::by_name(name, 10, [h, w, c]).expect("a model of ours");
        let options = TrainOptions::new(batch, Optimizer::AdamW(AdamW::default()));
        let step = TrainStep::build(&model, options).expect("it fits its usual image");
        let mut device = Device::by_name("cpu", &DeviceOptions::default()).expect("a CPU");
        let backend = device.backend();
        let plan = backend.compile(&step.graph).expect("it fits in memory");
        for (arena, values) in step.initial_arenas(1) {
            backend.write_arena(&arena, &values).expect("the plan declares it");
        }
        let pixels: Vec<f64> = (0..batch * h * w * c).map(|i| (i * 7919 % 1013) as f64 / 506.5 - 1.0).collect();
        let images = Tensor::from_f64([batch, h, w, c], DType::F32, &pixels).expect("as many as the shape has");
        let labels = Tensor::i32([batch], (0..batch as i32).map(|i| i % 10).collect()).expect("one each");
        let inputs = step.inputs(images, labels, 1, 0, 1e-3);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                backend.run(plan, &inputs).expect("the step runs");
                backend.read(plan, 0).expect("the loss can be read")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
